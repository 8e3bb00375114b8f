import Modbus
import Seams
import TwinCore

extension Bus {
  private enum Obstacle {
    case none
    case until(Uptime)
    case othersFirst
  }

  /// Rest after a busy device's first refusal; doubles.
  private static let busyMinNanoseconds: Int64 = 100_000_000
  private static let busyMaxNanoseconds: Int64 = 10_000_000_000

  /// Sends one request when it is this caller's turn and the line has rested; the reply is of the right function and
  /// length.
  ///
  /// A read that a broken connection or a stray reply spoiled is sent once more.
  /// Errors: `.exception` for a refusal; everything that kept the request from being sent or answered.
  func exchange(
    _ request: ModbusRequest, with state: DeviceState, unit: UInt8? = nil, ticket: Turnstile.Ticket
  ) async throws(BusFault) -> [UInt8] {
    do throws(BusFault) {
      return try await attempt(request, state, unit: unit, ticket)
    } catch {
      let spoiled: [BusFault.Kind] = [.link(.closed), .link(.mismatched), .link(.malformed), .link(.wrongLength)]
      guard !request.isWrite, spoiled.contains(error.kind) else { throw error }
      return try await attempt(request, state, unit: unit, ticket)
    }
  }

  private func attempt(
    _ request: ModbusRequest, _ state: DeviceState, unit: UInt8?, _ ticket: Turnstile.Ticket
  ) async throws(BusFault) -> [UInt8] {
    let isOwnUnit = unit == nil
    waiting: while true {
      switch try obstacle(for: request, state, isOwnUnit, ticket) {
      case .none: break waiting
      case .until(let time): await clock.sleep(until: time)
      case .othersFirst: await Task.yield()
      }
    }
    // No suspension from here to the reply: what was checked still holds.
    return try transact(request, state, unit: unit)
  }

  private func obstacle(
    for request: ModbusRequest, _ state: DeviceState, _ isOwnUnit: Bool, _ ticket: Turnstile.Ticket
  ) throws(BusFault) -> Obstacle {
    guard !Task.isCancelled, !isEnded else {
      throw BusFault(.cancelled, "the bus \(address.text) was stopped", remedy: "ask again once it runs")
    }
    let now = clock.uptime
    guard turnstile.isFirst(ticket) else { return now < earliest ? .until(earliest) : .othersFirst }
    if isOwnUnit { try refuseIfSilent(state, now) }
    if !link.isOpen { try connect(state, now) }
    return clock.uptime < earliest ? .until(earliest) : .none
  }

  private func refuseIfSilent(_ state: DeviceState, _ now: Uptime) throws(BusFault) {
    if case .nothing(let until) = state.unit.breaker.permission(at: now) {
      throw BusFault(
        .silent,
        "\(state.device.id) does not answer; next try in \(max(0, until.nanoseconds(since: now)) / 1_000_000) ms",
        remedy: "check the device's power, address \(state.device.unit) and wiring")
    }
    guard now < state.unit.busyUntil else { return }
    throw BusFault(.busy, "\(state.device.id) asked for time", remedy: "wait, or poll it less often")
  }

  private func connect(_ state: DeviceState, _ now: Uptime) throws(BusFault) {
    guard now >= backoff.retryAt else {
      throw BusFault(
        .linkDown, "\(address.text) is down; next try in \(backoff.retryAt.nanoseconds(since: now) / 1_000_000) ms",
        remedy: "check the network or cable, and that the device accepts connections")
    }
    do throws(LinkFault) {
      try link.open(timeoutMs: state.device.timeoutMs)
      let delay = devices.map(\.device.connectDelayMs).max() ?? 0
      earliest = clock.uptime.advanced(byNanoseconds: Int64(delay) * 1_000_000)
    } catch {
      backoff.failed(at: clock.uptime, using: &random)
      showLink()
      throw BusFault(error)
    }
    showLink()
  }

  /// The only place where a request reaches the link.
  private func transact(_ request: ModbusRequest, _ state: DeviceState, unit: UInt8?) throws(BusFault) -> [UInt8] {
    guard !request.isWrite || policy == .allowed else {
      throw BusFault(
        .writesForbidden, "a write to \(state.device.id) on a bus that only reads",
        remedy: "raise the mode above observe")
    }
    let begun = clock.uptime
    if unit == nil, state.unit.breaker.permission(at: begun) == .probe { state.unit.breaker.beginProbe() }
    let reply: [UInt8]
    do throws(LinkFault) {
      reply = try link.transact(unit: unit ?? state.device.unit, pdu: request.pdu, timeoutMs: state.device.timeoutMs)
      try ReplyShape.check(reply, answers: request.pdu)
    } catch {
      let fault = BusFault(error)
      note(fault, error.kind, from: state, begun: begun, isOwnUnit: unit == nil, isWrite: request.isWrite)
      throw fault
    }
    let exception = reply[0] == request.function ? nil : reply[1]
    let fault = exception.map { BusFault(exception: $0, device: state.device.id, doing: request.words) }
    note(reply: exception, fault, from: state, begun: begun, isOwnUnit: unit == nil, isWrite: request.isWrite)
    if let fault { throw fault }
    return reply
  }

  private func note(
    reply exception: UInt8?, _ fault: BusFault?, from state: DeviceState, begun: Uptime, isOwnUnit: Bool, isWrite: Bool
  ) {
    let now = clock.uptime
    let took = now.nanoseconds(since: begun)
    earliest = now.advanced(byNanoseconds: Int64(state.device.gapMs) * 1_000_000)
    backoff.answered()
    let unit = state.unit
    var shown = DeviceStatus.Unit.answering
    if isOwnUnit {
      switch exception {
      case 10, 11:
        unit.breaker.failed(at: now, took: took, using: &random)
        shown = silence(of: unit) ?? .refusing(exception ?? 0)
      case 5, 6:
        unit.breaker.answered()
        let wait = min(Self.busyMinNanoseconds << Int64(min(unit.busyInARow, 20)), Self.busyMaxNanoseconds)
        unit.busyInARow += 1
        unit.busyUntil = now.advanced(byNanoseconds: wait)
        shown = .busy(until: unit.busyUntil)
      case let code:
        unit.breaker.answered()
        unit.busyInARow = 0
        if code == nil { unit.roundTrips.add(took) }
        if let code, code != 2, code != 3 { shown = .refusing(code) }
      }
    }
    let (link, counters, trips) = (shownLink, self.link.counters, unit.roundTrips)
    board.update(state.index) { status in
      status.requests += 1
      if isWrite { status.writes += 1 }
      if let fault {
        status.exceptions += 1
        status.lastFault = fault
      }
      (status.link, status.counters) = (link, counters)
      guard isOwnUnit else { return }
      status.unit = shown
      if trips.count > 0 {
        (status.roundTripMeanNanoseconds, status.roundTripHighNanoseconds) = (Int64(trips.mean), Int64(trips.high))
      }
    }
  }

  private func note(
    _ fault: BusFault, _ kind: LinkFault.Kind, from state: DeviceState, begun: Uptime, isOwnUnit: Bool, isWrite: Bool
  ) {
    let now = clock.uptime
    earliest = now.advanced(byNanoseconds: Int64(state.device.gapMs) * 1_000_000)
    if isOwnUnit {
      // A reply of the wrong length still shows that somebody is there.
      if kind == .wrongLength {
        state.unit.breaker.answered()
      } else {
        state.unit.breaker.failed(at: now, took: now.nanoseconds(since: begun), using: &random)
      }
    }
    if !link.isOpen { backoff.failed(at: now, using: &random) }
    let (link, counters, silence) = (shownLink, self.link.counters, silence(of: state.unit))
    board.update(state.index) { status in
      status.requests += 1
      status.failures += 1
      if isWrite { status.writes += 1 }
      status.lastFault = fault
      (status.link, status.counters) = (link, counters)
      if isOwnUnit, let silence { status.unit = silence }
    }
  }

  private func silence(of unit: UnitState) -> DeviceStatus.Unit? {
    if case .open(let until) = unit.breaker.state { .silent(until: until) } else { nil }
  }

  private var shownLink: DeviceStatus.Link {
    if link.isOpen { return .open }
    return backoff.attempts > 0 ? .waiting(until: backoff.retryAt) : .closed
  }

  func showLink() {
    let (link, counters) = (shownLink, self.link.counters)
    for state in devices {
      board.update(state.index) { status in (status.link, status.counters) = (link, counters) }
    }
  }
}

extension ModbusRequest {
  /// For messages.
  var words: String {
    switch self {
    case .read(let table, let address, let count): "a read of \(count) \(table) from address \(address)"
    case .writeCoil(let address, let value): "a write of \(value) to coil address \(address)"
    case .writeRegister(let address, let value): "a write of \(value) to register address \(address)"
    case .writeCoils(let address, let values): "a write of \(values.count) coils from address \(address)"
    case .writeRegisters(let address, let values): "a write of \(values.count) registers from address \(address)"
    case .maskWrite(let address, _, _): "a masked write to register address \(address)"
    case .readWrite(let address, _, _, _): "a read and write from register address \(address)"
    }
  }
}

extension ReadRequest {
  /// The ranges of plans lie within the protocol's limits.
  var question: ModbusRequest {
    .read(table.wire, address: UInt16(range.lowerBound), count: UInt16(range.count))
  }
}

extension RegisterTable {
  var wire: Modbus.RegisterTable {
    switch self {
    case .coil: .coils
    case .discrete: .discreteInputs
    case .input: .inputRegisters
    case .holding: .holdingRegisters
    }
  }
}
