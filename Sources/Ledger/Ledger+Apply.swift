import Provenance
import Seams
public import Sync
import TwinCore

extension Ledger {
  /// Rows of evidence a site can fill; what comes after them is counted in its standing alone.
  static let evidenceMax: Int64 = 256

  public func stored(_ log: LogName) throws(LedgerFault) -> StoredLog? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in try LogRow.read(log, in: store)?.stored }
    }
  }

  public func apply(_ batches: [AdmittedBatch]) throws(LedgerFault) -> [ApplyResult] {
    guard !batches.isEmpty else { return [] }
    let results = try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        var work = Application(store: store, now: clock.instant)
        try work.lock(batches)
        var results: [ApplyResult] = []
        for batch in batches { results.append(try work.apply(batch)) }
        try work.finish()
        return results
      }
    }
    // Before anything is acknowledged: a batch that comes again because this was cut short is looked at again.
    for (batch, result) in zip(batches, results) { try takeRotations(of: batch, result) }
    return results
  }

  /// How long a key that was rotated away is believed beside its successor.
  static let overlap = Duration.seconds(30 * 86_400)

  /// New keys that a site logged under its old one.
  private func takeRotations(of batch: AdmittedBatch, _ result: ApplyResult) throws(LedgerFault) {
    switch result {
    case .appended, .duplicate: break
    default: return
    }
    let site = batch.log.site
    for entry in batch.entries where entry.kind == .keyRotated && batch.log.stream == .audit {
      guard let body = entry.body, let known = try self.site(site)?.keys.map(\.signing),
        let rotation = try? KeyRotation(body: body, of: site, known: known), !known.contains(rotation.signing)
      else { continue }
      try answering { () throws(LedgerError) in
        let key = SiteKey(keyEpoch: rotation.keyEpoch, signing: rotation.signing, sealing: rotation.sealing)
        let end = clock.instant.advanced(byNanoseconds: Self.overlap.wholeNanoseconds)
        do throws(LedgerError) {
          try rotate(site, to: key, overlapEnd: end, leaf: FoundationLeaf(.keyRotation, site: site, bytes: body))
        } catch {
          guard error.kind == .exists else { throw error }
        }
      }
    }
  }

  public func declare(_ gap: DeclaredGap) throws(LedgerFault) -> StoredLog {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        guard var row = try LogRow.lock(gap.log, in: store) else {
          throw LedgerError(.refused, "\(gap.log): \(try LogRow.whyNot(gap.log, in: store) ?? "no log")")
        }
        guard row.barred.isEmpty else { throw LedgerError(.refused, "\(gap.log): \(row.barred)") }
        guard row.head.next == gap.from, gap.resume.next > gap.from else { return row.stored }
        guard gap.resume.next <= UInt64(LedgerSchema.sequenceMax) else {
          throw LedgerError(.outOfRange, "\(gap.log) goes on at \(gap.resume.next)")
        }
        try store.run(
          "INSERT INTO gaps(place, resume, evidence, noted_ns) VALUES(?1, ?2, ?3, ?4)",
          .integer(row.place(gap.from)), .integer(Int64(gap.resume.next)), .bytes(gap.evidence),
          .integer(clock.instant.nanoseconds))
        // Entries of the hole cannot be hashed: later checkpoints are reckoned from behind it.
        (row.head, row.base) = (gap.resume, gap.resume.frontier)
        try row.write(in: store, at: clock.instant)
        return row.stored
      }
    }
  }

  /// Keeps bytes that speak against a site, up to its share.
  static func keepEvidence(
    _ what: String, site: Int64, log: Int64? = nil, sequence: UInt64? = nil, stored: [UInt8]? = nil,
    offered: [UInt8]? = nil, message: [UInt8], at now: Instant, in store: any LedgerConnection
  ) throws(LedgerError) {
    let count = try store.first("SELECT count(*) FROM evidence WHERE site = ?1", .integer(site)) { $0.integer(0) } ?? 0
    guard count < evidenceMax else { return }
    try store.run(
      """
      INSERT INTO evidence(site, what, log, sequence, stored, offered, message, noted_ns)
      VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      """, .integer(site), .text(what), LedgerValue(log), LedgerValue(sequence.map { Int64($0) }), LedgerValue(stored),
      LedgerValue(offered), .bytes(message), .integer(now.nanoseconds))
  }
}

/// One transaction's work on batches: heads are locked and moved in memory, rows are gathered and written at the end.
private struct Application {
  let store: any LedgerConnection
  let now: Instant
  private var logs: [LogName: Work] = [:]
  private var places: [Int64] = []
  private var entries: [[UInt8]?] = []
  private var bodies: [[UInt8]?] = []

  private struct Work {
    var row: LogRow
    /// What is in the store; above it stand the entries of this transaction.
    let storedNext: UInt64
    var appended: [[UInt8]] = []
  }

  init(store: any LedgerConnection, now: Instant) { (self.store, self.now) = (store, now) }

  mutating func lock(_ batches: [AdmittedBatch]) throws(LedgerError) {
    for name in Set(batches.map(\.log)).sorted(by: Self.isLocked(_:before:)) {
      guard let row = try LogRow.lock(name, in: store) else { continue }
      logs[name] = Work(row: row, storedNext: row.head.next)
    }
  }

  static func isLocked(_ a: LogName, before b: LogName) -> Bool {
    if a.site != b.site { return a.site < b.site }
    if a.epoch != b.epoch { return a.epoch.bytes.lexicographicallyPrecedes(b.epoch.bytes) }
    return a.stream < b.stream
  }

  mutating func apply(_ batch: AdmittedBatch) throws(LedgerError) -> ApplyResult {
    guard var work = logs[batch.log] else {
      return .refused(reason: try LogRow.whyNot(batch.log, in: store) ?? "no log")
    }
    guard work.row.barred.isEmpty else { return .refused(reason: work.row.barred) }
    let next = work.row.head.next
    guard batch.first <= next else { return .gap(next: next) }
    // No site reaches it honestly; the place of an entry has no room beyond.
    guard batch.end <= UInt64(LedgerSchema.sequenceMax) else {
      return .refused(reason: "the log ends at \(LedgerSchema.sequenceMax) entries")
    }
    if let other = try difference(batch, work) {
      try bar(
        batch, work.row, "two entries \(other.sequence) in \(batch.log)", "equivocation", at: other.sequence,
        stored: other.stored, offered: other.offered)
      return .equivocation(sequence: other.sequence)
    }
    guard batch.end > next else { return .duplicate(work.row.stored) }
    let fresh = batch.entries.dropFirst(Int(next - batch.first))
    var head = work.row.head
    for entry in fresh { head.append(leafHash: entry.leafHash) }
    guard head.chain == batch.chainAfter, head.root == batch.root else {
      try bar(batch, work.row, "another history of \(batch.log) before entry \(next)", "fork", at: next)
      return .fork(next: next)
    }
    for entry in fresh {
      places.append(work.row.place(entry.sequence))
      entries.append(entry.bytes)
      bodies.append(entry.body)
      work.appended.append(entry.bytes)
    }
    work.row.head = head
    logs[batch.log] = work
    return .appended(work.row.stored)
  }

  func finish() throws(LedgerError) {
    try store.insert(into: LedgerSchema.entries, [.integers(places), .blobs(entries), .blobs(bodies)])
    for work in logs.values where !work.appended.isEmpty { try work.row.write(in: store, at: now) }
  }

  /// The first entry below the head that is not the one which is stored. What a declared loss left out says nothing.
  private func difference(
    _ batch: AdmittedBatch, _ work: Work
  ) throws(LedgerError) -> (sequence: UInt64, stored: [UInt8], offered: [UInt8])? {
    let end = min(batch.end, work.row.head.next)
    guard batch.first < end else { return nil }
    var known: [UInt64: [UInt8]] = [:]
    if batch.first < work.storedNext {
      let rows = try store.list(
        "SELECT place, entry FROM entries WHERE place >= ?1 AND place < ?2", .integer(work.row.place(batch.first)),
        .integer(work.row.place(min(end, work.storedNext)))
      ) { ($0.integer(0) & LedgerSchema.sequenceMax, $0.bytes(1)) }
      for (sequence, bytes) in rows { known[UInt64(sequence)] = bytes }
    }
    for entry in batch.entries where entry.sequence < end {
      let stored =
        entry.sequence < work.storedNext
        ? known[entry.sequence] : work.appended[Int(entry.sequence - work.storedNext)]
      if let stored, stored != entry.bytes { return (entry.sequence, stored, entry.bytes) }
    }
    return nil
  }

  /// Keeps the evidence and quarantines the site, in this transaction.
  private mutating func bar(
    _ batch: AdmittedBatch, _ row: LogRow, _ reason: String, _ what: String, at sequence: UInt64,
    stored: [UInt8]? = nil, offered: [UInt8]? = nil
  ) throws(LedgerError) {
    try Ledger.keepEvidence(
      what, site: row.site, log: row.id, sequence: sequence, stored: stored, offered: offered, message: batch.envelope,
      at: now, in: store)
    try SiteRow.stand(row.site, .quarantined, reason: reason, in: store)
    let barred = SiteRow(id: row.site, standing: .quarantined, reason: reason).barred ?? reason
    for name in Array(logs.keys) where logs[name]?.row.site == row.site { logs[name]?.row.barred = barred }
  }
}
