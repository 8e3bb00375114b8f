import Agents
import Collectors
import Guard
import TwinCore
import TwinGraph
import YAML

/// What people are told of a policy.
public struct PolicyText: Hashable, Sendable {
  public var id: String
  public var kind: String
  /// `device.point`.
  public var point: String
  /// The condition as written; empty where it always speaks.
  public var when: String
  /// The rule as written: a formula, or the input of a curve; empty for a schedule.
  public var rule: String
  public var owner: String?
  public var reason: String?
}

/// What people are told of an alarm.
public struct AlarmText: Hashable, Sendable {
  public var id: String
  public var when: String
  public var clear: String
  public var action: String
  public var owner: String?
  /// The alarm that explains it.
  public var cause: String?
}

extension PackLoader {
  enum PolicyKind: String, CaseIterable {
    case schedule
    case resetCurve = "reset_curve"
    case follow
  }

  func readPolicies() {
    guard let section = top("policies.yaml") else { return }
    for (key, node) in section.entries("policies") {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      readPolicy(key, inner)
    }
    // Read by `readAlarms`.
    _ = section.node("alarms")
    section.close()
  }

  private func readPolicy(_ key: Scalar, _ section: Section) {
    section.require("kind", "write kind: schedule, reset_curve or follow")
    section.require("point")
    let kind = section.word("kind", PolicyKind.self)
    var text = PolicyText(id: key.raw, kind: kind?.rawValue ?? "", point: "", when: "", rule: "")
    let target = section.scalar("point").flatMap { scalar -> PointEntry? in
      text.point = scalar.raw
      guard let entry = point(scalar) else { return nil }
      guard envelopes.contains(where: { $0.point == entry.index }) else {
        // A broken envelope has its own problem already.
        if entry.draft?.register.write == nil || !isNamedInEnvelopes(entry.id) {
          problems.add(
            .error, "pack.no_envelope", at: scalar.mark, "\(entry.id) has no envelope: nothing may write it",
            "add one to envelopes.yaml")
        }
        return nil
      }
      return entry
    }
    var condition: Formula?
    var isConditionBroken = false
    if let scalar = section.scalar("when") {
      condition = formula(scalar, as: .truth)
      isConditionBroken = condition == nil
      text.when = scalar.raw
    }
    let period = section.duration("every") ?? 60_000_000_000
    let priority = section.integer("priority", in: -1000...1000) ?? 0
    text.owner = section.text("owner")
    if let owner = text.owner { checkNode(owner, is: .person, at: section.mark(of: "owner")) }
    text.reason = section.text("reason")
    let rule = kind.flatMap { readRule($0, section, target, &text) }
    if kind == nil { for key in ["base", "windows", "input", "curve", "formula"] { _ = section.node(key) } }
    section.close()
    guard let target, let rule, !isConditionBroken else { return }
    if let envelope = envelopes.first(where: { $0.point == target.index }), period >= envelope.leaseNanoseconds {
      let spans = [period, envelope.leaseNanoseconds].map { DurationText.exact(nanoseconds: $0) }
      problems.add(
        .warning, "pack.lease_lapses", at: section.mark(of: "every"),
        "\(key.raw) speaks every \(spans[0]), and the lease of \(envelope.id) ends after \(spans[1])",
        "give a shorter every, or a longer lease: the point goes back in between")
    }
    policies.append(
      Policy(
        id: key.raw, target: target.index, priority: Int32(priority), condition: condition, rule: rule,
        periodNanoseconds: period))
    policyTexts.append(text)
  }

  private func isNamedInEnvelopes(_ point: String) -> Bool {
    guard let section = top("envelopes.yaml"), case .mapping(let mapping)? = section.node("envelopes") else {
      return false
    }
    return mapping.entries.contains {
      guard case .mapping(let inner) = $0.value, case .scalar(let scalar)? = inner["point"] else { return false }
      return scalar.raw == point
    }
  }

  private func readRule(
    _ kind: PolicyKind, _ section: Section, _ target: PointEntry?, _ text: inout PolicyText
  ) -> PolicyRule? {
    let unit = target?.unit ?? .one
    switch kind {
    case .schedule:
      return section.schedule(windows: "windows", value: "value") { $0.quantity($1, in: unit) }.map { .schedule($0) }
    case .follow:
      section.require("formula")
      guard let scalar = section.scalar("formula") else { return nil }
      text.rule = scalar.raw
      guard let target else { return nil }
      return formula(scalar, as: wanted(target.kind)).map { .formula($0) }
    case .resetCurve:
      section.require("input")
      section.require("curve", "write curve: [[15, 8.5], [24, 6.5]]")
      let input = section.scalar("input").flatMap { scalar -> (Formula, UnitCode)? in
        text.rule = scalar.raw
        return quantity(scalar)
      }
      guard let items = section.list("curve"), let input else { return nil }
      return readKnots(items, section, input.1, unit).map { .curve(input: input.0, knots: $0) }
    }
  }

  /// A formula of any unit that the table has.
  private func quantity(_ scalar: Scalar) -> (Formula, UnitCode)? {
    do throws(ExpressionFault) {
      let expression = try Expression.parse(scalar.raw)
      let compiler = ExpressionCompiler(scope: scope)
      let type = try compiler.part(expression).type
      guard case .number(let unit) = type else {
        throw ExpressionFault(
          "wrong_type", at: expression.offset, "the input of a curve needs a unit, this gives \(type.shown)",
          "name a point, or divide by a quantity of the same unit")
      }
      return (try compiler.compile(expression, as: .number(unit)), unit)
    } catch {
      problems.add(error, in: scalar)
    }
    return nil
  }

  private func readKnots(
    _ items: [Node], _ section: Section, _ inputUnit: UnitCode, _ outputUnit: UnitCode
  ) -> [PolicyRule.Knot]? {
    var knots: [PolicyRule.Knot] = []
    for item in items {
      guard case .sequence(let pair, _) = item, pair.count == 2, let input = section.quantity(pair[0], in: inputUnit),
        let output = section.quantity(pair[1], in: outputUnit)
      else {
        if case .sequence(let pair, _) = item, pair.count == 2 { return nil }
        problems.add(
          .error, "pack.bad_curve", at: item.mark, "a knot is [input, output]", "write curve: [[15, 8.5], [24, 6.5]]")
        return nil
      }
      if let last = knots.last, last.input >= input {
        problems.add(
          .error, "pack.bad_curve", at: item.mark, "the inputs of a curve ascend",
          "sort the knots by their first number")
        return nil
      }
      knots.append(PolicyRule.Knot(input: input, output: output))
    }
    guard (1...64).contains(knots.count) else {
      problems.add(
        .error, "pack.bad_curve", at: section.mark(of: "curve"), "the curve has \(knots.count) knots", "give 1 to 64")
      return nil
    }
    return knots
  }
}
