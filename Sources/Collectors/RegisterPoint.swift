public import TwinCore

/// The four address spaces of the Modbus data model (MODBUS Application Protocol V1.1b3 §4.3).
public enum RegisterTable: String, Sendable, CaseIterable {
  case coil, discrete, input, holding

  /// Whether an element is one bit instead of 16.
  public var isBits: Bool { self == .coil || self == .discrete }
}

/// How the registers of a point become a number, and back.
public enum RegisterType: Hashable, Sendable {
  case bool
  /// One half of a register.
  case uint8(Half), int8(Half)
  case uint16, int16, uint32, int32, uint64, int64
  case float16, float32, float64
  /// Binary-coded decimal, four digits a register.
  case bcd16, bcd32
  /// Decimal groups of 10,000, most significant first (M10k), of 2 to 4 registers.
  case m10k(registers: Int)
  /// `width` bits from bit `lowest` (0 is the least significant) of one register.
  case bits(lowest: Int, width: Int)
  /// A SunSpec scale factor: a power of ten, -10 to 10.
  case scaleFactor
  /// Seconds since 1970 UTC, 32 bits.
  case epoch32
  /// ASCII, `registers` long, by which bytes of each register carry it.
  case text(registers: Int, bytes: TextBytes)

  public enum Half: Hashable, Sendable { case high, low }
  public enum TextBytes: Hashable, Sendable { case both, high, low }

  /// Registers (or bits, for `bool` in a bit table) that the value takes.
  public var registers: Int {
    switch self {
    case .bool, .uint8, .int8, .uint16, .int16, .float16, .bcd16, .bits, .scaleFactor: 1
    case .uint32, .int32, .float32, .bcd32, .epoch32: 2
    case .uint64, .int64, .float64: 4
    case .m10k(let registers), .text(let registers, _): registers
    }
  }

  /// Whether the value is a whole number before scaling.
  public var isInteger: Bool {
    switch self {
    case .float16, .float32, .float64, .text: false
    default: true
    }
  }
}

/// The order of bytes within a register and of registers within a value.
public struct RegisterOrder: Hashable, Sendable {
  public var bytesLittle: Bool
  public var wordsLittle: Bool
  /// 64-bit values only: the two 32-bit halves change places, after `wordsLittle` has reversed all four registers.
  public var halvesSwapped: Bool

  public init(bytesLittle: Bool = false, wordsLittle: Bool = false, halvesSwapped: Bool = false) {
    (self.bytesLittle, self.wordsLittle, self.halvesSwapped) = (bytesLittle, wordsLittle, halvesSwapped)
  }
}

/// What happens to a register that is written often.
public enum RegisterWear: Hashable, Sendable {
  case volatile
  /// Kept in non-volatile memory: at most so many writes a day.
  case nonVolatile(writesPerDay: Int)
}

/// One register write of a sequence, before the value or after it: an enable, a commit, a key.
public struct RegisterStep: Hashable, Sendable {
  public var address: Int
  /// nil stands for the setpoint's own registers.
  public var value: UInt16?

  public init(address: Int, value: UInt16?) { (self.address, self.value) = (address, value) }
}

/// The device's own guard against a silent controller: it falls back by itself unless the register is written again in
/// time.
public struct DeviceWatchdog: Hashable, Sendable {
  public var address: Int
  /// The seconds that twind asks the device to wait; written to the register, in its own unit, before the first
  /// setpoint.
  public var timeoutSeconds: Int
  /// How often twind writes it again.
  public var refreshSeconds: Int

  public init(address: Int, timeoutSeconds: Int, refreshSeconds: Int) {
    (self.address, self.timeoutSeconds, self.refreshSeconds) = (address, timeoutSeconds, refreshSeconds)
  }
}

/// How a point is written.
public struct WriteProfile: Hashable, Sendable {
  /// 5, 6, 15 or 16.
  public var function: UInt8
  /// In order; exactly one step has no value of its own, and stands for the setpoint.
  public var sequence: [RegisterStep]
  /// How far the read-back may lie from what was asked, in the point's unit.
  public var tolerance: Double
  /// How long the device may take to show the new value.
  public var readbackMs: Int
  /// Another point of the device that shows the value as applied; nil reads the written registers themselves.
  public var readbackPoint: String?
  public var wear: RegisterWear
  public var watchdog: DeviceWatchdog?

  public init(
    function: UInt8, sequence: [RegisterStep], tolerance: Double, readbackMs: Int, readbackPoint: String? = nil,
    wear: RegisterWear = .volatile, watchdog: DeviceWatchdog? = nil
  ) {
    (self.function, self.sequence, self.tolerance, self.readbackMs) = (function, sequence, tolerance, readbackMs)
    (self.readbackPoint, self.wear, self.watchdog) = (readbackPoint, wear, watchdog)
  }
}

/// A point of a device profile: where it lives and what it means.
public struct RegisterPoint: Hashable, Sendable {
  public var name: String
  public var table: RegisterTable
  /// The address on the wire, 0-based.
  public var address: Int
  public var type: RegisterType
  public var order: RegisterOrder
  public var scale: Double
  public var offset: Double
  /// The name of the point in the same device that holds this one's power of ten; read in the same request or
  /// `suspect`.
  public var scaleFrom: String?
  /// UCUM.
  public var unit: String
  /// Outside of it a reading is `suspect`.
  public var range: ClosedRange<Double>?
  /// Raw values that mean "no value".
  public var sentinels: [UInt64]
  public var symbols: [Int: String]
  public var everyMs: Int
  /// One standard deviation of the sensor, in the unit; 0 where not stated (then half the last digit counts).
  public var accuracy: Double
  /// Present where the point may be written.
  public var write: WriteProfile?
  public var data: DataPolicy

  public init(
    name: String, table: RegisterTable, address: Int, type: RegisterType, order: RegisterOrder = RegisterOrder(),
    scale: Double = 1, offset: Double = 0, scaleFrom: String? = nil, unit: String = "1",
    range: ClosedRange<Double>? = nil,
    sentinels: [UInt64] = [], symbols: [Int: String] = [:], everyMs: Int = 1000, accuracy: Double = 0,
    write: WriteProfile? = nil, data: DataPolicy = DataPolicy()
  ) {
    (self.name, self.table, self.address, self.type, self.order) = (name, table, address, type, order)
    (self.scale, self.offset, self.scaleFrom, self.unit) = (scale, offset, scaleFrom, unit)
    (self.range, self.sentinels, self.symbols) = (range, sentinels, symbols)
    (self.everyMs, self.accuracy, self.write, self.data) = (everyMs, accuracy, write, data)
  }

  /// The address as vendors' manuals number it: 1-based, with the table's leading digit (40001 is holding register 0).
  public var reference: Int {
    switch table {
    case .coil: 1 + address
    case .discrete: 10_001 + address
    case .input: 30_001 + address
    case .holding: 40_001 + address
    }
  }
}

/// Where a device is reached. Units behind the same place share one connection and one thread.
public enum LinkAddress: Hashable, Sendable {
  case tcp(host: String, port: UInt16)
  case rtuOverTCP(host: String, port: UInt16)
  case serial(path: String, baud: Int, parity: Parity, stopBits: Int)

  public enum Parity: String, Sendable { case none, even, odd }

  public var text: String {
    switch self {
    case .tcp(let host, let port): "modbus-tcp \(host):\(port)"
    case .rtuOverTCP(let host, let port): "modbus-rtu over tcp \(host):\(port)"
    case .serial(let path, let baud, let parity, let stopBits):
      "modbus-rtu \(path) \(baud)-8-\(parity.rawValue.prefix(1).uppercased())-\(stopBits)"
    }
  }
}

/// A device of a site: a profile at an address.
public struct Device: Hashable, Sendable {
  public var id: String
  public var profile: String
  public var link: LinkAddress
  public var unit: UInt8
  public var points: [RegisterPoint]
  public var timeoutMs: Int
  /// Rest between two requests on the connection.
  public var gapMs: Int
  /// Rest after connecting, before the first request.
  public var connectDelayMs: Int
  /// 1 to 125; the learned limit may be lower.
  public var registersPerRequestMax: Int
  /// Registers that may be read for nothing to save a request; nil lets the cost model decide.
  public var gapMergeMax: Int?

  public init(
    id: String, profile: String, link: LinkAddress, unit: UInt8, points: [RegisterPoint], timeoutMs: Int = 1000,
    gapMs: Int = 0, connectDelayMs: Int = 0, registersPerRequestMax: Int = 125, gapMergeMax: Int? = nil
  ) {
    (self.id, self.profile, self.link, self.unit, self.points) = (id, profile, link, unit, points)
    (self.timeoutMs, self.gapMs, self.connectDelayMs) = (timeoutMs, gapMs, connectDelayMs)
    (self.registersPerRequestMax, self.gapMergeMax) = (registersPerRequestMax, gapMergeMax)
  }
}
