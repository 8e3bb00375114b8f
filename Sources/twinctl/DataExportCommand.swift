import ArgumentParser
import Export
import FeatureStore
import Glibc
import StatusAPI
import TwinCore

extension API {
  struct DataExport: Codable, Sendable, Equatable {
    var file: String
    var rows: Int64
    var bytes: Int64
    var points: Int
    /// Named by a pattern, and left out because their samples may not leave.
    var withheld: [String]
  }
}

extension DataCommand {
  struct Export: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "Samples as a Parquet file, for other programs.",
      discussion: """
        Only points whose samples may leave are written (data: {export: raw} in the pack). Of a pattern the others are \
        left out and named; a point named in full that may not leave is refused.
        """)
    @Argument(help: "The file to make; one that is there is replaced when the new one is complete.") var file: String
    @Option(name: .customLong("points"), parsing: .upToNextOption, help: "Points or patterns.") var points = ["*"]
    @OptionGroup var stretch: Stretch
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let named = try DataCommand.points(points, in: reader)
      do throws(ExportFault) {
        let (kept, withheld, range) = try chosen(named, reader)
        let export = try RecordExport(reader, points: kept, effective: range, asOf: stretch.asOf)
        let progress = try written(export)
        let made = API.DataExport(
          file: file, rows: progress.rows, bytes: progress.bytes, points: kept.count, withheld: withheld)
        return answer(made, site: "", session, exit: .well) { screen, made in screen.exported(made) }
      } catch {
        throw APIProblem(
          status: error.isRefusal ? 409 : 0, code: error.code, title: error.message, next: error.remedy)
      }
    }

    /// What may leave of what was asked for. What was named in full stays in, to be refused.
    private func chosen(
      _ named: [String], _ reader: StoreReader
    ) throws(ExportFault) -> (kept: [String], withheld: [String], range: Range<Instant>) {
      do throws(StoreError) {
        let allowed = Set(try RecordExport.allowed(named, by: reader))
        let inFull = Set(points)
        let kept = named.filter { allowed.contains($0) || inFull.contains($0) }
        return (kept, named.filter { !kept.contains($0) }, try stretch.range(in: reader, back: nil))
      } catch {
        throw ExportFault(error)
      }
    }

    private func written(_ export: RecordExport) throws(ExportFault) -> RecordExport.Progress {
      do {
        let bar = ProgressBar("exporting")
        return try WholeFile.write(file) { append in
          let progress = try export.write(onProgress: { bar.show($0.done) }, to: append)
          bar.end()
          return progress
        }
      } catch {
        throw ExportFault(error)
      }
    }
  }
}

/// How far long work has come, on a terminal, from its second second on.
final class ProgressBar {
  private let what: String
  private let started = ContinuousClock.now
  private let isShown = isatty(STDERR_FILENO) == 1
  private var last = -1

  init(_ what: String) { self.what = what }

  /// Always true: the work goes on.
  func show(_ done: Double) -> Bool {
    let percent = Int(max(0, min(1, done)) * 100)
    guard isShown, percent != last, ContinuousClock.now - started > .seconds(1) else { return true }
    last = percent
    let filled = percent * 30 / 100
    Stream.error(
      "\r\(what) [\(String(repeating: "#", count: filled))\(String(repeating: " ", count: 30 - filled))] \(percent) %")
    return true
  }

  func end() { if last >= 0 { Stream.error("\r\u{1B}[K") } }
}

extension Screen {
  func exported(_ made: API.DataExport) -> [String] {
    let size = made.bytes < 1_000_000 ? "\((made.bytes + 999) / 1000) kB" : "\(made.bytes / 1_000_000) MB"
    var lines = ["\(made.file): \(made.rows) samples of \(made.points) points, \(size)"]
    if !made.withheld.isEmpty {
      lines.append("left out, for their samples may not leave: \(made.withheld.joined(separator: ", "))")
    }
    return lines
  }
}
