public import Provenance
public import Sync
import TwinCore

/// An entry as the store has it.
public struct StoredEntry: Equatable, Sendable {
  public let log: LogName
  public let sequence: UInt64
  /// The leaf, as the site made it.
  public let entry: [UInt8]
  /// Nil where it was dropped.
  public let body: [UInt8]?
}

/// What an auditor looks for; all of it must hold.
public struct AuditFilter: Equatable, Sendable {
  /// Nil: all sites.
  public var site: SiteName?
  public var streams: Set<LogStream>
  /// Empty: all kinds.
  public var kinds: Set<LogKind>
  /// By the site's own clock, milliseconds since 1970.
  public var wallMs: Range<Int64>
  public var isNewestFirst: Bool

  public init(
    site: SiteName? = nil, streams: Set<LogStream> = [.audit], kinds: Set<LogKind> = [],
    wallMs: Range<Int64> = .min..<Int64.max, isNewestFirst: Bool = false
  ) {
    (self.site, self.streams, self.kinds) = (site, streams, kinds)
    (self.wallMs, self.isNewestFirst) = (wallMs, isNewestFirst)
  }
}

/// Where a search goes on.
public struct AuditCursor: Equatable, Sendable {
  let log: Int64
  let place: Int64
}

public struct AuditPage: Sendable {
  public let entries: [StoredEntry]
  /// Nil at the end. A page may be empty and not the last: one call looks at so many entries and no more.
  public let next: AuditCursor?
}

extension Ledger {
  /// Entries and logs that one call of `audit` looks at.
  static let examinedMax = 16_384
  private static let logsMax = 256
  private static let rowsMax: Int64 = 1024

  /// Entries that a filter lets through, log after log and within one in the order of their sequences.
  public func audit(
    _ filter: AuditFilter, from cursor: AuditCursor? = nil, limit: Int = 100
  ) throws(LedgerError) -> AuditPage {
    precondition(limit > 0, "a page of \(limit) entries")
    return try read { (store) throws(LedgerError) in
      let logs = try Self.logs(filter, from: cursor?.log ?? 0, in: store)
      var found: [StoredEntry] = []
      var examined = 0
      for (id, log) in logs {
        let (low, high) = (LedgerSchema.places(of: id), LedgerSchema.places(of: id, from: LedgerSchema.sequenceMax))
        var bound = cursor?.log == id ? cursor!.place : filter.isNewestFirst ? high : low
        while true {
          let rows = try store.list(
            filter.isNewestFirst
              ? """
              SELECT place, entry, body FROM entries WHERE place >= ?1 AND place <= ?2 ORDER BY place DESC LIMIT ?3
              """
              : "SELECT place, entry, body FROM entries WHERE place >= ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
            .integer(filter.isNewestFirst ? low : bound), .integer(filter.isNewestFirst ? bound : high),
            .integer(Self.rowsMax)
          ) { (place: $0.integer(0), entry: $0.bytes(1), body: $0.optionalBytes(2)) }
          for row in rows {
            guard found.count < limit, examined < Self.examinedMax else {
              return AuditPage(entries: found, next: AuditCursor(log: id, place: row.place))
            }
            examined += 1
            guard Self.passes(row.entry, filter) else { continue }
            let sequence = UInt64(row.place & LedgerSchema.sequenceMax)
            found.append(StoredEntry(log: log, sequence: sequence, entry: row.entry, body: row.body))
          }
          guard let last = rows.last?.place, rows.count == Self.rowsMax else { break }
          bound = filter.isNewestFirst ? last - 1 : last + 1
        }
      }
      guard logs.count == Self.logsMax, let last = logs.last else { return AuditPage(entries: found, next: nil) }
      let id = last.0 + 1
      let start = filter.isNewestFirst ? LedgerSchema.sequenceMax : 0
      return AuditPage(
        entries: found, next: AuditCursor(log: id, place: LedgerSchema.places(of: id, from: start)))
    }
  }

  private static func passes(_ bytes: [UInt8], _ filter: AuditFilter) -> Bool {
    if filter.kinds.isEmpty, filter.wallMs == .min..<Int64.max { return true }
    guard let entry = try? LogEntry(bytes) else { return false }
    return (filter.kinds.isEmpty || filter.kinds.contains(entry.kind)) && filter.wallMs.contains(entry.wall)
  }

  private static func logs(
    _ filter: AuditFilter, from id: Int64, in store: any LedgerConnection
  ) throws(LedgerError) -> [(Int64, LogName)] {
    let mask = filter.streams.reduce(0) { $0 | 1 << Int64($1.rawValue) }
    return try store.list(
      """
      SELECT l.id, s.name, l.epoch, l.stream FROM logs l JOIN sites s ON s.id = l.site
      WHERE l.id >= ?1 AND (CAST(?2 AS BIGINT) >> CAST(l.stream AS INTEGER)) & 1 = 1
        AND (?3 = '' OR s.name = ?3)
      ORDER BY l.id LIMIT ?4
      """, .integer(id), .integer(Int64(mask)), .text(filter.site?.description ?? ""), .integer(Int64(logsMax))
    ) { row -> (Int64, LogName)? in logName(row).map { (row.integer(0), $0) } }.compactMap(\.self)
  }

  private static func logName(_ row: any LedgerRow) -> LogName? {
    guard let site = SiteName(row.text(1)), let epoch = LogEpoch(bytes: row.bytes(2)),
      let stream = LogStream(rawValue: UInt8(clamping: row.integer(3)))
    else { return nil }
    return LogName(site: site, epoch: epoch, stream: stream)
  }

  // MARK: one site's trail

  /// Entries of one log from a sequence on, at most `Ledger.pageMax`.
  public func entries(
    of log: LogName, from sequence: UInt64, limit: Int = pageMax
  ) throws(LedgerError) -> [StoredEntry] {
    guard sequence <= UInt64(LedgerSchema.sequenceMax) else { return [] }
    return try read { (store) throws(LedgerError) in
      guard let row = try LogRow.read(log, in: store) else { return [] }
      return try store.list(
        "SELECT place, entry, body FROM entries WHERE place >= ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
        .integer(row.place(sequence)), .integer(row.place(UInt64(LedgerSchema.sequenceMax))),
        .integer(Int64(min(limit, Self.pageMax)))
      ) {
        StoredEntry(
          log: log, sequence: UInt64($0.integer(0) & LedgerSchema.sequenceMax), entry: $0.bytes(1),
          body: $0.optionalBytes(2))
      }
    }
  }

  /// Kept checkpoints above a size, rising.
  public func checkpoints(
    of log: LogName, above size: UInt64 = 0, limit: Int = pageMax
  ) throws(LedgerError) -> [KeptCheckpoint] {
    guard size < UInt64(LedgerSchema.sequenceMax) else { return [] }
    return try read { (store) throws(LedgerError) in
      guard let row = try LogRow.read(log, in: store) else { return [] }
      return try store.list(
        "SELECT place, root, note FROM checkpoints WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
        .integer(row.place(size)), .integer(row.place(UInt64(LedgerSchema.sequenceMax))),
        .integer(Int64(min(limit, Self.pageMax)))
      ) {
        KeptCheckpoint(
          log: log, size: UInt64($0.integer(0) & LedgerSchema.sequenceMax), root: Digest(bytes: $0.bytes(1)) ?? .zero,
          note: $0.text(2))
      }
    }
  }

  /// Declared losses of one log: the range, and the site's signed word.
  public func gaps(of log: LogName) throws(LedgerError) -> [(range: Range<UInt64>, evidence: [UInt8])] {
    try read { (store) throws(LedgerError) in
      guard let row = try LogRow.read(log, in: store) else { return [] }
      return try store.list(
        "SELECT place, resume, evidence FROM gaps WHERE place >= ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
        .integer(row.place(0)), .integer(row.place(UInt64(LedgerSchema.sequenceMax))), .integer(Int64(Self.pageMax))
      ) { (UInt64($0.integer(0) & LedgerSchema.sequenceMax)..<UInt64($0.integer(1)), $0.bytes(2)) }
    }
  }

  /// Everything of one site for an audit bundle, row after row.
  public func trail(of site: SiteName) throws(LedgerError) -> AuditTrail {
    guard
      let record = try read({ (store) throws(LedgerError) in
        try SiteRow.read(site, in: store).map { (row) throws(LedgerError) in try Self.record(site, row, in: store) }
      })
    else { throw LedgerError(.siteUnknown, "no site \(site) is enrolled") }
    return AuditTrail(self, record)
  }
}

/// A row of a site's trail, in the order in which a bundle has them.
public enum AuditRow: Equatable, Sendable {
  case epoch(SiteEpoch)
  /// A stream that has entries; they follow, up to `next`.
  case stream(LogName, next: UInt64)
  case gap(Range<UInt64>, evidence: [UInt8])
  /// Stands where its size is the next sequence.
  case checkpoint(KeptCheckpoint)
  case entry(StoredEntry)
}

/// Reads a site's trail page by page, holding one page of one log in memory. What is appended meanwhile may or may not
/// be in it.
public struct AuditTrail {
  private let ledger: Ledger
  private var waiting: [LogName] = []
  private var ready: ArraySlice<AuditRow> = []
  private var present: (log: LogName, at: UInt64, next: UInt64)?
  private var epochs: ArraySlice<SiteEpoch>
  private let site: SiteName

  init(_ ledger: Ledger, _ record: SiteRecord) {
    (self.ledger, site, epochs) = (ledger, record.name, record.epochs[...])
  }

  public mutating func next() throws(LedgerError) -> AuditRow? {
    while ready.isEmpty {
      if present != nil {
        try fill()
      } else if !waiting.isEmpty {
        try begin(waiting.removeFirst())
      } else if let epoch = epochs.popFirst() {
        waiting = LogStream.allCases.map { LogName(site: site, epoch: epoch.epoch, stream: $0) }
        ready = [.epoch(epoch)]
      } else {
        return nil
      }
    }
    return ready.removeFirst()
  }

  private mutating func begin(_ log: LogName) throws(LedgerError) {
    let next: UInt64
    do throws(LedgerFault) { next = try ledger.stored(log)?.next ?? 0 } catch {
      throw LedgerError(.unavailable, error.message)
    }
    guard next > 0 else { return }
    present = (log, 0, next)
    ready = [.stream(log, next: next)]
    ready += try ledger.gaps(of: log).map { .gap($0.range, evidence: $0.evidence) }
  }

  private mutating func fill() throws(LedgerError) {
    guard let (log, at, next) = present else { return }
    let entries = try ledger.entries(of: log, from: at).prefix { $0.sequence < next }
    let end = entries.last.map { $0.sequence + 1 } ?? next
    var notes = try ledger.checkpoints(of: log, above: at).prefix { $0.size <= end }
    for entry in entries {
      while let note = notes.first, note.size <= entry.sequence { ready.append(.checkpoint(notes.removeFirst())) }
      ready.append(.entry(entry))
    }
    ready += notes.map { .checkpoint($0) }
    present = entries.isEmpty || end >= next ? nil : (log, end, next)
  }
}

extension AuditCursor {
  /// As a page's end is told to whoever asks for the next one.
  public var text: String { "\(log).\(place)" }

  /// Nil for anything but a cursor's text.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let log = Int64(parts[0]), let place = Int64(parts[1]), log >= 0, place >= 0 else {
      return nil
    }
    (self.log, self.place) = (log, place)
  }
}
