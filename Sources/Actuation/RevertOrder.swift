// A revert order's bytes, as they stand in an open lease on disk (canonical form, see TwinCore/Canonical.swift):
//
//   [1, point id, value, link, unit, timeout ms, function, [[address, [register…]]…], read-back]
//   link        [0, host, port] Modbus TCP, [1, host, port] RTU over TCP, [2, path, baud, parity, stop bits] serial
//   read-back   [table, address, [register…]]: what must stand there afterwards
//
// It holds all that giving the point back needs, and nothing that only a readable pack could tell: a daemon that cannot
// read its pack must still be able to let go of the plant.

public import Collectors
public import Seams
public import TwinCore

/// How to give one point back, in registers.
public struct RevertOrder: Sendable, Equatable {
  public var point: String
  public var value: Double
  public var link: LinkAddress
  public var unit: UInt8
  public var timeoutMs: Int
  public var function: UInt8
  public var writes: [RegisterWrite]
  public var readBack: RegisterWrite
  public var readBackTable: RegisterTable

  /// Registers to be written from an address on.
  public struct RegisterWrite: Sendable, Equatable {
    public var address: Int
    public var registers: [UInt16]
  }

  /// The order that writes `value` to a point of `device`. Throws where the value has no registers.
  public init(value: Double, of point: RegisterPoint, in device: Device) throws(BusFault) {
    guard let write = point.write else {
      throw BusFault(
        .unwritable, "\(device.id).\(point.name) has no write profile", remedy: "add `write:` to the profile")
    }
    let registers = try RegisterCodec(point).registers(for: value)
    self.point = "\(device.id).\(point.name)"
    (self.value, link, unit, timeoutMs) = (value, device.link, device.unit, device.timeoutMs)
    function = write.function
    writes = write.sequence.map { step in
      RegisterWrite(address: step.address, registers: step.value.map { [$0] } ?? registers)
    }
    readBack = RegisterWrite(address: point.address, registers: registers)
    readBackTable = point.table
  }

  /// Carries the order out over a link of its own: blocking, for a start or a stop, when no bus runs. Tries `attempts`
  /// times.
  public func carryOut(over link: any DeviceLink, attempts: Int = 3) -> WriteOutcome {
    var outcome = WriteOutcome.notSent
    for _ in 0..<attempts {
      do throws(LinkFault) {
        if !link.isOpen { try link.open(timeoutMs: timeoutMs) }
        outcome = try attempt(link)
      } catch {
        if outcome == .notSent, error.kind != .unreachable { outcome = .unknown }
        link.close()
      }
      if outcome == .confirmed { return outcome }
    }
    return outcome
  }

  private func attempt(_ link: any DeviceLink) throws(LinkFault) -> WriteOutcome {
    for write in writes {
      let request = Self.request(function, write)
      let reply = try link.transact(unit: unit, pdu: request, timeoutMs: timeoutMs)
      if reply.first != function { return .refusedByDevice }
    }
    let read: UInt8 =
      switch readBackTable {
      case .coil: 1
      case .discrete: 2
      case .holding: 3
      case .input: 4
      }
    let count = readBack.registers.count
    let request: [UInt8] = [read] + Self.bigEndian(readBack.address) + Self.bigEndian(count)
    let reply = try link.transact(unit: unit, pdu: request, timeoutMs: timeoutMs)
    guard reply.first == read, reply.count >= 3 else { return .unknown }
    if readBackTable.isBits {
      return (reply[2] & 1 == 1) == (readBack.registers[0] != 0) ? .confirmed : .mismatched
    }
    guard reply.count == 2 + 2 * count else { return .unknown }
    let seen = (0..<count).map { UInt16(reply[2 + 2 * $0]) << 8 | UInt16(reply[3 + 2 * $0]) }
    return seen == readBack.registers ? .confirmed : .mismatched
  }

  private static func request(_ function: UInt8, _ write: RegisterWrite) -> [UInt8] {
    let head = [function] + bigEndian(write.address)
    switch function {
    case 5: return head + (write.registers[0] != 0 ? [0xFF, 0] : [0, 0])
    case 6: return head + bigEndian(Int(write.registers[0]))
    case 15: return head + bigEndian(1) + [1, write.registers[0] != 0 ? 1 : 0]
    default:
      return head + bigEndian(write.registers.count) + [UInt8(write.registers.count * 2)]
        + write.registers.flatMap { bigEndian(Int($0)) }
    }
  }

  private static func bigEndian(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }
}

extension RevertOrder {
  public func encoded() -> [UInt8] {
    var writer = CanonicalWriter()
    writer.array(9)
    writer.integer(1)
    writer.text(point)
    writer.double(value)
    encodeLink(to: &writer)
    writer.integer(Int64(unit))
    writer.integer(timeoutMs)
    writer.integer(Int64(function))
    writer.array(writes.count)
    for write in writes { Self.encode(write, to: &writer) }
    writer.array(2)
    writer.text(readBackTable.rawValue)
    Self.encode(readBack, to: &writer)
    return writer.bytes
  }

  public init(decoding bytes: [UInt8]) throws(CanonicalFault) {
    var reader = CanonicalReader(bytes)
    try reader.structure(8, version: 1)
    point = try reader.text(limit: 256)
    value = try reader.double()
    link = try Self.link(from: &reader)
    unit = UInt8(clamping: try reader.int())
    timeoutMs = min(60_000, max(1, try reader.int()))
    function = UInt8(clamping: try reader.int())
    guard [5, 6, 15, 16].contains(function) else { throw CanonicalFault("write function \(function)") }
    writes = []
    for _ in 0..<(try reader.array(limit: 32)) { writes.append(try Self.registers(from: &reader)) }
    guard try reader.array() == 2, let table = RegisterTable(rawValue: try reader.text(limit: 16)) else {
      throw CanonicalFault("read-back without a table")
    }
    readBackTable = table
    readBack = try Self.registers(from: &reader)
  }

  private func encodeLink(to writer: inout CanonicalWriter) {
    switch link {
    case .tcp(let host, let port), .rtuOverTCP(let host, let port):
      writer.array(3)
      if case .tcp = link { writer.integer(0) } else { writer.integer(1) }
      writer.text(host)
      writer.integer(Int64(port))
    case .serial(let path, let baud, let parity, let stopBits):
      writer.array(5)
      writer.integer(2)
      writer.text(path)
      writer.integer(baud)
      writer.text(parity.rawValue)
      writer.integer(stopBits)
    }
  }

  private static func link(from reader: inout CanonicalReader) throws(CanonicalFault) -> LinkAddress {
    let count = try reader.array(limit: 8)
    let kind = try reader.integer()
    if kind == 2, count == 5 {
      let path = try reader.text(limit: 4096)
      let baud = try reader.int()
      guard let parity = LinkAddress.Parity(rawValue: try reader.text(limit: 8)) else { throw CanonicalFault("parity") }
      return .serial(path: path, baud: baud, parity: parity, stopBits: try reader.int())
    }
    guard count == 3, kind == 0 || kind == 1 else { throw CanonicalFault("link of kind \(kind)") }
    let host = try reader.text(limit: 1024)
    let port = UInt16(clamping: try reader.int())
    return kind == 0 ? .tcp(host: host, port: port) : .rtuOverTCP(host: host, port: port)
  }

  private static func encode(_ write: RegisterWrite, to writer: inout CanonicalWriter) {
    writer.array(2)
    writer.integer(write.address)
    writer.bytes(write.registers.flatMap { bigEndian(Int($0)) })
  }

  private static func registers(from reader: inout CanonicalReader) throws(CanonicalFault) -> RegisterWrite {
    guard try reader.array() == 2 else { throw CanonicalFault("a register write has two items") }
    let address = try reader.int()
    let raw = try reader.bytes(limit: 250)
    guard (0...0xFFFF).contains(address), !raw.isEmpty, raw.count % 2 == 0 else {
      throw CanonicalFault("register write of \(raw.count) bytes at \(address)")
    }
    let registers = stride(from: 0, to: raw.count, by: 2).map { UInt16(raw[$0]) << 8 | UInt16(raw[$0 + 1]) }
    return RegisterWrite(address: address, registers: registers)
  }
}
