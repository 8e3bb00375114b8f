/// What a watch says to one value.
public enum WatchOutcome: UInt8, Sendable {
  case quiet = 0
  case alarm = 1
  /// Not a finite number: the state is as it was.
  case refused = 2
}
