public import Provenance
public import TwinCore

/// What happens to a site's peer.
public enum PeerEvent: Sendable {
  /// The broker accepted the connection. `session` is greater than in every connect before, over restarts too;
  /// `packetBytesMax` is the broker's Maximum Packet Size.
  case connected(session: UInt64, packetBytesMax: Int)
  case disconnected
  case received(topic: String, payload: [UInt8])
  /// The broker's answer to a publication of QoS 1.
  case published(id: UInt64, reason: UInt8)
  /// Something was appended to the log.
  case appended
  /// The log has a new epoch, as `openEpoch` asked.
  case epochOpened
  case directed(sequence: UInt64, DirectedAnswer)
  /// The chunk of `keepChunk` is on the disk, or could not be written.
  case chunkKept(Digest, index: UInt32, isKept: Bool)
  /// The chunk of `readChunk`; nil where it is not there.
  case chunkRead(Digest, index: UInt32, ArtefactChunk?)
  /// The time of `wake` has come, or any other.
  case tick
}

/// What the owner did with a directed entry.
public enum DirectedAnswer: Sendable {
  /// Installed or refused for good, and recorded either way: it never comes again.
  case taken
  /// Could not be recorded now; comes again after a pause.
  case later
}

/// What the owner of a site's peer has to do, in this order.
public enum PeerAction: Equatable, Sendable {
  case subscribe([String])
  case publish(Publication)
  /// Install it and record its sequence, in one transaction; answer with `directed`.
  case installDirected(DirectedEntry)
  /// Open a new epoch of the log that links to this one; answer with `epochOpened`.
  case openEpoch(closing: LogEpoch)
  /// Trust metadata as it came; nothing of it is verified.
  case metadata(SyncTopic, [UInt8])
  /// What `askConsistency` asked for, under the foundation's signature; the proof is not verified.
  case consistency(LogSpan, [Digest])
  /// Write a verified chunk; answer with `chunkKept`.
  case keepChunk(ArtefactChunk)
  /// Every chunk is kept; the digest of the whole is the owner's to check.
  case artefactComplete(Digest)
  /// Read a chunk for the foundation; answer with `chunkRead`.
  case readChunk(Digest, index: UInt32)
  case raise(SyncAlarm)
  case clear(SyncAlarm.Kind)
  /// The session did what it is for: the pause before the next reconnect may start from its base again.
  case sessionUseful
  /// Call again with `tick` then; each takes the place of the one before.
  case wake(at: Uptime)
}
