import FeatureStore
import Guard
import SiteKernel
import SitePack
import StatusAPI
import TwinCore

extension StatusView {
  func decisions(limit: Int, point: String?) async throws(APIProblem) -> API.Decisions {
    if let point { _ = try self.point(named: point) }
    let (entries, outcomes) = try await ask { (store) throws(StoreError) in
      (try store.decisions(limit: limit, point: point), try Self.outcomes(in: store))
    }
    return API.Decisions(decisions: entries.compactMap { shown($0, outcomes) })
  }

  func decision(_ id: String) async throws(APIProblem) -> API.Decision {
    guard DecisionID(id) != nil else {
      throw .invalid("\"\(id)\" is no decision", cause: "decisions look like d-1042.0", next: "twinctl why POINT")
    }
    let (entry, outcomes) = try await ask { (store) throws(StoreError) in
      (try store.decision(id: id), try Self.outcomes(in: store))
    }
    guard let shown = shown(entry, outcomes) else { throw Self.unreadable(id) }
    return shown
  }

  func why(_ point: String) async throws(APIProblem) -> API.Decision {
    let index = try self.point(named: point)
    let (entry, outcomes) = try await ask { (store) throws(StoreError) in
      (try store.decisions(limit: 1, point: point).first, try Self.outcomes(in: store))
    }
    if let entry {
      guard let shown = shown(entry, outcomes) else { throw Self.unreadable(entry.id) }
      return shown
    }
    let hasEnvelope = site.definition.envelopes.contains { $0.point == index }
    throw APIProblem(
      status: 404, code: "decision.none", title: "nothing was ever decided about \(point)",
      cause: hasEnvelope
        ? "no policy has spoken for it and nobody has held it" : "it has no envelope, so twind never writes it",
      next: hasEnvelope ? "twinctl envelope show" : "twinctl points get \(point)")
  }

  private static func unreadable(_ id: String) -> APIProblem {
    APIProblem(
      status: 500, code: "decision.unreadable", title: "the record of \(id) cannot be read",
      next: "twinctl status: a damaged store is named there")
  }

  struct Settled: Sendable {
    var outcome: String
    var readBack: Double?
  }

  /// What became of the decisions of late, by decision.
  private static func outcomes(in store: SiteStore) throws(StoreError) -> [String: Settled] {
    var settled: [String: Settled] = [:]
    for event in try store.events(limit: 500) where event.kind.hasPrefix("outcome.") && settled[event.subject] == nil {
      settled[event.subject] = Settled(
        outcome: String(event.kind.dropFirst("outcome.".count)),
        readBack: Double(String(decoding: event.bytes, as: UTF8.self)))
    }
    return settled
  }

  private func shown(_ entry: DecisionEntry, _ outcomes: [String: Settled]) -> API.Decision? {
    var reader = CanonicalReader(entry.bytes)
    guard let record = try? DecisionRecord(from: &reader) else { return nil }
    return shown(record, outcomes[entry.id])
  }

  func shown(_ record: DecisionRecord, _ settled: Settled?) -> API.Decision? {
    guard let point = site.point(record.point) else { return nil }
    let lease = record.instant.advanced(byNanoseconds: record.leaseNanoseconds)
    let isLeased = record.isCarriedOut && record.disposition != .revert
    return API.Decision(
      id: record.id.description, at: Timestamp(record.instant), point: record.point,
      previous: record.previous.map { quantity($0, of: point) }, asked: quantity(record.asked, of: point),
      value: quantity(record.disposition == .refuse ? nil : record.value, of: point),
      readBack: settled?.readBack.map { quantity($0, of: point) }, actor: record.actor, mode: record.mode.name,
      disposition: record.disposition.name,
      outcome: settled?.outcome ?? (record.isCarriedOut ? "pending" : "none"), reason: sentence(record),
      contributions: record.causes.map { contribution($0, to: point) },
      rules: rules(record.rules, envelope: record.envelope, point).sorted { Self.order($0) < Self.order($1) },
      binding: record.binding?.name, policy: policy(record),
      digests: API.Digests(
        inputs: record.inputs.hex, model: record.digests.model.hex, policy: record.digests.policy.hex,
        envelope: record.digests.envelope.hex),
      fingerprint: record.fingerprint.hex, tick: UInt64(clamping: record.id.tick),
      leaseUntil: isLeased ? Timestamp(lease) : nil)
  }

  private func policy(_ record: DecisionRecord) -> API.Policy? {
    guard record.actor.hasPrefix("policy ") else { return nil }
    return API.Policy(name: String(record.actor.dropFirst("policy ".count)), version: String(site.info.version))
  }

  /// Why, in one sentence that the record alone supports.
  private func sentence(_ record: DecisionRecord) -> String {
    if record.actor.hasPrefix("person "), !record.reason.isEmpty { return record.reason }
    if record.actor == "guard" {
      return "given back: " + Self.because(record.binding ?? .mode)
    }
    let name = String(record.actor.dropFirst("policy ".count))
    let text = site.pack.pack.policyTexts.first { $0.id == name }
    var sentence = text?.reason ?? "policy \(name): \(text?.rule ?? "")"
    if record.disposition == .refuse, let binding = record.binding {
      sentence += "; refused: " + Self.because(binding)
    } else if let binding = record.binding {
      sentence += "; limited by \(binding.name)"
    }
    if !record.isExecutable && record.disposition != .refuse { sentence += "; not written in mode \(record.mode.name)" }
    return sentence
  }

  static func because(_ rule: Rule) -> String {
    switch rule {
    case .finite: "the wish is not a number"
    case .mode: "the mode does not let it be written"
    case .deadMan:
      "nothing protects the plant if twind dies: the pack has neither a device watchdog nor unattended: accepted"
    case .operatorHold: "a person holds the point"
    case .latch: "a latch waits for a person to reset it"
    case .fresh: "a needed reading is missing or too old"
    case .interlock: "a condition of the envelope does not hold"
    case .range: "it lies outside the envelope's limits"
    case .hold: "the last change is too recent"
    case .rate: "it would change too fast"
    case .resolution: "the register cannot hold an allowed value"
    case .budget: "the register's writes for the day are used up"
    }
  }

  private func contribution(_ cause: DecisionRecord.Cause, to point: PointIndex) -> API.Contribution {
    let unit = UnitCode(ucum: site.definition.points[point.position].unit)?.difference.symbol ?? ""
    var text = cause.point
    if let index = site.point(cause.point) {
      let label = site.pack.pack.points[index.position].label
      let move = cause.value < cause.before ? "fell to" : "rose to"
      text = "\(label.isEmpty ? cause.point : label) \(move) \(words(cause.value, of: index))"
    }
    return API.Contribution(cause: cause.point, text: text, effect: cause.effect, unit: unit)
  }

  /// The rules that concern the wish, in the pack's own words.
  func rules(_ lines: [DecisionRecord.RuleLine], envelope id: String, _ point: PointIndex) -> [API.Rule] {
    guard let position = site.definition.envelopes.firstIndex(where: { $0.id == id }) else { return [] }
    let envelope = site.definition.envelopes[position]
    let text = site.pack.pack.envelopeTexts[position]
    return lines.compactMap { line in
      guard line.outcome != .idle else { return nil }
      return rule(line, envelope, text, point)
    }
  }

  private func rule(
    _ line: DecisionRecord.RuleLine, _ envelope: Envelope, _ text: EnvelopeText, _ point: PointIndex
  ) -> API.Rule {
    let unit = site.definition.points[point.position].unit
    func plain(_ value: Double) -> String { words(value, of: point) }
    var made = API.Rule(rule: line.rule.name, text: line.rule.name, result: Self.result(line.outcome))
    switch line.rule {
    case .range:
      made.text = "range \(NumberText.plain(envelope.hard.lowerBound))–\(plain(envelope.hard.upperBound))"
      (made.value, made.limit, made.unit) = (line.value, line.limit, unit)
    case .rate:
      made.text = "rate ≤ \(text.rate)"
      (made.value, made.limit, made.unit) = (line.value, line.limit, UnitCode(ucum: unit)?.difference.ucum ?? unit)
    case .interlock:
      made.text = text.require.indices.contains(line.index) ? text.require[line.index] : "condition \(line.index)"
    case .hold:
      made.text = "rests ≥ \(DurationText.short(nanoseconds: envelope.holdNanoseconds))"
      (made.value, made.limit, made.unit) = (line.value, line.limit, "s")
    case .budget:
      made.text = "\(envelope.writesPerDay ?? 0) writes a day"
      (made.value, made.limit) = (line.value, line.limit)
    case .fresh: made.text = line.outcome == .pass ? "needed readings are fresh" : "a needed reading is missing or old"
    case .mode: made.text = "mode " + (Mode(rawValue: UInt8(clamping: Int(line.value)))?.name ?? "?")
    case .operatorHold: made.text = "no person holds it"
    case .latch: made.text = "no latch is set"
    case .deadMan: made.text = "protected against twind's death"
    case .finite: made.text = "is a number"
    case .resolution: made.text = "the register can hold it"
    }
    if line.outcome != .unknown, line.margin.isFinite, [.range, .rate, .hold, .budget].contains(line.rule) {
      made.margin = line.margin
    }
    return made
  }

  /// What decided comes first, then what was close, then what merely held.
  private static func order(_ rule: API.Rule) -> (Int, Double) {
    if rule.result != "pass" { return (0, rule.margin ?? 0) }
    if let margin = rule.margin, let limit = rule.limit, limit != 0 { return (1, margin / limit.magnitude) }
    return (rule.rule == Rule.interlock.name ? 2 : 3, 0)
  }

  private static func result(_ outcome: RuleResult.Outcome) -> String {
    switch outcome {
    case .pass, .idle: "pass"
    case .clamped: "clamp"
    case .fail: "fail"
    case .unknown: "unknown"
    }
  }
}
