public import DeltaLog
public import Provenance

/// The log that a site's peer sends from.
public protocol EdgeLog: OutboundLog {
  /// The tree before the entry of that sequence, `firstKept` to `next`: what a foundation needs to go on after a hole.
  func frontier(_ stream: LogStream, at sequence: UInt64) throws(DeltaLogFault) -> MerkleFrontier
}
