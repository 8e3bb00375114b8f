import Modbus
import Seams
import TwinCore

/// One line of a technician's test.
public struct DiagnosisStep: Sendable, Equatable {
  public enum Verdict: String, Sendable { case good, warning, bad }

  /// `connection`, `answer`, or the point's name.
  public var name: String
  public var verdict: Verdict
  /// What was seen; for a point its reference, wire address, registers and value.
  public var detail: String
  /// What to try, where there is something.
  public var hint: String?
  public var value: Double?
  public var registers: [UInt16] = []
}

extension Bus {
  /// Values further from zero than this, or closer, mean that a floating-point number is read in the wrong order.
  private static let sensibleMagnitude = 1e-6...1e9

  /// Tests connection, answer and each point of a device, on this bus and behind all its other work.
  public nonisolated func diagnose(device: String) async -> [DiagnosisStep] {
    guard let ticket = turnstile.enter(.technician) else {
      return [DiagnosisStep(name: "connection", verdict: .bad, detail: Self.crowded.message, hint: Self.crowded.remedy)]
    }
    defer { turnstile.leave(ticket) }
    return await diagnose(device, ticket)
  }

  private func diagnose(_ device: String, _ ticket: Turnstile.Ticket) async -> [DiagnosisStep] {
    let state: DeviceState
    do throws(BusFault) {
      state = try self.state(of: device)
    } catch {
      return [DiagnosisStep(name: "connection", verdict: .bad, detail: error.message, hint: error.remedy)]
    }
    let answer = await answer(of: state, ticket)
    guard answer.last?.verdict != .bad else { return answer }
    var steps = answer
    for point in state.device.points {
      let step = await test(point, state, ticket)
      steps.append(step)
    }
    return steps
  }

  /// Whether the place can be reached, and whether the unit there answers anything at all.
  private func answer(of state: DeviceState, _ ticket: Turnstile.Ticket) async -> [DiagnosisStep] {
    let first = state.device.points.first
    let question = ModbusRequest.read(
      (first?.table ?? .holding).wire, address: UInt16(clamping: first?.address ?? 0), count: 1)
    // A person waits: the next try of the connection is now.
    backoff = ReconnectBackoff()
    let own = await ask(question, state, unit: state.device.unit, ticket)
    let place = address.text
    if case .failure(let fault) = own, [.linkDown, .link(.unreachable), .cancelled].contains(fault.kind) {
      return [DiagnosisStep(name: "connection", verdict: .bad, detail: fault.message, hint: fault.remedy)]
    }
    let connection = DiagnosisStep(name: "connection", verdict: .good, detail: "\(place) is open")
    switch own {
    case .success(let words):
      state.unit.breaker.answered()
      return [connection, DiagnosisStep(name: "answer", verdict: .good, detail: "unit \(state.device.unit) \(words)")]
    case .failure(let fault):
      var hint = fault.remedy
      for unit: UInt8 in [255, 0, 1] where unit != state.device.unit {
        let other = await ask(question, state, unit: unit, ticket)
        if case .success(let words) = other {
          hint = "unit \(unit) \(words): set the device's unit to \(unit)"
          break
        }
      }
      return [connection, DiagnosisStep(name: "answer", verdict: .bad, detail: fault.message, hint: hint)]
    }
  }

  /// Any reply of the unit itself counts as an answer, a refusal too.
  private func ask(
    _ question: ModbusRequest, _ state: DeviceState, unit: UInt8, _ ticket: Turnstile.Ticket
  ) async -> Result<String, BusFault> {
    do throws(BusFault) {
      _ = try await exchange(question, with: state, unit: unit, ticket: ticket)
      return .success("answers")
    } catch {
      guard case .exception(let code) = error.kind, code != 10, code != 11 else { return .failure(error) }
      return .success("answers with \(ModbusException(code: code))")
    }
  }

  private func test(_ point: RegisterPoint, _ state: DeviceState, _ ticket: Turnstile.Ticket) async -> DiagnosisStep {
    let place = "\(point.table.rawValue) \(point.reference) (wire \(point.address), \(point.span.count))"
    let codec = RegisterCodec(point)
    do throws(BusFault) {
      let registers = try await registers(point.table, point.span, state, ticket)
      if point.isText {
        return DiagnosisStep(
          name: point.name, verdict: .good, detail: "\(place): \"\(codec.text(registers))\"", registers: registers)
      }
      let power = try await power(of: point, state, ticket)
      let reading = power.map { codec.reading(registers.span, power: $0) } ?? .absent
      var step = DiagnosisStep(
        name: point.name, verdict: reading.quality == .good ? .good : .warning,
        detail: "\(place): \(registers) = "
          + (reading.quality.hasValue
            ? "\(reading.value) \(point.unit), \(reading.quality.name)" : reading.quality.name),
        value: reading.quality.hasValue ? reading.value : nil, registers: registers)
      if let order = otherOrder(point, registers, reading, power: power ?? 0) {
        step.verdict = .warning
        step.hint = order
      } else if registers.allSatisfy({ $0 == 0 }), reading.quality != .good {
        step.hint = await neighbour(of: point, state, ticket)
      }
      return step
    } catch {
      var step = DiagnosisStep(
        name: point.name, verdict: .bad, detail: "\(place): \(error.message)", hint: error.remedy)
      if case .exception(let code) = error.kind, code == 2 || code == 3 {
        let beside = await neighbour(of: point, state, ticket)
        if let beside { step.hint = beside }
      }
      return step
    }
  }

  private func power(of point: RegisterPoint, _ state: DeviceState, _ ticket: Turnstile.Ticket) async throws(BusFault)
    -> Int?
  {
    guard let name = point.scaleFrom else { return 0 }
    guard let source = state.points[name] else { return nil }
    let registers = try await registers(source.table, source.span, state, ticket)
    let codec = RegisterCodec(source)
    return codec.power(raw: codec.raw(registers.span))
  }

  /// Whether the registers make no sense as they are read, and do in another order.
  private func otherOrder(_ point: RegisterPoint, _ registers: [UInt16], _ reading: Reading, power: Int) -> String? {
    guard registers.count == 2 || registers.count == 4, !registers.allSatisfy({ $0 == 0 }) else { return nil }
    func isSensible(_ reading: Reading) -> Bool {
      guard reading.quality == .good else { return false }
      return point.range != nil || reading.value == 0 || Self.sensibleMagnitude.contains(abs(reading.value))
    }
    guard !isSensible(reading) else { return nil }
    var candidate = point
    for bits in 0..<(registers.count == 4 ? 8 : 4) {
      candidate.order = RegisterOrder(
        bytesLittle: bits & 2 != 0, wordsLittle: bits & 1 != 0, halvesSwapped: bits & 4 != 0)
      let other = RegisterCodec(candidate).reading(registers.span, power: power)
      guard candidate.order != point.order, isSensible(other) else { continue }
      var words: [String] = []
      if candidate.order.wordsLittle { words.append("low register first") }
      if candidate.order.bytesLittle { words.append("low byte first") }
      if candidate.order.halvesSwapped { words.append("halves swapped") }
      return
        "read with \(words.isEmpty ? "high register and byte first" : words.joined(separator: ", ")) it is \(other.value)"
    }
    return nil
  }

  /// Manuals count from 1 or from 0: whether the address beside holds something.
  private func neighbour(of point: RegisterPoint, _ state: DeviceState, _ ticket: Turnstile.Ticket) async -> String? {
    for shift in [-1, 1] {
      let range = point.span.lowerBound + shift..<point.span.upperBound + shift
      guard range.lowerBound >= 0, range.upperBound <= 0x10000 else { continue }
      let registers: [UInt16]
      do throws(BusFault) {
        registers = try await self.registers(point.table, range, state, ticket)
      } catch {
        continue
      }
      let reading = RegisterCodec(point).reading(registers.span)
      guard reading.quality == .good, registers.contains(where: { $0 != 0 }) else { continue }
      return "address \(range.lowerBound) answers with \(reading.value): is the manual's numbering off by one?"
    }
    return nil
  }
}
