import StatusAPI

extension Screen {
  /// The layers from the gateway to the register, the first broken one in capitals, then what to do.
  func collectTest(_ test: API.CollectTest) -> [String] {
    var head = [test.device, "\(test.transport) \(test.address)"]
    if let profile = test.profile { head.append("profile \(profile)") }
    var lines = joined(head, indent: 2)
    let nameWidth = max(10, test.steps.map(\.name.count).max() ?? 0)
    for (index, step) in test.steps.enumerated() {
      let result = step.result == "fail" ? "FAIL" : step.result == "not_tried" ? "not tried" : step.result
      let start = " \(index + 1) \(Self.padded(plain(step.name), nameWidth)) \(Self.padded(result, 6)) "
      let texts = wrapped(step.text, width: style.width - start.count)
      lines.append(step.result == "fail" ? marked(start, .alarm) + texts[0] : start + texts[0])
      lines += texts.dropFirst().map { String(repeating: " ", count: start.count) + $0 }
    }
    lines += test.points.flatMap(probe)
    if let likely = test.likely { lines += labelled("likely", likely, indent: 0) }
    if let next = test.next { lines += labelled("next", next, indent: 0) }
    return lines
  }

  private func probe(_ probe: API.Probe) -> [String] {
    var parts = ["   " + probe.point]
    let register = Self.register(ref: probe.ref, wire: probe.wire)
    if !register.isEmpty { parts.append(register) }
    if !probe.raw.isEmpty { parts.append("raw \(Self.raw(probe.raw))") }
    parts.append((probe.working.map { "\($0) = " } ?? "") + Self.quantity(probe.value))
    if let inRange = probe.inRange { parts.append(inRange ? "in range ✓" : marked("OUT OF RANGE", .attention)) }
    var lines = joined(parts, separator: "  ", indent: 6)
    if let hint = probe.hint { lines += labelled("hint", hint, indent: 6, label: 6) }
    return lines
  }
}
