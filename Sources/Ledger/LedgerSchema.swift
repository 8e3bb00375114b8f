// The ledger's tables, version 2; in SQLite `application_id` "twfl". docs/ledger.md tells what each is for.
//
//   place      = number of a log, a site or an artefact << 38 | sequence: rows of one lie together, in their order
//   nodes      a Merkle frontier: its hashes one after another, 32 bytes each, the largest subtree first
//   …_ns       nanoseconds since 1970, UTC
//   standing   of a site 0 active, 1 quarantined, 2 revoked; of an epoch as `EpochStanding`
//   barred     why nothing may be appended to a log, empty where it may: the site's and the epoch's standing, kept with
//              the log so that the lock on its row covers them
//   durable    everything of a log below it survives the loss of this store
//   leafed     the size of a log's newest checkpoint that is a leaf of the foundation's own log, and when that was
//   base       a size up to which `base_nodes` is the tree: of the newest checkpoint, or behind a declared loss

/// Makes the tables, and brings those of an older twind forward.
enum LedgerSchema {
  static let version = steps.count
  static let sequenceBits: Int64 = 38
  static let sequenceMax: Int64 = 1 << sequenceBits - 1

  /// Step i brings version i to i + 1. Never changed once released: a new table is a new step.
  private static let steps = [first, second]

  /// One range of places.
  static func places(of number: Int64, from sequence: Int64 = 0) -> Int64 { number << sequenceBits | sequence }

  /// Refuses a store of a newer version or of something else, before anything is written to it.
  static func prepare(_ connection: any LedgerConnection) throws(LedgerError) {
    var version = 0
    if try connection.hasTable("ledger") {
      version = Int(try connection.first("SELECT version FROM ledger") { $0.integer(0) } ?? 0)
      guard version <= Self.version else {
        throw LedgerError(
          .newerVersion, "the ledger has tables of version \(version), this twind knows up to \(Self.version)")
      }
      guard version >= 1 else { throw LedgerError(.notALedger, "table ledger has version \(version)") }
    } else if try connection.hasTable("sites") {
      throw LedgerError(.notALedger, "the database holds other tables than a ledger's")
    }
    for (index, step) in steps.enumerated().dropFirst(version) {
      try connection.execute(step)
      try connection.run("UPDATE ledger SET version = ?1", .integer(Int64(index + 1)))
    }
  }

  private static let first = """
    CREATE TABLE ledger(
      single INTEGER PRIMARY KEY, version INTEGER NOT NULL, term INTEGER NOT NULL, holder TEXT NOT NULL,
      lease_until_ns INTEGER NOT NULL, foundation_next INTEGER NOT NULL, backup_begun INTEGER NOT NULL,
      backup_confirmed INTEGER NOT NULL) STRICT;
    INSERT INTO ledger(single, version, term, holder, lease_until_ns, foundation_next, backup_begun, backup_confirmed)
      VALUES(1, 0, 0, '', 0, 0, 0, 0);

    CREATE TABLE sites(
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, standing INTEGER NOT NULL, reason TEXT NOT NULL,
      enrolled_ns INTEGER NOT NULL, directed_next INTEGER NOT NULL, directed_installed INTEGER NOT NULL) STRICT;
    CREATE TABLE site_keys(
      site INTEGER NOT NULL, key_epoch INTEGER NOT NULL, signing BLOB NOT NULL, sealing BLOB NOT NULL,
      valid_until_ns INTEGER, PRIMARY KEY(site, key_epoch)) STRICT, WITHOUT ROWID;
    CREATE TABLE epochs(
      site INTEGER NOT NULL, epoch BLOB NOT NULL, place INTEGER NOT NULL, standing INTEGER NOT NULL, previous BLOB,
      reason TEXT NOT NULL, evidence BLOB NOT NULL, noted_ns INTEGER NOT NULL, PRIMARY KEY(site, epoch)) STRICT;

    CREATE TABLE logs(
      id INTEGER PRIMARY KEY, site INTEGER NOT NULL, epoch BLOB NOT NULL, stream INTEGER NOT NULL, barred TEXT NOT NULL,
      next INTEGER NOT NULL, chain BLOB NOT NULL, nodes BLOB NOT NULL, base INTEGER NOT NULL,
      base_nodes BLOB NOT NULL, checkpointed INTEGER NOT NULL, durable INTEGER NOT NULL, safe INTEGER NOT NULL,
      receipt TEXT, claimed INTEGER NOT NULL, changed_ns INTEGER NOT NULL, UNIQUE(site, epoch, stream)) STRICT;
    CREATE TABLE entries(place INTEGER PRIMARY KEY, entry BLOB NOT NULL, body BLOB) STRICT;
    CREATE TABLE checkpoints(place INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL) STRICT;
    CREATE TABLE gaps(
      place INTEGER PRIMARY KEY, resume INTEGER NOT NULL, evidence BLOB NOT NULL, noted_ns INTEGER NOT NULL) STRICT;
    CREATE TABLE marks(log INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;

    CREATE TABLE evidence(
      id INTEGER PRIMARY KEY, site INTEGER NOT NULL, what TEXT NOT NULL, log INTEGER, sequence INTEGER, stored BLOB,
      offered BLOB, message BLOB NOT NULL, noted_ns INTEGER NOT NULL) STRICT;
    CREATE INDEX evidence_site ON evidence(site);
    CREATE TABLE held(
      site INTEGER NOT NULL, digest BLOB NOT NULL, topic TEXT NOT NULL, type TEXT NOT NULL, reason TEXT NOT NULL,
      message BLOB NOT NULL, noted_ns INTEGER NOT NULL, PRIMARY KEY(site, digest)) STRICT;
    CREATE TABLE births(
      site INTEGER PRIMARY KEY, birth BLOB NOT NULL, message BLOB NOT NULL, noted_ns INTEGER NOT NULL) STRICT;
    CREATE TABLE presences(
      site INTEGER PRIMARY KEY, state INTEGER NOT NULL, heard_ns INTEGER NOT NULL, interval_ms INTEGER NOT NULL,
      epoch BLOB NOT NULL, session INTEGER NOT NULL, serial INTEGER NOT NULL, due_ns INTEGER NOT NULL) STRICT;
    CREATE INDEX presences_due ON presences(due_ns);
    CREATE TABLE directed(
      place INTEGER PRIMARY KEY, kind INTEGER NOT NULL, body BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;

    CREATE TABLE tokens(
      name TEXT PRIMARY KEY, key BLOB NOT NULL, tenant TEXT NOT NULL, site TEXT NOT NULL,
      expires_ns INTEGER NOT NULL, made_ns INTEGER NOT NULL, spent_ns INTEGER, spent_by TEXT NOT NULL) STRICT;
    CREATE TABLE foundation(
      sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, site TEXT NOT NULL, leaf BLOB NOT NULL,
      noted_ns INTEGER NOT NULL) STRICT;
    CREATE INDEX foundation_site ON foundation(site, sequence);
    CREATE TABLE foundation_nodes(
      level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL,
      PRIMARY KEY(level, place)) STRICT, WITHOUT ROWID;
    CREATE TABLE foundation_checkpoints(size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL) STRICT;

    CREATE TABLE artefacts(
      id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, manifest BLOB NOT NULL, map BLOB NOT NULL, stored_ns INTEGER,
      begun_ns INTEGER NOT NULL) STRICT;
    CREATE TABLE chunks(place INTEGER PRIMARY KEY, hash BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE artefact_sites(
      artefact INTEGER NOT NULL, site INTEGER NOT NULL, PRIMARY KEY(artefact, site)) STRICT, WITHOUT ROWID;
    CREATE TABLE artefact_statements(
      artefact INTEGER NOT NULL, digest BLOB NOT NULL, signer BLOB NOT NULL, message BLOB NOT NULL,
      PRIMARY KEY(artefact, digest)) STRICT;
    CREATE TABLE artefact_uses(
      site INTEGER NOT NULL, slot TEXT NOT NULL, digest BLOB NOT NULL, since_ns INTEGER NOT NULL,
      PRIMARY KEY(site, slot)) STRICT, WITHOUT ROWID;
    CREATE INDEX artefact_uses_digest ON artefact_uses(digest);
    """

  /// Checkpoints of sites among the foundation's leaves.
  private static let second = """
    ALTER TABLE logs ADD COLUMN leafed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE logs ADD COLUMN leafed_ns INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX logs_unleafed ON logs(id) WHERE checkpointed > leafed;
    """

  static let entries = LedgerTable(name: "entries", columns: ["place", "entry", "body"])
  static let nodes = LedgerTable(name: "foundation_nodes", columns: ["level", "place", "hash"])
}
