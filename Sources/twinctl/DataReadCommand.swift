import ArgumentParser
import FeatureStore
import Glibc
import StatusAPI
import TwinCore

extension API {
  /// Samples of one point as `twinctl data read -o json` gives them.
  struct SeriesRead: Codable, Sendable, Equatable {
    var point: String
    var unit: String
    /// Absent: as known now.
    var asOf: Timestamp?
    var samples: [SampleRead]
    var truncated: Bool
  }

  struct SampleRead: Codable, Sendable, Equatable {
    var at: Timestamp
    var observed: Timestamp
    var value: Double?
    var quality: String
  }

  struct DataRead: Codable, Sendable, Equatable {
    var series: [SeriesRead]
  }
}

extension DataCommand {
  struct Read: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "Samples of points, as a chart or one by one.",
      discussion:
        "A pattern like 'ahu.*' names several. With --as-of, what was known then: corrections that came later are not in it."
    )
    @Argument(help: "Points or patterns.") var points: [String]
    @OptionGroup var stretch: Stretch
    @Option(help: "At most so many samples of each point, the earliest.") var limit = 10_000
    @Flag(help: "One line for each sample, no chart.") var list = false
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func validate() throws {
      guard (1...StoreReader.samplesCeiling).contains(limit) else {
        throw ValidationError("--limit is 1 to \(StoreReader.samplesCeiling)")
      }
    }

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let names = try DataCommand.points(points, in: reader)
      do throws(StoreError) {
        let range = try stretch.range(in: reader, back: 3_600_000_000_000)
        let found = try reader.read(points: names, effective: range, asOf: stretch.asOf, limit: limit)
        let read = API.DataRead(
          series: found.map { series in
            API.SeriesRead(
              point: series.point, unit: reader.column(of: series.point)?.unit ?? "1",
              asOf: stretch.asOf.map(Timestamp.init),
              samples: series.samples.map {
                API.SampleRead(
                  at: Timestamp($0.effective), observed: Timestamp($0.observed),
                  value: $0.quality.hasValue && $0.value.isFinite ? $0.value : nil, quality: $0.quality.name)
              }, truncated: series.isTruncated)
          })
        let isEmpty = read.series.allSatisfy(\.samples.isEmpty)
        return answer(read, site: "", session, exit: isEmpty ? .unknown : .well) { screen, read in
          read.series.flatMap { list ? screen.samples($0) : screen.chart($0) }
        }
      } catch {
        throw .input(error)
      }
    }
  }
}

extension Screen {
  /// A point's samples as a chart with its two ends of each axis.
  func chart(_ series: API.SeriesRead) -> [String] {
    let head = [title(series)]
    let samples = series.samples.map { TextPlot.Sample(at: $0.at.instant, value: $0.value) }
    let plot = self.plot
    guard let drawn = plot.draw(samples), let first = series.samples.first, let last = series.samples.last else {
      return head + (series.samples.isEmpty ? ["  nothing is recorded there"] : listed(series))
    }
    return head + framed(drawn, from: time(first.at), to: time(last.at), columns: plot.columns)
  }

  /// One line for each sample.
  func samples(_ series: API.SeriesRead) -> [String] { [title(series)] + listed(series) }

  private func listed(_ series: API.SeriesRead) -> [String] {
    series.samples.map { sample in
      let value = sample.value.map(Self.number) ?? "-"
      let quality = sample.quality == "good" ? "" : "  \(sample.quality)"
      return "  \(sample.at.instant.rfc3339)  \(Self.padded(value, Self.axisWidth, right: true))\(quality)"
    }
  }

  private func title(_ series: API.SeriesRead) -> String {
    let unit = series.unit == "1" ? "" : " \(UnitCode(ucum: series.unit)?.symbol ?? series.unit)"
    let known = series.asOf.map { "as known at \($0.instant.rfc3339)" } ?? "as known now"
    let more = series.truncated ? ", and more after them" : ""
    return "\(series.point)\(unit), \(series.samples.count) samples\(more), \(known)"
  }
}
