public import TwinCore
public import TwinGraph

/// One statement about the site, over the time in which it holds.
public struct GraphChange: Hashable, Sendable {
  public enum Statement: Hashable, Sendable {
    /// The node is there, with exactly these properties.
    case node(GraphNode)
    /// No node of this id is there.
    case noNode(String)
    case edge(GraphEdge)
    case noEdge(GraphEdge)
  }

  public var statement: Statement
  /// It replaces what was known of its subject in this interval, and nothing outside of it. `.distantFuture` at the end
  /// means from then on.
  public var effective: Range<Instant>

  public init(_ statement: Statement, effective: Range<Instant>) {
    (self.statement, self.effective) = (statement, effective)
  }

  /// From an instant on.
  public init(_ statement: Statement, from instant: Instant) {
    self.init(statement, effective: instant..<max(instant, .distantFuture))
  }

  public var subject: GraphSubject {
    switch statement {
    case .node(let node): .node(node.id)
    case .noNode(let id): .node(id)
    case .edge(let edge), .noEdge(let edge): .edge(edge)
    }
  }
}

/// What a statement is about.
public enum GraphSubject: Hashable, Sendable, CustomStringConvertible {
  case node(String)
  case edge(GraphEdge)

  public var description: String {
    switch self {
    case .node(let id): id
    case .edge(let edge): edge.description
    }
  }
}

/// Changes that are taken together or not at all. Their order matters only where two are about the same subject.
public struct GraphBatch: Sendable {
  /// Changes of one batch; above, it is refused.
  public static let changesMax = 200_000

  public var changes: [GraphChange]
  /// Transaction time: the tick in which this was learned, which never falls.
  public var tick: Int64
  public var instant: Instant
  /// Who says so: `pack`, `operator`, `sync`.
  public var source: String
  /// Why, for people.
  public var reason: String

  public init(
    _ changes: [GraphChange], tick: Int64, instant: Instant, source: String = "operator", reason: String = ""
  ) {
    (self.changes, self.tick, self.instant) = (changes, tick, instant)
    (self.source, self.reason) = (source, reason)
  }
}

/// A change as the feed tells it.
public struct AppliedChange: Hashable, Sendable {
  /// Counts up by one from 1, over all changes of the site.
  public let number: Int64
  public let tick: Int64
  public let instant: Instant
  public let source: String
  public let reason: String
  public let change: GraphChange
}

/// Up to when what was learned counts.
public enum GraphKnown: Hashable, Sendable {
  case now
  /// What was learned up to the end of this tick.
  case tick(Int64)
  /// What was learned up to this instant; ticks count by the latest instant up to them, so that a clock that was set
  /// back hides nothing.
  case instant(Instant)
  /// Up to this number of the feed.
  case change(Int64)
}

/// A statement with both of its times: a rectangle in which nothing changed.
public struct GraphVersion: Hashable, Sendable {
  public let change: GraphChange
  /// The number of the change that said so.
  public let number: Int64
  public let tick: Int64
  public let instant: Instant
  public let source: String
  public let reason: String
  /// The change that said otherwise of this interval later; nil while it holds.
  public let superseded: Superseded?

  public struct Superseded: Hashable, Sendable {
    public let number: Int64
    public let tick: Int64
    public let instant: Instant
  }
}
