// The learned facts of one device, canonical bytes (TwinCore.CanonicalWriter), version 1:
//
//   structure of 5: profile text, unit, registers per request or null, when that was learned, array of holes
//   hole            structure of 6, version 1: table (0 coil, 1 discrete, 2 input, 3 holding), start, count, learned,
//                   checked,
//                   confirmations
//
// Holes are ordered by table and start and do not overlap.

public import TwinCore

/// Which registers of a device are illegal, and how long a request it takes: learned from its refusals, kept over
/// restarts.
public struct HoleMap: Sendable, Equatable {
  public struct Hole: Sendable, Equatable {
    public var table: RegisterTable
    public var range: Range<Int>
    public var learned: Instant
    /// When it was last seen to be illegal.
    public var checked: Instant
    /// How often, beyond the first time.
    public var confirmations: Int
  }

  /// A first verdict may have been a device that was just starting.
  static let firstCheckNanoseconds: Int64 = 3_600_000_000_000
  static let checkNanoseconds: Int64 = 604_800_000_000_000
  static let holesMax = 16_384
  /// Weekly for longer than a device lives.
  private static let confirmationsMax = 1_000_000

  public let profile: String
  public let unit: UInt8
  public private(set) var holes: [Hole] = []
  /// Registers per request that the device was found to take; nil while no limit showed.
  public private(set) var registersMax: Int?
  private var limitLearned = Instant(nanoseconds: 0)

  public init(profile: String, unit: UInt8) { (self.profile, self.unit) = (profile, unit) }

  /// Whether any address of the range is known to be illegal.
  public func isHole(_ table: RegisterTable, _ range: Range<Int>) -> Bool {
    let index = firstIndex(table, endingAfter: range.lowerBound)
    guard index < holes.count, holes[index].table == table else { return false }
    return holes[index].range.lowerBound < range.upperBound
  }

  /// Adds a range, taking in those that it overlaps.
  public mutating func add(_ table: RegisterTable, _ range: Range<Int>, at now: Instant) {
    guard !range.isEmpty else { return }
    var range = range
    let first = firstIndex(table, endingAfter: range.lowerBound)
    var end = first
    while end < holes.count, holes[end].table == table, holes[end].range.lowerBound < range.upperBound {
      let known = holes[end].range
      range = min(range.lowerBound, known.lowerBound)..<max(range.upperBound, known.upperBound)
      end += 1
    }
    guard end > first || holes.count < Self.holesMax else { return }
    let hole = Hole(table: table, range: range, learned: now, checked: now, confirmations: 0)
    holes.replaceSubrange(first..<end, with: CollectionOfOne(hole))
  }

  /// It is still illegal.
  public mutating func confirm(_ hole: Hole, at now: Instant) {
    guard let index = holes.firstIndex(of: hole) else { return }
    holes[index].checked = now
    holes[index].confirmations = min(holes[index].confirmations + 1, Self.confirmationsMax)
  }

  /// It answers now.
  public mutating func fill(_ hole: Hole) { holes.removeAll { $0 == hole } }

  public mutating func limitRequests(to registers: Int, at now: Instant) {
    guard registers >= 1, registers < registersMax ?? .max else { return }
    (registersMax, limitLearned) = (registers, now)
  }

  /// The hole that should be tried again next, and when.
  public var nextCheck: (hole: Hole, at: Instant)? {
    holes.map { ($0, Self.due($0)) }.min { $0.1 < $1.1 }
  }

  /// Forgets a request limit that is a week old, so that it shows again or not.
  public mutating func forgetLimit(at now: Instant) -> Bool {
    guard registersMax != nil, now.nanoseconds(since: limitLearned) >= Self.checkNanoseconds else { return false }
    registersMax = nil
    return true
  }

  private static func due(_ hole: Hole) -> Instant {
    hole.checked.advanced(byNanoseconds: hole.confirmations == 0 ? firstCheckNanoseconds : checkNanoseconds)
  }

  private func firstIndex(_ table: RegisterTable, endingAfter address: Int) -> Int {
    var (low, high) = (0, holes.count)
    while low < high {
      let middle = (low + high) / 2
      let hole = holes[middle]
      if (hole.table.number, hole.range.upperBound) <= (table.number, address) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }
}

extension HoleMap {
  public var bytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(6)
    writer.integer(1)
    writer.text(profile)
    writer.integer(Int(unit))
    if let registersMax { writer.integer(registersMax) } else { writer.null() }
    writer.instant(limitLearned)
    writer.array(holes.count)
    for hole in holes {
      writer.array(7)
      writer.integer(1)
      writer.integer(hole.table.number)
      writer.integer(hole.range.lowerBound)
      writer.integer(hole.range.count)
      writer.instant(hole.learned)
      writer.instant(hole.checked)
      writer.integer(hole.confirmations)
    }
    return writer.bytes
  }

  /// Errors: `canonical.malformed` for bytes that `bytes` of no map would give.
  public init(bytes: [UInt8]) throws(CanonicalFault) {
    var reader = CanonicalReader(bytes)
    try reader.structure(5, version: 1)
    profile = try reader.text()
    guard let unit = UInt8(exactly: try reader.integer()) else { throw CanonicalFault("unit is not 0 to 255") }
    self.unit = unit
    if try !reader.takeNull() {
      let limit = try reader.int()
      guard (1...2000).contains(limit) else { throw CanonicalFault("request limit \(limit) is not 1 to 2000") }
      registersMax = limit
    }
    limitLearned = try reader.instant()
    for _ in 0..<(try reader.array(limit: Self.holesMax)) {
      let hole = try Self.hole(&reader)
      if let last = holes.last {
        guard
          (last.table.number, last.range.upperBound) <= (hole.table.number, hole.range.lowerBound)
            || last.table.number < hole.table.number
        else { throw CanonicalFault("holes are not in order at \(hole.range)") }
      }
      holes.append(hole)
    }
    guard reader.isAtEnd else { throw CanonicalFault("\(bytes.count - reader.offset) bytes too many") }
  }

  private static func hole(_ reader: inout CanonicalReader) throws(CanonicalFault) -> Hole {
    try reader.structure(6, version: 1)
    let table = try reader.int()
    let (start, count) = (try reader.int(), try reader.int())
    guard let table = RegisterTable(number: table), (0...0xFFFF).contains(start), (1...0x10000 - start).contains(count)
    else { throw CanonicalFault("hole of \(count) at \(start) in table \(table)") }
    let (learned, checked) = (try reader.instant(), try reader.instant())
    let confirmations = try reader.int()
    guard (0...confirmationsMax).contains(confirmations) else {
      throw CanonicalFault("a hole confirmed \(confirmations) times")
    }
    return Hole(
      table: table, range: start..<start + count, learned: learned, checked: checked, confirmations: confirmations)
  }
}

extension RegisterTable {
  /// Stable, for bytes and order.
  var number: Int {
    switch self {
    case .coil: 0
    case .discrete: 1
    case .input: 2
    case .holding: 3
    }
  }

  init?(number: Int) {
    guard let table = Self.allCases.first(where: { $0.number == number }) else { return nil }
    self = table
  }
}
