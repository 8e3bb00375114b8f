import Guard
import Seams
import SiteKernel
import SitePack
import StatusAPI
import TwinCore

extension StatusView {
  func envelopes() async throws(APIProblem) -> API.Envelopes {
    let values = await control.view { kernel in kernel.definition.envelopes.map { kernel.image[$0.point] } }
    return API.Envelopes(envelopes: site.definition.envelopes.indices.map { shown(envelope: $0, values[$0]) })
  }

  func envelope(_ id: String) async throws(APIProblem) -> API.Envelope {
    let known = site.definition.envelopes
    guard let position = known.firstIndex(where: { $0.id == id || site.id($0.point) == id }) else {
      throw .notFound("envelope", id, known: known.map(\.id), list: "twinctl envelope list")
    }
    let point = known[position].point
    return shown(envelope: position, await control.view { $0.image[point] })
  }

  private func shown(envelope position: Int, _ state: PointImage.State) -> API.Envelope {
    let envelope = site.definition.envelopes[position]
    let text = site.pack.pack.envelopeTexts[position]
    let unit = site.definition.points[envelope.point.position].unit
    return API.Envelope(
      id: envelope.id, point: text.point, unit: unit, min: envelope.hard.lowerBound, max: envelope.hard.upperBound,
      ratePerS: envelope.rate?.risingPerSecond,
      holdS: envelope.holdNanoseconds > 0 ? Double(envelope.holdNanoseconds) / 1e9 : nil, require: text.require,
      violation: "\(envelope.violation)",
      staleAfterS: envelope.required.first.map { Double($0.staleNanoseconds) / 1e9 },
      fallback: API.Quantity(envelope.fallback.value, unit: unit), owner: text.owner, reason: text.reason,
      procedure: text.procedure, digest: site.definition.digests.envelope.hex, signed: site.seal != nil,
      value: API.Quantity(state.value, unit: unit, quality: state.quality))
  }

  func testEnvelope(_ request: API.EnvelopeTestRequest) async throws(APIProblem) -> API.EnvelopeTest {
    let point = try self.point(named: request.point)
    let value = try converted(request.value, request.unit, for: point)
    let position = try writable(point)
    let (verdict, nearest) = await control.view { kernel in
      let verdict = kernel.safety.check(
        value, by: .person("test"), envelope: position, image: kernel.image,
        mode: kernel.mode == .auto ? .auto : .advise)
      return (verdict, verdict.value)
    }
    let envelope = site.definition.envelopes[position]
    let lines = Self.lines(verdict.trace)
    let refused = verdict.disposition == .refuse
    return API.EnvelopeTest(
      point: request.point, envelope: envelope.id, asked: quantity(value, of: point),
      result: refused ? "refuse" : "permit",
      value: quantity(refused ? nil : verdict.value, of: point), rules: rules(lines, envelope: envelope.id, point),
      reason: verdict.binding.map(Self.because) ?? "every rule holds",
      next: refused ? "\(words(nearest, of: point)) is the nearest value that the limits allow" : nil)
  }

  static func lines(_ trace: RuleTrace) -> [DecisionRecord.RuleLine] {
    (0..<trace.count).map { DecisionRecord.RuleLine(trace[$0]) }
  }

  func overrides() async throws(APIProblem) -> API.Overrides {
    let held = await control.view { kernel in
      kernel.holds.enumerated().compactMap { position, hold in
        hold.map { (position, $0, $0.until.nanoseconds(since: kernel.image.now)) }
      }
    }
    let now = siteClock.instant
    return API.Overrides(
      overrides: held.map { position, hold, left in
        let point = site.definition.envelopes[position].point
        return API.Override(
          point: site.id(point), value: quantity(hold.value, of: point), by: hold.by, reason: hold.reason,
          since: Timestamp(hold.since), until: Timestamp(now.advanced(byNanoseconds: left)),
          leftS: max(0, Double(left) / 1e9))
      })
  }

  func sync() async throws(APIProblem) -> API.SyncState {
    guard let peer else { return API.SyncState(state: "alone") }
    return await peer.state()
  }

  func mode() async throws(APIProblem) -> API.ModeState {
    let mode = await control.view { $0.mode }
    return API.ModeState(mode: mode.name, ceiling: site.ceiling.name, why: site.ceilingReason)
  }

  func alarms() async throws(APIProblem) -> API.Alarms {
    let (book, now) = await control.view { ($0.alarms, $0.image.now) }
    let instant = siteClock.instant
    var alarms: [API.Alarm] = []
    for position in book.states.indices {
      let state = book.states[position]
      let definition = book.definitions[position]
      guard state.shelvedUntil != nil || book.isShown(position), let text = site.alarmText(definition.id) else {
        continue
      }
      let since = state.activeSince ?? instant
      alarms.append(
        API.Alarm(
          id: definition.id, priority: Int(definition.priority),
          state: state.shelvedUntil != nil ? "shelved" : state.isAcknowledged ? "acknowledged" : "active",
          title: text.when,
          since: Timestamp(since), forS: max(0, Double(instant.nanoseconds(since: since)) / 1e9), action: text.action,
          owner: text.owner,
          shelvedUntil: state.shelvedUntil.map {
            Timestamp(instant.advanced(byNanoseconds: $0.nanoseconds(since: now)))
          }))
    }
    return API.Alarms(alarms: alarms.sorted { ($0.priority, $0.since) < ($1.priority, $1.since) })
  }

  /// The envelope's place; a problem for points that twind never writes.
  func writable(_ point: PointIndex) throws(APIProblem) -> Int {
    if let position = site.definition.envelopes.firstIndex(where: { $0.point == point }) { return position }
    throw .refused(
      code: "envelope.none", title: "\(site.id(point)) has no envelope, so twind never writes it",
      cause: site.pack.pack.points[point.position].isWritable
        ? "the pack gives it no envelope" : "its register is read-only",
      next: "twinctl envelope list")
  }

  func converted(_ value: Double, _ unit: String?, for point: PointIndex) throws(APIProblem) -> Double {
    let own = site.definition.points[point.position].unit
    guard let unit, unit != own else { return value }
    guard let from = UnitCode(ucum: unit), let to = UnitCode(ucum: own), let result = from.convert(value, to: to) else {
      throw .invalid(
        "\(unit) is no unit for \(site.id(point))", cause: "it is in \(own)", next: "give the value in \(own)")
    }
    return result
  }
}
