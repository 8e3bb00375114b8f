import Modbus
import Seams
import TwinCore

extension Bus {
  private static let readBackPauseMinNanoseconds: Int64 = 5_000_000
  private static let readBackPauseMaxNanoseconds: Int64 = 200_000_000

  /// Writes a setpoint by its profile's sequence, each step confirmed, and reads the point back until it shows the
  /// value or the profile's time is over. Steps are never repeated, and no other write comes between them.
  nonisolated func perform(_ transaction: WriteTransaction) async -> WriteResult {
    var result = WriteResult(
      outcome: .mismatch, written: transaction.value, stepsConfirmed: 0, confirmed: nil, reading: nil)
    guard policy == .allowed else {
      result.outcome = .unsent(
        BusFault(
          .writesForbidden, "a write to \(transaction.device) on a bus that only reads",
          remedy: "raise the mode above observe"))
      return result
    }
    guard let ticket = turnstile.enter(.write) else {
      result.outcome = .unsent(Self.crowded)
      return result
    }
    let profile = await send(transaction, ticket, &result)
    turnstile.leave(ticket)
    guard let profile, result.stepsConfirmed == profile.sequence.count || result.isInDoubt else { return result }
    return await confirm(transaction, profile, result)
  }

  /// Writes registers (functions 6, 16) or coils (5, 15; nonzero is on) as they are, the confirmation checked.
  nonisolated func writeRegisters(
    device: String, function: UInt8, address: Int, _ registers: [UInt16]
  ) async throws(BusFault) {
    guard let ticket = turnstile.enter(.write) else { throw Self.crowded }
    defer { turnstile.leave(ticket) }
    try await write(device, function, address, registers, ticket)
  }

  /// Reads one point now, with its power of ten in the same request.
  public nonisolated func readPoint(device: String, point: String) async throws(BusFault) -> PointReading {
    try await read(device, point, .readBack)
  }

  nonisolated func read(
    _ device: String, _ point: String, _ priority: Turnstile.Priority
  ) async throws(BusFault) -> PointReading {
    guard let ticket = turnstile.enter(priority) else { throw Self.crowded }
    defer { turnstile.leave(ticket) }
    return try await read(device, point, ticket)
  }

  static var crowded: BusFault {
    BusFault(.busy, "\(Turnstile.waitingMax) callers wait for the bus", remedy: "ask less often, or poll less")
  }

  // MARK: on the bus

  private func write(
    _ device: String, _ function: UInt8, _ address: Int, _ registers: [UInt16], _ ticket: Turnstile.Ticket
  ) async throws(BusFault) {
    try await write(try state(of: device), function, address, registers, ticket)
  }

  private func write(
    _ state: DeviceState, _ function: UInt8, _ address: Int, _ registers: [UInt16], _ ticket: Turnstile.Ticket
  ) async throws(BusFault) {
    let request = try Self.request(function, address, registers)
    let reply = try await exchange(request, with: state, ticket: ticket)
    do throws(LinkFault) {
      _ = try request.decode(reply)
    } catch {
      throw BusFault(.echo, error.message, remedy: error.remedy)
    }
  }

  private static func request(_ function: UInt8, _ address: Int, _ registers: [UInt16]) throws(BusFault)
    -> ModbusRequest
  {
    var request: ModbusRequest?
    if let start = UInt16(exactly: address), let first = registers.first {
      switch function {
      case 5 where registers.count == 1: request = .writeCoil(address: start, value: first != 0)
      case 6 where registers.count == 1: request = .writeRegister(address: start, value: first)
      case 15: request = .writeCoils(address: start, values: registers.map { $0 != 0 })
      case 16: request = .writeRegisters(address: start, values: registers)
      default: break
      }
    }
    guard let request, request.isValid else {
      throw BusFault(
        .unwritable, "function \(function) cannot write \(registers.count) values at address \(address)",
        remedy: "give the point function 16 for several registers, 15 for several coils")
    }
    return request
  }

  /// The steps; nil when nothing of the profile could be used. Fills what was sent and how that ended.
  private func send(
    _ transaction: WriteTransaction, _ ticket: Turnstile.Ticket, _ result: inout WriteResult
  ) async -> WriteProfile? {
    var profile: WriteProfile?
    do throws(BusFault) {
      let state = try state(of: transaction.device)
      let point = try point(transaction.point, of: state)
      guard let found = point.write else {
        throw BusFault(
          .unwritable, "\(transaction.device).\(point.name) has no write profile", remedy: "write a point that has one")
      }
      profile = found
      let codec = RegisterCodec(point)
      let power = try await power(for: point, state, ticket)
      let registers = try codec.registers(for: transaction.value, power: power)
      result.written = try codec.representable(transaction.value, power: power)
      var requests: [ModbusRequest] = []
      for step in found.sequence {
        requests.append(try Self.request(found.function, step.address, step.value.map { [$0] } ?? registers))
      }
      try await send(requests, state, ticket, &result)
    } catch {
      result.settle(error)
    }
    return profile
  }

  private func send(
    _ requests: [ModbusRequest], _ state: DeviceState, _ ticket: Turnstile.Ticket, _ result: inout WriteResult
  ) async throws(BusFault) {
    for request in requests {
      let reply = try await exchange(request, with: state, ticket: ticket)
      do throws(LinkFault) {
        _ = try request.decode(reply)
      } catch {
        throw BusFault(.echo, error.message, remedy: error.remedy)
      }
      result.stepsConfirmed += 1
      result.confirmed = clock.uptime
    }
  }

  /// The power of ten by which the device reads the registers at this moment.
  private func power(
    for point: RegisterPoint, _ state: DeviceState, _ ticket: Turnstile.Ticket
  ) async throws(BusFault) -> Int {
    guard let name = point.scaleFrom else { return 0 }
    let source = try self.point(name, of: state)
    let registers = try await registers(source.table, source.span, state, ticket)
    guard let power = RegisterCodec(source).power(raw: RegisterCodec(source).raw(registers.span)) else {
      throw BusFault(
        .unfit, "\(state.device.id).\(name) states no power of ten", remedy: "check the device's scale registers")
    }
    return power
  }

  private func read(_ device: String, _ name: String, _ ticket: Turnstile.Ticket) async throws(BusFault) -> PointReading
  {
    let state = try state(of: device)
    let point = try point(name, of: state)
    let codec = RegisterCodec(point)
    let begun = clock.instant
    let begunUptime = clock.uptime
    var (reading, registers) = (Reading.absent, [UInt16]())
    if let sourceName = point.scaleFrom {
      let source = try self.point(sourceName, of: state)
      let union =
        min(point.span.lowerBound, source.span.lowerBound)..<max(point.span.upperBound, source.span.upperBound)
      let power: Int?
      var isApart = false
      if source.table == point.table, union.count <= 125, !state.holes.isHole(point.table, union) {
        let all = try await self.registers(point.table, union, state, ticket)
        let start = union.lowerBound
        registers = Array(all[point.span.lowerBound - start..<point.span.upperBound - start])
        let stated = Array(all[source.span.lowerBound - start..<source.span.upperBound - start])
        power = RegisterCodec(source).power(raw: RegisterCodec(source).raw(stated.span))
      } else {
        power = try await self.power(for: point, state, ticket)
        registers = try await self.registers(point.table, point.span, state, ticket)
        isApart = true
      }
      if let power { reading = codec.reading(registers.span, power: power) }
      if isApart, reading.quality == .good { reading.quality = .suspect }
    } else {
      registers = try await self.registers(point.table, point.span, state, ticket)
      reading = codec.reading(registers.span)
    }
    let now = clock.uptime
    let middle = begun.advanced(byNanoseconds: now.nanoseconds(since: begunUptime) / 2)
    return PointReading(
      value: reading.value, quality: reading.quality, registers: registers, effective: middle, uptime: now)
  }

  func registers(
    _ table: RegisterTable, _ range: Range<Int>, _ state: DeviceState, _ ticket: Turnstile.Ticket
  ) async throws(BusFault) -> [UInt16] {
    guard range.lowerBound >= 0, range.upperBound <= 0x10000, range.count <= 125 else {
      throw BusFault(
        .unknown, "addresses \(range) of \(state.device.id) cannot be read at once",
        remedy: "correct the point's address")
    }
    let request = ReadRequest(table: table, range: range, pieces: [], split: nil).question
    let reply = try await exchange(request, with: state, ticket: ticket)
    do throws(LinkFault) {
      switch try request.decode(reply) {
      case .registers(let registers): return registers
      case .bits(let bits): return bits.map { $0 ? 1 : 0 }
      case .written, .exception: return []
      }
    } catch {
      throw BusFault(error)
    }
  }

  /// Reads back with growing pauses; other users of the bus come in between.
  private nonisolated func confirm(
    _ transaction: WriteTransaction, _ profile: WriteProfile, _ sent: WriteResult
  ) async -> WriteResult {
    var result = sent
    let deadline = clock.uptime.advanced(byNanoseconds: Int64(profile.readbackMs) * 1_000_000)
    var pause = Self.readBackPauseMinNanoseconds
    while true {
      do throws(BusFault) {
        let reading = try await readPoint(device: transaction.device, point: profile.readbackPoint ?? transaction.point)
        result.reading = reading
        if !result.isInDoubt { result.outcome = .mismatch }
        if reading.quality.hasValue, abs(reading.value - result.written) <= profile.tolerance {
          result.outcome = .verified
          return result
        }
      } catch {
        if !result.isInDoubt || error.kind == .cancelled { result.outcome = .unknown(error) }
        if !error.isRetriable || error.kind == .cancelled { return result }
      }
      let now = clock.uptime
      guard now < deadline else { return result }
      await clock.sleep(until: min(deadline, now.advanced(byNanoseconds: pause)))
      pause = min(pause * 2, Self.readBackPauseMaxNanoseconds)
    }
  }
}

extension WriteResult {
  var isInDoubt: Bool { if case .unknown = outcome { true } else { false } }

  mutating func settle(_ fault: BusFault) {
    switch fault.kind {
    case .exception(5): outcome = .unknown(fault)
    case .exception(let code): outcome = .refused(code)
    default: outcome = fault.isUnsent && stepsConfirmed == 0 ? .unsent(fault) : .unknown(fault)
    }
  }
}
