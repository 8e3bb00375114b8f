public import Provenance
import Seams
import Sodium
public import Sync
public import TwinCore

extension Ledger {
  /// Epochs and keys of one site that are read; a site has a few in its life.
  private static let historyMax: Int64 = 256

  public func site(_ name: SiteName) throws(LedgerFault) -> SiteRecord? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        guard let row = try SiteRow.read(name, in: store) else { return nil }
        return try Self.record(name, row, in: store)
      }
    }
  }

  static func record(
    _ name: SiteName, _ row: SiteRow, in store: any LedgerConnection
  ) throws(LedgerError) -> SiteRecord {
    let keys = try store.list(
      """
      SELECT key_epoch, signing, sealing, valid_until_ns FROM site_keys WHERE site = ?1 ORDER BY key_epoch DESC LIMIT ?2
      """, .integer(row.id), .integer(historyMax)
    ) { key in
      Ed25519.PublicKey(bytes: key.bytes(1)).map {
        SiteKey(
          keyEpoch: UInt32(truncatingIfNeeded: key.integer(0)), signing: $0, sealing: key.bytes(2),
          validUntil: key.optionalInteger(3).map(Instant.init(nanoseconds:)))
      }
    }
    let epochs = try store.list(
      "SELECT epoch, standing, previous FROM epochs WHERE site = ?1 ORDER BY place DESC LIMIT ?2", .integer(row.id),
      .integer(historyMax), read: epoch)
    guard !keys.contains(nil), !epochs.contains(nil) else {
      throw LedgerError(.corrupt, "the record of \(name) holds no key or epoch where one should be")
    }
    var record = SiteRecord(
      name: name, keys: keys.compactMap(\.self), epochs: epochs.compactMap(\.self).reversed())
    switch row.standing {
    case .active: record.standing = .active
    case .quarantined: record.standing = .quarantined(reason: row.reason)
    case .revoked: record.standing = .revoked
    }
    return record
  }

  private static func epoch(_ row: any LedgerRow) -> SiteEpoch? {
    guard let epoch = LogEpoch(bytes: row.bytes(0)), let standing = EpochStanding(rawValue: UInt8(row.integer(1)))
    else { return nil }
    return SiteEpoch(
      epoch: epoch, standing: standing, previous: row.optionalBytes(2).flatMap(LogEpoch.init(bytes:)))
  }

  // MARK: epochs

  public func open(
    _ epoch: SiteEpoch, of site: SiteName, evidence: [UInt8]
  ) throws(LedgerFault) -> SiteEpoch {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        guard let row = try SiteRow.lock(site, in: store) else {
          throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
        }
        let sql = "SELECT epoch, standing, previous FROM epochs WHERE site = ?1 AND epoch = ?2"
        if let known = try store.first(sql, .integer(row.id), .bytes(epoch.epoch.bytes), read: Self.epoch) {
          guard let known else { throw LedgerError(.corrupt, "epoch \(epoch.epoch) of \(site) is no epoch") }
          return known
        }
        let count = try store.first("SELECT count(*) FROM epochs WHERE site = ?1", .integer(row.id)) { $0.integer(0) }
        guard let count, count < Self.historyMax else {
          throw LedgerError(.refused, "\(site) has opened \(Self.historyMax) epochs")
        }
        try store.run(
          """
          INSERT INTO epochs(site, epoch, place, standing, previous, reason, evidence, noted_ns)
          VALUES(?1, ?2, ?3, ?4, ?5, '', ?6, ?7)
          """, .integer(row.id), .bytes(epoch.epoch.bytes), .integer(count), .integer(Int64(epoch.standing.rawValue)),
          LedgerValue(epoch.previous?.bytes), .bytes(evidence), .integer(clock.instant.nanoseconds))
        return epoch
      }
    }
  }

  public func close(_ epoch: LogEpoch, of site: SiteName, reason: String) throws(LedgerFault) {
    try answering { () throws(LedgerError) in
      try stand(epoch, of: site, .closed, reason: reason)
    }
  }

  /// An operator's yes to an epoch that the site opened without a link; closes the epochs open before it.
  public func approve(_ epoch: LogEpoch, of site: SiteName) throws(LedgerError) {
    try stand(epoch, of: site, .open, reason: "approved")
  }

  private func stand(
    _ epoch: LogEpoch, of site: SiteName, _ standing: EpochStanding, reason: String
  ) throws(LedgerError) {
    try write { (store) throws(LedgerError) in
      guard let row = try SiteRow.lock(site, in: store) else {
        throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
      }
      if standing == .open {
        try store.run(
          "UPDATE epochs SET standing = 1, reason = ?2 WHERE site = ?1 AND standing = 0", .integer(row.id),
          .text("followed by \(epoch)"))
      }
      let changed = try store.run(
        "UPDATE epochs SET standing = ?3, reason = ?4 WHERE site = ?1 AND epoch = ?2", .integer(row.id),
        .bytes(epoch.bytes), .integer(Int64(standing.rawValue)), .text(reason))
      guard changed == 1 else { throw LedgerError(.notFound, "\(site) has no epoch \(epoch)") }
      try SiteRow.stand(row.id, row.standing, reason: row.reason, in: store)
    }
  }

  // MARK: standing

  public func quarantine(_ site: SiteName, reason: String, evidence: [[UInt8]]) throws(LedgerFault) {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        guard let row = try SiteRow.lock(site, in: store) else {
          throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
        }
        for message in evidence {
          try Self.keepEvidence(reason, site: row.id, message: message, at: clock.instant, in: store)
        }
        // The first reason stays, and a revocation is the graver.
        if row.standing == .active { try SiteRow.stand(row.id, .quarantined, reason: reason, in: store) }
      }
    }
  }

  /// An operator lifts a quarantine; the evidence stays.
  public func release(_ site: SiteName) throws(LedgerError) {
    try write { (store) throws(LedgerError) in
      guard let row = try SiteRow.lock(site, in: store) else {
        throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
      }
      guard row.standing != .revoked else { throw LedgerError(.refused, "\(site) is revoked, which is for good") }
      try SiteRow.stand(row.id, .active, reason: "", in: store)
    }
  }

  /// For good, with its leaf in the foundation's log; what was appended stays valid. Answers the leaf's sequence.
  @discardableResult
  public func revoke(_ site: SiteName, reason: String, leaf: FoundationLeaf) throws(LedgerError) -> UInt64 {
    try write { (store) throws(LedgerError) in
      guard let row = try SiteRow.lock(site, in: store) else {
        throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
      }
      try SiteRow.stand(row.id, .revoked, reason: reason, in: store)
      return try FoundationTree(store).append([leaf], at: clock.instant)
    }
  }

  /// Takes a rotated key in; the ones before it end at `overlapEnd`, or when they ended before.
  public func rotate(
    _ site: SiteName, to key: SiteKey, overlapEnd: Instant, leaf: FoundationLeaf
  ) throws(LedgerError) {
    try write { (store) throws(LedgerError) in
      guard let row = try SiteRow.lock(site, in: store) else {
        throw LedgerError(.siteUnknown, "no site \(site) is enrolled")
      }
      let newest = try store.first("SELECT max(key_epoch) FROM site_keys WHERE site = ?1", .integer(row.id)) {
        $0.integer(0)
      }
      guard Int64(key.keyEpoch) > newest ?? -1 else {
        throw LedgerError(.exists, "\(site) has key epoch \(newest ?? -1) already, wanted a higher than that")
      }
      try store.run(
        """
        UPDATE site_keys SET valid_until_ns = ?2 WHERE site = ?1 AND (valid_until_ns IS NULL OR valid_until_ns > ?2)
        """, .integer(row.id), .integer(overlapEnd.nanoseconds))
      try Self.insert(key, of: row.id, in: store)
      _ = try FoundationTree(store).append([leaf], at: clock.instant)
    }
  }

  static func insert(_ key: SiteKey, of site: Int64, in store: any LedgerConnection) throws(LedgerError) {
    try store.run(
      "INSERT INTO site_keys(site, key_epoch, signing, sealing, valid_until_ns) VALUES(?1, ?2, ?3, ?4, ?5)",
      .integer(site), .integer(Int64(key.keyEpoch)), .bytes(key.signing.bytes), .bytes(key.sealing),
      LedgerValue(key.validUntil?.nanoseconds))
  }
}
