/// What every error of twind tells: a stable code, what happened, and what to do next.
///
/// Each room has one error type that conforms; texts never carry secrets.
public protocol Fault: Error, Sendable, CustomStringConvertible {
  /// A slug, `room.what`, stable across releases; `twinctl help CODE` explains it.
  var code: String { get }
  /// What happened, with the value seen and the value wanted.
  var message: String { get }
  /// One thing that the reader can do next.
  var remedy: String { get }
  /// Whether the same call may succeed later without anyone's help.
  var isRetriable: Bool { get }
}

extension Fault {
  public var isRetriable: Bool { false }
  public var description: String { "\(message) [\(code)]; next: \(remedy)" }
}
