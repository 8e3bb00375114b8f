import Collectors
import Guard
import TwinCore
import TwinGraph
import YAML

/// What people are told of an envelope: the rules in their own words.
public struct EnvelopeText: Hashable, Sendable {
  public var id: String
  /// `device.point`.
  public var point: String
  public var owner: String
  public var reason: String
  /// A procedure of the graph.
  public var procedure: String?
  /// As written, in the order of the interlocks.
  public var require: [String]
  /// As written: `0.5 K/min`; empty where the rate is free.
  public var rate: String
  /// As written; nil where the fallback is the value alone.
  public var follow: String?
}

extension PackLoader {
  func readEnvelopes() {
    let section = top("envelopes.yaml")
    section?.require("envelopes")
    for (key, node) in section?.entries("envelopes") ?? [] {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      readEnvelope(key, inner)
    }
    section?.close()
    let covered = Set(envelopes.map(\.point))
    for entry in points where entry.draft?.register.write != nil && !covered.contains(entry.index) {
      guard let device = entry.device else { continue }
      problems.add(
        .warning, "pack.no_envelope", at: devices[device].mark,
        "\(entry.id) is writable and has no envelope: twind will never write it",
        "add an envelope, or make it access: r")
    }
  }

  private func readEnvelope(_ key: Scalar, _ section: Section) {
    for name in ["point", "hard", "fallback", "owner", "reason"] { section.require(name) }
    var text = EnvelopeText(id: key.raw, point: "", owner: "", reason: "", require: [], rate: "")
    readPeople(section, &text)
    let target = section.scalar("point").flatMap { scalar -> (PointEntry, PointDraft)? in
      text.point = scalar.raw
      guard let entry = point(scalar) else { return nil }
      guard let draft = entry.draft, draft.register.write != nil else {
        problems.add(
          .error, "pack.not_writable", at: scalar.mark, "\(entry.id) is not writable",
          entry.draft == nil ? "name a point of a device" : "give it access: rw in its profile")
        return nil
      }
      guard !envelopes.contains(where: { $0.point == entry.index }) else {
        problems.add(.error, "pack.duplicate_name", at: scalar.mark, "\(entry.id) has two envelopes", "join them")
        return nil
      }
      return (entry, draft)
    }
    // Without its point nothing in it has a unit; its keys are still checked.
    let unit = target?.0.unit ?? .one
    let hard = section.section("hard").flatMap { readHard($0, unit, &text) }
    let fallback = section.section("fallback").flatMap { readFallback($0, unit, target?.0.kind, &text) }
    let stale = readStale(section)
    let interlocks = readInterlocks(section, stale.after, &text)
    let required = (section.list("needs") ?? []).compactMap { node -> RequiredInput? in
      guard case .scalar(let scalar) = node, let entry = point(scalar) else { return nil }
      return RequiredInput(point: entry.index, staleNanoseconds: stale.after ?? entry.staleNanoseconds)
    }
    let violation =
      section.word(
        "violation",
        ["clamp": .clamp, "refuse": .refuse, "revert": .revert, "local": .local] as [String: ViolationResponse])
    let lease = section.duration("lease", in: 1_000_000_000...30 * 86_400_000_000_000) ?? 900_000_000_000
    let budget = section.integer("writes_per_day", in: 1...86_400)
    let unattended = section.word("unattended", ["accepted": true]) ?? false
    section.close()
    guard let (entry, draft) = target, let write = draft.register.write, let hard, let fallback else { return }
    guard isWithin(hard.range, fallback.value, draft, section) else { return }
    let deadMan: DeadMan = write.watchdog != nil ? .deviceWatchdog : unattended ? .unattendedAccepted : .none
    if deadMan == .none {
      problems.add(
        .warning, "pack.no_dead_man", at: key.mark,
        "\(entry.id) has neither a device watchdog nor unattended: accepted: it will never be in auto",
        "declare the device's watchdog, or have the owner accept it")
    }
    let wear: Int? = if case .nonVolatile(let count) = write.wear { count } else { nil }
    envelopes.append(
      Envelope(
        id: key.raw, point: entry.index, hard: hard.range, rate: hard.rate,
        holdNanoseconds: max(hard.hold, draft.minIntervalNanoseconds), interlocks: interlocks, required: required,
        whenStale: stale.then, writesPerDay: [budget, wear].compactMap { $0 }.min(), violation: violation ?? .clamp,
        fallback: fallback, leaseNanoseconds: lease, deadMan: deadMan, representation: representation(of: draft)))
    envelopeTexts.append(text)
  }

  private func readPeople(_ section: Section, _ text: inout EnvelopeText) {
    if let owner = section.text("owner") {
      text.owner = owner
      checkNode(owner, is: .person, at: section.mark(of: "owner"))
    }
    if let reason = section.text("reason") {
      text.reason = reason
      if reason.allSatisfy({ $0 == " " }) {
        problems.add(
          .error, "pack.missing_key", at: section.mark(of: "reason"), "the reason of \(section.name) is empty",
          "say what the limits protect")
      }
    }
    if let procedure = section.text("procedure") {
      text.procedure = procedure
      checkNode(procedure, is: .procedure, at: section.mark(of: "procedure"))
    }
  }

  private func readStale(_ section: Section) -> (after: Int64?, then: StaleResponse) {
    guard let inner = section.section("stale") else { return (nil, .revert) }
    let after = inner.duration("after")
    let then = inner.word("then", ["revert": .revert, "refuse": .refuse] as [String: StaleResponse])
    inner.close()
    return (after, then ?? .revert)
  }

  private func readFallback(
    _ section: Section, _ unit: UnitCode, _ kind: Scope.Kind?, _ text: inout EnvelopeText
  ) -> Fallback? {
    section.require("value", "a value is needed even where a rule follows the plant")
    let value = section.quantity("value", in: unit)
    var follow: Formula?
    if let scalar = section.scalar("follow"), let kind {
      follow = formula(scalar, as: wanted(kind))
      text.follow = scalar.raw
    }
    section.close()
    return value.map { Fallback(value: $0, follow: follow) }
  }

  /// What an expression must give to set a point of this kind.
  func wanted(_ kind: Scope.Kind) -> ExpressionCompiler.Wanted {
    switch kind {
    case .number(let unit): .number(unit)
    case .choice(let symbols): .choice(symbols)
    case .truth, .unreadable: .truth
    }
  }

  private func readInterlocks(_ section: Section, _ staleAfter: Int64?, _ text: inout EnvelopeText) -> [Interlock] {
    var interlocks: [Interlock] = []
    let items = section.list("require") ?? []
    if items.count > Envelope.interlocksMax {
      problems.add(
        .error, "pack.too_large", at: section.mark(of: "require"),
        "\(items.count) conditions, at most \(Envelope.interlocksMax) are checked",
        "join some by and")
    }
    for (position, item) in items.prefix(Envelope.interlocksMax).enumerated() {
      var stale = staleAfter
      var (latching, reverts) = (false, true)
      var condition: Scalar?
      if case .scalar(let scalar) = item {
        condition = scalar
      } else if let inner = Section(item, name: "condition \(position + 1) of \(section.name)", problems) {
        inner.require("when")
        condition = inner.scalar("when")
        stale = inner.duration("stale") ?? stale
        latching = inner.bool("latch") ?? false
        reverts = inner.word("on_false", ["revert": true, "refuse": false]) ?? true
        inner.close()
      }
      guard let condition, let formula = formula(condition, as: .truth) else { continue }
      // The slowest input must have its chance to be read.
      let slowest = formula.inputs.map { points[$0.position].staleNanoseconds }.max() ?? 1_000_000_000
      interlocks.append(
        Interlock(
          text: condition.raw, condition: formula, staleNanoseconds: stale ?? slowest, latching: latching,
          reverts: reverts))
      text.require.append(condition.raw)
    }
    return interlocks
  }
}
