import Provenance
public import TwinCore

/// A worker of the foundation: what arrives is verified, applied through the ledger and acknowledged.
///
/// No I/O but the ledger and the shelf it is given, no clock and no randomness of its own. One thread at a time. What
/// it holds between calls may be lost at any moment: the ledger has what counts, and sites repeat the rest. Any number
/// of workers may share a ledger.
public struct FoundationPeer {
  /// How long a site's record may be used without looking again; the ledger checks it on every append anyway.
  static let recordLife = Duration.seconds(5)
  static let recordsMax = 4096
  static let sweepEvery = Duration.seconds(10)
  static let sweepMax = 256
  static let storagePauseMin = Duration.seconds(1)
  static let storagePauseMax = Duration.seconds(30)
  /// While a hole is open, the ledger is asked so often whether another worker filled it.
  static let holePoll = Duration.milliseconds(250)
  /// Something is due that could not be done.
  static let blockedPause = Duration.milliseconds(100)
  static let directedPause = Duration.seconds(10)
  static let scheduledMax = 4096

  let configuration: FoundationConfiguration
  let ledger: any SyncLedger
  let shelf: any ArtefactShelf
  let random: () -> UInt64

  var actions: [FoundationAction] = []
  var packetBytesMax: Int?
  var isStopped = false
  var records: [SiteName: (record: SiteRecord, readAt: Uptime)] = [:]
  var staging = StagingArea()
  var credits: CreditBook
  var commitAt: Uptime?
  var storageFailures = 0
  var isLagging = false
  /// To be asked for a birth, and about which epoch.
  var rebirths: [SiteName: (epoch: LogEpoch, at: Uptime)] = [:]
  var rebirthBuckets: [SiteName: Uptime] = [:]
  var rebirthBucket: TokenBucket
  /// Claims of heartbeats to be looked at again, when what was on the way should have come.
  var claims: [LogName: (sent: UInt64, at: Uptime)] = [:]
  /// Directed entries on the way: not sent twice within a pause.
  var directed: [SiteName: (end: UInt64, until: Uptime)] = [:]
  var collections: [Digest: Collection] = [:]
  /// A chunk came, or something was lost: there may be room to ask for more.
  var collectNow = false
  var sweepAt: Uptime?
  public internal(set) var counters = FoundationCounters()

  struct Collection {
    let site: SiteName
    var download: ChunkDownload
  }

  /// `random` gives 64 bits for spreading load, no secrets.
  public init(
    _ configuration: FoundationConfiguration, ledger: any SyncLedger, shelf: any ArtefactShelf,
    random: @escaping () -> UInt64
  ) {
    (self.configuration, self.ledger, self.shelf, self.random) = (configuration, ledger, shelf, random)
    credits = CreditBook(
      bytesPerSecond: configuration.floodBytesPerSecond, burstBytes: configuration.floodBurstBytes,
      pause: configuration.floodPause)
    rebirthBucket = TokenBucket(capacity: configuration.rebirthsPerSecond, rate: configuration.rebirthsPerSecond)
  }

  public mutating func handle(_ event: FoundationEvent, now: Uptime, wall: Instant) -> [FoundationAction] {
    guard !isStopped else { return [] }
    do {
      switch event {
      case .connected(let bytes): connect(bytes, now, wall)
      case .disconnected: disconnect()
      case .received(let topic, let payload): try receive(topic, payload, now, wall)
      case .directedAppended(let site): try noteAppended(site, now)
      case .collect(let site, let manifest): try collect(site, manifest)
      case .tick: break
      }
    } catch {
      note(error, now)
    }
    advance(now, wall)
    if let deadline = deadline(), !isStopped {
      actions.append(.wake(at: deadline > now ? deadline : now.after(Self.blockedPause)))
    }
    defer { actions = [] }
    return actions
  }

  /// What the broker is to publish when this worker's connection ends without a goodbye.
  public var will: Publication { state(isOnline: false, at: nil) }

  /// Everything that is due; what fails in the store is tried again later, one part not hindering the other.
  private mutating func advance(_ now: Uptime, _ wall: Instant) {
    guard packetBytesMax != nil else { return }
    attempt(now) { peer throws(LedgerFault) in try peer.commitIfDue(now, wall) }
    attempt(now) { peer throws(LedgerFault) in try peer.checkClaims(now, wall) }
    attempt(now) { peer throws(LedgerFault) in try peer.sendRebirths(now, wall) }
    attempt(now) { peer throws(LedgerFault) in try peer.sweep(now, wall) }
    attempt(now) { peer throws(LedgerFault) in try peer.tellRecovered(now, wall) }
    attempt(now) { peer throws(LedgerFault) in try peer.pumpCollections(now) }
  }

  private mutating func attempt(
    _ now: Uptime, _ part: (inout FoundationPeer) throws(LedgerFault) -> Void
  ) {
    guard !isStopped else { return }
    do { try part(&self) } catch { note(error, now) }
  }

  private mutating func connect(_ bytes: Int, _ now: Uptime, _ wall: Instant) {
    packetBytesMax = bytes
    collectNow = true
    sweepAt = sweepAt ?? now.after(Self.sweepEvery)
    actions.append(.subscribe(SyncTopic.sharedFilters(group: configuration.name)))
    actions.append(.publish(state(isOnline: true, at: wall)))
  }

  /// What is staged may still be applied; who sent it will hear of it by a later ack.
  private mutating func disconnect() {
    packetBytesMax = nil
    directed = [:]
  }

  /// As Sparkplug's host application state: a hint for sites, unsigned.
  private func state(isOnline: Bool, at wall: Instant?) -> Publication {
    let text = "{\"online\":\(isOnline),\"timestamp\":\(wall?.milliseconds ?? 0)}"
    return Publication(
      topic: .state(foundation: configuration.name), payload: Array(text.utf8), qos: 1, isRetained: true)
  }

  mutating func note(_ fault: LedgerFault, _ now: Uptime) {
    if fault.kind == .leaseLost {
      isStopped = true
      notice(.storage, message: fault.message)
      actions.append(.stop)
      return
    }
    counters.storageFaults += 1
    if storageFailures == 0 { notice(.storage, message: fault.message) }
    let pause = Self.storagePauseMin.wholeNanoseconds << Int64(min(storageFailures, 5))
    storageFailures += 1
    commitAt = now.advanced(byNanoseconds: min(pause, Self.storagePauseMax.wholeNanoseconds))
  }

  mutating func notice(
    _ kind: FoundationNotice.Kind, _ site: SiteName? = nil, _ stream: LogStream? = nil, message: String,
    evidence: [UInt8]? = nil
  ) {
    actions.append(.notice(FoundationNotice(kind, site: site, stream: stream, message, evidence: evidence)))
  }

  mutating func publish(_ topic: SyncTopic, _ payload: [UInt8], qos: UInt8) {
    guard let limit = packetBytesMax, Publication.packetBytes(topic, payload.count) <= limit else { return }
    actions.append(.publish(Publication(topic: topic, payload: payload, qos: qos)))
  }

  /// The record as of a few seconds ago at most.
  mutating func record(_ site: SiteName, _ now: Uptime) throws(LedgerFault) -> SiteRecord? {
    if let known = records[site], now.nanoseconds(since: known.readAt) < Self.recordLife.wholeNanoseconds {
      return known.record
    }
    guard let record = try ledger.site(site) else { return nil }
    if records.count >= Self.recordsMax { records.removeAll() }
    records[site] = (record, now)
    return record
  }

  private func deadline() -> Uptime? {
    guard packetBytesMax != nil else { return nil }
    let due = [commitAt, sweepAt, credits.nextRecovery, rebirths.values.map(\.at).min(), claims.values.map(\.at).min()]
    return (due.compactMap { $0 } + collections.values.compactMap(\.download.deadline)).min()
  }
}

/// What a worker saw.
public struct FoundationCounters: Equatable, Sendable {
  public var received: UInt64 = 0
  /// Messages that are none of the protocol, of unknown sites, or too large.
  public var refused: UInt64 = 0
  /// Not signed by a valid key of the site whose topic they came on.
  public var unsigned: UInt64 = 0
  /// Dropped unread because their site floods.
  public var flooded: UInt64 = 0
  /// Births and heartbeats that are not newer than what was heard.
  public var stale: UInt64 = 0
  public var appended: UInt64 = 0
  public var duplicates: UInt64 = 0
  public var acks: UInt64 = 0
  public var nacks: UInt64 = 0
  public var rebirths: UInt64 = 0
  public var storageFaults: UInt64 = 0
}

extension FoundationPeer {
  /// Batches that wait for the commit or for the ones before them.
  public var stagedBatches: Int { staging.logs.values.reduce(0) { $0 + $1.batches.count } }
}
