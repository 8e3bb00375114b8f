import StatusAPI
import TwinCore

extension Screen {
  static let barCells = 9
  static let barsMax = 5
  /// A phrase longer than this is cut; `--full` has it whole.
  static let textMax = 40

  /// A recorded decision: what is so, the sentence, what moved it beside what limited it, the alternative, the
  /// author.
  func why(_ decision: API.Decision, full: Bool = false) -> [String] {
    var lines = joined(outcome(decision), indent: 2)
    lines += wrapped(decision.reason, width: style.width)
    lines += sideBySide(contributions(decision, full: full), limits(decision, full: full))
    if let baseline = decision.baseline { lines += labelled("if not", ifNot(baseline), indent: 0, label: 9) }
    lines += madeBy(decision, full: full)
    return full ? lines + trace(decision) : lines
  }

  /// The newest first, one line each.
  func decisions(_ decisions: API.Decisions) -> [String] {
    guard !decisions.decisions.isEmpty else { return ["no decisions yet"] }
    return table(
      [
        Column(title: "DECISION"), Column(title: "AT"), Column(title: "POINT"), Column(title: "VALUE"),
        Column(title: "BY", rank: 2), Column(title: "RESULT", rank: 1), Column(title: "BECAUSE", rank: 3),
      ],
      decisions.decisions.map {
        [
          $0.id, time($0.at), $0.point, Self.quantity($0.value), $0.actor, "\($0.disposition), \($0.outcome)",
          $0.reason,
        ]
      })
  }

  private func outcome(_ decision: API.Decision) -> [String] {
    let by = "by \(decision.actor) (\(decision.mode))"
    let was = decision.previous.map { ", was \(Self.bare($0))" } ?? ""
    var parts: [String]
    switch decision.disposition {
    case "refuse":
      let asked = decision.asked.map { "\(Self.quantity($0)) refused" } ?? "refused"
      parts = [asked, "asked \(time(decision.at)) \(by)"]
      if let previous = decision.previous { parts.append("stays \(Self.quantity(previous))") }
    case "revert":
      parts = ["went back to \(Self.quantity(decision.value))\(was)", "reverted \(time(decision.at)) \(by)"]
    default:
      let asked = decision.asked.flatMap { $0.value == decision.value.value ? nil : " (asked \(Self.bare($0)))" } ?? ""
      let verb = decision.outcome == "none" ? "not written, decided" : "written"
      parts = ["\(Self.quantity(decision.value))\(asked)\(was)", "\(verb) \(time(decision.at)) \(by)"]
    }
    parts += readBack(decision)
    if let until = decision.leaseUntil { parts.append("reverts \(time(until))") }
    return parts + ["decision \(decision.id)"]
  }

  private func readBack(_ decision: API.Decision) -> [String] {
    let value = decision.readBack.map(Self.bare)
    switch decision.outcome {
    case "confirmed": return [value.map { "read back \($0)" } ?? "confirmed"]
    case "mismatched": return [marked("read back \(value ?? "another value"), not what was written", .alarm)]
    case "refused_by_device": return [marked("the device refused it", .alarm)]
    case "unknown": return [marked("not known whether it arrived", .attention)]
    case "pending": return ["on its way"]
    default: return []
    }
  }

  private func contributions(_ decision: API.Decision, full: Bool) -> [String] {
    let all = decision.contributions
    guard !all.isEmpty else { return [] }
    var rows = all
    if !full, all.count > Self.barsMax {
      let ranked = all.enumerated().sorted {
        ($1.element.effect.magnitude, $0.offset) < ($0.element.effect.magnitude, $1.offset)
      }
      rows = ranked.prefix(Self.barsMax).map(\.element)
      let rest = ranked.dropFirst(Self.barsMax).map(\.element)
      rows.append(
        API.Contribution(
          cause: "", text: "\(rest.count) more", effect: rest.reduce(0) { $0 + $1.effect }, unit: rest[0].unit,
          against: rest.reduce(0) { $0 + $1.effect } * all.reduce(0) { $0 + $1.effect } < 0))
    }
    let sum = all.reduce(0) { $0 + $1.effect }
    // More digits pretend to know; fewer would show a small step as none.
    let places = rows.allSatisfy { $0.effect.magnitude < 0.1 } ? 4 : 2
    func effect(_ value: Double, _ unit: String) -> String {
      plain("\(Self.signed(value, places: places)) \(Self.symbol(unit))")
    }
    let effects = rows.map { effect($0.effect, $0.unit) }
    let total = effect(sum, all[0].unit)
    let others = 2 + 3 + 2 + Self.barCells + 10 + (effects.map(Self.width).max() ?? 0)
    let texts = rows.map { cut($0.text, min(Self.textMax, max(12, style.width - others))) }
    let (textWidth, effectWidth) = (
      (texts.map(Self.width).max() ?? 0), (effects + [total]).map(Self.width).max() ?? 0
    )
    let most = rows.map(\.effect.magnitude).max() ?? 0
    var lines = rows.indices.map { row in
      let share = most > 0 ? rows[row].effect.magnitude / most : 0
      let cells = Int((share * Double(Self.barCells)).rounded())
      let bar =
        String(repeating: rows[row].against ? "░" : "█", count: cells)
        + (rows[row].against && cells > 0 ? "   against" : "")
      return "  \(Self.padded(texts[row], textWidth))   \(Self.padded(effects[row], effectWidth, right: true))  \(bar)"
    }
    lines.append("  \(Self.padded("sum", textWidth))   \(Self.padded(total, effectWidth, right: true))")
    return lines
  }

  private func limits(_ decision: API.Decision, full: Bool) -> [String] {
    let label = 8
    // Rules that merely hold and have no figure (a number, a mode, a latch) are for the full trace.
    let rules = decision.rules.filter { full || $0.result != "pass" || $0.value != nil || $0.rule == "interlock" }
    let values = rules.map { $0.value.map(Self.number) ?? ($0.result == "unknown" ? "no value" : "") }.map(plain)
    let valueWidth = values.map(Self.width).max() ?? 0
    let texts = rules.map { cut($0.text, min(Self.textMax, max(12, style.width - label - valueWidth - 42))) }
    let textWidth = texts.map(Self.width).max() ?? 0
    let closest = rules.firstIndex { $0.result == "pass" && $0.value != nil }
    var lines = rules.indices.map { row in
      let rule = rules[row]
      var result = rule.result == "pass" ? "pass" : rule.result.uppercased()
      if row == closest, rules.count > 1 { result += " (closest)" }
      if full, let margin = rule.margin { result += ", margin \(Self.amount(margin, rule.unit ?? "1"))" }
      let head = Self.padded(row == 0 ? "limits" : "", label)
      return
        "\(head)\(Self.padded(texts[row], textWidth))  \(Self.padded(values[row], valueWidth, right: true))  \(result)"
    }
    lines.append("\(Self.padded("binding", label))\(decision.binding ?? "none")")
    return lines
  }

  private func ifNot(_ baseline: API.Baseline) -> String {
    let without = baseline.without.map(Self.uncertain).joined(separator: ", ")
    let with = baseline.with.map(Self.uncertain).joined(separator: ", ")
    let simulation = baseline.simulation.map { ", sim \($0)" } ?? ""
    return
      "next \(Self.span(baseline.horizonS)) \(without) instead of \(with)  (baseline: \(baseline.text)\(simulation))"
  }

  private func madeBy(_ decision: API.Decision, full: Bool) -> [String] {
    var parts: [String] = []
    if let policy = decision.policy {
      let stage = policy.stage.map { " (\($0))" } ?? ""
      parts.append([policy.name, policy.version].compactMap { $0 }.joined(separator: " ") + stage)
    } else {
      parts.append(decision.actor)
    }
    let inputs = [
      decision.digests?.inputs.map { "\($0.prefix(4))…" }, decision.inputsAgeS.map { "\(Self.span($0)) old" },
    ]
    let known = inputs.compactMap { $0 }
    if !known.isEmpty { parts.append("inputs \(known.joined(separator: ", "))") }
    if !full { parts.append("full trace: twinctl why \(decision.id) --full") }
    parts[0] = Self.padded("made by", 9) + parts[0]
    return joined(parts, indent: 9)
  }

  private func trace(_ decision: API.Decision) -> [String] {
    var lines = ["trace"]
    func add(_ label: String, _ text: String?) {
      if let text { lines += labelled(label, text, indent: 2, label: 13) }
    }
    add("point", decision.point)
    add("asked", decision.asked.map(Self.quantity))
    add("verdict", "\(decision.disposition), \(decision.outcome)")
    for rule in decision.rules {
      add("rule", "\(rule.rule): \(rule.text), \(rule.result)")
    }
    for item in decision.contributions { add("cause", "\(item.cause): \(item.text)") }
    add("inputs", decision.digests?.inputs)
    add("model", decision.digests?.model)
    add("policy", decision.digests?.policy)
    add("envelope", decision.digests?.envelope)
    add("tick", decision.tick.map { "\($0)" })
    add("fingerprint", decision.fingerprint)
    add("at", decision.at.instant.rfc3339)
    return lines
  }
}
