import Actuation
import Guard
import Seams
import SiteKernel
import SitePack
import StatusAPI
import TwinCore

extension StatusView {
  private var deadline: Uptime { clock.uptime.advanced(byNanoseconds: Self.answerNanoseconds) }

  func setOverride(
    _ id: String, _ request: API.OverrideRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Written {
    let point = try self.point(named: id)
    _ = try writable(point)
    let value = try converted(request.value, request.unit, for: point)
    guard request.forS.isFinite, request.forS >= 1, request.forS <= 7 * 86_400 else {
      throw .invalid("an override lasts 1 s to 7 days", next: "say how long: --for 2h")
    }
    guard request.reason.contains(where: { !$0.isWhitespace }), request.reason.utf8.count <= 500 else {
      throw .invalid("an override needs a reason of at most 500 characters", next: "say why: --reason \"…\"")
    }
    let span = Int64(request.forS * 1e9)
    let reply = await waiters.ask(until: deadline, clock) { number in
      inbox.put(
        .override(
          request: number, point: point, value: value, forNanoseconds: span, by: peer.name, reason: request.reason))
    }
    return try answer(reply, to: id, point, request)
  }

  private func answer(
    _ reply: Waiters.Reply, to id: String, _ point: PointIndex, _ request: API.OverrideRequest
  ) throws(APIProblem) -> API.Written {
    switch reply {
    case .decided(let record): throw refusal(record, point, request)
    case .settled(let record, let report):
      let until = Timestamp(record.instant.advanced(byNanoseconds: Int64(request.forS * 1e9)))
      switch report.outcome {
      case .confirmed:
        return API.Written(
          decision: record.id.description, text: "\(id) is held at \(words(record.value, of: point))",
          undo: "twinctl override clear \(id)", until: until)
      case .notSent, .refusedByDevice, .mismatched, .unknown:
        throw APIProblem(
          status: report.outcome == .refusedByDevice ? 502 : 503, code: "write.\(report.outcome.name)",
          title: Self.failed(report.outcome), cause: report.cause,
          effect: "the hold is in force and \(record.id) is its record; it goes back when its lease lapses",
          next: "twinctl collect test \(site.pack.pack.points[point.position].device ?? "")")
      }
    case .answered(.noEnvelope): throw refusalNoEnvelope(point)
    case .answered: return API.Written(decision: "", text: "done")
    case .timedOut:
      throw APIProblem(
        status: 504, code: "control.no_answer", title: "the control loop did not answer in time",
        next: "twinctl status")
    }
  }

  private static func failed(_ outcome: WriteOutcome) -> String {
    switch outcome {
    case .refusedByDevice: "the device refused the write"
    case .mismatched: "the device acknowledged the write and shows another value"
    case .notSent: "the write did not leave"
    default: "what became of the write is not known"
    }
  }

  private func refusalNoEnvelope(_ point: PointIndex) -> APIProblem {
    APIProblem.refused(
      code: "envelope.none", title: "\(site.id(point)) has no envelope", cause: "twind never writes it",
      next: "twinctl envelope list")
  }

  /// Which rule, whose, and what would be allowed.
  private func refusal(_ record: DecisionRecord, _ point: PointIndex, _ request: API.OverrideRequest) -> APIProblem {
    let position = site.definition.envelopes.firstIndex { $0.id == record.envelope } ?? 0
    let envelope = site.definition.envelopes[position]
    let text = site.pack.pack.envelopeTexts[position]
    let (low, high) = (envelope.hard.lowerBound, envelope.hard.upperBound)
    let binding = record.binding ?? .mode
    let span = "(\(NumberText.plain(low))–\(words(high, of: point)))"
    let title: String =
      switch binding {
      case .range:
        "\(words(record.asked, of: point)) is \(record.asked < low ? "below" : "above") envelope \(envelope.id) \(span)"
      case .mode: "mode \(record.mode.name) does not let people write"
      default: "envelope \(envelope.id) refuses \(words(record.asked, of: point)): \(Self.because(binding))"
      }
    let broken = rules(record.rules, envelope: record.envelope, point).first {
      $0.result == "fail" || $0.result == "unknown"
    }
    var cause = text.reason
    if binding == .interlock, let broken { cause = "\(broken.text) does not hold; \(text.reason)" }
    if binding == .rate { cause = "at most \(text.rate); \(text.reason)" }
    if let procedure = text.procedure { cause += ", procedure \(procedure)" }
    cause += "; owner \(text.owner)"
    let nearest = NumberText.plain(record.value)
    let canRetry = binding == .range || binding == .rate
    return APIProblem.refused(
      code: binding == .range ? "envelope.out_of_range" : "envelope.\(binding.name)", title: title, cause: cause,
      effect: "nothing was written; \(record.id) is the record",
      next: canRetry
        ? "\(words(record.value, of: point)) is allowed: twinctl override set \(record.point) \(nearest) "
          + "--for \(typed(request.forS)) --reason \"\(request.reason)\""
        : binding == .mode ? "twinctl mode show" : "twinctl why \(record.point)",
      nearest: canRetry ? nearest : nil)
  }

  /// As it is typed: `2h`.
  private func typed(_ seconds: Double) -> String {
    DurationText.exact(nanoseconds: Int64(seconds * 1e9)).filter { $0 != " " }
  }

  func clearOverride(_ id: String, by peer: Peer) async throws(APIProblem) -> API.Written {
    let point = try self.point(named: id)
    let isLatched = await control.view { kernel in
      kernel.safety.position(of: point).map { kernel.safety.memory[$0].isLatched } ?? false
    }
    if isLatched { inbox.put(.reset(point: point, by: peer.name)) }
    let reply = await waiters.ask(until: deadline, clock) { number in
      inbox.put(.release(request: number, point: point, by: peer.name))
    }
    switch reply {
    case .answered(.done):
      return API.Written(decision: "tick \(await control.kernel.lastTick)", text: "\(id) is let go")
    case .answered(.nothingHeld) where isLatched:
      return API.Written(
        decision: "tick \(await control.kernel.lastTick)", text: "the latch of \(id) is reset by \(peer.name)")
    case .answered(.nothingHeld), .answered(.noEnvelope):
      throw APIProblem(
        status: 404, code: "override.none", title: "nobody holds \(id)", next: "twinctl override list")
    default:
      throw APIProblem(
        status: 504, code: "control.no_answer", title: "the control loop did not answer in time", next: "twinctl status"
      )
    }
  }

  func setMode(_ request: API.ModeRequest, by peer: Peer) async throws(APIProblem) -> API.Written {
    guard let mode = Mode(name: request.mode) else {
      throw .invalid(
        "\"\(request.mode)\" is no mode", next: "one of " + Mode.allCases.map(\.name).joined(separator: ", "))
    }
    let before = await control.view { $0.mode }
    guard mode.lowered(to: site.ceiling) == mode else {
      throw .refused(
        code: "mode.above_ceiling", title: "mode \(mode.name) is above the ceiling \(site.ceiling.name)",
        cause: site.ceilingReason ?? "the configuration allows no more", effect: "the mode stays \(before.name)",
        next: site.seal == nil
          ? "have the pack signed: twinctl pack sign" : "raise `ceiling` in the daemon's configuration")
    }
    _ = inbox.put(.setMode(mode, by: peer.name))
    let tick = await control.settle()
    hub.publish(
      API.Event(
        kind: "mode", at: Timestamp(siteClock.instant), text: "\(mode.name), by \(peer.name): \(request.reason)"))
    return API.Written(
      decision: "tick \(tick)", text: "mode is \(mode.name), was \(before.name)",
      undo: "twinctl mode set \(before.name) --reason \"…\"")
  }

  func acknowledge(_ alarm: String, by peer: Peer) async throws(APIProblem) -> API.Written {
    let position = try alarmPosition(alarm)
    inbox.put(.acknowledge(alarm: position, by: peer.name))
    return API.Written(decision: "tick \(await control.settle())", text: "\(alarm) is acknowledged by \(peer.name)")
  }

  func shelve(_ alarm: String, _ request: API.ShelveRequest, by peer: Peer) async throws(APIProblem) -> API.Written {
    let position = try alarmPosition(alarm)
    guard request.forS.isFinite, request.forS >= 60, request.forS <= 7 * 86_400 else {
      throw .invalid("an alarm is shelved for 1 min to 7 days", next: "say how long: --for 4h")
    }
    let span = Int64(request.forS * 1e9)
    inbox.put(.shelve(alarm: position, forNanoseconds: span, by: peer.name, reason: request.reason))
    let tick = await control.settle()
    return API.Written(
      decision: "tick \(tick)", text: "\(alarm) is shelved by \(peer.name)",
      until: Timestamp(siteClock.instant.advanced(byNanoseconds: span)))
  }

  private func alarmPosition(_ id: String) throws(APIProblem) -> Int32 {
    if let position = site.definition.alarms.firstIndex(where: { $0.id == id }) { return Int32(position) }
    throw .notFound("alarm", id, known: site.definition.alarms.map(\.id), list: "twinctl alarms")
  }
}
