import Glibc
import Synchronization
public import TwinCore

/// What stands behind a `ModbusServer`: a simulated device, or several, told apart by unit.
public protocol RegisterBank: Sendable {
  /// Answers one valid request: `.registers` or `.bits` of the asked count for a read, `.written` for a write,
  /// `.exception` to refuse, or nil to stay silent as a dead unit does.
  ///
  /// Called on the thread in `ModbusServer.run`, one request at a time: a bank that blocks delays all clients, as a
  /// slow gateway does.
  func answer(_ request: ModbusRequest, unit: UInt8) -> ModbusReply?
}

/// A bank made of one closure.
public struct ClosureBank: RegisterBank {
  private let body: @Sendable (ModbusRequest, UInt8) -> ModbusReply?

  public init(_ body: @escaping @Sendable (ModbusRequest, UInt8) -> ModbusReply?) { self.body = body }

  public func answer(_ request: ModbusRequest, unit: UInt8) -> ModbusReply? { body(request, unit) }
}

/// Why a server could not start.
public struct ModbusFault: Fault, Equatable {
  public let message: String
  public let remedy: String
  public var code: String { "modbus.listen" }
}

/// A Modbus TCP server on libmodbus, for simulated plants. Any thread may call the control methods.
///
/// libmodbus reads a request only when all of it is there, so that a client that stops half-way holds up nobody.
public final class ModbusServer: Sendable {
  public struct Counts: Equatable, Sendable {
    public var connections = 0
    /// Connections closed at once because `connectionsMax` were open.
    public var refused = 0
    public var requests = 0
  }

  /// A whole request is there before the library reads it, so this never passes.
  private static let receiveMs: Int32 = 50

  private struct Control {
    var isRunning = false
    var isStopped = false
    var isPlugged = true
    var counts = Counts()
  }

  public let address: String
  /// The port listened on, also when it was asked for as 0.
  public let port: UInt16
  public let connectionsMax: Int

  private let bank: any RegisterBank
  private let wakePipe: WakePipe
  private let control = Mutex(Control())
  private let listener: Mutex<Int32>

  /// Listens from here on; clients wait until `run` is called.
  public init(
    bank: any RegisterBank, address: String = "127.0.0.1", port: UInt16 = 0, connectionsMax: Int = 16
  ) throws(ModbusFault) {
    precondition((1...256).contains(connectionsMax))
    guard let pipe = WakePipe() else {
      throw ModbusFault(message: "no descriptor left for a server", remedy: "raise the limit of open files")
    }
    let socket = try Self.listen(address, port)
    (self.bank, self.address, self.connectionsMax) = (bank, address, connectionsMax)
    self.port = Self.boundPort(socket)
    wakePipe = pipe
    listener = Mutex(socket)
  }

  deinit { closeListener() }

  public var counts: Counts { control.withLock { $0.counts } }
  public var isPlugged: Bool { control.withLock { $0.isPlugged } }

  /// Serves on the caller's thread until `stop`. Once only.
  public func run() {
    control.withLock {
      precondition(!$0.isRunning, "a server runs once")
      $0.isRunning = true
    }
    guard let library = LibModbus.server(address, port: port) else { return }
    var clients: [ServerClient] = []
    defer { for client in clients { client.close() } }
    while let isPlugged = control.withLock({ $0.isStopped ? nil : $0.isPlugged }) {
      if !isPlugged {
        for client in clients { client.close() }
        clients.removeAll()
        closeListener()
      } else if listener.withLock({ $0 < 0 }) {
        reopenListener()
      }
      wait(clients, library)
      serve(&clients, library)
    }
    closeListener()
  }

  /// Ends `run`; what is being answered is answered first.
  public func stop() {
    control.withLock { $0.isStopped = true }
    wakePipe.wake()
  }

  /// Pulls the plug: connections drop, new ones are refused, and no answer begins after this returns.
  public func unplug() {
    control.withLock { $0.isPlugged = false }
    wakePipe.wake()
  }

  public func replug() {
    control.withLock { $0.isPlugged = true }
    wakePipe.wake()
  }

  /// Waits for a request, a client, a control call, or the next look at half requests.
  private func wait(_ clients: [ServerClient], _ library: borrowing LibModbus) {
    let listening = listener.withLock { $0 }
    var watched = [pollfd(fd: wakePipe.readEnd, events: Int16(POLLIN), revents: 0)]
    watched.append(pollfd(fd: listening, events: Int16(POLLIN), revents: 0))
    // The rest of a half request makes no new event, so those sockets are looked at by time instead.
    for client in clients where !client.isHalfway {
      watched.append(pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0))
    }
    let isHurried = clients.contains { $0.isHalfway } || (listening < 0 && isPlugged)
    _ = unsafe poll(&watched, nfds_t(watched.count), isHurried ? 5 : 1000)
    wakePipe.clear()
  }

  private func serve(_ clients: inout [ServerClient], _ library: borrowing LibModbus) {
    accept(&clients, library)
    var kept: [ServerClient] = []
    for var client in clients {
      if answer(&client, library) { kept.append(client) } else { client.close() }
    }
    clients = kept
  }

  private func accept(_ clients: inout [ServerClient], _ library: borrowing LibModbus) {
    // The listener does not block, so the loop ends when nobody waits; a burst beyond the limit waits for the next
    // turn.
    for _ in 0...connectionsMax {
      let listening = listener.withLock { $0 }
      guard listening >= 0, isPlugged, let descriptor = library.accept(from: listening) else { return }
      let client = ServerClient(descriptor: descriptor)
      let isFull = clients.count >= connectionsMax
      control.withLock {
        $0.counts.connections += 1
        if isFull { $0.counts.refused += 1 }
      }
      if isFull { client.close() } else { clients.append(client) }
    }
  }

  /// Answers at most one request, so that no client starves another. False when the connection is over.
  private func answer(_ client: inout ServerClient, _ library: borrowing LibModbus) -> Bool {
    switch client.look() {
    case .nothing: return true
    case .over: return false
    case .request(let frame):
      return reply(to: frame, client, library)
    }
  }

  private func reply(to frame: [UInt8], _ client: ServerClient, _ library: borrowing LibModbus) -> Bool {
    control.withLock { $0.counts.requests += 1 }
    let pdu = Array(frame[7...])
    guard let request = ModbusRequest(pdu: pdu) else {
      // The library would cut this one by its function, into the next request or to wait for bytes that never come.
      let isKnown = [1, 2, 3, 4, 5, 6, 15, 16, 22, 23].contains(pdu[0])
      let code: ModbusException = isKnown ? .illegalDataValue : .illegalFunction
      return client.skip(frame.count) && library.refuse(frame, to: client.descriptor, code: code.code)
    }
    let read = library.receiveRequest(from: client.descriptor, milliseconds: Self.receiveMs)
    guard read == .frame(frame) else { return false }
    let answer = bank.answer(request, unit: frame[6])
    // Held while sending: after `unplug` has returned no answer begins.
    return control.withLock { state in
      guard state.isPlugged else { return false }
      guard let answer else { return true }
      if case .exception(let refusal) = answer {
        return library.refuse(frame, to: client.descriptor, code: refusal.code)
      }
      let image = request.image(of: answer)
      return library.reply(
        to: frame, client: client.descriptor, start: image.start, bits: image.bits, registers: image.registers)
    }
  }

  private func closeListener() {
    listener.withLock {
      if $0 >= 0 { _ = Glibc.close($0) }
      $0 = -1
    }
  }

  /// Another process may have taken the port meanwhile; then the next turn tries again.
  private func reopenListener() {
    guard let socket = try? Self.listen(address, port) else { return }
    listener.withLock { $0 = socket }
  }

  private static func listen(_ address: String, _ port: UInt16) throws(ModbusFault) -> Int32 {
    guard let library = LibModbus.server(address, port: port) else {
      throw ModbusFault(message: "\"\(address)\" is no address to listen on", remedy: "give an IPv4 or IPv6 address")
    }
    switch library.listen(backlog: 16) {
    case .success(let socket):
      _ = fcntl(socket, F_SETFL, O_NONBLOCK)
      return socket
    case .failure(let why):
      throw ModbusFault(
        message: "cannot listen on \(address):\(port): \(why.text)", remedy: "choose another port, or end its owner")
    }
  }

  private static func boundPort(_ socket: Int32) -> UInt16 {
    // The larger of the two families; the port sits at the same place in both.
    var name = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let status = unsafe withUnsafeMutablePointer(to: &name) { wide in
      unsafe wide.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(socket, $0, &size) }
    }
    return status == 0 ? UInt16(bigEndian: name.sin6_port) : 0
  }
}

extension ModbusRequest {
  /// The part of a device's memory that libmodbus needs to answer this request: what the bank gave, or room for what is
  /// written.
  fileprivate func image(of answer: ModbusReply) -> (start: Int, bits: [Bool], registers: [UInt16]) {
    switch (self, answer) {
    case (.read(let table, let address, let count), .bits(let bits)) where table.isBits && bits.count == Int(count):
      return (Int(address), bits, [])
    case (.read(let table, let address, let count), .registers(let words))
    where !table.isBits && words.count == Int(count):
      return (Int(address), [], words)
    case (.writeCoil(let address, _), .written):
      return (Int(address), [false], [])
    case (.writeCoils(let address, let values), .written):
      return (Int(address), values, [])
    case (.writeRegister(let address, _), .written), (.maskWrite(let address, _, _), .written):
      return (Int(address), [], [0])
    case (.writeRegisters(let address, let values), .written):
      return (Int(address), [], values)
    case (.readWrite(let from, let count, let to, let written), .registers(let words)) where words.count == Int(count):
      let start = min(Int(from), Int(to))
      let end = max(Int(from) + words.count, Int(to) + written.count)
      var image = [UInt16](repeating: 0, count: end - start)
      for index in words.indices { image[Int(from) - start + index] = words[index] }
      return (start, [], image)
    default:
      preconditionFailure("a bank answered \(self) with \(answer)")
    }
  }
}
