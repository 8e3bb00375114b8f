public import TwinCore

/// One request/reply channel to field devices: a socket or a serial line, shared by the units behind it.
///
/// Blocking and single-threaded: a link belongs to one bus thread. `pdu` is a Modbus protocol data unit (function code
/// and data, MODBUS Application Protocol V1.1b3 §4.1), without address and checksum: framing is the link's business.
public protocol DeviceLink: AnyObject {
  var isOpen: Bool { get }
  /// Opens within `timeout`; closing first if it was open.
  func open(timeoutMs: Int) throws(LinkFault)
  /// Sends one request to `unit` and returns the PDU of its reply: matched by transaction, unit and function, exception
  /// replies included. Bytes of an earlier, late reply are never returned.
  func transact(unit: UInt8, pdu: [UInt8], timeoutMs: Int) throws(LinkFault) -> [UInt8]
  func close()
  /// Faults seen so far, by class.
  var counters: LinkCounters { get }
}

/// How a transaction failed below the level of Modbus exceptions.
public struct LinkFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// Name not found, refused, no route, no such serial port.
    case unreachable
    /// No complete reply in time.
    case timeout
    /// The other side closed or reset the connection.
    case closed
    /// A whole reply that answers another question (transaction, unit or function).
    case mismatched
    /// A reply shorter or longer than the request calls for.
    case wrongLength
    /// Bytes that are no frame (protocol id, checksum, impossible length).
    case malformed
  }

  public let kind: Kind
  public let message: String
  public let remedy: String

  public init(_ kind: Kind, _ message: String, remedy: String) {
    (self.kind, self.message, self.remedy) = (kind, message, remedy)
  }

  public var code: String { "link.\(kind.rawValue)" }
  public var isRetriable: Bool { true }
}

/// Counts of what a link detected; each class is an event that never became a value.
public struct LinkCounters: Equatable, Sendable {
  public var requests = 0
  public var replies = 0
  public var timeouts = 0
  public var lateReplies = 0
  public var mismatched = 0
  public var wrongLength = 0
  public var malformed = 0
  public var connects = 0
  public var disconnects = 0

  public init() {}
}
