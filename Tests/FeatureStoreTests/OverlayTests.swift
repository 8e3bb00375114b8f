import SeriesCodec
import Testing
import TwinCore

@testable import FeatureStore

@Suite("A change of the past is packed small and read back whole") struct OverlayBodyTests {
  /// Samples of a sensor with a decimal step, polled each second with some jitter, as they are corrected.
  static func samples(_ count: Int, from start: Int64, tick: Int64, _ random: inout Seeded) -> SampleColumns {
    var samples = SampleColumns()
    var level = 215.0
    for index in 0..<Int64(count) {
      level += Double.random(in: -2...2, using: &random)
      samples.append(
        (start + index) * 1_000_000_000 + .random(in: 0...9, using: &random) * 1_000_000, tick: tick,
        value: level.rounded() * 0.1, quality: .good)
    }
    return samples
  }

  static func overlay(_ samples: SampleColumns, tick: Int64) -> Overlay {
    Overlay(
      tick: tick, effective: samples.effective[0]..<samples.effective[samples.count - 1] + 1,
      operation: .replace(samples), grounds: Grounds(reason: "probe swapped", cause: "event 4", by: "kim"))
  }

  @Test("bit for bit, with whatever qualities, values and instants", arguments: 0..<200 as Range<UInt64>)
  func roundTrip(seed: UInt64) throws {
    var random = Seeded(seed)
    var samples = SampleColumns()
    var instant = Int64.random(in: -4_000_000_000_000_000_000...4_000_000_000_000_000_000, using: &random)
    let isWild = Bool.random(using: &random)
    for _ in 0..<Int.random(in: 1...300, using: &random) {
      let value =
        isWild
        ? Double(bitPattern: random.next())
        : Double(Int.random(in: -99...99, using: &random)) * [0.1, 0.5, 1, 0.25][Int(seed % 4)]
      samples.append(
        instant, tick: 7, value: value,
        quality: Bool.random(using: &random) ? .good : Quality.allCases.randomElement(using: &random)!)
      instant += isWild ? .random(in: 1...3_000_000_000_000_000, using: &random) : 1_000_000_000
    }
    let overlay = Self.overlay(samples, tick: 7)
    let bytes = overlay.encode(step: [0, 0.1, 0.3][Int(seed % 3)])
    #expect(try Overlay(bytes, tick: 7, effective: overlay.effective) == overlay, "seed \(seed)")
  }

  @Test("the edges: first and last instants, −0, NaN payloads, no value at all")
  func edges() throws {
    var samples = SampleColumns()
    samples.append(.min, tick: 1, value: -0.0, quality: .good)
    samples.append(-1, tick: 1, value: Double(bitPattern: 0x7FF8_0000_0000_1234), quality: .suspect)
    samples.append(.max - 1, tick: 1, value: .leastNonzeroMagnitude, quality: .good)
    let overlay = Self.overlay(samples, tick: 1)
    #expect(try Overlay(overlay.encode(step: 0.1), tick: 1, effective: overlay.effective) == overlay)
    var silent = SampleColumns()
    silent.append(3, tick: 1, value: 1, quality: .failed)
    let failed = Self.overlay(silent, tick: 1)
    #expect(try Overlay(failed.encode(step: 0), tick: 1, effective: failed.effective) == failed)
  }

  @Test("a column comes back around the place where its code escapes")
  func escapes() throws {
    for outlier in 0..<400 as Range<Int64> {
      let values = Array(repeating: Int64(0), count: 60) + [outlier * 3, 3]
      var writer = ByteWriter()
      OverlayColumn.encode(values, into: &writer)
      var reader = ByteReader(writer.bytes)
      #expect(try OverlayColumn.decode(values.count, from: &reader) == values && reader.remaining == 0)
    }
  }

  @Test("a run costs at most 1.5 bytes a sample", arguments: [200, 720, Overlay.samplesMax])
  func size(count: Int) {
    var random = Seeded(1)
    // The longest one passes through −0, which is no count.
    let samples = Self.samples(count, from: 1_700_000_000, tick: 9, &random)
    let bytes = Self.overlay(samples, tick: 9).encode(step: 0.1).count
    #expect(Double(bytes) / Double(count) <= 1.5, "\(Double(bytes) / Double(count)) bytes a sample")
  }

  @Test("no byte string does harm", arguments: 0..<300 as Range<UInt64>)
  func damaged(seed: UInt64) throws {
    var random = Seeded(seed)
    let samples = Self.samples(.random(in: 1...60, using: &random), from: 100, tick: 9, &random)
    let overlay = Self.overlay(samples, tick: 9)
    var bytes = overlay.encode(step: 0.1)
    switch Int.random(in: 0..<3, using: &random) {
    case 0: bytes.removeLast(.random(in: 1...bytes.count, using: &random))
    case 1: bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    default:
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        bytes[.random(in: bytes.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    }
    // Whatever comes out has the shape that readers rely on.
    guard let found = try? Overlay(bytes, tick: 9, effective: overlay.effective) else { return }
    guard case .replace(let read) = found.operation else { return }
    #expect(read.count <= Overlay.samplesMax && read.values.count == read.count && read.qualities.count == read.count)
    #expect(zip(read.effective, read.effective.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed)")
  }
}

@Suite("Changes laid over frames") struct OverlayStackTests {
  /// Everything that was ever said of one point, in order of saying, asked by going through it.
  struct Said {
    enum What {
      case sample(Int64, Double, Quality)
      case nothing(Range<Int64>)
    }

    var all: [(tick: Int64, isChange: Bool, what: What)] = []

    func known(_ range: Range<Int64>, through tick: Int64) -> SampleColumns {
      var state: [Int64: (Int64, Double, Quality)] = [:]
      let order = all.enumerated().filter { $0.element.tick <= tick }.sorted {
        ($0.element.tick, $0.element.isChange ? 1 : 0, $0.offset)
          < ($1.element.tick, $1.element.isChange ? 1 : 0, $1.offset)
      }
      for (_, said) in order {
        switch said.what {
        case .sample(let instant, let value, let quality): state[instant] = (said.tick, value, quality)
        case .nothing(let stretch): state = state.filter { !stretch.contains($0.key) }
        }
      }
      var result = SampleColumns()
      for instant in state.keys.sorted() where range.contains(instant) {
        result.append(instant, tick: state[instant]!.0, value: state[instant]!.1, quality: state[instant]!.2)
      }
      return result
    }
  }

  /// A history of frames, corrections, late samples and retractions over a hundred instants.
  static func history(_ random: inout Seeded) -> (said: Said, frames: SampleColumns, overlays: [Overlay]) {
    var (said, frames, overlays) = (Said(), SampleColumns(), [Overlay]())
    let grounds = Grounds(reason: "test", by: "test")
    for tick in 1...Int64.random(in: 1...60, using: &random) {
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        let instant = Bool.random(using: &random) ? tick : .random(in: 0..<100, using: &random)
        let value = Double(Int.random(in: 0...999, using: &random))
        let quality = Int.random(in: 0..<9, using: &random) == 0 ? Quality.failed : .good
        frames.append(instant, tick: tick, value: value, quality: quality)
        said.all.append((tick, false, .sample(instant, value, quality)))
      }
      for _ in 0..<max(0, Int.random(in: -3...2, using: &random)) {
        let first = Int64.random(in: 0..<100, using: &random)
        let stretch = first..<first + .random(in: 1...30, using: &random)
        if Int.random(in: 0..<3, using: &random) == 0 {
          overlays.append(Overlay(tick: tick, effective: stretch, operation: .retract, grounds: grounds))
          said.all.append((tick, true, .nothing(stretch)))
        } else {
          var samples = SampleColumns()
          for instant in stretch where instant == first || Int.random(in: 0..<3, using: &random) == 0 {
            samples.append(instant, tick: tick, value: .random(in: 0...1, using: &random), quality: .good)
          }
          for row in 0..<samples.count {
            said.all.append((tick, true, .sample(samples.effective[row], samples.values[row], samples.qualities[row])))
          }
          overlays.append(
            Overlay(
              tick: tick, effective: first..<samples.effective[samples.count - 1] + 1, operation: .replace(samples),
              grounds: grounds))
        }
      }
    }
    return (said, frames, overlays)
  }

  /// Of each instant the last frame, as a plain read gives it.
  static func last(_ frames: SampleColumns, _ range: Range<Int64>, through tick: Int64) -> SampleColumns {
    var said = Said()
    for row in 0..<frames.count {
      said.all.append(
        (frames.ticks[row], false, .sample(frames.effective[row], frames.values[row], frames.qualities[row])))
    }
    return said.known(range, through: tick)
  }

  @Test("give what going through everything gives", arguments: 0..<60 as Range<UInt64>)
  func model(seed: UInt64) {
    var random = Seeded(seed)
    let (said, frames, overlays) = Self.history(&random)
    for _ in 0..<10 {
      let tick = Int64.random(in: 0...61, using: &random)
      let first = Int64.random(in: -5..<100, using: &random)
      let range = first..<first + .random(in: 0...120, using: &random)
      let stack = OverlayStack(overlays.filter { $0.tick <= tick && $0.effective.overlaps(range) })
      let found = stack.resolve(Self.last(frames, range, through: tick), within: range)
      #expect(found == said.known(range, through: tick), "seed \(seed), tick \(tick), \(range)")
    }
  }

  @Test("become known one by one as they would be read anew", arguments: 0..<60 as Range<UInt64>)
  func known(seed: UInt64) {
    var random = Seeded(seed)
    let (said, frames, overlays) = Self.history(&random)
    var samples = KnownSamples(frames: frames, overlays: overlays)
    for tick in 0...61 as ClosedRange<Int64> where Bool.random(using: &random) {
      samples.learn(through: tick)
      let truth = said.known(.min ..< .max, through: tick)
      for (place, instant) in samples.effective.enumerated() {
        let row = truth.row(notBefore: instant + 1) - 1
        let found = samples.last(through: place)
        #expect(found.map { samples.effective[$0] } == (row >= 0 ? truth.effective[row] : nil), "seed \(seed)")
        if let found, row >= 0 {
          #expect(samples.values[found].bitPattern == truth.values[row].bitPattern || !truth.qualities[row].hasValue)
        }
      }
    }
  }

  @Test("a stretch belongs to the last statement over it", arguments: 0..<200 as Range<UInt64>)
  func strata(seed: UInt64) {
    var random = Seeded(seed)
    let ranges = (0..<Int.random(in: 0...20, using: &random)).map { _ in
      let first = Int64.random(in: 0..<50, using: &random)
      return first..<first + .random(in: 0...30, using: &random)
    }
    let strata = Strata(ranges)
    for instant in -1...90 as ClosedRange<Int64> {
      #expect(strata.statement(at: instant) == ranges.lastIndex { $0.contains(instant) }, "seed \(seed), \(instant)")
    }
    #expect(
      zip(strata.stretches, strata.stretches.dropFirst()).allSatisfy { $0.range.upperBound <= $1.range.lowerBound })
  }
}
