import Agents
public import Guard
public import Models
public import TwinCore

/// One site in one value: takes a tick, says what to do. No clock, no socket, no file, no chance of its own.
///
/// The same ticks in the same build give the same bits, so that live, shadow, replay and every other harness run this
/// one, unchanged. Single-threaded.
public struct SiteKernel: Sendable {
  public let definition: SiteDefinition
  let hash: Hash

  public internal(set) var image: PointImage
  public internal(set) var filters: [LevelFilter]
  public internal(set) var safety: SafetyGuard
  public internal(set) var alarms: AlarmBook
  /// What was asked for; `mode` is what holds.
  public internal(set) var wantedMode = Mode.observe
  public internal(set) var ceiling = Mode.observe
  /// By envelope.
  public internal(set) var holds: [OperatorHold?]
  /// By position in the definition's models.
  public internal(set) var models: [ModelSlot]
  public internal(set) var lastTick: Int64 = 0
  public internal(set) var fingerprint = Digest.zero
  /// The last change of the site's graph that it was told of.
  public internal(set) var graphThrough: Int64 = 0
  var router: PolicyRouter
  /// Two for each envelope.
  var latest: [LatestDecision]
  /// By envelope: the write whose outcome is awaited; nil takes any.
  var awaited: [DecisionID?]
  var lastRecordAt: Uptime?
  private let derivedPoints: Set<PointIndex>

  // Scratch, kept for its memory; carries nothing from one step to the next.
  private var proposals: [Proposal] = []
  private var writer = CanonicalWriter(reservingBytes: 1 << 16)

  /// A site that has seen nothing yet.
  public init(_ definition: SiteDefinition, hash: @escaping Hash) {
    self.definition = definition
    self.hash = hash
    image = PointImage(count: definition.points.count, now: Uptime(nanoseconds: .min))
    filters = Array(repeating: LevelFilter(), count: definition.points.count)
    safety = SafetyGuard(envelopes: definition.envelopes)
    alarms = AlarmBook(definitions: definition.alarms)
    models = definition.models.map { ModelSlot($0) }
    router = PolicyRouter(policies: definition.policies)
    holds = Array(repeating: nil, count: definition.envelopes.count)
    latest = Array(repeating: LatestDecision(), count: 2 * definition.envelopes.count)
    awaited = Array(repeating: nil, count: definition.envelopes.count)
    derivedPoints = Set(definition.derived.map(\.point))
  }

  public var mode: Mode { wantedMode.lowered(to: ceiling) }

  /// What is known of a point as of the last tick.
  public func estimate(_ point: PointIndex) -> Measurement {
    filters[point.position].estimate(
      at: image.now, freshUntil: image[point].freshUntil, definition.points[point.position].estimator)
  }

  /// One step. `outcome` is emptied first; its memory is reused.
  public mutating func step(_ tick: Tick, into outcome: inout Outcome) {
    precondition(tick.number > lastTick, "tick \(tick.number) after tick \(lastTick)")
    outcome.reset(tick: tick.number)
    outcome.inputs = digest(of: tick)
    begin(tick)
    for frame in tick.frames { take(frame, tick: tick.number) }
    let date = CivilDate(tick.instant, offsetSeconds: definition.timeZone.offsetSeconds(at: tick.instant))
    derive(at: date, tick)
    for command in tick.commands { obey(command, tick, &outcome) }
    for position in models.indices {
      models[position].take(
        image, at: tick.instant, isClockTrusted: tick.isClockTrusted, definition.models[position],
        model: Int32(position), into: &outcome.models)
    }
    safety.settle(over: image)
    safety.latch(over: image)
    giveBackWhatMustBe(tick, &outcome)
    renewHolds(tick, &outcome)
    proposals.removeAll(keepingCapacity: true)
    router.propose(over: image, at: date, into: &proposals)
    if !proposals.isEmpty {
      var verdict = Verdict.none
      for proposal in proposals { decide(proposal, at: date, request: nil, reason: "", tick, &outcome, &verdict) }
    }
    alarms.evaluate(over: image, at: tick.instant, into: &outcome.alarms)
    close(tick, &outcome)
  }

  /// Clocks forward, and the session command before anything else: it may restart the monotonic clock.
  private mutating func begin(_ tick: Tick) {
    for case .session(let isNewBoot, let kept, let ceiling) in tick.commands {
      self.ceiling = ceiling
      if let kept { wantedMode = kept }
      if isNewBoot { rebase(to: tick.uptime) }
    }
    // A monotonic clock that runs backwards within a session would be the harness's fault; time then stands still here.
    image.now = max(image.now, tick.uptime)
  }

  private mutating func take(_ frame: Frame, tick: Int64) {
    guard definition.groups.indices.contains(Int(frame.group)) else { return }
    let points = definition.groups[Int(frame.group)].points
    // Nothing arrives later than now: a clock gone wrong must not make a reading fresh for ever.
    let arrived = min(frame.uptime, image.now)
    for column in 0..<min(points.count, frame.values.count, frame.qualities.count) {
      let position = points[column].position
      // What was overtaken on its way (by a read-back, say) is no longer the present.
      guard arrived >= image.states[position].uptime else { continue }
      let point = definition.points[position]
      let quality = frame.qualities[column]
      let value = frame.values[column]
      if quality.hasValue && value.isFinite {
        image.states[position] = PointImage.State(
          value: value, quality: quality, effective: frame.effective, uptime: arrived,
          freshUntil: arrived.advanced(byNanoseconds: point.staleNanoseconds))
        filters[position].update(
          value, quality: quality, at: arrived, sequence: frame.sequence, tick: tick, settings: point.estimator)
      } else {
        // The last value stays to be looked at, with its own time; its quality says that it is not the present one.
        image.states[position].quality = quality.hasValue ? .suspect : quality
      }
    }
  }

  private mutating func derive(at date: CivilDate, _ tick: Tick) {
    for derived in definition.derived {
      let position = derived.point.position
      let value: Double? =
        switch derived.source {
        case .schedule(let schedule): tick.isClockTrusted ? schedule.value(at: date) : nil
        case .formula(let formula): formula.value(over: image)
        }
      guard let value else {
        image.states[position].quality = image.states[position].quality == .never ? .never : .failed
        continue
      }
      let point = definition.points[position]
      image.states[position] = PointImage.State(
        value: value, quality: .good, effective: tick.instant, uptime: image.now,
        freshUntil: image.now.advanced(byNanoseconds: point.staleNanoseconds))
      filters[position].update(
        value, quality: .good, at: image.now, sequence: 0, tick: tick.number, settings: point.estimator)
    }
  }

  /// Chains the fingerprint over what came in, what was decided and what is now believed.
  private mutating func close(_ tick: Tick, _ outcome: inout Outcome) {
    let quarterOver = lastRecordAt.map { image.now.nanoseconds(since: $0) >= Self.recordNanoseconds } ?? true
    outcome.isRecordDue =
      quarterOver || !outcome.alarms.isEmpty || !outcome.models.isEmpty
      || outcome.decisions.contains { $0.isNews || $0.isCarriedOut }
    if outcome.isRecordDue { lastRecordAt = image.now }

    writer.reset()
    writer.digest(fingerprint)
    writer.digest(outcome.inputs)
    writer.integer(Int64(mode.rawValue))
    for decision in outcome.decisions { decision.encode(to: &writer) }
    for event in outcome.alarms {
      writer.integer(Int64(event.alarm))
      writer.integer(Int64(event.kind.rawValue))
    }
    for frame in tick.frames where definition.groups.indices.contains(Int(frame.group)) {
      for point in definition.groups[Int(frame.group)].points { encodeBelief(point) }
    }
    for derived in definition.derived { encodeBelief(derived.point) }
    for event in outcome.models { event.encode(to: &writer) }
    for slot in models where slot.champion.instant == tick.instant { slot.champion.encodeBelief(to: &writer) }
    fingerprint = hash(writer.bytes)
    outcome.fingerprint = fingerprint
    lastTick = tick.number
  }

  private mutating func encodeBelief(_ point: PointIndex) {
    let filter = filters[point.position]
    writer.double(filter.mean)
    writer.double(filter.variance)
    writer.integer(Int64(image.states[point.position].quality.rawValue))
  }

  private mutating func digest(of tick: Tick) -> Digest {
    writer.reset()
    tick.encode(to: &writer)
    for frame in tick.frames {
      writer.integer(Int64(frame.group))
      writer.integer(frame.sequence)
      writer.instant(frame.effective)
      writer.uptime(frame.uptime)
      writer.doubles(frame.values)
      writer.qualities(frame.qualities)
    }
    return hash(writer.bytes)
  }

  private mutating func rebase(to now: Uptime) {
    let before = image.now
    var remaining: [Int: Int64] = [:]
    for position in holds.indices {
      guard let hold = holds[position] else { continue }
      let left = max(0, hold.until.nanoseconds(since: before))
      remaining[position] = left
      holds[position]?.until = now.advanced(byNanoseconds: left)
      holds[position]?.renewAt = now
    }
    safety.rebase(at: now, heldFor: remaining)
    alarms.rebase(from: before, to: now)
    router.rebase()
    for position in models.indices { models[position].rebase() }
    for position in image.states.indices {
      image.states[position].uptime = Uptime(nanoseconds: .min)
      image.states[position].freshUntil = Uptime(nanoseconds: .min)
      filters[position].rebase(to: now)
    }
    lastRecordAt = nil
    image.now = now
  }

  /// A decision record is made at least so often.
  static let recordNanoseconds: Int64 = 900_000_000_000
}

/// A person's hand on a setpoint.
public struct OperatorHold: Sendable, Equatable {
  public var value: Double
  public var until: Uptime
  public var by: String
  public var reason: String
  public var since: Instant
  /// When its lease is next renewed.
  var renewAt: Uptime
}

/// What was last decided for an envelope: the measure of what is news.
struct LatestDecision: Sendable, Equatable {
  var disposition: Verdict.Disposition?
  var value = 0.0
  var binding: Rule?
}
