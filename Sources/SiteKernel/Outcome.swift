public import Guard
public import Models
public import TwinCore

/// Everything that one step asks to be done, and what it found.
public struct Outcome: Sendable {
  public var tick: Int64 = 0
  /// In the order in which they were made.
  public var decisions: [Decision] = []
  public var alarms: [AlarmEvent] = []
  /// Answers to requests that ask for nothing to be written.
  public var answers: [Answer] = []
  public var models: [ModelEvent] = []
  /// Chained over every tick since the first.
  public var fingerprint = Digest.zero
  /// Over the inputs of this tick alone.
  public var inputs = Digest.zero
  /// Whether there is something to tell: a decision that is news, an alarm, or a quarter of an hour.
  public var isRecordDue = false

  public init() {}

  mutating func reset(tick: Int64) {
    self.tick = tick
    decisions.removeAll(keepingCapacity: true)
    alarms.removeAll(keepingCapacity: true)
    answers.removeAll(keepingCapacity: true)
    models.removeAll(keepingCapacity: true)
    isRecordDue = false
  }
}

/// A wish, the guard's verdict on it, and what it replaces.
public struct Decision: Sendable, Equatable {
  public var id: DecisionID
  public var proposal: Proposal
  public var verdict: Verdict
  /// What the device showed when it was made.
  public var previous: Double?
  /// The call that waits for it.
  public var request: Int64?
  /// Whether the harness is to carry it out. A fallback is written only where a lease is open or a fallback rule is at
  /// work.
  public var isCarriedOut: Bool
  /// Whether it differs from the last one of its point: renewals and repeated refusals are not news.
  public var isNews: Bool
  /// A person's words, or the rule that forced it.
  public var reason: String
}

public struct Answer: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case done
    /// The point has no envelope: twind never writes it.
    case noEnvelope
    /// There was nothing to let go.
    case nothingHeld
  }

  public var request: Int64
  public var kind: Kind
}

public struct AlarmEvent: Sendable, Equatable {
  public enum Kind: UInt8, Sendable { case raised, cleared, acknowledged, shelved, unshelved }

  public var alarm: Int32
  public var kind: Kind
  /// A person, where one did it.
  public var by: String?
}
