public import Provenance

extension EdgePeer {
  /// The foundation has everything below, as it last said; 0 before it said anything in this run.
  public func acknowledged(_ stream: LogStream) -> UInt64 { senders[Int(stream.rawValue)].acked }
}
