import ArgumentParser
import Export
import FeatureStore
import Glibc
import StatusAPI
import TwinCore

/// What the site remembers: read beside the running daemon, or without one.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "What is recorded: as it is known now, and as it was known then.",
    subcommands: [Read.self, Explain.self, Correct.self, Export.self, Stats.self, Verify.self])

  /// Where the record is.
  struct Place: ParsableArguments {
    @Option(help: "The daemon's state folder.", completion: .directory) var state = "/var/lib/twind"

    func reader() throws(APIProblem) -> StoreReader {
      do throws(StoreError) { return try StoreReader(directory: state) } catch { throw .input(error) }
    }
  }

  /// Which stretch, and as known when.
  struct Stretch: ParsableArguments {
    @Option(help: "How far back from the end, as 2h.", transform: Options.duration) var since: Int64?
    @Option(help: "The first instant, as 2026-01-13T06:00:00Z.", transform: Self.instant) var from: Instant?
    @Option(help: "The instant at which it ends; now otherwise.", transform: Self.instant) var to: Instant?
    @Option(help: "As it was known at this instant; as known now otherwise.", transform: Self.instant)
    var asOf: Instant?

    static func instant(_ text: String) throws -> Instant {
      guard let instant = Instant(rfc3339: text) else {
        throw ValidationError("\"\(text)\" is no moment; write it like 2026-01-13T06:00:00Z")
      }
      return instant
    }

    func validate() throws {
      guard since == nil || from == nil else { throw ValidationError("--since and --from say the same; keep one") }
      if let from, let to, from >= to { throw ValidationError("--from is not before --to") }
    }

    /// `back`: what is meant where nothing is said.
    func range(in reader: StoreReader, back: Int64?) throws(StoreError) -> Range<Instant> {
      let recorded = try reader.extent()
      let end = to ?? recorded?.upperBound ?? Stream.now
      let begin =
        from ?? (since ?? back).map { end.advanced(byNanoseconds: -$0) } ?? recorded?.lowerBound ?? end
      return min(begin, end)..<end
    }
  }

  /// The points that a pattern names, or the problem with the nearest name.
  static func points(_ patterns: [String], in reader: StoreReader) throws(APIProblem) -> [String] {
    let all: [String]
    do throws(StoreError) { all = try reader.points() } catch { throw .input(error) }
    var found: Set<String> = []
    for text in patterns {
      guard let pattern = PointPattern(text) else { throw .notFound("point", text, known: all, list: "twinctl points") }
      let matching = all.filter { pattern.matches($0) }
      guard !matching.isEmpty else { throw .notFound("point", text, known: all, list: "twinctl points") }
      found.formUnion(matching)
    }
    return found.sorted()
  }
}
