public import TwinCore

/// A reading that repeats bit for bit longer than its own history makes credible.
///
/// Repeats are taken as a chance of their own for each point, learnt from its runs: a run of n repeats has the chance
/// pⁿ, and is believed up to where that would come once in `runLength` readings, and up to twice the longest run that
/// ended by itself: the sun shines not at all every night.
public struct StuckWatch: Sendable, Equatable {
  /// Before so many readings, and so many changes among them, nothing is said.
  public static let readingsMin = 192
  public static let changesMin = 30

  /// Mean number of readings between false alarms.
  public let runLength: Double
  private var last: UInt64 = 0
  private var run = 0
  private var longest = 0
  private var repeats = 0
  private var changes = 0
  private var hasValue = false

  public init(runLength: Double) {
    precondition(runLength >= 10 && runLength <= 1e12, "a run length from 10 to 1e12 readings")
    self.runLength = runLength
  }

  /// So many repeats in a row are believed; nil while too little has been seen.
  public var repeatsMax: Int? {
    guard changes >= Self.changesMin, changes + repeats >= Self.readingsMin else { return nil }
    // One repeat more than seen, so that a point that never repeated is not condemned by the first.
    let chance = Double(repeats + 1) / Double(repeats + changes + 2)
    let believed = Elementary.log(runLength * (1 - chance)) / -Elementary.log(chance)
    let whole = believed.nearestInteger
    return max(2 * longest, Int(max(2, min(1e9, whole < believed ? whole + 1 : whole))))
  }

  public var isStuck: Bool { repeatsMax.map { run > $0 } ?? false }

  /// Takes one reading: the alarm lasts until the value moves, and a run that ended by itself is history.
  public mutating func update(_ value: Double) -> WatchOutcome {
    guard value.isFinite else { return .refused }
    defer { (last, hasValue) = (value.bitPattern, true) }
    if hasValue, value.bitPattern == last {
      run = min(run + 1, 1 << 40)
      return isStuck ? .alarm : .quiet
    }
    if hasValue {
      longest = max(longest, run)
      repeats += run
      changes += 1
      // Halved together: the chance stays, and new readings count for more.
      if changes >= 1 << 16 { (repeats, changes) = (repeats / 2, changes / 2) }
    }
    run = 0
    return .quiet
  }

  /// Canonical form: version, run length, whether there is a value, its bits, run, longest, repeats, changes.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(8)
    writer.integer(1)
    writer.double(runLength)
    writer.bool(hasValue)
    writer.unsigned(last)
    for count in [run, longest, repeats, changes] { writer.integer(count) }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(7, version: 1)
    self.init(runLength: try readRunLength(&reader))
    hasValue = try reader.bool()
    last = try reader.unsigned()
    run = try reader.int()
    longest = try reader.int()
    repeats = try reader.int()
    changes = try reader.int()
    guard run >= 0, longest >= 0, repeats >= 0, changes >= 0, max(run, longest, repeats, changes) <= 1 << 60 else {
      throw CanonicalFault("runs of \(run), \(longest), \(repeats) and \(changes)")
    }
  }
}
