import Actuation
import Collectors
import FeatureStore
import Guard
import Seams
import SiteKernel
import SitePack
import StatusAPI
import TwinCore

/// The site as the socket shows it: reads memory, asks the kernel between two beats, never holds anything up.
struct StatusView: StatusSource {
  let site: Commissioned
  let configuration: EdgeConfiguration
  let clock: any SiteClock
  let siteClock: any SiteClock
  let health: HealthRegistry
  let keeper: StoreKeeper
  let journal: Journal
  let buses: [Bus]
  let actuator: Actuator
  let times: WriteTimes
  let control: ControlLoop
  let inbox: Inbox
  let waiters: Waiters
  let hub: EventHub
  let startedAt: Instant
  let peer: SitePeer?
  /// Nil where nobody trains models.
  var requestTraining: TrainingRequest?

  static let version = API.release
  /// A write that takes longer is answered as pending.
  static let answerNanoseconds: Int64 = 10_000_000_000

  var header: API.Header {
    API.Header(site: site.info.id, utcOffsetS: utcOffset, clockTrusted: siteClock.isTrusted)
  }

  var utcOffset: Int { site.definition.timeZone.offsetSeconds(at: siteClock.instant) }

  func meta() async throws(APIProblem) -> API.Meta {
    API.Meta(
      version: Self.version, site: site.info.qualifiedID, features: ["events", "replay", "collect_test", "models"],
      startedAt: Timestamp(startedAt))
  }

  func status() async throws(APIProblem) -> API.Status {
    let now = clock.instant
    let glance = await control.view { kernel in Glance(kernel) }
    let models = try await modelStatus()
    let problems = shown(health.problems, at: now) + models.problems
    let alarms = glance.alarms
    let state: String =
      if problems.contains(where: { $0.severity == "alarm" }) || alarms.highest {
        "alarm"
      } else if !problems.isEmpty || alarms.counts.active > 0 {
        "attention"
      } else if glance.unread > 0 {
        "unknown"
      } else {
        "well"
      }
    let (last, stats) = try await ask { (store) throws(StoreError) in
      (try store.decisions(limit: 1).first, try store.stats())
    }
    let siteNow = siteClock.instant
    return API.Status(
      site: site.info.id, state: state, mode: glance.mode.name, modeCeiling: site.ceiling.name,
      pack: API.Pack(
        version: site.info.version, signed: site.seal != nil, digest: site.definition.digests.pack.hex,
        name: site.info.name),
      points: glance.counts, heldSafe: glance.heldSafe, problems: problems, overrides: try await overrides().overrides,
      alarms: alarms.counts,
      lastDecision: last.map {
        API.LastDecision(id: $0.id, ageS: max(0, Double(siteNow.nanoseconds(since: $0.instant)) / 1e9))
      },
      clock: API.Clock(trusted: siteClock.isTrusted), leasesOpen: await actuator.held.count,
      uptimeS: Double(now.nanoseconds(since: startedAt)) / 1e9, version: Self.version, process: ProcessUse.now.shown,
      store: API.Store(
        sizeMb: Double(stats.fileBytes + stats.logBytes) / 1e6, oldest: stats.oldest.map(Timestamp.init)),
      models: models.tally, utcOffsetS: utcOffset)
  }

  func events(since id: UInt64?, _ filter: EventFilter) async throws(APIProblem) -> AsyncStream<API.Event> {
    try hub.subscribe(since: id, filter)
  }

  /// Roots alone, worst first, with the number of those that they explain.
  private func shown(_ problems: [Problem], at now: Instant) -> [API.Problem] {
    let ids = Set(problems.map(\.id))
    return problems.filter { $0.root.map { !ids.contains($0) } ?? true }.map { problem in
      API.Problem(
        id: problem.id, code: problem.code, severity: problem.severity == .alarm ? "alarm" : "attention",
        title: problem.title, cause: problem.cause, since: Timestamp(problem.since),
        forS: max(0, Double(now.nanoseconds(since: problem.since)) / 1e9), effect: problem.effect, next: problem.next,
        children: problems.count { $0.root == problem.id })
    }
  }

  /// On the store's thread.
  func ask<T: Sendable>(
    _ body: @Sendable (SiteStore) throws(StoreError) -> T
  ) async throws(APIProblem) -> T {
    do throws(StoreError) { return try await keeper.with(body) } catch {
      throw APIProblem(
        status: error.kind == .notFound ? 404 : 503, code: error.code, title: "the store does not answer that",
        cause: error.message, next: error.remedy)
    }
  }

  func point(named id: String) throws(APIProblem) -> PointIndex {
    if let point = site.point(id) { return point }
    throw .notFound("point", id, known: site.definition.points.map(\.id), list: "twinctl points")
  }

  func quantity(_ value: Double?, of point: PointIndex) -> API.Quantity {
    API.Quantity(value, unit: site.definition.points[point.position].unit)
  }

  func symbol(_ point: PointIndex) -> String { site.pack.pack.points[point.position].unitSymbol }

  /// `7.3 °C`.
  func words(_ value: Double, of point: PointIndex) -> String { NumberText.plain(value) + Self.spaced(symbol(point)) }

  static func spaced(_ symbol: String) -> String { symbol.isEmpty || symbol == "1" ? "" : " " + symbol }
}

/// What a status line needs of the kernel, taken between two beats.
struct Glance: Sendable {
  var mode: Mode
  var counts = API.PointCounts(total: 0, fresh: 0, stale: 0, absent: 0, never: 0)
  var heldSafe = 0
  /// Measured points that no poll has told about yet.
  var unread = 0
  var alarms: (counts: API.AlarmCounts, highest: Bool)

  init(_ kernel: borrowing SiteKernel) {
    mode = kernel.mode
    for state in kernel.image.states { counts.add(state, at: kernel.image.now) }
    for group in kernel.definition.groups { unread += group.points.count { kernel.image[$0].quality == .never } }
    heldSafe = kernel.safety.memory.count { $0.isFallingBack }
    var tally = API.AlarmCounts(active: 0, acked: 0, shelved: 0)
    var highest = false
    for position in kernel.alarms.states.indices {
      let state = kernel.alarms.states[position]
      if state.shelvedUntil != nil { tally.shelved += 1 }
      guard kernel.alarms.isShown(position) else { continue }
      if state.isAcknowledged {
        tally.acked += 1
      } else {
        tally.active += 1
        highest = highest || kernel.alarms.definitions[position].priority == 1
      }
    }
    alarms = (tally, highest)
  }
}

extension API.PointCounts {
  mutating func add(_ state: PointImage.State, at now: Uptime) {
    total += 1
    switch state.quality {
    case .never: never += 1
    case .absent: absent += 1
    case .failed: stale += 1
    case .good, .suspect: if now <= state.freshUntil { fresh += 1 } else { stale += 1 }
    }
  }
}
