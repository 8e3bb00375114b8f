import Modbus
public import Seams
import Synchronization
public import TwinCore

/// Whether a bus may write at all. A bus with `never` hands no write request to its link, whoever asks.
public enum WritePolicy: Sendable, Equatable {
  case never, allowed
}

/// The one master of a connection and of the units behind it: polls, writes, read-backs, probes and a technician's
/// questions all pass here, one request at a time.
///
/// Runs on a thread of its own, which a blocking transaction may hold. Callers queue by priority (write, read-back,
/// poll, probe, technician): a write waits for at most the one request that is out. Nothing waits for ever: each
/// request ends by the device's timeout, and at most `Turnstile.waitingMax` callers queue.
public actor Bus {
  /// A device as the bus sees it. Devices behind one unit number share the unit's breaker.
  final class DeviceState {
    let device: Device
    let index: Int
    let unit: UnitState
    let points: [String: RegisterPoint]
    var holes: HoleMap
    var nextCheck: Instant?
    var groups: [GroupState] = []

    init(_ device: Device, index: Int, unit: UnitState, holes: HoleMap) {
      (self.device, self.index, self.unit, self.holes) = (device, index, unit, holes)
      points = Dictionary(device.points.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      nextCheck = holes.nextCheck?.at
    }
  }

  final class UnitState {
    var breaker: UnitBreaker
    var roundTrips = RoundTrips()
    var busyUntil = Uptime(nanoseconds: .min)
    var busyInARow = 0

    init(busShare: Double) { breaker = UnitBreaker(busShare: busShare) }
  }

  final class GroupState {
    let group: PollGroup
    unowned let device: DeviceState
    var plan: ReadPlan
    var decoder: GroupDecoder
    var due: Uptime = .never
    var run: Run?

    struct Run {
      var deadline: Uptime
      var begun: Instant
      var begunUptime: Uptime
    }

    init(_ group: PollGroup, device: DeviceState, textNames: [String]) {
      (self.group, self.device) = (group, device)
      let decoder = GroupDecoder(points: device.device.points, names: group.points, textNames: textNames)
      let first = group.first.flatMap { group.points.firstIndex(of: $0) }.map { decoder.piece(ofColumn: $0) }
      self.decoder = decoder
      plan = ReadPlan(pieces: decoder.pieces, bonds: decoder.bonds, first: first)
    }

    var periodNanoseconds: Int64 { Int64(group.everyMs) * 1_000_000 }
  }

  private let executor: ThreadExecutor
  public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
  public nonisolated let address: LinkAddress
  nonisolated let board: StatusBoard
  nonisolated let turnstile = Turnstile()
  nonisolated let portIsClaimed = Atomic<Bool>(false)
  nonisolated let clock: any SiteClock
  nonisolated let policy: WritePolicy
  let deliver: @Sendable (Frame) -> Void
  let remember: @Sendable (String, [UInt8]) -> Void

  let link: any DeviceLink
  let devices: [DeviceState]
  let groups: [GroupState]
  var random: SeededGenerator
  var backoff = ReconnectBackoff()
  /// Before this the line rests.
  var earliest = Uptime(nanoseconds: .min)
  var isEnded = false

  /// - Parameters:
  ///   - groups: Those of other buses' devices are ignored.
  ///   - facts: What `remember` was given in earlier lives, by device; bytes that are damaged, or of another profile
  ///     or unit,
  ///     count for nothing.
  ///   - seed: For the jitter of retries.
  ///   - remember: Takes a device's id and learned facts whenever these change. Must not block.
  ///   - deliver: Takes each poll's frame, on the bus's thread. Must not block.
  public init(
    address: LinkAddress, devices: [Device], groups: [PollGroup], link: sending any DeviceLink, clock: any SiteClock,
    policy: WritePolicy, seed: UInt64, facts: [String: [UInt8]] = [:],
    remember: @escaping @Sendable (String, [UInt8]) -> Void = { _, _ in }, deliver: @escaping @Sendable (Frame) -> Void
  ) {
    executor = ThreadExecutor(name: "bus")
    (self.address, self.link, self.clock, self.policy) = (address, link, clock, policy)
    (self.remember, self.deliver) = (remember, deliver)
    random = SeededGenerator(seed: seed)
    board = StatusBoard(devices)
    let unitNumbers = Set(devices.map(\.unit))
    var units: [UInt8: UnitState] = [:]
    for number in unitNumbers { units[number] = UnitState(busShare: unitNumbers.count > 1 ? 0.1 : 0.5) }
    var states: [DeviceState] = []
    for (index, device) in devices.enumerated() {
      guard let unit = units[device.unit] else { continue }
      states.append(
        DeviceState(device, index: index, unit: unit, holes: Self.recall(facts[device.id], for: device)))
    }
    self.devices = states
    var all: [GroupState] = []
    for state in states {
      let own = groups.filter { $0.device == state.device.id }
      let slowest = own.map(\.everyMs).max()
      for group in own {
        let texts = state.device.points.filter { point in
          point.isText && (own.contains { $0.everyMs == point.everyMs } ? point.everyMs : slowest) == group.everyMs
        }
        state.groups.append(GroupState(group, device: state, textNames: texts.map(\.name)))
      }
      all += state.groups
    }
    self.groups = all
  }

  deinit { executor.stop() }

  /// What is known about each device, in the order given; never waits for the bus.
  public nonisolated var statuses: [DeviceStatus] { board.all }

  public nonisolated func status(of device: String) -> DeviceStatus? { board.all.first { $0.device == device } }

  private static func recall(_ bytes: [UInt8]?, for device: Device) -> HoleMap {
    if let bytes, let map = try? HoleMap(bytes: bytes), map.profile == device.profile, map.unit == device.unit {
      return map
    }
    return HoleMap(profile: device.profile, unit: device.unit)
  }

  func state(of device: String) throws(BusFault) -> DeviceState {
    guard let state = devices.first(where: { $0.device.id == device }) else {
      throw BusFault(.unknown, "no device \(device) on \(address.text)", remedy: "use a device of this bus")
    }
    return state
  }

  func point(_ name: String, of state: DeviceState) throws(BusFault) -> RegisterPoint {
    guard let point = state.points[name] else {
      throw BusFault(
        .unknown, "device \(state.device.id) has no point \(name)",
        remedy: "use a point of profile \(state.device.profile)")
    }
    return point
  }
}

extension LinkAddress {
  /// The link that the address names, closed; each bus needs one of its own.
  public func makeLink() -> sending any DeviceLink {
    switch self {
    case .tcp(let host, let port): TCPLink(host: host, port: port)
    case .rtuOverTCP(let host, let port): RTUOverTCPLink(host: host, port: port)
    case .serial(let path, let baud, let parity, let stopBits):
      SerialLink(
        path: path,
        settings: SerialSettings(
          baud: baud, parity: SerialSettings.Parity(rawValue: parity.rawValue) ?? .none, stopBits: stopBits))
    }
  }
}
