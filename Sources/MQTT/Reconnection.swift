public import TwinCore

/// When a lost connection is tried again, and the number of each session: for the owner of a link.
public struct Reconnection: Sendable {
  public private(set) var session: UInt64
  private var schedule: ReconnectSchedule
  private var dueAt: Uptime?
  private var random = SystemRandomNumberGenerator()

  /// Due at once. Sessions count up from `session`, which must be above those of every earlier run where they matter.
  public init(session: UInt64 = 0, schedule: ReconnectSchedule = ReconnectSchedule(), at now: Uptime) {
    (self.session, self.schedule, dueAt) = (session, schedule, now)
  }

  /// Whether to connect now; the answer yes is given once, with the number of the new session.
  public mutating func begin(at now: Uptime) -> UInt64? {
    guard let at = dueAt, now >= at else { return nil }
    dueAt = nil
    session += 1
    return session
  }

  /// The attempt or the session has ended.
  public mutating func lost(at now: Uptime) {
    dueAt = now.advanced(byNanoseconds: schedule.next(using: &random).wholeNanoseconds)
  }

  /// The owner ended the session to begin another: due at once.
  public mutating func again(at now: Uptime) { dueAt = now }

  /// The session did what it is for: the next pause starts from its base again.
  public mutating func wasUseful() { schedule.sessionWasUseful() }
}
