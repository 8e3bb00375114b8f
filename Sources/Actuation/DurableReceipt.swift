public import FeatureStore
public import TwinCore

/// Proof that one decision is on disk. Without it nothing is written; it is made from a commit that succeeded, and from
/// nothing else.
public struct DurableReceipt: ~Copyable, Sendable {
  public let decision: DecisionID

  /// Nil when the commit did not hold the decision.
  public init?(for decision: DecisionID, in commit: CommitReceipt) {
    guard commit.covers(decision: decision.description) else { return nil }
    self.decision = decision
  }
}
