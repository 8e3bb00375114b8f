public import Seams
import Synchronization
public import TwinCore

/// What is known about one device now: a value, read without waiting for the bus.
public struct DeviceStatus: Sendable, Equatable {
  public enum Link: Sendable, Equatable {
    case closed
    case open
    /// Broken; tried again at this time.
    case waiting(until: Uptime)
  }

  public enum Unit: Sendable, Equatable {
    case never
    case answering
    /// Answers, but refuses with this exception code.
    case refusing(UInt8)
    /// Asked for time.
    case busy(until: Uptime)
    /// Does not answer; tried again at this time.
    case silent(until: Uptime)
  }

  public var device: String
  public var unitNumber: UInt8
  public var link = Link.closed
  public var unit = Unit.never
  public var lastGood: Instant?
  public var lastFault: BusFault?
  /// Smoothed, and near the slowest in a hundred; nil before the first reply.
  public var roundTripMeanNanoseconds: Int64?
  public var roundTripHighNanoseconds: Int64?
  public var requests = 0
  public var exceptions = 0
  public var failures = 0
  public var frames = 0
  /// Periods that passed while the bus was still at work.
  public var pollsSkipped = 0
  /// Requests that one poll of all groups takes.
  public var requestsPerCycle = 0
  /// Write requests that left.
  public var writes = 0
  public var holes: [HoleMap.Hole] = []
  /// Registers per request, as configured or learned.
  public var registersPerRequestMax: Int
  /// The last text of each text point.
  public var texts: [String: String] = [:]
  /// The counters of the whole connection.
  public var counters = LinkCounters()

  init(_ device: Device) {
    (self.device, unitNumber) = (device.id, device.unit)
    registersPerRequestMax = device.registersPerRequestMax
  }
}

/// The statuses of a bus's devices; any thread reads.
final class StatusBoard: Sendable {
  private let statuses: Mutex<[DeviceStatus]>

  init(_ devices: [Device]) { statuses = Mutex(devices.map(DeviceStatus.init)) }

  var all: [DeviceStatus] { statuses.withLock { $0 } }

  func update(_ index: Int, _ change: (inout DeviceStatus) -> Void) {
    statuses.withLock { change(&$0[index]) }
  }
}

/// Mean and upper end of a unit's round trips, in constant space.
struct RoundTrips: Sendable, Equatable {
  private(set) var count = 0
  private(set) var mean = 0.0
  /// Climbs by 99 steps for one above, sinks by one for one below: settles at the 99th percentile.
  private(set) var high = 0.0

  mutating func add(_ nanoseconds: Int64) {
    let value = Double(max(nanoseconds, 0))
    count += 1
    guard count > 1 else {
      (mean, high) = (value, value)
      return
    }
    mean += (value - mean) * max(1 / Double(count), 0.02)
    let step = max(mean, 1) * 0.002
    high = max(high + (value > high ? 99 * step : -step), 0)
  }
}

/// Who may use the bus next: by priority, then in order of arrival. Callers enter before they reach the bus, so that
/// whoever holds it sees them waiting.
final class Turnstile: Sendable {
  enum Priority: Int, Sendable, Comparable {
    case write, readBack, poll, probe, technician
    static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
  }

  struct Ticket: Sendable, Equatable {
    let priority: Priority
    let number: UInt64
  }

  /// More waiting callers than this are turned away.
  static let waitingMax = 256

  private let state = Mutex<(waiting: [Ticket], issued: UInt64)>(([], 0))

  /// nil when too many wait.
  func enter(_ priority: Priority) -> Ticket? {
    state.withLock { state in
      guard state.waiting.count < Self.waitingMax else { return nil }
      state.issued += 1
      let ticket = Ticket(priority: priority, number: state.issued)
      let place = state.waiting.firstIndex { $0.priority > priority } ?? state.waiting.count
      state.waiting.insert(ticket, at: place)
      return ticket
    }
  }

  func isFirst(_ ticket: Ticket) -> Bool { state.withLock { $0.waiting.first == ticket } }

  func leave(_ ticket: Ticket) { state.withLock { $0.waiting.removeAll { $0 == ticket } } }
}
