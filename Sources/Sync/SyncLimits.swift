/// What one message, one site and one worker may cost. Both ends keep to them; what exceeds them is refused unread.
public enum SyncLimits {
  /// The whole MQTT packet that carries a batch or any other message but a chunk.
  public static let packetBytesMax = 64 << 10
  /// The whole MQTT packet that carries a chunk of an artefact.
  public static let chunkPacketBytesMax = 72 << 10
  /// MQTT's own bytes around topic and payload: fixed header, topic length, packet id, properties.
  public static let packetOverheadBytes = 32

  public static let batchEntriesMax = 512
  /// Entries and bodies of a batch, unpacked.
  public static let batchRawBytesMax = 1 << 20
  /// How many bytes one byte of a batch may stand for.
  public static let batchRatioMax = 20
  /// What a sender puts into one batch; the rest of the packet is for heads, signature and topic.
  public static let batchBytesTarget = 48 << 10

  /// Batches that a stream may have on the way.
  public static let windowBatchesMax = 32
  public static let creditBytesStart = 64 << 10
  public static let creditBytesMax = 1 << 20

  /// Batches of one log that a worker keeps until the ones before them come.
  public static let stagedBatchesMax = 32
  public static let stagedBytesMax = 2 << 20
  /// The same, over all logs of a worker.
  public static let stagedBytesTotalMax = 64 << 20
  /// Messages of a later release that are kept for one site.
  public static let heldMessagesMax = 256

  public static let receiptBytesMax = 8 << 10
  public static let directedBodyBytesMax = 48 << 10
  /// Directed entries on the way to one site.
  public static let directedWindow = 8
  public static let capabilitiesMax = 32

  public static let chunkBytes = 64 << 10
  /// Hashes of a chunk's proof: enough for 2^20 chunks, 64 GiB.
  public static let chunkProofMax = 20
  public static let requestRangesMax = 16
  /// Chunks that a receiver has asked for and not seen yet.
  public static let chunksAskedMax = 16
}
