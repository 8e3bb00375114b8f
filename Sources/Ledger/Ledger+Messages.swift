public import Provenance
import Seams
import Sodium
public import Sync
public import TwinCore

// What sites said that is no batch, and what the foundation says to each of them.
extension Ledger {
  public func hold(_ message: HeldMessage) throws(LedgerFault) -> Bool {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        guard let site = try SiteRow.lock(message.site, in: store)?.id else {
          throw LedgerError(.siteUnknown, "no site \(message.site) is enrolled")
        }
        let digest = LedgerValue.bytes(Sodium.blake2b256(message.envelope).bytes)
        let held =
          "SELECT count(*), coalesce(sum(CASE WHEN digest = ?2 THEN 1 ELSE 0 END), 0) FROM held WHERE site = ?1"
        let (count, same) = try store.first(held, .integer(site), digest) { ($0.integer(0), $0.integer(1)) } ?? (0, 0)
        if same > 0 { return true }
        guard count < SyncLimits.heldMessagesMax else { return false }
        try store.run(
          "INSERT INTO held(site, digest, topic, type, reason, message, noted_ns) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
          .integer(site), digest, .text(message.topic), .text(message.type), .text(message.reason),
          .bytes(message.envelope), .integer(clock.instant.nanoseconds))
        return true
      }
    }
  }

  /// Messages that wait for a release that reads them, oldest first.
  public func held(of site: SiteName, limit: Int = SyncLimits.heldMessagesMax) throws(LedgerError) -> [HeldMessage] {
    try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT h.topic, h.type, h.reason, h.message FROM held h JOIN sites s ON s.id = h.site WHERE s.name = ?1
        ORDER BY h.noted_ns, h.digest LIMIT ?2
        """, .text(site.description), .integer(Int64(limit))
      ) {
        HeldMessage(site: site, topic: $0.text(0), type: $0.text(1), reason: $0.text(2), envelope: $0.bytes(3))
      }
    }
  }

  /// Takes a held message out, after a release that reads it has applied it. False where it is not held.
  @discardableResult
  public func unhold(_ message: HeldMessage) throws(LedgerError) -> Bool {
    try write { (store) throws(LedgerError) in
      let site = try SiteRow.existing(message.site, in: store)
      return try store.run(
        "DELETE FROM held WHERE site = ?1 AND digest = ?2", .integer(site),
        .bytes(Sodium.blake2b256(message.envelope).bytes)) == 1
    }
  }

  // MARK: presence

  public func noteBirth(
    _ birth: Birth, of site: SiteName, at instant: Instant, evidence: [UInt8]
  ) throws(LedgerFault) {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        let id = try SiteRow.existing(site, in: store)
        try store.run(
          """
          INSERT INTO births(site, birth, message, noted_ns) VALUES(?1, ?2, ?3, ?4)
          ON CONFLICT (site) DO UPDATE SET birth = excluded.birth, message = excluded.message,
            noted_ns = excluded.noted_ns
          """, .integer(id), .bytes(birth.payload), .bytes(evidence), .integer(instant.nanoseconds))
        for head in birth.streams {
          try Self.claim(head.next, LogName(site: site, epoch: birth.mark.epoch, stream: head.stream), id, in: store)
        }
      }
    }
  }

  /// The newest birth, as the site signed it.
  public func birth(of site: SiteName) throws(LedgerError) -> (payload: [UInt8], message: [UInt8], at: Instant)? {
    try read { (store) throws(LedgerError) in
      try store.first(
        "SELECT b.birth, b.message, b.noted_ns FROM births b JOIN sites s ON s.id = b.site WHERE s.name = ?1",
        .text(site.description)
      ) { ($0.bytes(0), $0.bytes(1), Instant(nanoseconds: $0.integer(2))) }
    }
  }

  /// Where the site says its logs end: what the console reckons its lag from.
  public func noteClaims(
    _ nexts: [LogStream: UInt64], of site: SiteName, epoch: LogEpoch
  ) throws(LedgerError) {
    try write { (store) throws(LedgerError) in
      let id = try SiteRow.existing(site, in: store)
      for (stream, next) in nexts.sorted(by: { $0.key < $1.key }) {
        try Self.claim(next, LogName(site: site, epoch: epoch, stream: stream), id, in: store)
      }
    }
  }

  private static func claim(
    _ next: UInt64, _ log: LogName, _ site: Int64, in store: any LedgerConnection
  ) throws(LedgerError) {
    try store.run(
      "UPDATE logs SET claimed = ?4 WHERE site = ?1 AND epoch = ?2 AND stream = ?3 AND claimed <> ?4", .integer(site),
      .bytes(log.epoch.bytes), .integer(Int64(log.stream.rawValue)), .integer(Int64(clamping: next)))
  }

  public func presence(of site: SiteName) throws(LedgerFault) -> SitePresence? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        try store.first(
          "SELECT \(Self.presenceColumns) FROM presences p JOIN sites s ON s.id = p.site WHERE s.name = ?1",
          .text(site.description), read: Self.presence) ?? nil
      }
    }
  }

  public func note(_ presence: SitePresence) throws(LedgerFault) {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        let site = try SiteRow.existing(presence.site, in: store)
        try store.run(
          """
          INSERT INTO presences(site, state, heard_ns, interval_ms, epoch, session, serial, due_ns)
          VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
          ON CONFLICT (site) DO UPDATE SET state = excluded.state, heard_ns = excluded.heard_ns,
            interval_ms = excluded.interval_ms, epoch = excluded.epoch, session = excluded.session,
            serial = excluded.serial, due_ns = excluded.due_ns
          """, .integer(site), .integer(Int64(presence.state.rawValue)), .integer(presence.heardAt.nanoseconds),
          .integer(Int64(presence.intervalMs)), .bytes(presence.mark.epoch.bytes),
          .integer(Int64(bitPattern: presence.mark.session)), .integer(Int64(bitPattern: presence.mark.serial)),
          .integer(presence.dueAt.nanoseconds))
      }
    }
  }

  public func presences(dueBefore instant: Instant, limit: Int) throws(LedgerFault) -> [SitePresence] {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        try store.list(
          """
          SELECT \(Self.presenceColumns) FROM presences p JOIN sites s ON s.id = p.site WHERE p.due_ns < ?1
          ORDER BY p.due_ns LIMIT ?2
          """, .integer(instant.nanoseconds), .integer(Int64(limit)), read: Self.presence
        ).compactMap(\.self)
      }
    }
  }

  static let presenceColumns = "s.name, p.state, p.heard_ns, p.interval_ms, p.epoch, p.session, p.serial"

  static func presence(_ row: any LedgerRow) -> SitePresence? {
    guard let site = SiteName(row.text(0)), let state = SitePresence.State(rawValue: UInt8(clamping: row.integer(1))),
      let epoch = LogEpoch(bytes: row.bytes(4))
    else { return nil }
    return SitePresence(
      site: site, state: state, heardAt: Instant(nanoseconds: row.integer(2)),
      intervalMs: UInt32(clamping: row.integer(3)),
      mark: SitePresence.Mark(
        epoch: epoch, session: UInt64(bitPattern: row.integer(5)), serial: UInt64(bitPattern: row.integer(6))))
  }

  // MARK: directed to sites

  public func appendDirected(
    to site: SiteName, kind: LogKind, body: [UInt8], at instant: Instant
  ) throws(LedgerFault) -> UInt64 {
    try answering { () throws(LedgerError) in
      guard body.count <= SyncLimits.directedBodyBytesMax else {
        throw LedgerError(.outOfRange, "a body of \(body.count) bytes, at most \(SyncLimits.directedBodyBytesMax)")
      }
      return try write { (store) throws(LedgerError) in
        let found = try store.first(
          "UPDATE sites SET directed_next = directed_next + 1 WHERE name = ?1 RETURNING id, directed_next",
          .text(site.description)
        ) { ($0.integer(0), $0.integer(1) - 1) }
        guard let (id, sequence) = found else { throw LedgerError(.siteUnknown, "no site \(site) is enrolled") }
        try store.run(
          "INSERT INTO directed(place, kind, body, at_ms) VALUES(?1, ?2, ?3, ?4)",
          .integer(LedgerSchema.places(of: id, from: sequence)), .integer(Int64(kind.rawValue)), .bytes(body),
          .integer(instant.nanoseconds / 1_000_000))
        return UInt64(sequence)
      }
    }
  }

  public func directed(
    to site: SiteName, from sequence: UInt64, limit: Int
  ) throws(LedgerFault) -> [DirectedEntry] {
    guard sequence <= UInt64(LedgerSchema.sequenceMax) else { return [] }
    return try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        guard let id = try SiteRow.id(of: site, in: store) else { return [] }
        return try store.list(
          "SELECT place, kind, body, at_ms FROM directed WHERE place >= ?1 AND place <= ?2 ORDER BY place LIMIT ?3",
          .integer(LedgerSchema.places(of: id, from: Int64(sequence))),
          .integer(LedgerSchema.places(of: id, from: LedgerSchema.sequenceMax)), .integer(Int64(limit))
        ) {
          DirectedEntry(
            site: site, sequence: UInt64($0.integer(0) & LedgerSchema.sequenceMax),
            kind: LogKind(rawValue: UInt16(clamping: $0.integer(1))), body: $0.bytes(2), at: $0.integer(3))
        }
      }
    }
  }

  public func directedNext(of site: SiteName) throws(LedgerFault) -> UInt64 {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        try store.first("SELECT directed_installed FROM sites WHERE name = ?1", .text(site.description)) {
          UInt64($0.integer(0))
        } ?? 0
      }
    }
  }

  public func noteDirected(to site: SiteName, next: UInt64) throws(LedgerFault) {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        let next = Int64(clamping: next)
        let changed = try store.run(
          """
          UPDATE sites SET directed_installed = ?2
          WHERE name = ?1 AND directed_installed < ?2 AND directed_next >= ?2
          """, .text(site.description), .integer(next))
        if changed == 0 { _ = try SiteRow.existing(site, in: store) }
      }
    }
  }
}
