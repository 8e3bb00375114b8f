import DeltaLog
import Glibc
import MQTT
import Provenance
import Seams
import Sodium
import Sync
import TwinCore

/// Clients for measurements and trials of a whole fleet, whose broker and foundation run beside them: `Tests/Bench` and
/// `Tests/System` start them all. Sites are enrolled ones, each by its state directory; their daemons do not run.
enum ExchangeBench {
  static let bodyBytes = 200
  private static let pauseUs: UInt32 = 500
  private static let behindMax = 256
  private static let giveUpSeconds = 300.0

  /// Appends so many entries to a stream of a site's log.
  static func fill(_ state: String, stream: String, count: Int, bytes: Int) throws {
    guard let stream = LogStream.allCases.first(where: { $0.name == stream }) else {
      throw BenchFault("no stream \(stream)")
    }
    let files = SiteFiles(state: state)
    guard let identity = try SiteIdentity.open(directory: files.folder) else {
      throw BenchFault("no keys in \(files.folder)")
    }
    let clock = SystemClock(assumed: true)
    let log = try files.log(
      try files.enrolment().site, boot: Sodium.randomBytes(LogEntry.bootBytes), keyEpoch: identity.keyEpoch)
    var left = count
    while left > 0 {
      let drafts = (0..<min(left, 512)).map { _ in LogDraft(stream, .featureSegment, Sodium.randomBytes(bytes)) }
      try log.append(drafts, at: clock.instant, uptime: clock.uptime)
      left -= drafts.count
    }
    say("{\"next\":\(log.head(stream).next)}")
  }

  /// Messages of twind from all sites in a folder, each site one at a time: an entry is appended when the one before
  /// was acknowledged, so that each batch has its own acknowledgement, which is the most that an exchange costs.
  static func exchange(_ folder: String, messages: Int) throws {
    let sites = try states(folder).map { try BenchPeer(state: $0) }
    try turn(sites, until: { sites.allSatisfy { $0.isConnected && $0.isCurrent } })
    awaitStart()
    let (before, begun) = (sites.map(\.sent), Spent.now.wallSeconds)
    var appended = 0
    try turn(sites) {
      for site in sites where appended < messages && site.isCurrent {
        try site.append(bytes: bodyBytes)
        appended += 1
      }
      return appended == messages && sites.allSatisfy(\.isCurrent)
    }
    let batches = zip(sites, before).reduce(0) { $0 + $1.0.sent.batches - $1.1.batches }
    let bytes = zip(sites, before).reduce(0) { $0 + $1.0.sent.bytes - $1.1.bytes }
    let seconds = Spent.now.wallSeconds - begun
    say("{\"messages\":\(batches),\"bytes\":\(bytes / max(1, batches)),\"seconds\":\(seconds)}")
    _ = readLine()
  }

  /// The same through plain messages of QoS 1 from the same sites to one subscriber, who has a worker's certificate:
  /// one of each site at a time, `perSecond` of them together.
  static func plain(
    _ folder: String, foundation: String, worker: String, messages: Int, bytes: Int, perSecond: Double
  ) throws {
    let states = try states(folder)
    let subscriber = PlainClient(
      try workerSettings(states[0], foundation: foundation, worker: worker))
    let sites = try states.map { try PlainClient(SiteFiles(state: $0)) }
    subscriber.filter = "tw/1/up/+/plain"
    let everyone = sites + [subscriber]
    try turn(everyone, until: { everyone.allSatisfy(\.isReady) })
    awaitStart()
    let payload = Sodium.randomBytes(bytes)
    var published = 0
    let begun = Spent.now.wallSeconds
    try turn(everyone) {
      // As acknowledgements of one commit set all sites going at once.
      let due = Int((Spent.now.wallSeconds - begun) * perSecond) / sites.count * sites.count
      // A broker drops what a subscriber is too slow for, and has acknowledged it.
      let most = min(messages, due, subscriber.received + behindMax)
      for site in sites where published < most && site.waiting == 0 {
        site.publish(payload)
        published += 1
      }
      return subscriber.received >= messages
    }
    say("{\"messages\":\(subscriber.received),\"bytes\":\(bytes)}")
    _ = readLine()
  }

  /// One site that tells so many entries at a pace, whatever becomes of broker and foundation meanwhile.
  static func pace(_ state: String, entries: Int, perSecond: Double) throws {
    let site = try BenchPeer(state: state)
    try turn([site], until: { site.isConnected && site.isCurrent })
    let first = site.log.head(.audit).next
    let (before, sent) = (site.counters, site.sent)
    awaitStart()
    let begun = Spent.now.wallSeconds
    var appended = 0
    try turn([site]) {
      while appended < entries, Double(appended) <= (Spent.now.wallSeconds - begun) * perSecond {
        try site.append(bytes: bodyBytes)
        appended += 1
      }
      return appended == entries && site.isCurrent
    }
    say(
      """
      {"first":\(first),"next":\(site.log.head(.audit).next),"batches":\(site.sent.batches - sent.batches),\
      "repeats":\(site.counters.repeats - before.repeats),"entries":\(site.sent.entries - sent.entries)}
      """)
  }

  /// One publisher of numbered messages at a pace, plain QoS 1: what the broker has not acknowledged when a session
  /// ends is published again in the next one.
  static func plainPace(_ state: String, messages: Int, perSecond: Double) throws {
    let client = try PlainClient(SiteFiles(state: state))
    try turn([client], until: { client.isReady })
    awaitStart()
    let begun = Spent.now.wallSeconds
    var made = 0
    try turn([client]) {
      while made < messages, Double(made) <= (Spent.now.wallSeconds - begun) * perSecond {
        made += 1
        let text = "\(made) "
        client.publish(Array((text + String(repeating: "x", count: bodyBytes - text.utf8.count)).utf8))
      }
      return made == messages && client.waiting == 0
    }
    say("{\"published\":\(client.acknowledged)}")
  }

  // MARK: Clients together

  private static func turn(_ sites: [BenchPeer], until isDone: () throws -> Bool) throws {
    try wait(until: isDone) { for site in sites { site.turn() } }
  }

  private static func turn(_ clients: [PlainClient], until isDone: () throws -> Bool) throws {
    try wait(until: isDone) { for client in clients { client.turn() } }
  }

  private static func wait(until isDone: () throws -> Bool, doing work: () -> Void) throws {
    let begun = Spent.now.wallSeconds
    while true {
      work()
      if try isDone() { return }
      guard Spent.now.wallSeconds - begun < giveUpSeconds else { throw BenchFault("not within \(giveUpSeconds) s") }
      _ = usleep(pauseUs)
    }
  }

  /// Whoever measures reads the broker's counters between this line and its answer.
  private static func awaitStart() {
    say("ready")
    _ = readLine()
  }

  private static func states(_ folder: String) throws -> [String] {
    let names = try SystemFileStore().names(in: folder).filter { $0.hasPrefix("s") }.sorted()
    guard !names.isEmpty else { throw BenchFault("no sites in \(folder)") }
    return names.map { "\(folder)/\($0)" }
  }

  private static func workerSettings(
    _ state: String, foundation: String, worker: String
  ) throws -> BrokerSettings {
    let files = SiteFiles(state: state)
    var settings = files.settings(try files.enrolment())
    settings.credentials = BrokerCredentials(
      authorities: files.folder + "/authority.crt", certificate: "\(foundation)/tls/\(worker).crt",
      key: "\(foundation)/tls/\(worker).key")
    settings.clientID = nil
    return settings
  }

  private static func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = unsafe write(STDOUT_FILENO, bytes, bytes.count)
  }
}

/// A client that knows nothing but MQTT.
private final class PlainClient {
  private static let clock = SystemClock(assumed: true)
  private static let windowMax = 24

  private let events = EventQueue()
  private let link: BrokerLink
  private let topic: String
  private var reconnection = Reconnection(
    schedule: ReconnectSchedule(spread: .seconds(3)), at: PlainClient.clock.uptime)
  private var isConnected = false
  private var isSubscribed = false
  private var queue: [[UInt8]] = []
  private var underWay: [MessageID: [UInt8]] = [:]
  /// What to subscribe to; nothing for a publisher.
  var filter: String?
  private(set) var received = 0
  /// Messages that the broker said to have.
  private(set) var acknowledged = 0

  init(_ settings: BrokerSettings) {
    let events = events
    topic = "tw/1/up/\(settings.clientID ?? "-")/plain"
    link = BrokerLink(settings) { events.put($0) }
  }

  convenience init(_ files: SiteFiles) throws { try self.init(files.settings(files.enrolment())) }

  deinit { link.close() }

  var isReady: Bool { isConnected && (filter == nil || isSubscribed) }
  var waiting: Int { queue.count + underWay.count }

  func publish(_ payload: [UInt8]) {
    queue.append(payload)
    send()
  }

  func turn() {
    for event in events.takeAll() { take(event) }
    if reconnection.begin(at: Self.clock.uptime) != nil {
      do throws(MessageFault) { try link.connect(will: nil) } catch { reconnection.lost(at: Self.clock.uptime) }
    }
    send()
  }

  private func send() {
    while isConnected, underWay.count < Self.windowMax, let payload = queue.first {
      guard let id = try? link.publish(OutgoingMessage(topic: topic, payload: payload)) else { return }
      underWay[id] = payload
      queue.removeFirst()
    }
  }

  private func take(_ event: MessageEvent) {
    switch event {
    case .connected:
      isConnected = true
      reconnection.wasUseful()
      if let filter { _ = try? link.subscribe(filter) }
    case .disconnected:
      isConnected = false
      queue = underWay.sorted { $0.key < $1.key }.map(\.value) + queue
      underWay = [:]
      reconnection.lost(at: Self.clock.uptime)
    case .received: received += 1
    case .published(let id, let reason):
      if underWay.removeValue(forKey: id) != nil, !reason.isFailure { acknowledged += 1 }
    case .subscribed: isSubscribed = true
    }
  }
}
