import SQLite
public import TwinCore

/// A statement about the site on both time axes that is not a frame: a correction, a meaning, a definition, an object.
///
/// Rows are only ever added; whoever owns the family says how a later one changes an earlier one.
public struct VersionEntry: Sendable, Equatable {
  /// What kind of statement it is, a word of `a-z`.
  public var family: String
  /// What it is about: a point, a definition's name.
  public var subject: String
  /// The times for which it speaks.
  public var effective: Range<Instant>
  /// The tick from which on it is known. 0 when it is appended stands for the next tick to come: a reader that looks
  /// as of any earlier instant must not see it.
  public var tick: Int64
  /// At most `StoreLimits.recordBytesMax`.
  public var bytes: [UInt8]

  public init(family: String, subject: String, effective: Range<Instant>, tick: Int64 = 0, bytes: [UInt8]) {
    (self.family, self.subject, self.effective) = (family, subject, effective)
    (self.tick, self.bytes) = (tick, bytes)
  }

  /// What the row's checksum covers besides `bytes`.
  var key: String {
    "\(family)\n\(subject)\n\(effective.lowerBound.nanoseconds)\n\(effective.upperBound.nanoseconds)\n\(tick)"
  }
}

extension SiteStore {
  /// Buffers a version. `store.out_of_order` when its tick is below that of a version which is already there: what was
  /// known at a tick never changes afterwards.
  public func append(version: VersionEntry) throws(StoreError) {
    try refuseTooBig(version.bytes, max: StoreLimits.recordBytesMax, "\(version.family) of \(version.subject)")
    var stored = version
    if stored.tick == 0 { stored.tick = lastTickNumber + 1 }
    let last = try versionTickLast()
    guard stored.tick >= last else {
      throw StoreError(
        .outOfOrder, "\(version.family) of \(version.subject) known from tick \(stored.tick), the last from \(last)")
    }
    add(stored)
  }
}

extension StoreReader {
  /// Versions of a family whose effective time meets `range`, in order of the tick from which they are known, then of
  /// their appending. `subject` nil: of every subject. `tick` nil: also what is known only from the next tick on.
  public func versions(
    family: String, subject: String?, overlapping range: Range<Instant>, through tick: Int64? = nil
  ) throws(StoreError) -> [VersionEntry] {
    try versionRows(family: family, subject: subject, overlapping: range, through: tick).map(\.entry)
  }

  /// As `versions`, with the rows' numbers.
  func versionRows(
    family: String, subject: String?, overlapping range: Range<Instant>, through tick: Int64? = nil
  ) throws(StoreError) -> [(number: Int64, entry: VersionEntry)] {
    let ofSubject = subject == nil ? "" : "AND subject = ?5"
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try statement(
        """
        SELECT number, subject, effective_from_ns, effective_until_ns, tick, body FROM versions
        WHERE family = ?1 \(ofSubject) AND effective_until_ns > ?2 AND effective_from_ns < ?3 AND tick <= ?4
        ORDER BY tick, number
        """)
      defer { statement.reset() }
      try statement.bind(1, family)
      try statement.bind(2, range.lowerBound.nanoseconds)
      try statement.bind(3, range.upperBound.nanoseconds)
      try statement.bind(4, tick ?? .max)
      if let subject { try statement.bind(5, subject) }
      var rows: [(number: Int64, entry: VersionEntry)] = []
      while try statement.step() {
        let from = Instant(nanoseconds: statement.integer(2))
        let until = Instant(nanoseconds: max(statement.integer(2), statement.integer(3)))
        rows.append(
          (
            statement.integer(0),
            VersionEntry(
              family: family, subject: statement.text(1), effective: from..<until, tick: statement.integer(4),
              bytes: statement.bytes(5))
          ))
      }
      return rows
    }
    return rows.compactMap { number, sealed in
      var entry = sealed
      guard let content = Seal.open(sealed.bytes, key: sealed.key) else {
        noteBad("versions \(number)", "does not match its checksum")
        return nil
      }
      entry.bytes = content
      return (number, entry)
    }
  }
}

extension SiteStore {
  /// As the reader's: what is committed.
  public func versions(
    family: String, subject: String?, overlapping range: Range<Instant>, through tick: Int64? = nil
  ) throws(StoreError) -> [VersionEntry] {
    try reader.versions(family: family, subject: subject, overlapping: range, through: tick)
  }
}
