import Guard
import Models
import TwinCore

extension SiteKernel {
  mutating func obey(_ command: Command, _ tick: Tick, _ outcome: inout Outcome) {
    switch command {
    case .session: break  // taken first, before time moves
    case .setMode(let mode, _): change(to: mode, &outcome)
    case .override(let request, let point, let value, let span, let person, let reason):
      override(request, point, value, span, person, reason, tick, &outcome)
    case .release(let request, let point, _):
      guard let position = safety.position(of: point), holds[position] != nil else {
        outcome.answers.append(Answer(request: request, kind: .nothingHeld))
        return
      }
      endHold(position, &outcome)
      outcome.answers.append(Answer(request: request, kind: .done))
    case .reset(let point, _):
      if let position = safety.position(of: point) { safety.reset(envelope: position) }
    case .acknowledge(let alarm, let person):
      alarms.acknowledge(Int(alarm), by: person, into: &outcome.alarms)
    case .shelve(let alarm, let span, let person, _):
      alarms.shelve(
        Int(alarm), until: image.now.advanced(byNanoseconds: max(0, span)), by: person, into: &outcome.alarms)
    case .unshelve(let alarm, let person):
      alarms.shelve(Int(alarm), until: nil, by: person, into: &outcome.alarms)
    case .settled(let decision, let point, let outcome, let readBack):
      // The outcome of an older write says nothing of a younger one that is still out.
      if let position = safety.position(of: point), awaited[position] ?? decision == decision {
        safety.settled(envelope: position, outcome)
      }
      if let readBack { see(point, at: readBack, tick) }
    case .gaveBack(let point, let value, let outcome):
      guard let position = safety.position(of: point) else { return }
      safety.gaveBack(envelope: position, value: value, at: image.now)
      safety.settled(envelope: position, outcome)
      forget(position)
      if let hold = holds[position], image.now < hold.until {
        holds[position] = nil
        safety.hold(envelope: position, until: nil)
      }
    case .graph(let number): graphThrough = max(graphThrough, number)
    case .admit(let model, let candidate): admit(candidate, to: model, &outcome)
    case .promote(let model, let person):
      guard let definition = modelDefinition(model) else { return }
      models[Int(model)].promote(by: person, model, definition, &outcome.models)
    case .rollBack(let model, let person):
      guard let definition = modelDefinition(model) else { return }
      models[Int(model)].rollBack(by: person, model, definition, &outcome.models)
    case .retire(let model, let person):
      guard modelDefinition(model) != nil else { return }
      models[Int(model)].retire(by: person, model, &outcome.models)
    case .watchAnew(let model, let person):
      guard modelDefinition(model) != nil else { return }
      models[Int(model)].watchAnew(by: person, model, &outcome.models)
    }
  }

  /// A read-back is a reading: the next decision need not wait for the next poll to know what the device shows.
  private mutating func see(_ point: PointIndex, at value: Double, _ tick: Tick) {
    guard definition.points.indices.contains(point.position), value.isFinite else { return }
    let stale = definition.points[point.position].staleNanoseconds
    image.states[point.position] = PointImage.State(
      value: value, quality: .good, effective: tick.instant, uptime: image.now,
      freshUntil: image.now.advanced(byNanoseconds: stale))
  }

  /// Leases that the new mode would not renew are given back under the old one: nothing outlives the right to hold it.
  private mutating func change(to wanted: Mode, _ outcome: inout Outcome) {
    let old = mode
    let new = wanted.lowered(to: ceiling)
    for position in definition.envelopes.indices where safety.memory[position].hasOpenLease {
      let isHeld = holds[position] != nil
      guard new != .auto, !(new == .advise && isHeld) else { continue }
      holds[position] = nil
      safety.hold(envelope: position, until: nil)
      giveBack(position, because: .mode, mode: old, &outcome)
    }
    wantedMode = wanted
  }

  private mutating func override(
    _ request: Int64, _ point: PointIndex, _ value: Double, _ span: Int64, _ person: String, _ reason: String,
    _ tick: Tick, _ outcome: inout Outcome
  ) {
    guard let position = safety.position(of: point) else {
      outcome.answers.append(Answer(request: request, kind: .noEnvelope))
      return
    }
    let proposal = Proposal(point: point, value: value, actor: .person(person), validForNanoseconds: max(0, span))
    let verdict = safety.check(value, by: .person(person), envelope: position, image: image, mode: mode)
    record(verdict, of: proposal, at: nil, request: request, reason: reason, &outcome)
    guard verdict.disposition != .refuse, verdict.disposition != .revert, verdict.isExecutable else { return }
    let until = image.now.advanced(byNanoseconds: max(0, span))
    let renewAt = image.now.advanced(byNanoseconds: definition.envelopes[position].leaseNanoseconds / 3)
    holds[position] = OperatorHold(
      value: verdict.value, until: until, by: person, reason: reason, since: tick.instant, renewAt: renewAt)
    safety.hold(envelope: position, until: until)
  }
}
