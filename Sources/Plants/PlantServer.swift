public import Collectors
import Glibc
public import Modbus
import Synchronization
public import TwinCore

/// Gives a simulated plant the register maps of a pack's devices: the pack is tried against what it will meet on site.
///
/// The plant moves with the clock that `now` reads; it is brought up to date when somebody asks.
public final class PlantFace: RegisterBank {
  /// One device as its registers.
  fileprivate struct Unit: Sendable {
    var points: [Entry] = []
    /// Addresses that answer, per table; gaps between points hold 0, what is outside is illegal.
    var known: [Table: Set<Int>] = [:]
    var memory: [Table: [Int: UInt16]] = [:]
  }

  fileprivate struct Entry: Sendable {
    var signal: String
    var point: RegisterPoint
    var codec: RegisterCodec
  }

  fileprivate struct State: Sendable {
    var plant: PackPlant
    var units: [UInt8: Unit]
    var steppedAt: Uptime?
  }

  private let state: Mutex<State>
  private let now: @Sendable () -> Uptime

  /// A plant is not moved in smaller steps than this.
  private static let stepNanoseconds: Int64 = 50_000_000
  /// After a longer pause (a machine asleep) the plant does not run after the clock.
  private static let catchUpNanoseconds: Int64 = 60_000_000_000

  /// - Parameters:
  ///   - missing: Points of the profile that the real device does not have: their registers are illegal.
  public init(
    devices: [Device], plant: PackPlant, missing: Set<String> = [], now: @escaping @Sendable () -> Uptime
  ) {
    var units: [UInt8: Unit] = [:]
    for device in devices {
      var unit = units[device.unit] ?? Unit()
      for point in device.points {
        let signal = "\(device.id).\(point.name)"
        guard !missing.contains(signal) else { continue }
        unit.points.append(Entry(signal: signal, point: point, codec: RegisterCodec(point)))
      }
      units[device.unit] = unit
    }
    for unit in units.keys { units[unit]?.layOut(missing: missing, devices: devices.filter { $0.unit == unit }) }
    state = Mutex(State(plant: plant, units: units))
    self.now = now
  }

  /// Changes the plant: breaks it, heals it.
  public func change(_ body: @Sendable (inout PackPlant) -> Void) { state.withLock { body(&$0.plant) } }

  /// What the instruments show now.
  public var outputs: [String: Double] {
    state.withLock { state in
      state.advance(to: now(), Self.stepNanoseconds, Self.catchUpNanoseconds)
      return state.plant.outputs
    }
  }

  public func answer(_ request: ModbusRequest, unit number: UInt8) -> ModbusReply? {
    state.withLock { state -> ModbusReply? in
      guard state.units[number] != nil else { return nil }
      state.advance(to: now(), Self.stepNanoseconds, Self.catchUpNanoseconds)
      return state.answer(request, unit: number)
    }
  }
}

extension PlantFace.Unit {
  fileprivate mutating func layOut(missing: Set<String>, devices: [Device]) {
    for entry in points {
      for address in entry.point.span { known[entry.point.table, default: []].insert(address) }
      if let write = entry.point.write {
        for step in write.sequence where step.value != nil { known[.holding, default: []].insert(step.address) }
        if let watchdog = write.watchdog { known[.holding, default: []].insert(watchdog.address) }
      }
    }
    for table in known.keys {
      guard let all = known[table], let low = all.min(), let high = all.max(), high - low <= 4096 else { continue }
      known[table] = Set(low...high)
    }
    for device in devices {
      for point in device.points where missing.contains("\(device.id).\(point.name)") {
        for address in point.span { known[point.table]?.remove(address) }
      }
    }
  }

  fileprivate func knows(_ table: Table, _ range: Range<Int>) -> Bool {
    guard let addresses = known[table] else { return false }
    return range.allSatisfy { addresses.contains($0) }
  }

  fileprivate mutating func show(_ outputs: [String: Double]) {
    for entry in points {
      guard let value = outputs[entry.signal], let registers = try? entry.codec.registers(for: value) else { continue }
      for (offset, register) in registers.enumerated() {
        memory[entry.point.table, default: [:]][entry.point.address + offset] = register
      }
    }
  }
}

extension PlantFace.State {
  fileprivate mutating func advance(to now: Uptime, _ step: Int64, _ catchUp: Int64) {
    let span = steppedAt.map { now.nanoseconds(since: $0) } ?? step
    guard span >= step else { return }
    steppedAt = now
    plant.step(seconds: Double(min(span, catchUp)) / 1e9)
    let outputs = plant.outputs
    for unit in units.keys { units[unit]?.show(outputs) }
  }

  fileprivate mutating func answer(_ request: ModbusRequest, unit number: UInt8) -> ModbusReply? {
    switch request {
    case .read(let wire, let address, let count):
      let table = Table(wire)
      let range = Int(address)..<Int(address) + Int(count)
      guard let unit = units[number], unit.knows(table, range) else { return .exception(.illegalDataAddress) }
      let values = range.map { unit.memory[table]?[$0] ?? 0 }
      return table.isBits ? .bits(values.map { $0 != 0 }) : .registers(values)
    case .writeCoil(let address, let value): return write(number, .coil, Int(address), [value ? 1 : 0])
    case .writeCoils(let address, let values): return write(number, .coil, Int(address), values.map { $0 ? 1 : 0 })
    case .writeRegister(let address, let value): return write(number, .holding, Int(address), [value])
    case .writeRegisters(let address, let values): return write(number, .holding, Int(address), values)
    default: return .exception(.illegalFunction)
    }
  }

  /// Raw registers are kept; a point that lies wholly within them is handed to the plant.
  private mutating func write(_ number: UInt8, _ table: Table, _ start: Int, _ values: [UInt16]) -> ModbusReply {
    let range = start..<start + values.count
    guard let unit = units[number], unit.knows(table, range) else { return .exception(.illegalDataAddress) }
    for (offset, value) in values.enumerated() { units[number]?.memory[table, default: [:]][start + offset] = value }
    for entry in unit.points where entry.point.table == table && entry.point.span.overlaps(range) {
      let registers = entry.point.span.map { units[number]?.memory[table]?[$0] ?? 0 }
      let reading = entry.codec.reading(registers)
      guard reading.quality.hasValue, plant.set(entry.signal, reading.value) else {
        return .exception(.illegalDataValue)
      }
    }
    units[number]?.show(plant.outputs)
    return .written
  }
}

/// The collectors' word for an address space; the wire has its own.
fileprivate typealias Table = Collectors.RegisterTable

extension Collectors.RegisterTable {
  fileprivate init(_ wire: Modbus.RegisterTable) {
    self =
      switch wire {
      case .coils: .coil
      case .discreteInputs: .discrete
      case .inputRegisters: .input
      case .holdingRegisters: .holding
      }
  }
}

extension PackPlant {
  /// The plant that a pack's devices describe: physics where it knows the points, plausible signals elsewhere.
  public init(devices: [Device], seed: UInt64, start: Instant, offsetSeconds: Int, acceleration: Double) {
    let signals = devices.flatMap { device in
      device.points.map { point in
        let states = point.symbols.keys.sorted().map(Double.init)
        return PlantSignal(
          "\(device.id).\(point.name)", unit: point.unit, range: point.range ?? 0...100, isWritable: point.write != nil,
          course: states.isEmpty ? nil : .states(states))
      }
    }
    self.init(
      seed: seed, signals: signals, start: start, offsetSeconds: offsetSeconds, acceleration: acceleration)
  }
}
