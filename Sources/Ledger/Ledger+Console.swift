public import Provenance
public import Sync
public import TwinCore

/// One line of the fleet: what `fleet sites` and `fleet sync` show of a site.
public struct SiteSummary: Equatable, Sendable {
  public let name: SiteName
  public let standing: SiteStandingSummary
  public let enrolledAt: Instant
  public let presence: SitePresence?
  /// Entries that the site says it has and the store has not, over the streams of its open epoch.
  public let entriesBehind: UInt64
  public let directedWaiting: UInt64
  public let heldCount: Int
}

public enum SiteStandingSummary: Equatable, Sendable {
  case active
  case quarantined(reason: String)
  case revoked(reason: String)
}

/// One log of a site, for an operator.
public struct StreamSummary: Equatable, Sendable {
  public let log: LogName
  public let next: UInt64
  public let safe: UInt64
  public let checkpointed: UInt64
  /// Where the site says that it ends; 0 before it said so.
  public let claimed: UInt64
  public let gapFirst: Range<UInt64>?
  /// Empty where it may be appended to.
  public let barred: String
  /// The last time the log grew; nil before the first.
  public let changedAt: Instant?
}

/// What an operator has to look at.
public struct LedgerAlarm: Equatable, Sendable {
  public enum Kind: String, Sendable {
    case quarantined
    case epochAwaiting = "epoch_awaiting"
    case gap
    case held
    case evidence
  }

  public let kind: Kind
  public let site: SiteName
  public let since: Instant
  public let text: String
}

extension Ledger {
  /// Sites after a name, in the order of names.
  public func sites(after name: SiteName? = nil, limit: Int = 100) throws(LedgerError) -> [SiteSummary] {
    try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT s.name, p.state, p.heard_ns, p.interval_ms, p.epoch, p.session, p.serial, s.standing, s.reason,
          s.enrolled_ns, s.directed_next - s.directed_installed,
          (SELECT count(*) FROM held h WHERE h.site = s.id),
          (SELECT CAST(coalesce(sum(l.claimed - l.next), 0) AS BIGINT) FROM logs l JOIN epochs e ON e.site = l.site
            AND e.epoch = l.epoch AND e.standing = 0 WHERE l.site = s.id AND l.claimed > l.next)
        FROM sites s LEFT JOIN presences p ON p.site = s.id WHERE s.name > ?1 ORDER BY s.name LIMIT ?2
        """, .text(name?.description ?? ""), .integer(Int64(min(limit, Self.pageMax)))
      ) { row -> SiteSummary? in
        guard let name = SiteName(row.text(0)) else { return nil }
        let standing: SiteStandingSummary =
          switch SiteRow.SiteStandingCode(rawValue: row.integer(7)) {
          case .active: .active
          case .revoked: .revoked(reason: row.text(8))
          case .quarantined, nil: .quarantined(reason: row.text(8))
          }
        return SiteSummary(
          name: name, standing: standing, enrolledAt: Instant(nanoseconds: row.integer(9)),
          presence: row.isNull(1) ? nil : Self.presence(row), entriesBehind: UInt64(row.integer(12)),
          directedWaiting: UInt64(row.integer(10)), heldCount: Int(row.integer(11)))
      }.compactMap(\.self)
    }
  }

  /// All logs of a site, the newest epoch first.
  public func streams(of site: SiteName) throws(LedgerError) -> [StreamSummary] {
    try read { (store) throws(LedgerError) in
      let bits = LedgerSchema.sequenceBits
      return try store.list(
        """
        SELECT l.epoch, l.stream, l.next, l.safe, l.checkpointed, l.claimed, l.barred, l.changed_ns, g.place, g.resume
        FROM sites s JOIN logs l ON l.site = s.id JOIN epochs e ON e.site = s.id AND e.epoch = l.epoch
        LEFT JOIN gaps g ON g.place = (SELECT min(f.place) FROM gaps f
          WHERE f.place >= l.id << \(bits) AND f.place < (l.id + 1) << \(bits))
        WHERE s.name = ?1 ORDER BY e.place DESC, l.stream LIMIT ?2
        """, .text(site.description), .integer(Int64(Self.pageMax))
      ) { row -> StreamSummary? in
        guard let epoch = LogEpoch(bytes: row.bytes(0)), let stream = LogStream(rawValue: UInt8(row.integer(1)))
        else { return nil }
        let gap = row.optionalInteger(8).map {
          UInt64($0 & LedgerSchema.sequenceMax)..<UInt64(row.integer(9))
        }
        return StreamSummary(
          log: LogName(site: site, epoch: epoch, stream: stream), next: UInt64(row.integer(2)),
          safe: UInt64(row.integer(3)), checkpointed: UInt64(row.integer(4)), claimed: UInt64(row.integer(5)),
          gapFirst: gap, barred: row.text(6),
          changedAt: row.integer(7) == 0 ? nil : Instant(nanoseconds: row.integer(7)))
      }.compactMap(\.self)
    }
  }

  /// What wants an operator, the newest first.
  public func alarms(limit: Int = 100) throws(LedgerError) -> [LedgerAlarm] {
    let bits = LedgerSchema.sequenceBits
    let queries: [(LedgerAlarm.Kind, String)] = [
      (
        .quarantined,
        """
        SELECT s.name, coalesce((SELECT max(v.noted_ns) FROM evidence v WHERE v.site = s.id), s.enrolled_ns) AS at_ns,
          s.reason FROM sites s WHERE s.standing = 1
        """
      ),
      (
        .epochAwaiting,
        """
        SELECT s.name, e.noted_ns AS at_ns, 'opened without a link to the epoch before it' FROM epochs e
        JOIN sites s ON s.id = e.site WHERE e.standing = 2
        """
      ),
      (
        .gap,
        """
        SELECT s.name, g.noted_ns AS at_ns, 'entries are lost by the site''s own word' FROM gaps g
        JOIN logs l ON l.id = g.place >> \(bits) JOIN sites s ON s.id = l.site
        """
      ),
      (
        .held,
        """
        SELECT s.name, min(h.noted_ns) AS at_ns, 'messages wait for a newer twind' FROM held h
        JOIN sites s ON s.id = h.site GROUP BY s.name
        """
      ),
      (
        .evidence,
        """
        SELECT s.name, v.noted_ns AS at_ns, v.what FROM evidence v JOIN sites s ON s.id = v.site
        """
      ),
    ]
    return try read { (store) throws(LedgerError) in
      var found: [LedgerAlarm] = []
      for (kind, sql) in queries {
        found += try store.list("\(sql) ORDER BY at_ns DESC LIMIT ?1", .integer(Int64(min(limit, Self.pageMax)))) {
          row in
          SiteName(row.text(0)).map {
            LedgerAlarm(kind: kind, site: $0, since: Instant(nanoseconds: row.integer(1)), text: row.text(2))
          }
        }.compactMap(\.self)
      }
      return Array(found.sorted { $0.since > $1.since }.prefix(limit))
    }
  }
}
