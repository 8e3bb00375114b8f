public import Provenance
import Seams
import Sodium
public import TwinCore

// Who vouches for an artefact, and who runs it.
extension Ledger {
  /// Statements about one artefact.
  static let statementsMax: Int64 = 64
  private static let slotsMax: Int64 = 64

  /// Keeps a signed statement about an artefact; the same bytes once.
  public func vouch(for digest: Digest, signer: [UInt8], message: [UInt8]) throws(LedgerError) {
    try write { (store) throws(LedgerError) in
      guard let row = try ArtefactRow.find(digest, " FOR UPDATE", in: store) else {
        throw LedgerError(.notFound, "artefact \(digest.short) was not announced")
      }
      let count = try store.first("SELECT count(*) FROM artefact_statements WHERE artefact = ?1", .integer(row.id)) {
        $0.integer(0)
      }
      guard count ?? 0 < Self.statementsMax else {
        throw LedgerError(.outOfRange, "artefact \(digest.short) has \(Self.statementsMax) statements")
      }
      try store.run(
        """
        INSERT INTO artefact_statements(artefact, digest, signer, message) VALUES(?1, ?2, ?3, ?4)
        ON CONFLICT (artefact, digest) DO NOTHING
        """, .integer(row.id), .bytes(Sodium.blake2b256(message).bytes), .bytes(signer), .bytes(message))
    }
  }

  /// Signers and their statements.
  public func statements(about digest: Digest) throws(LedgerError) -> [(signer: [UInt8], message: [UInt8])] {
    try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT t.signer, t.message FROM artefact_statements t JOIN artefacts a ON a.id = t.artefact WHERE a.digest = ?1
        ORDER BY t.digest
        """, .bytes(digest.bytes)
      ) { ($0.bytes(0), $0.bytes(1)) }
    }
  }

  /// The site runs `digest` in `slot` (model, policy, …), by its own signed word; nil: nothing anymore.
  public func noteUse(_ digest: Digest?, by site: SiteName, slot: String) throws(LedgerError) {
    guard (1...64).contains(slot.utf8.count) else { throw LedgerError(.outOfRange, "a slot of 1 to 64 bytes") }
    try write { (store) throws(LedgerError) in
      guard let id = try SiteRow.lock(site, in: store)?.id else {
        throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
      }
      try store.run("DELETE FROM artefact_uses WHERE site = ?1 AND slot = ?2", .integer(id), .text(slot))
      guard let digest else { return }
      let count = try store.first("SELECT count(*) FROM artefact_uses WHERE site = ?1", .integer(id)) { $0.integer(0) }
      guard count ?? 0 < Self.slotsMax else { throw LedgerError(.outOfRange, "\(site) has \(Self.slotsMax) slots") }
      try store.run(
        "INSERT INTO artefact_uses(site, slot, digest, since_ns) VALUES(?1, ?2, ?3, ?4)", .integer(id), .text(slot),
        .bytes(digest.bytes), .integer(clock.instant.nanoseconds))
    }
  }

  /// What a site runs, by slot.
  public func uses(by site: SiteName) throws(LedgerError) -> [(slot: String, digest: Digest, since: Instant)] {
    try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT u.slot, u.digest, u.since_ns FROM artefact_uses u JOIN sites s ON s.id = u.site WHERE s.name = ?1
        ORDER BY u.slot
        """, .text(site.description)
      ) { ($0.text(0), Digest(bytes: $0.bytes(1)) ?? .zero, Instant(nanoseconds: $0.integer(2))) }
    }
  }

  /// Sites that run an artefact, in the order of their names.
  public func users(of digest: Digest, limit: Int = pageMax) throws(LedgerError) -> [SiteName] {
    try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT DISTINCT s.name FROM artefact_uses u JOIN sites s ON s.id = u.site WHERE u.digest = ?1
        ORDER BY s.name LIMIT ?2
        """, .bytes(digest.bytes), .integer(Int64(min(limit, Self.pageMax)))
      ) { SiteName($0.text(0)) }.compactMap(\.self)
    }
  }
}
