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
  /// closed has others than before.
  public func units(day name: String) throws(StoreError) -> [DeltaUnit] { try reader.units(day: name) }

  /// The bytes of a unit, as stored; `store.not_found` when its day was closed or removed since, `store.not_allowed`
  /// when it may not leave.
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
    let release = Release(try policies())
    return try retrying { () throws(StoreError) in
      var units: [DeltaUnit] = []
      for body in try archive.shelf.bodies(day: day) {
        guard case .file(let form, let entry) = body.place else { continue }
        let kind: DeltaUnit.Kind =
          switch body.key.kind {
          case .frames: .frames
          case .ticks: .ticks
          case .rollup: .rollup
          }
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
    // The unit's own word may be old, or made up.
    guard let known = try units(day: unit.day).first(where: { $0.hash == unit.hash }) else {
      throw StoreError(.notFound, "day \(unit.day) has no unit \(unit.hash.short)")
    }
    guard known.mayLeave else {
      throw StoreError(.notAllowed, "unit \(unit.hash.short) of \(unit.day) may not leave the site")
    }
    return try stored(unit)
  }

  /// Reads a unit and compares it with its checksums; `store.corrupt` when it does not match. Gives its length.
  public func verify(_ unit: DeltaUnit) throws(StoreError) -> Int { try stored(unit).count }

  private func stored(_ unit: DeltaUnit) throws(StoreError) -> [UInt8] {
    guard let day = Days.number(named: unit.day) else { throw StoreError(.notFound, "no day \(unit.day)") }
    if unit.kind == .overlay {
      for entry in try overlays(beginningIn: day)
      where entry.subject == unit.subject && entry.tick == unit.ticks.lowerBound {
        let bytes = entry.canonicalBytes
        if Sodium.blake2b256(bytes) == unit.hash { return bytes }
      }
    } else {
      let found = try archive.shelf.bodies(day: day).first { $0.key.hash == unit.hash }
      if let found { return try archive.shelf.read(found) }
    }
    throw StoreError(.notFound, "day \(unit.day) has no unit \(unit.hash.short)")
  }

  private func overlays(beginningIn day: Int64) throws(StoreError) -> [VersionEntry] {
    let range = Days.range(day)
    let bounds = Instant(nanoseconds: range.lowerBound)..<Instant(nanoseconds: range.upperBound.saturatingAdd(1))
    return try versions(family: Overlay.family, subject: nil, overlapping: bounds)
      .filter { bounds.contains($0.effective.lowerBound) }
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
