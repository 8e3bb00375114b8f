import SeriesCodec
import TwinCore

/// What variance, confidence, provenance and stamp cost beside the values: the day's bodies coded with them and
/// without.
///
/// Four of a device's twenty points have the variance of their last 60 readings, in eighths of an octave; of the others
/// it is the register's. Confidence halves and two of the rules fail while quality is bad; provenance is the layout's.
enum MeasurementBytes {
  private static let rolling = [0, 6, 9, 13]
  private static let window = 60
  /// Rows of a body of a closed day.
  private static let rows = 7200

  static func run() throws {
    var site = PolledSite(.shared)
    var blocks = site.layouts.map { layout in
      Block(
        group: layout.group, layout: 1, effective: [], ticks: [], leads: [],
        columns: layout.scales.map { Column(form: .decimal(scale: $0), counts: []) })
    }
    for second in 0..<PolledSite.seconds {
      for frame in site.frames(second: second) {
        append(frame, tick: Int64(second + 1), site.layouts[Int(frame.group)].scales, to: &blocks[Int(frame.group)])
      }
    }
    var (bare, full) = (0, 0)
    for block in blocks {
      bare += BodyCodec.encode(block, tier: .cold).count
      full += BodyCodec.encode(measured(block), tier: .cold).count
    }
    let samples = Double(site.samples)
    print(Figure("store.measurement_bytes", Double(full - bare) / samples, "B", .atMost(0.04)))
    print(Figure("store.body_bytes_per_sample.a", Double(bare) / samples, "B", .none))
  }

  private static func append(_ frame: Frame, tick: Int64, _ scales: [Double], to block: inout Block) {
    block.effective.append(frame.effective.nanoseconds)
    block.ticks.append(tick)
    block.leads.append(frame.effective.nanoseconds - frame.uptime.nanoseconds)
    for index in block.columns.indices {
      block.columns[index].counts.append(Int64((frame.values[index] / scales[index]).rounded()))
      block.columns[index].qualities.append(frame.qualities[index].rawValue)
    }
  }

  private static func measured(_ block: Block) -> Block {
    var block = block
    for index in block.columns.indices {
      let qualities = block.columns[index].qualities
      let isBad = qualities.map { $0 != Quality.good.rawValue }
      var measures = Measures()
      if isBad.contains(true) {
        measures.confidences = isBad.map { $0 ? 128 : 255 }
        measures.stamps = isBad.map { 3 << 8 | ($0 ? 0b1111_1001 : 0b1111_1111) }
      } else {
        measures.stamps = isBad.map { _ in 3 << 8 | 0b1111_1111 }
      }
      if rolling.contains(index % PolledSite.pointsPerDevice) {
        measures.variances = variances(of: block.columns[index].counts)
      }
      block.columns[index].measures = measures
    }
    return block
  }

  /// 8 log2 of the variance of the last readings, in counts, from 1 on.
  private static func variances(of counts: [Int64]) -> [UInt8] {
    var (sum, squares) = (0.0, 0.0)
    return counts.indices.map { row in
      let value = Double(counts[row] - counts[0])
      (sum, squares) = (sum + value, squares + value * value)
      if row >= window {
        let old = Double(counts[row - window] - counts[0])
        (sum, squares) = (sum - old, squares - old * old)
      }
      let number = Double(min(row + 1, window))
      let variance = max(1.0 / 12, squares / number - sum / number * (sum / number))
      let code = 64 + 8 * Elementary.log(variance) / Elementary.log(2)
      return UInt8(min(255, max(1, code.rounded())))
    }
  }
}
