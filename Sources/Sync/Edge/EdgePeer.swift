import DeltaLog
public import Provenance
public import TwinCore

/// A site's end of the protocol: what happens goes in, what is to be done comes out.
///
/// No I/O but the log it is given, no clock and no randomness of its own. One thread at a time. It holds nothing that
/// must survive a restart: watermarks are in the log, `directedNext` and chunk maps with the owner.
public struct EdgePeer {
  static let birthPauseMin = Duration.seconds(2)
  static let birthPauseMax = Duration.seconds(60)
  /// Nothing acknowledged for so long is an alarm.
  static let ackAgeMax = Duration.seconds(300)
  /// Between probes of a foundation that gave no credit.
  static let probeEvery = Duration.seconds(60)
  /// Heartbeats ahead of their time, that tell what was installed, keep this distance.
  static let heartbeatGap = Duration.seconds(1)
  /// A foundation that comes back is greeted within this span, each site at its own moment.
  static let greetingSpread = Duration.seconds(30)
  /// Entries after which a head is signed ahead of the beat.
  static let headEntries: UInt64 = 1024
  static let newEpochEvery = Duration.seconds(600)
  static let blockedPause = Duration.milliseconds(100)
  static let logPause = Duration.seconds(5)

  public let site: SiteName
  /// What only the owner knows; goes into births and heartbeats from then on.
  public var status: SiteStatus
  /// Replaced when trust metadata says so.
  public var trust: FoundationTrust
  public var profile: EdgeProfile
  let log: any EdgeLog
  let seal: Seal
  let sign: HeadSeal
  let random: () -> UInt64

  var actions: [PeerAction] = []
  var link: Link?
  var senders = LogStream.allCases.map { StreamSender($0) }
  var roundTrip = RoundTrip()
  var bulkWindow = BulkWindow()
  var bulkBudget: TokenBucket?
  var creditBytes = SyncLimits.creditBytesStart
  /// When the foundation last named a credit, by its clock.
  var creditAt = Int64.min
  var probedAt: Uptime?
  /// Streams whose beginning the foundation misses and this log no longer has.
  var resumes: Set<LogStream> = []
  var rebirths = TokenBucket(capacity: 2, every: .seconds(10))
  var greetings = TokenBucket(capacity: 1, every: .seconds(60))
  var lastOrder: (term: UInt64, at: Int64) = (0, .min)
  var newEpochAt: Uptime?
  /// Between `openEpoch` and `epochOpened` nothing of the old epoch goes out.
  var isChangingEpoch = false
  var inbox: DirectedInbox
  var downloads: [Digest: ChunkDownload] = [:]
  var upload = UploadQueue()
  var raised: [SyncAlarm.Kind: Set<LogStream?>] = [:]
  var logRetryAt: Uptime?
  var question: ConsistencyQuestion?
  var publications: UInt64 = 0
  public internal(set) var counters = EdgeCounters()

  /// One connection to a broker.
  struct Link {
    let session: UInt64
    let packetBytesMax: Int
    var serial: UInt64 = 0
    var birthAt: Uptime
    var birthSentAt: Uptime
    var birthFailures = 0
    var heartbeatAt: Uptime
    var lastHeartbeat: Uptime?
    var challenge: [UInt8]?
    var isUseful = false
  }

  /// `directedNext` as the owner recorded it; `random` gives 64 bits for spreading load, no secrets.
  public init(
    site: SiteName, status: SiteStatus, trust: FoundationTrust, profile: EdgeProfile = .standard, log: any EdgeLog,
    directedNext: UInt64, seal: @escaping Seal, sign: @escaping HeadSeal, random: @escaping () -> UInt64
  ) {
    (self.site, self.status, self.trust, self.profile) = (site, status, trust, profile)
    (self.log, self.seal, self.sign, self.random) = (log, seal, sign, random)
    inbox = DirectedInbox(next: directedNext)
    bulkBudget = Self.budget(profile, bytesPerSecond: profile.bulkBytesPerSecond)
  }

  public mutating func handle(_ event: PeerEvent, now: Uptime, wall: Instant) -> [PeerAction] {
    switch event {
    case .connected(let session, let packetBytesMax): connect(session, packetBytesMax, now)
    case .disconnected: link = nil
    case .received(let topic, let payload): receive(topic, payload, now)
    case .published(let id, let reason): notePublished(id, reason)
    case .appended, .tick: break
    case .epochOpened: noteEpoch(now)
    case .directed(let sequence, let answer):
      if inbox.answer(sequence, answer, at: now) { hurryHeartbeat(now) }
    case .chunkKept(let digest, let index, let isKept): noteKept(digest, index, isKept)
    case .chunkRead(let digest, let index, let chunk): send(chunk, digest, index)
    }
    advance(now, wall)
    if let deadline = deadline(now) {
      // What is due and could not be done waits for something else: look again, but do not spin.
      actions.append(.wake(at: deadline > now ? deadline : now.after(Self.blockedPause)))
    }
    defer { actions = [] }
    return actions
  }

  /// What the broker is to publish when the connection of that session ends without a goodbye.
  public func will(session: UInt64) -> Publication {
    let hint = DeathHint(site: site, session: session, boot: status.boot)
    return Publication(topic: .death(site), payload: hint.sealed(by: seal), qos: 1)
  }

  private mutating func connect(_ session: UInt64, _ packetBytesMax: Int, _ now: Uptime) {
    link = Link(
      session: session, packetBytesMax: packetBytesMax, birthAt: now, birthSentAt: now,
      heartbeatAt: now.after(profile.heartbeatEvery))
    for index in senders.indices { senders[index].restart() }
    upload.restart()
    actions.append(.subscribe(SyncTopic.filters(of: site)))
  }

  private mutating func noteEpoch(_ now: Uptime) {
    isChangingEpoch = false
    senders = LogStream.allCases.map { StreamSender($0) }
    resumes = []
    clear(.fork)
    clear(.foundationAhead)
    link?.birthAt = now
  }

  /// Everything that is due.
  private mutating func advance(_ now: Uptime, _ wall: Instant) {
    handOverDirected(now)
    guard link != nil else { return }
    sendBirthIfDue(now, wall)
    goBackIfDue(now)
    sendBatches(now)
    pumpArtefacts(now)
    askConsistencyIfDue(now)
    sendHeartbeatIfDue(now, wall)
    watchAckAge(now)
  }

  func name(_ stream: LogStream) -> LogName { LogName(site: site, epoch: log.epoch, stream: stream) }

  mutating func publish(_ topic: SyncTopic, _ payload: [UInt8], qos: UInt8) -> UInt64 {
    publications += 1
    actions.append(.publish(Publication(id: publications, topic: topic, payload: payload, qos: qos)))
    return publications
  }

  static func budget(_ profile: EdgeProfile, bytesPerSecond: Int?) -> TokenBucket? {
    guard let rate = bytesPerSecond, rate > 0 else { return nil }
    return TokenBucket(capacity: Int64(profile.bulkBurstBytes), rate: Int64(rate))
  }
}

/// What a peer saw that needs nobody's attention by itself.
public struct EdgeCounters: Equatable, Sendable {
  /// Messages that are none of the protocol, or not for this site.
  public var refused: UInt64 = 0
  /// Messages that the foundation did not sign.
  public var unsigned: UInt64 = 0
  /// Signed ones that say nothing new: replayed, of another log, or of an older term.
  public var stale: UInt64 = 0
  public var batches: UInt64 = 0
  /// Batches that repeat something.
  public var repeats: UInt64 = 0
  public var births: UInt64 = 0
}
