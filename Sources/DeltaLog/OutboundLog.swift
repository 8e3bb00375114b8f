public import Provenance
public import TwinCore

/// A site's log as its sender sees it: what there is to send, and what the foundation has taken.
///
/// All of it is about the present epoch. Sequences count from 0 in each stream. One thread at a time.
public protocol OutboundLog: AnyObject {
  var epoch: LogEpoch { get }
  func head(_ stream: LogStream) -> StreamState
  /// The log as it stood before the entry of that sequence was appended; `sequence` is `firstKept` to `next`, else
  /// throws `delta_log.not_kept`.
  func head(_ stream: LogStream, at sequence: UInt64) throws(DeltaLogFault) -> LogPoint
  /// Records from one on, contiguous, at most so many and so many bytes of entries and bodies; one at least, however
  /// large, where there is one. Empty at the end. Throws `delta_log.not_kept` below `firstKept`.
  func records(
    _ stream: LogStream, from sequence: UInt64, maxCount: Int, maxBytes: Int
  ) throws(DeltaLogFault) -> [LogRecord]
  /// The foundation has everything below `next`; it may ask for it again down to `safe`. Costs no write of its own.
  func noteReceived(_ stream: LogStream, next: UInt64)
  /// Everything below `safe` is kept by others for good: bodies may go. Never moves back; a value beyond the end is
  /// refused as `delta_log.out_of_range`. `cosignature` is a whole signed note, checkpoint and lines, over this log;
  /// one that is of another log, or of other entries, is refused as `delta_log.checkpoint_wrong`, and `safe` stays.
  func acknowledge(_ stream: LogStream, safe: UInt64, cosignature: String?) throws(DeltaLogFault)
  /// Says in the audit stream that bodies in `from..<to` will never be sent.
  func declareGap(_ stream: LogStream, from: UInt64, to: UInt64) throws(DeltaLogFault)
}

extension OutboundLog {
  /// For logs that count nothing.
  public func noteReceived(_ stream: LogStream, next: UInt64) {}
}

/// Where one stream stands.
public struct StreamState: Sendable, Equatable {
  /// The first entry that can still be read.
  public var firstKept: UInt64
  /// The sequence of the next entry, hence the size of the tree.
  public var next: UInt64
  public var chain: Digest
  public var root: Digest
  public var safe: UInt64
  /// Bytes of bodies at and after the first entry that the foundation has not told to have; dropped ones count too.
  public var bytesWaiting: UInt64

  public init(
    firstKept: UInt64, next: UInt64, chain: Digest, root: Digest, safe: UInt64, bytesWaiting: UInt64
  ) {
    (self.firstKept, self.next, self.chain, self.root) = (firstKept, next, chain, root)
    (self.safe, self.bytesWaiting) = (safe, bytesWaiting)
  }
}

/// A stream after its first `size` entries.
public struct LogPoint: Sendable, Equatable {
  public var size: UInt64
  public var chain: Digest
  public var root: Digest

  public init(size: UInt64, chain: Digest, root: Digest) { (self.size, self.chain, self.root) = (size, chain, root) }
}

/// An entry as it is sent: the leaf's bytes, and beside them what they are about.
public struct LogRecord: Sendable, Equatable {
  public var sequence: UInt64
  public var entry: [UInt8]
  /// Nil where it was dropped; the leaf still commits to it.
  public var body: [UInt8]?

  public init(sequence: UInt64, entry: [UInt8], body: [UInt8]?) {
    (self.sequence, self.entry, self.body) = (sequence, entry, body)
  }
}
