import SiteKernel
import TwinCore
import TwinGraph
import YAML

extension PackLoader {
  /// From `alarms.yaml`, and from `alarms:` in `policies.yaml`.
  func readAlarms() {
    var causes: [(alarm: Int, cause: Scalar)] = []
    var ids: Set<String> = []
    for path in ["alarms.yaml", "policies.yaml"] {
      guard let section = top(path) else { continue }
      if path == "alarms.yaml" { section.require("alarms") }
      for (key, node) in section.entries("alarms") {
        guard let inner = Section(node, name: key.raw, problems) else { continue }
        guard ids.insert(key.raw).inserted else {
          problems.add(.error, "pack.duplicate_name", at: key.mark, "alarm \"\(key.raw)\" is given twice", "rename one")
          continue
        }
        let cause = inner.scalar("cause")
        readAlarm(key, inner)
        if let cause { causes.append((alarms.count - 1, cause)) }
      }
      if path == "alarms.yaml" { section.close() }
    }
    link(causes)
  }

  /// Appends one alarm in any case, so that others may name it.
  private func readAlarm(_ key: Scalar, _ section: Section) {
    section.require("when")
    section.require("action", "say what a person is to do; without an action it is no alarm")
    var text = AlarmText(id: key.raw, when: "", clear: "", action: "")
    var (condition, clear): (Formula?, Formula?)
    if let scalar = section.scalar("when") {
      text.when = scalar.raw
      condition = formula(scalar, as: .truth)
    }
    if let scalar = section.scalar("clear") {
      text.clear = scalar.raw
      if condition != nil { clear = clearFormula(scalar, of: text.when) }
    }
    text.action = section.text("action") ?? ""
    if section.has("action"), text.action.allSatisfy({ $0 == " " }) {
      problems.add(
        .error, "pack.missing_key", at: section.mark(of: "action"), "the action of \(key.raw) is empty",
        "say what a person is to do; without an action it is no alarm")
    }
    text.owner = section.text("owner")
    if let owner = text.owner { checkNode(owner, is: .person, at: section.mark(of: "owner")) }
    let delay = section.duration("for", in: 0...30 * 86_400_000_000_000) ?? 0
    let priority = section.integer("priority", in: 1...3) ?? 2
    section.close()
    alarms.append(
      AlarmDefinition(
        id: key.raw, condition: condition ?? .constant(0), clear: clear, delayNanoseconds: delay,
        priority: UInt8(priority), action: text.action))
    alarmTexts.append(text)
  }

  private func clearFormula(_ scalar: Scalar, of when: String) -> Formula? {
    do throws(ExpressionFault) {
      let expression = try Expression.parseClear(scalar.raw, of: try Expression.parse(when))
      return try ExpressionCompiler(scope: scope).compile(expression, as: .truth)
    } catch {
      problems.add(error, in: scalar)
    }
    return nil
  }

  private func link(_ causes: [(alarm: Int, cause: Scalar)]) {
    let positions = Dictionary(alarms.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    for (alarm, cause) in causes {
      guard let position = positions[cause.raw] else {
        let near = nearest(to: cause.raw, among: alarms.prefix(Scope.candidatesMax).map(\.id))
        problems.add(
          .error, "pack.unknown_alarm", at: cause.mark, "there is no alarm \"\(shortened(cause.raw))\"",
          near.map { "did you mean \"\($0)\"?" } ?? "name an alarm of this pack")
        continue
      }
      alarms[alarm].cause = position
      alarmTexts[alarm].cause = cause.raw
      var (next, steps): (Int?, Int) = (position, 0)
      while let here = next, here != alarm, steps <= alarms.count { (next, steps) = (alarms[here].cause, steps + 1) }
      if next != nil {
        problems.add(
          .error, "pack.circular", at: cause.mark, "\(alarms[alarm].id) is its own cause",
          "take one cause of the circle out")
        alarms[alarm].cause = nil
      }
    }
  }
}
