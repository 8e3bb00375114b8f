import ArgumentParser
import GraphStore
import StatusAPI
import TwinCore
import TwinGraph

extension API {
  /// A table as `twinctl graph -o json` gives it: texts by column.
  struct GraphTable: Codable, Sendable, Equatable {
    var header: [String]
    var rows: [[String]]
    /// The picture that was made.
    var file: String?
  }
}

/// What is there and how it hangs together, at any instant, as it was known at any other.
struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "What is there, how it hangs together, and how it was before.",
    subcommands: [Show.self, Path.self, Diff.self, History.self], defaultSubcommand: Show.self)

  struct Place: ParsableArguments {
    @Option(help: "The daemon's state folder.", completion: .directory) var state = "/var/lib/twind"

    func reader() throws(APIProblem) -> GraphReader {
      do throws(GraphStoreError) { return try GraphReader(directory: state) } catch { throw .input(error) }
    }
  }

  struct When: ParsableArguments {
    @Option(help: "As it was at this instant; now otherwise.", transform: DataCommand.Stretch.instant)
    var at: Instant?
    @Option(help: "As it was known at this instant; as known now otherwise.", transform: DataCommand.Stretch.instant)
    var asOf: Instant?

    var instant: Instant { at ?? Stream.now }
    var known: GraphKnown { asOf.map { .instant($0) } ?? .now }
  }

  struct Show: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "All nodes, or one with everything that is said of it.",
      discussion: "With --svg a picture is made as well.")
    @Argument(help: "A node, as chiller-1; all of them otherwise.") var node: String?
    @Option(help: "Draw the graph into this file.") var svg: String?
    @OptionGroup var when: When
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let graph = try asked { () throws(GraphStoreError) in try reader.snapshot(at: when.instant, known: when.known) }
      if let svg {
        try WholeFile.write(svg, Array(GraphDrawing(graph, title: "as of \(when.instant.rfc3339)").svg.utf8))
      }
      guard let node else { return table(GraphText.nodes(graph), session, file: svg) }
      guard let found = GraphText.node(node, in: graph) else {
        throw GraphCommand.unknown(node, graph.nodes.map(\.id))
      }
      return table(found, session, file: svg)
    }
  }

  struct Path: OfflineVerb {
    static let configuration = CommandConfiguration(abstract: "The ways from one node to another, shortest first.")
    @Argument(help: "Where the ways begin.") var from: String
    @Argument(help: "Where they end.") var to: String
    @Flag(help: "Edges in both directions.") var bothWays = false
    @OptionGroup var when: When
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let graph = try asked { () throws(GraphStoreError) in try reader.snapshot(at: when.instant, known: when.known) }
      for end in [from, to] where graph[end] == nil { throw GraphCommand.unknown(end, graph.nodes.map(\.id)) }
      let found = try asked { () throws(GraphStoreError) in
        try reader.paths(from: from, to: to, bothWays ? .both : .forward, at: when.instant, known: when.known)
      }
      return table(GraphText.paths(found, in: graph), session, exit: found.paths.isEmpty ? .unknown : .well)
    }
  }

  struct Diff: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "What came, went and changed between two instants.",
      discussion: "With --known instead: what was learned between them of the graph as it is now.")
    @Argument(help: "The earlier instant.", transform: DataCommand.Stretch.instant) var from: Instant
    @Argument(help: "The later one; now otherwise.", transform: DataCommand.Stretch.instant) var to: Instant?
    @Flag(help: "Compare what was known at the instants.") var known = false
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let end = to ?? Stream.now
      let old: (Instant, GraphKnown) = known ? (end, .instant(from)) : (from, .now)
      let new: (Instant, GraphKnown) = known ? (end, .instant(end)) : (end, .now)
      let difference = try asked { () throws(GraphStoreError) in try reader.difference(from: old, to: new) }
      return table(GraphText.difference(difference), session)
    }
  }

  struct History: OfflineVerb {
    static let configuration = CommandConfiguration(abstract: "Everything that was ever said of a node.")
    @Argument(help: "The node, as chiller-1.") var node: String
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let (versions, graph) = try asked { () throws(GraphStoreError) in
        (try reader.history(of: node), try reader.snapshot(at: Stream.now))
      }
      guard !versions.isEmpty else { throw GraphCommand.unknown(node, graph.nodes.map(\.id)) }
      return table(GraphText.history(versions), session)
    }
  }

  static func unknown(_ node: String, _ known: [String]) -> APIProblem {
    .notFound("node", node, known: known, list: "twinctl graph show")
  }
}

extension OfflineVerb {
  fileprivate func asked<Result>(_ body: () throws(GraphStoreError) -> Result) throws(APIProblem) -> Result {
    do throws(GraphStoreError) { return try body() } catch { throw .input(error) }
  }

  fileprivate func table(
    _ found: GraphTable, _ session: Session, exit: ExitMeaning = .well, file: String? = nil
  ) -> Outcome {
    let table = API.GraphTable(header: found.header, rows: found.rows, file: file)
    return answer(table, site: "", session, exit: exit) { screen, table in screen.graph(table) }
  }
}

extension Screen {
  func graph(_ table: API.GraphTable) -> [String] {
    guard !table.rows.isEmpty else { return ["nothing"] + (table.file.map { ["drawn: \($0)"] } ?? []) }
    // The last column runs on; the others are as wide as their widest text, within reason.
    let widths = table.header.indices.map { column in
      min(40, ([table.header] + table.rows).map { $0.indices.contains(column) ? Self.width($0[column]) : 0 }.max() ?? 0)
    }
    func line(_ cells: [String]) -> String {
      cells.enumerated().map { column, text in
        column == cells.count - 1 ? text : Self.padded(text, widths[column])
      }.joined(separator: "  ")
    }
    let head = table.header.allSatisfy(\.isEmpty) ? [] : [line(table.header)]
    return head + table.rows.map(line) + (table.file.map { ["drawn: \($0)"] } ?? [])
  }
}
