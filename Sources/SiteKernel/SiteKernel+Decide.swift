import Agents
import Guard
import TwinCore

extension SiteKernel {
  /// Puts a wish before the guard and records what comes of it.
  mutating func decide(
    _ proposal: Proposal, at date: CivilDate, request: Int64?, reason: String, _ tick: Tick, _ outcome: inout Outcome,
    _ verdict: inout Verdict
  ) {
    guard let position = safety.position(of: proposal.point) else {
      if let request { outcome.answers.append(Answer(request: request, kind: .noEnvelope)) }
      return
    }
    safety.check(
      proposal.value, by: proposal.actor, envelope: position, image: image, mode: mode, into: &verdict)
    record(verdict, of: proposal, at: date, request: request, reason: reason, &outcome)
  }

  /// Gives back every open lease that must be, and lets a fallback rule go on with its work.
  mutating func giveBackWhatMustBe(_ tick: Tick, _ outcome: inout Outcome) {
    for position in definition.envelopes.indices {
      let memory = safety.memory[position]
      if memory.hasOpenLease {
        guard let rule = safety.mustGiveBack(envelope: position, image: image, mode: mode) else { continue }
        // A hold that the plant itself ends is over: it is not taken up again behind anyone's back.
        holds[position] = nil
        safety.hold(envelope: position, until: nil)
        giveBack(position, because: rule, mode: mode, &outcome)
      } else if memory.isFallingBack, definition.envelopes[position].fallback.follow != nil,
        mode == .auto || mode == .advise
      {
        let verdict = safety.giveBack(envelope: position, because: .fresh, image: image, mode: mode)
        guard leaves(verdict, position, image.usable(verdict.point)) else { continue }
        giveBack(position, because: .fresh, mode: mode, &outcome)
      }
    }
  }

  mutating func giveBack(_ position: Int, because rule: Rule, mode: Mode, _ outcome: inout Outcome) {
    let verdict = safety.giveBack(envelope: position, because: rule, image: image, mode: mode)
    let proposal = Proposal(
      point: verdict.point, value: verdict.value, actor: .policy(-1), validForNanoseconds: 0)
    record(verdict, of: proposal, at: nil, request: nil, reason: rule.name, &outcome)
  }

  /// Renews the leases of what people hold, and ends the holds whose time is over.
  mutating func renewHolds(_ tick: Tick, _ outcome: inout Outcome) {
    for position in holds.indices {
      guard let hold = holds[position] else { continue }
      if image.now >= hold.until {
        endHold(position, &outcome)
        continue
      }
      guard image.now >= hold.renewAt else { continue }
      let envelope = definition.envelopes[position]
      holds[position]?.renewAt = image.now.advanced(byNanoseconds: envelope.leaseNanoseconds / 3)
      let proposal = Proposal(
        point: envelope.point, value: hold.value, actor: .person(hold.by),
        validForNanoseconds: hold.until.nanoseconds(since: image.now))
      let verdict = safety.check(hold.value, by: .person(hold.by), envelope: position, image: image, mode: mode)
      // Somebody moved the point elsewhere: the hold does not fight; it ends.
      if verdict.disposition == .keep || image.usable(envelope.point) == nil {
        record(verdict, of: proposal, at: nil, request: nil, reason: hold.reason, &outcome)
      } else if !safety.memory[position].isPending {
        endHold(position, &outcome)
      }
    }
  }

  /// Lets a held point go: to its policy where one speaks for it, else to its fallback.
  mutating func endHold(_ position: Int, _ outcome: inout Outcome) {
    holds[position] = nil
    safety.hold(envelope: position, until: nil)
    let point = definition.envelopes[position].point
    let hasPolicy = mode == .auto && definition.policies.contains { $0.target == point }
    if !hasPolicy, safety.memory[position].hasOpenLease {
      giveBack(position, because: .operatorHold, mode: mode, &outcome)
    }
  }

  mutating func record(
    _ verdict: Verdict, of proposal: Proposal, at date: CivilDate?, request: Int64?, reason: String,
    _ outcome: inout Outcome
  ) {
    let position = Int(verdict.envelope)
    let current = image.usable(verdict.point)
    let isCarriedOut = verdict.isExecutable && leaves(verdict, position, current)
    let isPerson = if case .person = proposal.actor { true } else { false }
    let slot = latestSlot(position, isPerson: isPerson)
    let news = latest[slot].differs(from: verdict)
    guard isCarriedOut || news || request != nil else { return }

    var proposal = proposal
    if case .policy(let policy) = proposal.actor, policy >= 0, let date, news {
      proposal.contributions = router.contributions(of: Int(policy), over: image, at: date)
    }
    let id = DecisionID(tick: outcome.tick, ordinal: Int32(outcome.decisions.count))
    if isCarriedOut {
      safety.carriedOut(verdict, at: image.now)
      if verdict.disposition != .keep {
        awaited[position] = id
        // Whatever the other side was last told is told again when it comes back.
        latest[latestSlot(position, isPerson: !isPerson)] = LatestDecision()
      }
      if case .policy(let policy) = proposal.actor, policy >= 0,
        verdict.disposition == .permit || verdict.disposition == .clamp
      {
        router.anchor(Int(policy), over: image)
      }
    }
    latest[slot].note(verdict)
    outcome.decisions.append(
      Decision(
        id: id, proposal: proposal, verdict: verdict, previous: current, request: request, isCarriedOut: isCarriedOut,
        isNews: news, reason: reason))
  }

  /// Of an envelope: what people were last told, and what everyone else was.
  func latestSlot(_ position: Int, isPerson: Bool) -> Int { 2 * position + (isPerson ? 1 : 0) }

  /// Whatever is decided next is news.
  mutating func forget(_ position: Int) {
    for isPerson in [false, true] { latest[latestSlot(position, isPerson: isPerson)] = LatestDecision() }
    awaited[position] = nil
  }

  private func leaves(_ verdict: Verdict, _ position: Int, _ current: Double?) -> Bool {
    switch verdict.disposition {
    case .refuse: false
    case .permit, .clamp, .keep: true
    case .revert:
      safety.memory[position].hasOpenLease
        || (safety.memory[position].isFallingBack && definition.envelopes[position].fallback.follow != nil
          && current != nil && current != verdict.value && !safety.memory[position].isPending)
    }
  }
}

extension LatestDecision {
  /// A value held on is the same thing whether it was permitted, clamped or kept.
  func differs(from verdict: Verdict) -> Bool {
    func holds(_ disposition: Verdict.Disposition) -> Bool {
      disposition == .permit || disposition == .clamp || disposition == .keep
    }
    guard let disposition else { return true }
    let same = disposition == verdict.disposition || (holds(disposition) && holds(verdict.disposition))
    if !same { return true }
    if verdict.disposition == .refuse { return binding != verdict.binding }
    return value != verdict.value
  }

  mutating func note(_ verdict: Verdict) {
    (disposition, value, binding) = (verdict.disposition, verdict.value, verdict.binding)
  }
}
