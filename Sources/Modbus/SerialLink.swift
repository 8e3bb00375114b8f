import Glibc
public import Seams

/// How the bytes of a serial bus are shaped.
public struct SerialSettings: Equatable, Sendable {
  public enum Parity: String, Sendable, CaseIterable {
    case none = "N"
    case even = "E"
    case odd = "O"
  }

  /// Those that libmodbus sets; it would take 9600 for any other without a word.
  public static let baudRates = [
    110, 300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 576000, 921600,
    1_000_000,
  ]

  public var baud: Int
  public var parity: Parity
  public var dataBits: Int
  public var stopBits: Int

  /// Standard: 19200 baud, even parity, 8 data bits, 1 stop bit (MODBUS over Serial Line V1.02 §2.5.1).
  public init(baud: Int = 19200, parity: Parity = .even, dataBits: Int = 8, stopBits: Int = 1) {
    (self.baud, self.parity, self.dataBits, self.stopBits) = (baud, parity, dataBits, stopBits)
  }

  public var isValid: Bool {
    Self.baudRates.contains(baud) && (7...8).contains(dataBits) && (1...2).contains(stopBits)
  }

  /// The least silence between two frames: 3.5 characters of 11 bits, 1750 µs above 19200 baud (§2.5.1.1).
  var silence: Duration {
    baud > 19200 ? .microseconds(1750) : .microseconds(38_500_000 / baud)
  }
}

/// Modbus RTU on a serial port, through libmodbus. Not Sendable: it belongs to one bus thread.
///
/// The line has no transaction ids and cannot be reconnected, so after a timeout the same question is put to the same
/// unit only when the line has been listened to for `lateGraceMs` more; this time comes on top of the next timeout. A
/// unit whose answers are later than that needs a longer timeout.
public final class SerialLink: DeviceLink {
  public static let lateGraceMs = 250
  private static let lateRepliesMax = 32
  private static let frameBytesMax = 256
  /// No byte for this long ends a late frame: USB adapters hand theirs over every 16 ms.
  private static let gapMs = 40

  public let path: String
  public let settings: SerialSettings
  public private(set) var counters = LinkCounters()

  private var port: LibModbus?
  private var quietSince = ContinuousClock.now
  private var unanswered: (unit: UInt8, function: UInt8)?

  public init(path: String, settings: SerialSettings = SerialSettings()) {
    (self.path, self.settings) = (path, settings)
  }

  public var isOpen: Bool {
    switch port {
    case .some: true
    case .none: false
    }
  }

  /// Opening a port does not wait, so the timeout has nothing to bound.
  public func open(timeoutMs: Int) throws(LinkFault) {
    close()
    guard settings.isValid, !path.isEmpty else {
      throw unreachable("\(settings) is not a serial format of this link")
    }
    let parity = Character(settings.parity.rawValue)
    guard
      let opened = LibModbus.serial(
        path, baud: settings.baud, parity: parity, dataBits: settings.dataBits, stopBits: settings.stopBits)
    else { throw unreachable("out of memory") }
    if let why = opened.connect() { throw unreachable(why) }
    port = consume opened
    counters.connects += 1
  }

  public func close() {
    port = nil
    unanswered = nil
  }

  /// Units 1 to 247; broadcasts have no reply and are not sent.
  public func transact(unit: UInt8, pdu: [UInt8], timeoutMs: Int) throws(LinkFault) -> [UInt8] {
    precondition((1...ModbusRequest.pduLengthMax).contains(pdu.count), "a PDU of \(pdu.count) bytes")
    do throws(LinkFault) {
      let reply = try exchange(unit, pdu, timeoutMs)
      counters.replies += 1
      return reply
    } catch {
      counters.count(error.kind)
      if error.kind == .closed, isOpen {
        counters.disconnects += 1
        close()
      } else if isOpen {
        unanswered = (unit, pdu[0])
      }
      throw error
    }
  }

  private func exchange(_ unit: UInt8, _ pdu: [UInt8], _ timeoutMs: Int) throws(LinkFault) -> [UInt8] {
    guard isOpen else { throw LinkFault(.closed, "\(path) is not open", remedy: "open the link first") }
    guard (1...247).contains(unit) else {
      throw LinkFault(
        .unreachable, "unit \(unit) on a serial line, 1 to 247 wanted", remedy: "give the unit's own address")
    }
    if let late = unanswered, late.unit == unit, late.function == pdu[0] { _ = wait(milliseconds: Self.lateGraceMs) }
    settle()
    let deadline = Deadline(milliseconds: timeoutMs)
    counters.requests += 1
    if let why = port!.send(unit: unit, pdu: pdu) { throw lost(why) }
    for _ in 0...Self.lateRepliesMax {
      let outcome = port!.receiveReply(milliseconds: deadline.milliseconds)
      quietSince = .now
      switch outcome {
      case .frame(let frame):
        let reply = Array(frame[1..<(frame.count - 2)])
        if reply[0] & 0x7F != pdu[0], strikeUnanswered(frame) { continue }
        try ReplyShape.check(reply, answers: pdu)
        unanswered = nil
        return reply
      case .otherUnit(let frame):
        try checkLate(frame)
      case .timeout:
        throw LinkFault(
          .timeout, "unit \(unit) on \(path): no complete reply in time",
          remedy: "check address, wiring and baud rate, or raise the unit's timeout")
      case .badChecksum, .tooLong:
        throw malformed("a reply with a wrong checksum or length")
      case .lost(let why):
        throw lost(why)
      }
    }
    throw malformed("frames that nobody asked for, without end")
  }

  /// Accepts the frame of another unit as a late reply if that unit owes one.
  private func checkLate(_ frame: [UInt8]) throws(LinkFault) {
    let length = try RTUFraming.frameLength(frame)
    guard CRC16.isRight(frame, length: length) else { throw malformed("a reply with a wrong checksum") }
    guard strikeUnanswered(frame) else {
      throw LinkFault(
        .mismatched, "a reply of unit \(frame[0]) that nobody asked for",
        remedy: "look for a second master, or two units with one address")
    }
  }

  private func strikeUnanswered(_ frame: [UInt8]) -> Bool {
    guard let late = unanswered, late.unit == frame[0], late.function == frame[1] & 0x7F else { return false }
    unanswered = nil
    counters.lateReplies += 1
    return true
  }

  /// Takes off what came since the last question, then keeps the silence that separates frames.
  private func settle() {
    if wait(milliseconds: 0) {
      counters.lateReplies += 1
      unanswered = nil
      // The rest of a frame under way would otherwise be read as the head of the reply.
      for _ in 0..<Self.frameBytesMax {
        port!.flush()
        guard wait(milliseconds: Self.gapMs) else { break }
      }
      quietSince = .now
    }
    pause(settings.silence - (.now - quietSince))
    port!.flush()
  }

  /// Whether a byte is there within the time.
  private func wait(milliseconds: Int) -> Bool {
    var watched = pollfd(fd: port!.descriptor(), events: Int16(POLLIN), revents: 0)
    return unsafe Glibc.poll(&watched, 1, Int32(milliseconds)) > 0 && watched.revents & Int16(POLLIN) != 0
  }

  private func pause(_ span: Duration) {
    let (seconds, attoseconds) = span.components
    guard seconds >= 0, attoseconds >= 0 else { return }
    var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var rest = timespec()
    while unsafe nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
  }

  private func malformed(_ what: String) -> LinkFault {
    LinkFault(.malformed, "\(path): \(what)", remedy: "check wiring, termination, baud rate and parity of the bus")
  }

  private func lost(_ why: String) -> LinkFault {
    LinkFault(.closed, "\(path): \(why)", remedy: "check that the adapter is plugged in, then open the link again")
  }

  private func unreachable(_ why: String) -> LinkFault {
    LinkFault(.unreachable, "\(path): \(why)", remedy: "check the port's name, its rights and the serial format")
  }
}
