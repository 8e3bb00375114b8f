import SQLite
import Sodium
public import TwinCore

/// A piece of the site that is sent as it is stored and never changes: a sealed body, or one change of the past.
public struct DeltaUnit: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case frames
    case ticks
    case rollup
    /// A version entry of the family "overlay".
    case overlay
  }

  public var kind: Kind
  /// The day it belongs to, `2026-07-03`.
  public var day: String
  /// Of frames and rollups; 0 else.
  public var group: Int32
  public var layout: Int64
  /// The point of an overlay; empty else.
  public var subject: String
  public var effective: ClosedRange<Instant>
  public var ticks: ClosedRange<Int64>
  /// BLAKE2b-256 of its bytes.
  public var hash: Digest
  /// In bytes.
  public var length: Int
  /// Of bodies; 0 of a change.
  public var rows: Int
  /// Whether the pack lets it go: of frames, when the samples of all their points may; of a rollup, when their means
  /// may; of a change, when its point's samples may. Ticks tell what people did, and stay.
  public var mayLeave: Bool
  /// Where the bytes are: a file of the state directory and the offset in it; nil for what is in `site.db`.
  public var file: String?
  public var offset: Int64
}

extension SiteStore {
  /// Days that hold units, oldest first.
  public var unitDays: [String] { archive.shelf.numbers.map { Days.name($0) } }

  /// The units of a day: sealed bodies, then the changes whose time begins in it. Each has one place; a day that is
  /// closed, or loses values that are not kept any more, has others than before.
  public func units(day name: String) throws(StoreError) -> [DeltaUnit] { try reader.units(day: name) }

  /// The bytes of a unit, as stored; `store.not_found` when its day was closed, written again or removed since,
  /// `store.not_allowed` when it may not leave.
  public func bytes(of unit: DeltaUnit) throws(StoreError) -> [UInt8] { try reader.bytes(of: unit) }

  /// Notes that somebody else has a unit for good. When that is so of all of a day's bodies, the day may go first.
  public func acknowledge(_ unit: DeltaUnit) throws(StoreError) {
    guard let day = Days.number(named: unit.day) else { throw StoreError(.notFound, "no day \(unit.day)") }
    try storing { () throws(SQLiteFault) in
      let insert = try database.prepare("INSERT OR IGNORE INTO acknowledged VALUES (?1, ?2)")
      try insert.bind(1, day)
      try insert.bind(2, unit.hash.bytes)
      try insert.run()
    }
  }

  /// Whether every body of a closed day that may leave was acknowledged.
  func isAcknowledged(_ day: Int64) throws(StoreError) -> Bool {
    guard !archive.shelf.has(day, .open) else { return false }
    let known = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("SELECT hash FROM acknowledged WHERE day = ?1")
      try statement.bind(1, day)
      var known: Set<[UInt8]> = []
      while try statement.step() { known.insert(statement.bytes(0)) }
      return known
    }
    // What may not leave is nobody else's to have.
    return try reader.units(day: Days.name(day)).allSatisfy {
      $0.kind == .overlay || !$0.mayLeave || known.contains($0.hash.bytes)
    }
  }
}

extension StoreReader {
  public var unitDays: [String] { archive.shelf.numbers.map { Days.name($0) } }

  public func units(day name: String) throws(StoreError) -> [DeltaUnit] {
    guard let day = Days.number(named: name) else { return [] }
    return try retrying { () throws(StoreError) in
      let release = try currentRelease()
      var units: [DeltaUnit] = []
      for body in try archive.shelf.bodies(day: day) {
        guard case .file(let form, let entry) = body.place, let kind = DeltaUnit.Kind(body.key.kind) else { continue }
        units.append(
          DeltaUnit(
            kind: kind, day: name, group: kind == .ticks ? 0 : body.key.group, layout: body.key.layout, subject: "",
            effective: Instant(nanoseconds: body.key.effectiveMin)...Instant(nanoseconds: body.key.effectiveMax),
            ticks: body.key.tickFirst...body.key.tickLast, hash: body.key.hash, length: body.key.length,
            rows: body.key.rows, mayLeave: release.lets(body.key.kind, layouts[body.key.layout]?.layout),
            file: "data/\(Shelf.name(day, form))", offset: entry.offset))
      }
      for entry in try overlays(beginningIn: day) {
        let bytes = entry.canonicalBytes
        let last = entry.effective.upperBound.advanced(byNanoseconds: -1)
        units.append(
          DeltaUnit(
            kind: .overlay, day: name, group: 0, layout: 0, subject: entry.subject,
            effective: entry.effective.lowerBound...max(entry.effective.lowerBound, last),
            ticks: entry.tick...entry.tick, hash: Sodium.blake2b256(bytes), length: bytes.count,
            rows: 0, mayLeave: release.lets(entry.subject, .raw), file: nil, offset: 0))
      }
      return units
    }
  }

  public func bytes(of unit: DeltaUnit) throws(StoreError) -> [UInt8] {
    try retrying { () throws(StoreError) in
      let (mayLeave, bytes) = try stored(unit)
      guard mayLeave else {
        throw StoreError(.notAllowed, "unit \(unit.hash.short) of \(unit.day) may not leave the site")
      }
      return bytes
    }
  }

  /// Reads a unit and compares it with its hash; `store.corrupt` when it does not match. Gives its length.
  public func verify(_ unit: DeltaUnit) throws(StoreError) -> Int {
    try retrying { () throws(StoreError) in try stored(unit).bytes.count }
  }

  /// Looks where the unit says that it is: by its group and ticks, or by its point and time. What it says otherwise may
  /// be old, or made up.
  private func stored(_ unit: DeltaUnit) throws(StoreError) -> (mayLeave: Bool, bytes: [UInt8]) {
    guard let day = Days.number(named: unit.day) else { throw StoreError(.notFound, "no day \(unit.day)") }
    let release = try currentRelease()
    if let kind = unit.kind.body {
      let group = kind == .ticks ? TickBody.group : unit.group
      let found = try archive.shelf.bodies(kind, group: group, ticks: unit.ticks, day: day)
      if let body = found.first(where: { $0.key.hash == unit.hash }) {
        let bytes = try archive.shelf.read(body)
        guard Sodium.blake2b256(bytes) == unit.hash else {
          throw StoreError(.corrupt, "\(body.name) does not match its hash \(unit.hash.short)")
        }
        return (release.lets(kind, layouts[body.key.layout]?.layout), bytes)
      }
    } else {
      let start = unit.effective.lowerBound
      for entry in try versions(
        family: Overlay.family, subject: unit.subject, overlapping: start..<start.advanced(byNanoseconds: 1))
      where entry.tick == unit.ticks.lowerBound && Days.number(entry.effective.lowerBound.nanoseconds) == day {
        let bytes = entry.canonicalBytes
        if Sodium.blake2b256(bytes) == unit.hash { return (release.lets(entry.subject, .raw), bytes) }
      }
    }
    throw StoreError(.notFound, "day \(unit.day) has no unit \(unit.hash.short)")
  }

  /// What the pack has last said; read again when `site.db` was written since.
  private func currentRelease() throws(StoreError) -> Release {
    let state = try storing { () throws(SQLiteFault) in
      // The first counts commits of others, the second rows that this connection changed.
      [try database.integer("PRAGMA data_version") ?? 0, try database.integer("SELECT total_changes()") ?? 0]
    }
    if let (known, release) = releaseKnown, known == state { return release }
    let release = Release(try policies())
    releaseKnown = (state, release)
    return release
  }

  private func overlays(beginningIn day: Int64) throws(StoreError) -> [VersionEntry] {
    let range = Days.range(day)
    let bounds = Instant(nanoseconds: range.lowerBound)..<Instant(nanoseconds: range.upperBound.saturatingAdd(1))
    return try versions(family: Overlay.family, subject: nil, overlapping: bounds)
      .filter { bounds.contains($0.effective.lowerBound) }
  }
}

extension DeltaUnit.Kind {
  /// nil of a lapse, which is nobody else's to have.
  init?(_ kind: BodyKind) {
    switch kind {
    case .frames: self = .frames
    case .ticks: self = .ticks
    case .rollup: self = .rollup
    case .lapse: return nil
    }
  }

  var body: BodyKind? {
    switch self {
    case .frames: .frames
    case .ticks: .ticks
    case .rollup: .rollup
    case .overlay: nil
    }
  }
}

extension VersionEntry {
  /// A version as it is sent, canonical: [1, family, subject, from, until, tick, body].
  var canonicalBytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(7)
    writer.integer(1)
    writer.text(family)
    writer.text(subject)
    writer.integer(effective.lowerBound.nanoseconds)
    writer.integer(effective.upperBound.nanoseconds)
    writer.integer(tick)
    writer.bytes(bytes)
    return writer.bytes
  }
}
