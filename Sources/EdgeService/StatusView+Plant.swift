import Actuation
import Collectors
import FeatureStore
import Guard
import Models
import Seams
import SiteKernel
import SitePack
import StatusAPI
import TwinCore

extension StatusView {
  func devices() async throws(APIProblem) -> API.Devices {
    let counts = await counts()
    return API.Devices(devices: site.pack.pack.devices.map { shown($0, counts) })
  }

  func device(_ id: String) async throws(APIProblem) -> API.Device {
    guard let device = site.pack.pack.devices.first(where: { $0.id == id }) else {
      throw .notFound("device", id, known: site.pack.pack.devices.map(\.id), list: "twinctl devices")
    }
    return shown(device, await counts())
  }

  private func counts() async -> [String: API.PointCounts] {
    let points = site.pack.pack.points
    return await control.view { kernel in
      var counts: [String: API.PointCounts] = [:]
      for (position, state) in kernel.image.states.enumerated() {
        guard let device = points[position].device else { continue }
        counts[device, default: API.PointCounts(total: 0, fresh: 0, stale: 0, absent: 0, never: 0)]
          .add(state, at: kernel.image.now)
      }
      return counts
    }
  }

  private func shown(_ device: Device, _ counts: [String: API.PointCounts]) -> API.Device {
    let status = buses.lazy.compactMap { $0.status(of: device.id) }.first
    let now = clock.uptime
    var (state, retry): (String, Uptime?) = ("never", nil)
    switch status?.unit ?? .never {
    case .never: break
    case .answering: state = "ok"
    case .refusing: state = "refusing"
    case .busy(let until): (state, retry) = ("backing_off", until)
    case .silent(let until): (state, retry) = ("silent", until)
    }
    if case .waiting(let until) = status?.link { (state, retry) = ("silent", until) }
    let heard = status?.lastGood
    let silentFor = state == "ok" ? nil : heard.map { Double(clock.instant.nanoseconds(since: $0)) / 1e9 }
    let (transport, address) = Self.dial(device)
    return API.Device(
      id: device.id, profile: device.profile, transport: transport, address: address, state: state,
      lastHeard: heard.map(Timestamp.init), silentForS: silentFor,
      retryInS: retry.map { max(0, Double($0.nanoseconds(since: now)) / 1e9) },
      points: counts[device.id] ?? API.PointCounts(total: 0, fresh: 0, stale: 0, absent: 0, never: 0),
      reads: status?.requests, failures: status.map { $0.failures + $0.exceptions },
      problem: health.problems.first { $0.id == "device.\(device.id)" }?.id,
      holes: status.map { $0.holes.map(Self.words) })
  }

  private static func words(_ hole: HoleMap.Hole) -> String {
    let range = hole.range
    return "\(hole.table.rawValue) \(range.lowerBound)" + (range.count > 1 ? "-\(range.upperBound - 1)" : "")
  }

  static func dial(_ device: Device) -> (transport: String, address: String) {
    switch device.link {
    case .tcp(let host, let port): ("modbus-tcp", "\(host):\(port) unit \(device.unit)")
    case .rtuOverTCP(let host, let port): ("modbus-rtu-over-tcp", "\(host):\(port) unit \(device.unit)")
    case .serial(let path, _, _, _): ("modbus-rtu", "\(path) unit \(device.unit)")
    }
  }

  func points(_ pattern: PointPattern?) async throws(APIProblem) -> API.Points {
    let wanted = site.definition.points.indices.filter { pattern?.matches(site.definition.points[$0].id) ?? true }
    return API.Points(points: await shown(wanted.map { PointIndex($0) }))
  }

  func point(_ id: String) async throws(APIProblem) -> API.Point {
    await shown([try point(named: id)])[0]
  }

  private func shown(_ wanted: [PointIndex]) async -> [API.Point] {
    let leases = Dictionary(await actuator.held.map { ($0.point, $0) }, uniquingKeysWith: { a, _ in a })
    let site = site
    return await control.view { kernel in
      wanted.map { point in
        let state = kernel.image[point]
        let meta = site.pack.pack.points[point.position]
        let isSeen = state.effective != .distantPast
        let age = !isSeen ? nil : Double(kernel.image.now.nanoseconds(since: state.uptime)) / 1e9
        let isStale = state.quality.hasValue && kernel.image.now > state.freshUntil
        var value = API.Quantity(
          state.value, unit: meta.unit, quality: state.quality,
          at: isSeen ? Timestamp(state.effective) : nil, ageS: age.map { max(0, $0) })
        if isStale { value.quality = "stale" }
        let estimate = kernel.estimate(point)
        let envelope = kernel.safety.position(of: point)
        let symbol =
          meta.symbols.isEmpty || !state.quality.hasValue ? nil : Int(exactly: state.value).flatMap { meta.symbols[$0] }
        return API.Point(
          id: meta.id, device: meta.device ?? "", name: meta.label.isEmpty ? nil : meta.label, value: value,
          ref: meta.register?.reference,
          wire: meta.register.map { API.Wire(table: $0.table.rawValue, address: $0.address) }, symbol: symbol,
          estimate: estimate.confidence > 0 && meta.estimator.isContinuous
            ? API.Estimate(
              mean: estimate.mean, stddev: estimate.variance.squareRoot(), confidence: estimate.confidence) : nil,
          writable: meta.isWritable, envelope: envelope.map { kernel.definition.envelopes[$0].id },
          held: leases[point].map { API.Quantity($0.value, unit: meta.unit) },
          readBack: leases[point] == nil ? nil : API.Quantity(state.value, unit: meta.unit, quality: state.quality),
          provenance: meta.isDerived ? "derived" : "measured", export: meta.register?.data.export.name)
      }
    }
  }

  func history(_ point: String, since: Instant?, limit: Int) async throws(APIProblem) -> API.History {
    let index = try self.point(named: point)
    let from = since ?? siteClock.instant.advanced(byNanoseconds: -3_600_000_000_000)
    let series = try await ask { (store) throws(StoreError) in
      try store.read(points: [point], effective: from..<Instant.distantFuture)[0]
    }
    let samples = series.samples.suffix(limit).map {
      API.Sample(at: Timestamp($0.effective), value: $0.quality.hasValue ? $0.value : nil, quality: $0.quality.name)
    }
    return API.History(
      point: point, unit: site.definition.points[index.position].unit, samples: samples,
      truncated: series.isTruncated || series.samples.count > limit)
  }

  func collectTest(_ device: String, by peer: Peer) async throws(APIProblem) -> API.CollectTest {
    guard let known = site.pack.pack.devices.first(where: { $0.id == device }),
      let bus = buses.first(where: { $0.address == known.link })
    else {
      throw .notFound("device", device, known: site.pack.pack.devices.map(\.id), list: "twinctl devices")
    }
    let (transport, address) = Self.dial(known)
    let found = await bus.diagnose(device: device)
    let layers = found.filter { step in !known.points.contains { $0.name == step.name } }
    let probes = found.compactMap { step in probe(step, of: known) }
    var steps = layers.map {
      API.Step(name: $0.name, result: $0.verdict == .bad ? "fail" : "ok", text: $0.detail)
    }
    let bad = probes.count { $0.hint != nil || $0.inRange == false || $0.value.value == nil }
    if layers.allSatisfy({ $0.verdict != .bad }) {
      steps.append(
        API.Step(
          name: "registers", result: bad == 0 ? "ok" : "fail",
          text: "\(probes.count - bad) of \(probes.count) points are right"))
    } else {
      steps.append(API.Step(name: "registers", result: "not_tried", text: "not tried"))
    }
    let hint = layers.first { $0.verdict != .good && $0.hint != nil }?.hint
    return API.CollectTest(
      device: device, transport: transport, address: address, profile: known.profile,
      passed: steps.allSatisfy { $0.result == "ok" }, steps: steps, likely: hint, next: nil, points: probes)
  }

  private func probe(_ step: DiagnosisStep, of device: Device) -> API.Probe? {
    guard let point = device.points.first(where: { $0.name == step.name }) else { return nil }
    let inRange: Bool? = step.value.flatMap { value in point.range.map { $0.contains(value) } }
    return API.Probe(
      point: point.name, ref: point.reference, wire: API.Wire(table: point.table.rawValue, address: point.address),
      raw: step.registers.map(Int.init), working: nil,
      value: API.Quantity(step.value, unit: point.unit, quality: step.verdict == .bad ? .absent : .good),
      inRange: inRange, hint: step.verdict == .good ? nil : step.hint ?? step.detail)
  }
}
