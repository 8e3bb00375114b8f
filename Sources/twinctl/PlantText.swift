import StatusAPI
import TwinCore

extension Screen {
  func devices(_ devices: API.Devices) -> [String] {
    guard !devices.devices.isEmpty else { return ["the pack names no device"] }
    return table(
      [
        Column(title: "DEVICE"), Column(title: "STATE"), Column(title: "LAST HEARD"),
        Column(title: "FRESH", rank: 1, isRight: true), Column(title: "ADDRESS", rank: 2),
      ],
      devices.devices.map {
        [
          $0.id, state($0), lastHeard($0), "\($0.points.fresh) of \($0.points.total)", "\($0.transport) \($0.address)",
        ]
      })
  }

  func device(_ device: API.Device) -> [String] {
    var head = [device.id, "\(device.transport) \(device.address)"]
    if let profile = device.profile { head.append("profile \(profile)") }
    var lines = joined(head, indent: 2)
    var state = state(device)
    if let silent = device.silentForS { state += " for \(Self.span(silent))" }
    if let retry = device.retryInS { state += ", next attempt in \(Self.span(retry))" }
    lines += labelled("state", state)
    lines += labelled("heard", lastHeard(device))
    lines += labelled("points", counts(device.points))
    if let reads = device.reads, let failures = device.failures {
      lines += labelled("reads", "\(Self.grouped(Int64(reads))), \(Self.grouped(Int64(failures))) failed")
    }
    if let holes = device.holes, !holes.isEmpty {
      lines += labelled("holes", holes.joined(separator: ", ") + " (learned)")
    }
    if let problem = device.problem { lines += labelled("problem", problem) }
    return lines
      + labelled("next", device.state == "ok" ? "twinctl points \(device.id).*" : "twinctl collect test \(device.id)")
  }

  private func state(_ device: API.Device) -> String { String(device.state.map { $0 == "_" ? " " : $0 }) }

  private func lastHeard(_ device: API.Device) -> String {
    device.lastHeard.map { "\(time($0)) (\(Self.span(age($0))))" } ?? "never"
  }

  func points(_ points: API.Points) -> [String] {
    guard !points.points.isEmpty else { return ["no point matches"] }
    return table(
      [
        Column(title: "POINT"), Column(title: "VALUE", isRight: true), Column(title: "AGE", isRight: true),
        Column(title: "HELD", rank: 2, isRight: true), Column(title: "SOURCE", rank: 1),
      ],
      points.points.map { [$0.id, shown($0), ageText($0.value), $0.held.map(Self.quantity) ?? "", source($0)] })
  }

  func point(_ point: API.Point) -> [String] {
    var lines = joined([point.id, point.name, shown(point)].compactMap { $0 }, indent: 2)
    if let at = point.value.at { lines += labelled("at", "\(time(at)) (\(ageText(point.value)))", label: 10) }
    let source = source(point)
    if !source.isEmpty { lines += labelled("source", source, label: 10) }
    if let raw = point.raw { lines += labelled("raw", Self.raw(raw), label: 10) }
    if let estimate = point.estimate {
      let spread = Self.amount(estimate.stddev, Self.differenceCode(point.value.unit))
      let mean = Self.amount(estimate.mean, point.value.unit)
      let confidence = "confidence \(Self.trimmed(estimate.confidence * 100)) %"
      lines += labelled("estimate", "\(mean) ± \(spread), \(confidence)", label: 10)
    }
    if let envelope = point.envelope { lines += labelled("envelope", envelope, label: 10) }
    if point.writable {
      lines += labelled("held", point.held.map(Self.quantity) ?? "not held", label: 10)
      if let proposed = point.proposed { lines += labelled("proposed", Self.quantity(proposed), label: 10) }
      if let readBack = point.readBack { lines += labelled("read back", Self.quantity(readBack), label: 10) }
    }
    if let decision = point.decision { lines += labelled("why", "twinctl why \(decision)", label: 10) }
    return lines
  }

  func history(_ history: API.History) -> [String] {
    guard !history.samples.isEmpty else { return ["\(history.point)  no samples in that time"] }
    var lines = ["\(history.point)  \(Self.plural(history.samples.count, "sample"))"]
    if history.truncated { lines[0] += ", older ones left out" }
    let quantities = history.samples.map {
      API.Quantity($0.value, unit: history.unit, quality: Self.quality($0.quality))
    }
    return lines
      + table(
        [Column(title: "AT"), Column(title: "VALUE", isRight: true), Column(title: "QUALITY")],
        zip(history.samples, quantities).map { sample, quantity in
          [
            time(sample.at), sample.value == nil ? "no value" : Self.amount(quantity.value ?? .nan, history.unit),
            sample.quality,
          ]
        })
  }

  /// The state of an enumeration is a word, not its number.
  private func shown(_ point: API.Point) -> String {
    guard point.value.value != nil, let symbol = point.symbol else { return Self.quantity(point.value) }
    return point.value.quality == "good" ? symbol : "\(symbol) (\(point.value.quality))"
  }

  private func ageText(_ quantity: API.Quantity) -> String {
    (quantity.ageS ?? quantity.at.map(age)).map(Self.span) ?? "never read"
  }

  private func source(_ point: API.Point) -> String {
    let register = Self.register(ref: point.ref, wire: point.wire)
    return register.isEmpty ? point.provenance ?? "" : register
  }

  static func differenceCode(_ unit: String) -> String { UnitCode(ucum: unit)?.difference.ucum ?? unit }

  private static func quality(_ name: String) -> Quality { Quality.allCases.first { $0.name == name } ?? .suspect }

  /// One event as one line of a log.
  func event(_ event: API.Event) -> String {
    var parts = ["\(time(event.at))  \(event.kind)"]
    if event.kind == "gap" {
      return parts[0] + "  \(Self.plural(event.dropped ?? 0, "event")) lost, this reader was too slow"
    }
    if let point = event.point { parts.append(point) }
    if let value = event.value { parts.append(Self.quantity(value)) }
    if let text = event.text { parts.append(text) }
    if let ref = event.ref { parts.append("(\(ref))") }
    return parts.joined(separator: "  ")
  }
}
