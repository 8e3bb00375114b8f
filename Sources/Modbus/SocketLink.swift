// Modbus through a TCP stream. libmodbus 3.1.6 keeps the serial lines and the servers of this room, but not this side:
// - its receive cuts frames by function and byte count and never looks at the MBAP length, so one odd reply loses the
//   boundary for all that follow, and why a reply was refused cannot be told from its result;
// - its connect allows the whole timeout to each address of a name in turn;
// - select(2) corrupts memory for descriptors from 1024 on;
// - RTU over TCP it does not have.

public import Seams

/// Modbus TCP.
public typealias TCPLink = SocketLink<MBAPFraming>
/// RTU frames through a TCP stream, as serial gateways in transparent mode speak.
public typealias RTUOverTCPLink = SocketLink<RTUFraming>

/// A device link over one TCP connection. Not Sendable: it belongs to one bus thread.
///
/// The connection is closed when its frame boundary is lost (malformed, wrong length, torn at the deadline), when
/// nobody answers twice in a row, and when a late reply could not be told from the next answer. It is never opened by
/// itself, with one exception: a question that a late reply could be taken for the answer to goes out on a new
/// connection.
public final class SocketLink<Framing: ReplyFraming>: DeviceLink {
  /// Timeouts in a row after which the peer is taken for dead.
  private static var timeoutsBeforeClose: Int { 2 }
  /// Late replies that one question skips; more is a flood.
  private static var lateRepliesMax: Int { 32 }
  /// Bytes of late replies taken off before a question; more is a flood.
  private static var drainBytesMax: Int { 16 * 1024 }

  public let host: String
  public let port: UInt16
  public private(set) var counters = LinkCounters()

  private var socket: StreamSocket?
  private var framing = Framing()
  /// Start of a frame, never more than one: reads ask only for what its frame still lacks.
  private var bytes: [UInt8] = []
  private var timeoutsInARow = 0

  /// `host` is an IPv4 or IPv6 address or a name.
  public init(host: String, port: UInt16 = 502) {
    (self.host, self.port) = (host, port)
  }

  public var isOpen: Bool {
    switch socket {
    case .some: true
    case .none: false
    }
  }

  public func open(timeoutMs: Int) throws(LinkFault) {
    close()
    try open(by: Deadline(milliseconds: timeoutMs))
  }

  public func close() {
    socket = nil
    framing = Framing()
    bytes.removeAll()
    timeoutsInARow = 0
  }

  public func transact(unit: UInt8, pdu: [UInt8], timeoutMs: Int) throws(LinkFault) -> [UInt8] {
    precondition((1...ModbusRequest.pduLengthMax).contains(pdu.count), "a PDU of \(pdu.count) bytes")
    let deadline = Deadline(milliseconds: timeoutMs)
    do throws(LinkFault) {
      guard isOpen else {
        throw LinkFault(.closed, "the link to \(host):\(port) is not open", remedy: "open the link first")
      }
      try settle()
      if framing.isAmbiguous(unit: unit, pdu: pdu) {
        drop()
        try open(by: deadline)
      }
      counters.requests += 1
      let frame = framing.frame(unit: unit, pdu: pdu)
      try socket!.send(frame, by: deadline)
      let reply = try receive(by: deadline)
      counters.replies += 1
      timeoutsInARow = 0
      return reply
    } catch {
      counters.count(error.kind)
      recover(from: error.kind)
      throw error
    }
  }

  private func open(by deadline: Deadline) throws(LinkFault) {
    socket = try StreamSocket.connect(host: host, port: port, by: deadline)
    counters.connects += 1
  }

  /// Takes off what came since the last question, without waiting.
  private func settle() throws(LinkFault) {
    var taken = 0
    while true {
      let count = try socket!.receiveNow(into: &bytes, atMost: 1024)
      if count == 0 { break }
      taken += count
      guard taken <= Self.drainBytesMax else { throw Self.flood }
    }
    if taken > 0 { counters.lateReplies += try framing.discardLate(&bytes) }
  }

  private func receive(by deadline: Deadline) throws(LinkFault) -> [UInt8] {
    var skipped = 0
    while true {
      switch try framing.scan(bytes) {
      case .needs(let count):
        try socket!.receive(into: &bytes, atMost: count, by: deadline)
      case .late(let length):
        bytes.removeFirst(length)
        counters.lateReplies += 1
        skipped += 1
        guard skipped <= Self.lateRepliesMax else { throw Self.flood }
      case .reply(let pdu):
        bytes.removeAll()
        return pdu
      }
    }
  }

  private func recover(from kind: LinkFault.Kind) {
    switch kind {
    case .timeout:
      timeoutsInARow += 1
      let isTorn = !bytes.isEmpty
      if isTorn || !framing.abandon() || timeoutsInARow >= Self.timeoutsBeforeClose { drop() }
    case .mismatched:
      bytes.removeAll()
      if !framing.abandon() { drop() }
    case .closed, .malformed, .wrongLength, .unreachable:
      drop()
    }
  }

  /// Closes a connection that the caller did not ask to close.
  private func drop() {
    if isOpen { counters.disconnects += 1 }
    close()
  }

  private static var flood: LinkFault {
    LinkFault(.malformed, "the peer floods the connection", remedy: "check that the port speaks Modbus")
  }
}

extension LinkCounters {
  /// Counts a fault of one transaction; a lost connection shows in `disconnects`.
  mutating func count(_ kind: LinkFault.Kind) {
    switch kind {
    case .timeout: timeouts += 1
    case .mismatched: mismatched += 1
    case .wrongLength: wrongLength += 1
    case .malformed: malformed += 1
    case .closed, .unreachable: break
    }
  }
}
