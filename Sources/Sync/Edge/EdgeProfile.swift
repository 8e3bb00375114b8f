/// How often and how much a site sends: chosen by the price of its line.
public struct EdgeProfile: Equatable, Sendable {
  public var heartbeatEvery: Duration
  /// How long features and debug entries wait for company.
  public var bulkFlushAfter: Duration
  /// How many bytes of them do not wait any longer.
  public var bulkFlushBytes: Int
  /// Budget of models, features and debug together; nil for none. Audit and control are never held back by it.
  public var bulkBytesPerSecond: Int?
  /// What the budget may save up.
  public var bulkBurstBytes: Int
  /// Bulk on the way at most: what a fresh audit entry may have to wait behind.
  public var bulkWindowBytesMax: Int

  public init(
    heartbeatEvery: Duration = .seconds(60), bulkFlushAfter: Duration = .seconds(5),
    bulkFlushBytes: Int = SyncLimits.batchBytesTarget, bulkBytesPerSecond: Int? = nil,
    bulkBurstBytes: Int = 256 << 10, bulkWindowBytesMax: Int = 768 << 10
  ) {
    (self.heartbeatEvery, self.bulkFlushAfter, self.bulkFlushBytes) = (heartbeatEvery, bulkFlushAfter, bulkFlushBytes)
    (self.bulkBytesPerSecond, self.bulkBurstBytes) = (bulkBytesPerSecond, bulkBurstBytes)
    self.bulkWindowBytesMax = bulkWindowBytesMax
  }

  /// An unmetered line: as fast as a foundation lets one site send at length, less room for audit and control. A drain
  /// that passed for a flood would be made to pause, and everything else with it.
  public static let standard = EdgeProfile(bulkBytesPerSecond: 768 << 10, bulkBurstBytes: 4 << 20)
  /// A slow line: bulk in batches of five minutes.
  public static let constrained = EdgeProfile(bulkFlushAfter: .seconds(300), bulkWindowBytesMax: 64 << 10)
  /// 1 GB a month is 386 B/s: 300 of them for bulk, in hourly batches.
  public static let metered = EdgeProfile(
    heartbeatEvery: .seconds(300), bulkFlushAfter: .seconds(3600), bulkFlushBytes: 1 << 20, bulkBytesPerSecond: 300,
    bulkBurstBytes: 2 << 20, bulkWindowBytesMax: 64 << 10)
}
