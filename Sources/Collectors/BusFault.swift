import Modbus
public import Seams
public import TwinCore

/// Why a transaction on a bus, or the coding of a value for it, did not succeed.
public struct BusFault: Fault, Equatable {
  public enum Kind: Hashable, Sendable {
    /// The connection failed below the level of Modbus.
    case link(LinkFault.Kind)
    /// The device refused, with this exception code; it is alive.
    case exception(UInt8)
    /// The connection waits before it is tried again.
    case linkDown
    /// The unit's breaker is open: nothing was sent.
    case silent
    /// The unit asked for time, or too many callers wait.
    case busy
    /// The bus was made without the right to write: nothing was sent.
    case writesForbidden
    /// The confirmation of a write names something else than what was written.
    case echo
    /// No such device or point on this bus.
    case unknown
    /// The value has no registers: too large, not a number, or one that means "no value".
    case unfit
    /// The point is not for writing, or its type cannot be written alone.
    case unwritable
    /// The caller's task was cancelled before anything was sent.
    case cancelled
  }

  public let kind: Kind
  public let message: String
  public let remedy: String

  public init(_ kind: Kind, _ message: String, remedy: String) {
    (self.kind, self.message, self.remedy) = (kind, message, remedy)
  }

  init(_ fault: LinkFault) { self.init(.link(fault.kind), fault.message, remedy: fault.remedy) }

  init(exception code: UInt8, device: String, doing what: String) {
    self.init(
      .exception(code), "\(device) answered \(what) with \(ModbusException(code: code))",
      remedy: "compare the point's table and address with the vendor's register map")
  }

  public var code: String {
    switch kind {
    case .link(let kind): "bus.link_\(kind.rawValue)"
    case .exception: "bus.exception"
    case .linkDown: "bus.link_down"
    case .silent: "bus.unit_silent"
    case .busy: "bus.busy"
    case .writesForbidden: "bus.writes_forbidden"
    case .echo: "bus.echo"
    case .unknown: "bus.unknown_point"
    case .unfit: "bus.unfit_value"
    case .unwritable: "bus.unwritable"
    case .cancelled: "bus.cancelled"
    }
  }

  public var isRetriable: Bool {
    switch kind {
    case .link, .linkDown, .silent, .busy, .echo, .cancelled: true
    case .exception(let code): [5, 6, 10, 11].contains(code)
    case .writesForbidden, .unknown, .unfit, .unwritable: false
    }
  }

  /// Whether it is certain that no byte of the request reached the device.
  public var isUnsent: Bool {
    switch kind {
    case .link(let kind): kind == .unreachable
    case .exception, .echo: false
    default: true
    }
  }
}
