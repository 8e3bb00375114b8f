import StatusAPI
import TwinCore

extension Screen {
  func envelopes(_ envelopes: API.Envelopes) -> [String] {
    guard !envelopes.envelopes.isEmpty else { return ["the pack has no envelope: nothing is ever written"] }
    return table(
      [
        Column(title: "ENVELOPE"), Column(title: "POINT"), Column(title: "RANGE"),
        Column(title: "NOW", rank: 1, isRight: true),
        Column(title: "OUTSIDE", rank: 3), Column(title: "OWNER", rank: 2),
      ],
      envelopes.envelopes.map {
        [$0.id, $0.point, range($0), $0.value.map(Self.quantity) ?? "", $0.violation, $0.owner]
      })
  }

  func envelope(_ envelope: API.Envelope) -> [String] {
    var lines = joined(
      [envelope.id, envelope.point, range(envelope), envelope.signed ? "signed" : "unsigned"], indent: 2)
    if let value = envelope.value { lines += labelled("now", Self.quantity(value), label: 10) }
    if let rate = envelope.ratePerS {
      let unit = Self.differenceSymbol(envelope.unit)
      lines += labelled("rate", "at most \(Self.number(rate * 60)) \(unit)/min", label: 10)
    }
    if let hold = envelope.holdS { lines += labelled("hold", "\(Self.span(hold)) between two changes", label: 10) }
    for rule in envelope.require { lines += labelled("requires", rule, label: 10) }
    lines += labelled("outside", "an optimiser's value: \(envelope.violation); a person's value: refused", label: 10)
    if let stale = envelope.staleAfterS { lines += labelled("stale", "after \(Self.span(stale))", label: 10) }
    if let fallback = envelope.fallback { lines += labelled("fallback", Self.quantity(fallback), label: 10) }
    lines += labelled("because", envelope.reason, label: 10)
    lines += labelled("owner", envelope.owner + (envelope.procedure.map { ", procedure \($0)" } ?? ""), label: 10)
    if let digest = envelope.digest { lines += labelled("digest", digest, label: 10) }
    return lines
  }

  func envelopeTest(_ test: API.EnvelopeTest) -> [String] {
    let envelope = test.envelope.map { " by envelope \($0)" } ?? ""
    var lines: [String]
    switch test.result {
    case "permit":
      lines = wrapped("allowed: \(Self.quantity(test.asked)) for \(test.point)\(envelope)", width: style.width)
    case "clamp":
      let would = "would be written as \(Self.quantity(test.value))"
      lines = wrapped(
        "clamped: \(Self.quantity(test.asked)) for \(test.point) \(would)\(envelope)", width: style.width)
    default: lines = wrapped("refused: \(Self.quantity(test.asked)) for \(test.point)\(envelope)", width: style.width)
    }
    lines += labelled("why", test.reason)
    for rule in test.rules {
      let value = rule.value.map(Self.number) ?? "no value"
      lines += labelled("rule", "\(rule.text): \(value), \(rule.result == "pass" ? "pass" : rule.result.uppercased())")
    }
    if let next = test.next { lines += labelled("next", next) }
    return lines + ["Only asked: nothing was written."]
  }

  private func range(_ envelope: API.Envelope) -> String {
    let symbol = Self.symbol(envelope.unit)
    let unit = symbol.isEmpty ? "" : " \(symbol)"
    switch (envelope.min, envelope.max) {
    case (let min?, let max?): return "\(Self.number(min))–\(Self.number(max))\(unit)"
    case (let min?, nil): return "≥ \(Self.number(min))\(unit)"
    case (nil, let max?): return "≤ \(Self.number(max))\(unit)"
    case (nil, nil): return "any"
    }
  }

  func overrides(_ overrides: API.Overrides) -> [String] {
    guard !overrides.overrides.isEmpty else { return ["no override is in force"] }
    return table(
      [
        Column(title: "POINT"), Column(title: "VALUE", isRight: true), Column(title: "BY"), Column(title: "UNTIL"),
        Column(title: "LEFT", rank: 1, isRight: true), Column(title: "REASON", rank: 2),
      ],
      overrides.overrides.map {
        [$0.point, Self.quantity($0.value), $0.by, time($0.until), Self.span($0.leftS), $0.reason]
      })
  }

  func mode(_ mode: API.ModeState) -> [String] {
    var parts = [mode.mode]
    if let since = mode.since { parts.append("since \(time(since)) (\(Self.span(age(since))))") }
    if let by = mode.by { parts.append("by \(by)") }
    var lines = joined(parts, indent: 2)
    if let reason = mode.reason { lines += labelled("reason", reason) }
    if mode.ceiling != "auto" || mode.why != nil {
      lines += labelled("at most", mode.ceiling + (mode.why.map { ": \($0)" } ?? ""))
    }
    return lines
  }

  func alarms(_ alarms: API.Alarms) -> [String] {
    guard !alarms.alarms.isEmpty else { return ["no alarm"] }
    var lines: [String] = []
    for alarm in alarms.alarms {
      let mark =
        alarm.state == "active"
        ? marked("\(alarm.priority)", alarm.priority == 1 ? .alarm : .attention) : "\(alarm.priority)"
      var state = alarm.state
      if let by = alarm.ackedBy { state += " by \(by)" }
      if let until = alarm.shelvedUntil { state += " until \(time(until))" }
      let since = "since \(time(alarm.since)) (\(Self.span(alarm.forS)))"
      lines += joined(["\(mark)  \(alarm.title)", state, since], indent: 3)
      lines += labelled("id", alarm.id)
      lines += labelled("action", alarm.action)
      if let owner = alarm.owner { lines += labelled("owner", owner) }
    }
    if let rate = alarms.perTenMinutes {
      lines.append("\(Self.number(rate)) new alarms per 10 min\(rate > 10 ? ": a flood (ISA-18.2)" : "")")
    }
    return lines
  }

  /// What a write did, its audit record, and how to take it back.
  func written(_ written: API.Written) -> [String] {
    var lines = wrapped(written.text, width: style.width)
    lines += labelled("audit", written.decision, indent: 2)
    if let until = written.until { lines += labelled("until", time(until), indent: 2) }
    if let undo = written.undo { lines += labelled("undo", undo, indent: 2) }
    return lines
  }
}
