import Synchronization
public import TwinCore

/// A condition that lasts: what is wrong, since when, what it means for the plant, and what to do.
public struct Problem: Sendable, Equatable {
  public enum Severity: Int, Sendable, Comparable {
    case warning = 1
    case alarm = 2
    public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }
  }

  /// Stable and unique while it lasts, `device.chiller-1.silent`.
  public var id: String
  public var code: String
  public var severity: Severity
  public var title: String
  public var cause: String
  public var effect: String
  public var next: String
  public var since: Instant
  /// The id of the problem that explains this one; only roots are shown, the others are counted.
  public var root: String?

  public init(
    id: String, code: String, severity: Severity, title: String, cause: String, effect: String, next: String,
    since: Instant, root: String? = nil
  ) {
    (self.id, self.code, self.severity, self.title) = (id, code, severity, title)
    (self.cause, self.effect, self.next, self.since, self.root) = (cause, effect, next, since, root)
  }
}

/// The problems that are on now. Any thread may raise and clear; the number is bounded by the ids that rooms use.
public final class HealthRegistry: Sendable {
  private let active = Mutex<[String: Problem]>([:])
  public static let problemsMax = 4096

  public init() {}

  /// Raises or updates; `since` of a problem that is already on stays.
  public func raise(_ problem: Problem) {
    active.withLock { problems in
      var problem = problem
      if let known = problems[problem.id] {
        problem.since = known.since
      } else if problems.count >= Self.problemsMax {
        return
      }
      problems[problem.id] = problem
    }
  }

  /// Ends it; returns what it was, for the record of how long it lasted.
  @discardableResult
  public func clear(_ id: String) -> Problem? { active.withLock { $0.removeValue(forKey: id) } }

  /// Worst first, then oldest, then by id.
  public var problems: [Problem] {
    active.withLock { Array($0.values) }.sorted {
      ($1.severity, $0.since, $0.id) < ($0.severity, $1.since, $1.id)
    }
  }
}
