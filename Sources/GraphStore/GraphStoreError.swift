import SQLite
import Seams
public import TwinCore
public import TwinGraph

/// What the graph's store could not do.
public struct GraphStoreError: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The changes contradict the ontology or the graph; see `problem`. Nothing of the batch was taken.
    case refused
    case diskFull = "disk_full"
    case io
    case corrupt
    case busy
    case readOnly = "read_only"
    case cannotOpen = "cannot_open"
    /// The file was written by a newer twind; it was not touched.
    case newerVersion = "newer_version"
    /// The file is a database, but not of a graph.
    case notAGraph = "not_a_graph"
    case notFound = "not_found"
    /// A tick before the last one, or an interval without length.
    case outOfOrder = "out_of_order"
    case tooBig = "too_big"
    case failed
  }

  public let kind: Kind
  public let message: String
  /// What is wrong with a refused batch, with the path that shows it.
  public let problem: GraphProblem?

  init(_ kind: Kind, _ message: String) { (self.kind, self.message, problem) = (kind, message, nil) }

  init(_ problem: GraphProblem) { (kind, message, self.problem) = (.refused, problem.message, problem) }

  /// The problem's own where a batch was refused.
  public var code: String { problem?.code ?? "graph_store.\(kind.rawValue)" }
  public var isRetriable: Bool { kind == .diskFull || kind == .busy || kind == .io }

  public var remedy: String {
    switch kind {
    case .refused: problem?.remedy ?? "correct the changes"
    case .diskFull: "free space on the state directory's volume"
    case .io: "look in the kernel's log for errors of the device that holds the state directory"
    case .corrupt: "stop twind, move graph.db aside, and restore a backup or let the pack seed it again"
    case .busy: "close the program that reads graph.db, then try again"
    case .readOnly: "give the service's user write permission on the state directory"
    case .cannotOpen: "check that the state directory exists and that the service's user may enter it"
    case .newerVersion: "start the newer twind again, or restore a backup made before the upgrade"
    case .notAGraph: "move that file out of the state directory"
    case .notFound: "list what there is, and ask for one of those"
    case .outOfOrder, .failed: "report this message together with the version of twind"
    case .tooBig: "ask for less, or split the changes"
    }
  }

  init(_ fault: SQLiteFault) {
    let kind: Kind =
      switch fault.kind {
      case .full: .diskFull
      case .corrupt: .corrupt
      case .busy: .busy
      case .io: .io
      case .readOnly: .readOnly
      case .cannotOpen, .tooOld: .cannotOpen
      case .constraint, .failed: .failed
      }
    self.init(kind, fault.message)
  }

  init(_ fault: FileFault) { self.init(fault.kind == .io ? .io : .cannotOpen, fault.message) }
}

/// Runs calls into SQLite, with their faults told as the graph's.
func storing<Result>(_ body: () throws(SQLiteFault) -> Result) throws(GraphStoreError) -> Result {
  do throws(SQLiteFault) { return try body() } catch { throw GraphStoreError(error) }
}
