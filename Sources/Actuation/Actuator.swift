public import Collectors
public import Guard
public import Seams
public import TwinCore

/// What became of one write, or of giving one point back.
public struct WriteReport: Sendable, Equatable {
  /// Nil when a lapsed lease was given back.
  public var decision: DecisionID?
  public var point: PointIndex
  public var value: Double
  public var outcome: WriteOutcome
  /// The last value that the device showed, where it showed one.
  public var readBack: Double?
  /// Why it is not confirmed, in words for the record.
  public var cause: String?
  /// The decision whose lease lapsed, where one did.
  public var lapsed: DecisionID?
  /// Whether an earlier lease of the point goes on, because this write never left.
  public var isStillHeld = false

  public init(
    decision: DecisionID? = nil, point: PointIndex, value: Double, outcome: WriteOutcome, readBack: Double? = nil,
    cause: String? = nil
  ) {
    (self.decision, self.point, self.value, self.outcome) = (decision, point, value, outcome)
    (self.readBack, self.cause) = (readBack, cause)
  }

  /// Whether there is nothing left to try: the device took the value, or answered that it will not.
  var isBack: Bool { outcome == .confirmed || outcome == .refusedByDevice }
}

/// A writable point and the way to it.
public struct WriteTarget: Sendable {
  public var point: PointIndex
  public var device: Device
  public var register: RegisterPoint

  public init(point: PointIndex, device: Device, register: RegisterPoint) {
    (self.point, self.device, self.register) = (point, device, register)
  }
}

/// Spends permits: writes the profile's sequence, reads back, keeps the leases, and gives back what nobody renews.
///
/// It holds no opinion: what may be written was decided before, and what lapses goes where the permit said it would.
public actor Actuator {
  private let targets: [PointIndex: WriteTarget]
  /// The only ones there are: each bus gives its port away once.
  private let ports: [LinkAddress: WritePort]
  /// Leases run on the site's time, I/O on the gateway's.
  private let siteClock: any SiteClock
  private let gatewayClock: any SiteClock
  private let report: @Sendable (WriteReport) -> Void
  private var book = LeaseBook()
  /// Points with a write under way: a lapse waits for it.
  private var writing: Set<PointIndex> = []
  /// Per device and register: when its watchdog was last written.
  private var armedAt: [String: Uptime] = [:]

  /// How often leases and watchdogs are looked at.
  static let roundNanoseconds: Int64 = 50_000_000
  /// Between two attempts to give a point back.
  static let retryNanoseconds: Int64 = 5_000_000_000

  /// - Parameter report: Takes what lapsed leases came to; must not block.
  public init(
    targets: [WriteTarget], buses: [Bus], siteClock: any SiteClock, gatewayClock: any SiteClock,
    report: @escaping @Sendable (WriteReport) -> Void
  ) {
    self.targets = Dictionary(targets.map { ($0.point, $0) }, uniquingKeysWith: { first, _ in first })
    var ports: [LinkAddress: WritePort] = [:]
    for bus in buses { ports[bus.address] = bus.claimWritePort() }
    self.ports = ports
    (self.siteClock, self.gatewayClock, self.report) = (siteClock, gatewayClock, report)
  }

  public var leases: [Lease] { book.open.values.sorted { $0.point < $1.point } }

  /// What is held, without what is on its way back.
  public var held: [Lease] { leases.filter { $0.retryAt == nil } }

  /// Whether there is anything to give back.
  public func holds(_ point: PointIndex) -> Bool { book.open[point] != nil }

  /// Spends a permit. The receipt must be that of its decision; after `deadline` (gateway time) nothing is written any
  /// more.
  public func write(
    _ permit: consuming Permit, _ receipt: consuming DurableReceipt, before deadline: Uptime
  ) async -> WriteReport {
    precondition(permit.decision == receipt.decision, "a receipt of \(receipt.decision) for \(permit.decision)")
    let decision = permit.decision
    let (point, value, disposition) = (permit.point, permit.value, permit.disposition)
    let lease = Lease(
      decision: decision, point: point, value: value, revertValue: permit.revertValue,
      expires: siteClock.uptime.advanced(byNanoseconds: permit.leaseNanoseconds))
    guard let target = targets[point] else { return unsent(decision, point, value, "no such target") }
    guard gatewayClock.uptime <= deadline else { return unsent(decision, point, value, "the receipt came too late") }
    let earlier = book.open[point]
    if disposition == .revert { book.close(point) } else { book.enter(lease) }
    var result = await carryOut(value, on: target)
    result.decision = decision
    if disposition == .revert {
      if !result.isBack { retryLater(lease) }
    } else if result.outcome == .notSent {
      // What certainly never left is not held; what was held before still is.
      book.close(point)
      if let earlier { book.enter(earlier) }
      result.isStillHeld = earlier != nil
    }
    return result
  }

  /// The report of a write that is not made. What was held before still is.
  public func unsent(_ decision: DecisionID, _ point: PointIndex, _ value: Double, _ cause: String) -> WriteReport {
    var report = WriteReport(decision: decision, point: point, value: value, outcome: .notSent, cause: cause)
    report.isStillHeld = holds(point)
    return report
  }

  /// Takes over a lease that an earlier life left open and could not give back.
  public func inherit(point: PointIndex, revertValue: Double) {
    retryLater(
      Lease(
        decision: DecisionID(tick: 0, ordinal: 0), point: point, value: revertValue, revertValue: revertValue,
        expires: siteClock.uptime))
  }

  /// Spends a permit that only prolongs what the device already holds. False when there was no lease to prolong.
  public func renew(_ permit: consuming Permit) -> Bool {
    book.renew(permit.point, until: siteClock.uptime.advanced(byNanoseconds: permit.leaseNanoseconds))
  }

  /// Enters a lease for a value that the device already holds, without a write.
  public func adopt(_ permit: consuming Permit, _ receipt: consuming DurableReceipt) {
    precondition(permit.decision == receipt.decision, "a receipt of \(receipt.decision) for \(permit.decision)")
    book.enter(
      Lease(
        decision: permit.decision, point: permit.point, value: permit.value, revertValue: permit.revertValue,
        expires: siteClock.uptime.advanced(byNanoseconds: permit.leaseNanoseconds)))
  }

  /// Watches leases and refreshes device watchdogs until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      let lapsed = book.lapsed(site: siteClock.uptime, gateway: gatewayClock.uptime)
      for lease in lapsed where !writing.contains(lease.point) { await giveBack(lease) }
      await refreshWatchdogs()
      await gatewayClock.sleep(until: gatewayClock.uptime.advanced(byNanoseconds: Self.roundNanoseconds))
    }
  }

  /// Gives back everything that is open: the daemon goes down.
  public func giveBackAll() async {
    for lease in leases { await giveBack(lease) }
  }

  private func giveBack(_ lease: Lease) async {
    guard let target = targets[lease.point], book.close(lease.point) != nil else { return }
    var result = await carryOut(lease.revertValue, on: target)
    result.lapsed = lease.decision
    // A new permit may have come while this write was out; then the point is its holder's.
    if !result.isBack, book.open[lease.point] == nil { retryLater(lease) }
    // The first attempt is news, and so is the one that succeeds.
    if result.isBack || lease.retryAt == nil { report(result) }
  }

  private func retryLater(_ lease: Lease) {
    var lease = lease
    lease.retryAt = gatewayClock.uptime.advanced(byNanoseconds: Self.retryNanoseconds)
    book.enter(lease)
  }

  private func carryOut(_ value: Double, on target: WriteTarget) async -> WriteReport {
    writing.insert(target.point)
    defer { writing.remove(target.point) }
    var report = WriteReport(point: target.point, value: value, outcome: .notSent)
    guard let port = ports[target.device.link] else {
      report.cause = "nobody may write on \(target.device.link.text)"
      return report
    }
    do throws(BusFault) {
      try await arm(target, port)
    } catch {
      report.cause = "the device's watchdog was not armed: \(error.message)"
      return report
    }
    let result = await port.perform(
      WriteTransaction(device: target.device.id, point: target.register.name, value: value))
    report.readBack = result.reading.flatMap { $0.quality.hasValue ? $0.value : nil }
    switch result.outcome {
    case .verified: report.outcome = .confirmed
    case .mismatch: (report.outcome, report.cause) = (.mismatched, report.readBack.map { "the device shows \($0)" })
    case .refused(let exception): (report.outcome, report.cause) = (.refusedByDevice, "exception \(exception)")
    case .unknown(let fault): (report.outcome, report.cause) = (.unknown, fault.message)
    case .unsent(let fault): (report.outcome, report.cause) = (.notSent, fault.message)
    }
    return report
  }

  /// Arms the device's own watchdog: before the first setpoint, and again as often as it asks.
  private func arm(_ target: WriteTarget, _ port: WritePort) async throws(BusFault) {
    guard let watchdog = target.register.write?.watchdog else { return }
    let key = "\(target.device.id)/\(watchdog.address)"
    let now = gatewayClock.uptime
    if let last = armedAt[key], now.nanoseconds(since: last) < Int64(watchdog.refreshSeconds) * 1_000_000_000 { return }
    try await port.writeRegisters(
      device: target.device.id, function: 6, address: watchdog.address, [UInt16(clamping: watchdog.timeoutSeconds)])
    armedAt[key] = now
  }

  private func refreshWatchdogs() async {
    for lease in held {
      guard let target = targets[lease.point], let port = ports[target.device.link], !writing.contains(lease.point)
      else { continue }
      // A refresh that fails is tried again next round; if it keeps failing the device falls back, which is what it is
      // for.
      do throws(BusFault) { try await arm(target, port) } catch { continue }
    }
  }
}
