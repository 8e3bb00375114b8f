import Provenance

/// One worker's share of a foundation: its name, its keys and how patient it is.
public struct FoundationConfiguration {
  /// The instance's name, a-z, 0-9 and -; all workers of an instance have the same.
  public var name: String
  /// Under the ingest key.
  public var seal: Seal
  /// The note of a site's checkpoint with the foundation's cosignature at `seconds` since 1970; nil where this worker
  /// may not.
  public var cosign: (_ note: String, _ seconds: UInt64) -> String?
  /// 32 secret bytes, the same in all workers of an instance: what challenges are made with.
  public var challengeKey: [UInt8]
  public var commitAfter = Duration.milliseconds(50)
  public var commitBatchesMax = 64
  /// How long a hole may be the network's doing.
  public var reorderAfter = Duration.seconds(2)
  public var rebirthEvery = Duration.seconds(30)
  public var rebirthsPerSecond: Int64 = 20
  public var rebirthSpread = Duration.seconds(5)
  /// More than this of one site, in the long run, is a flood.
  public var floodBytesPerSecond: Int64 = 1 << 20
  public var floodBurstBytes: Int64 = 8 << 20
  public var floodPause = Duration.seconds(10)
  /// A commit that comes so much later than its batch halves everybody's credit.
  public var lagMax = Duration.seconds(30)

  public init(
    name: String, seal: @escaping Seal, cosign: @escaping (_ note: String, _ seconds: UInt64) -> String?,
    challengeKey: [UInt8]
  ) {
    precondition(challengeKey.count == 32, "a challenge key has 32 bytes")
    (self.name, self.seal, self.cosign, self.challengeKey) = (name, seal, cosign, challengeKey)
  }
}
