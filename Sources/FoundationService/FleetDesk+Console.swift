import DeltaLog
import Ledger
import Provenance
import Seams
import Sodium
import StatusAPI
import Sync
import TwinCore

// What an operator's console shows: read from the ledger, worded here.

extension FleetDesk {
  static let sitesMax = 100_000
  /// A refusal older than this is history.
  static let complaintNanoseconds: Int64 = 20_000_000_000
  static let release = API.release

  var header: API.Header { API.Header(site: settings.name) }

  func fleet() throws(APIProblem) -> API.Fleet {
    let sites = try sites()
    var counts = API.FleetCounts()
    for site in sites {
      switch site.state {
      case "current": counts.current += 1
      case "behind": counts.behind += 1
      case "silent": counts.silent += 1
      case "quarantined": counts.quarantined += 1
      default: counts.enrolling += 1
      }
    }
    let problems = try problems()
    let isDown = brokers.values.contains { $0.state != "connected" } || brokers.isEmpty
    let state =
      isLeaseLost || isDown
      ? "alarm" : (counts.behind + counts.silent + counts.quarantined > 0 || !problems.isEmpty ? "attention" : "well")
    return try asking { () throws(LedgerError) in
      let checkpoint = try ledger.foundationCheckpoint()
      return API.Fleet(
        foundation: settings.name, state: state, sites: counts,
        ledger: settings.postgresql == nil ? "sqlite" : "postgresql", term: Int64(clamping: ledger.term),
        broker: broker, workers: settings.workers, version: Self.release,
        uptimeS: Double(clock.instant.nanoseconds(since: startedAt)) / 1e9,
        log: checkpoint.map {
          API.FleetCheckpoint(size: Int64(clamping: $0.size), root: $0.root.hex, at: Timestamp(clock.instant))
        }, problems: problems)
    }
  }

  private var broker: API.BrokerState {
    let address = "\(settings.host):\(settings.port)"
    guard let worst = brokers.values.max(by: { $0.state == "connected" && $1.state != "connected" }) else {
      return API.BrokerState(address: address, state: "connecting")
    }
    return API.BrokerState(
      address: address, state: worst.state, since: Timestamp(worst.since), cause: worst.cause)
  }

  private func problems() throws(APIProblem) -> [API.Problem] {
    let alarms = try asking { () throws(LedgerError) in try ledger.alarms() }
    var problems = alarms.map { alarm in
      API.Problem(
        id: "fleet.\(alarm.site).\(alarm.kind.rawValue)", code: "fleet.\(alarm.kind.rawValue)", severity: "warning",
        title: "\(alarm.site): \(alarm.kind.rawValue)", cause: alarm.text, since: Timestamp(alarm.since),
        forS: Double(clock.instant.nanoseconds(since: alarm.since)) / 1e9, effect: "the site runs on by itself",
        next: "twinctl fleet sites \(alarm.site)")
    }
    problems += certificateProblems
    for (site, split) in splits.sorted(by: { $0.key < $1.key }) {
      problems.append(
        API.Problem(
          id: "fleet.\(site).split", code: "fleet.log_split", severity: "alarm",
          title: "\(site) saw another log of this foundation", cause: split.message, since: Timestamp(split.at),
          forS: Double(clock.instant.nanoseconds(since: split.at)) / 1e9,
          effect: "sites that saw it take in no pack, envelope or metadata; they run on",
          next: "docs/runbooks/fleet.md, The foundation's log went back"))
    }
    if let fault = metadataFault {
      problems.append(
        API.Problem(
          id: "fleet.metadata", code: fault.code, severity: "alarm", title: "nothing new can be published",
          cause: fault.message, since: Timestamp(clock.instant), forS: 0,
          effect: "sites become stale when what they have ends", next: fault.remedy))
    }
    if isLeaseLost {
      problems.insert(
        API.Problem(
          id: "fleet.lease", code: "fleet.lease_lost", severity: "alarm", title: "another foundation has the lease",
          cause: "the ledger is written by somebody else", since: Timestamp(clock.instant), forS: 0,
          effect: "nothing is acknowledged here", next: "stop one of the two foundations, then start this one again"),
        at: 0)
    }
    return problems
  }

  func sites() throws(APIProblem) -> [API.FleetSite] {
    var found: [API.FleetSite] = []
    var last: SiteName?
    while found.count < Self.sitesMax {
      let page = try asking { () throws(LedgerError) in try ledger.sites(after: last, limit: 100) }
      for summary in page { found.append(try line(summary, streams: false)) }
      guard let end = page.last?.name, page.count == 100 else { break }
      last = end
    }
    return found
  }

  func site(_ name: String) throws(APIProblem) -> API.FleetSite {
    let site = try known(name)
    let page = try asking { () throws(LedgerError) in try ledger.sites(after: nil, limit: Self.sitesMax) }
    guard let summary = page.first(where: { $0.name == site }) else {
      throw .notFound("site", name, known: page.map(\.name.description), list: "twinctl fleet sites")
    }
    return try line(summary, streams: true)
  }

  private func line(_ summary: SiteSummary, streams: Bool) throws(APIProblem) -> API.FleetSite {
    let site = summary.name
    let now = clock.instant
    var line = API.FleetSite(
      site: site.description, state: "current", lastHeardAt: summary.presence.map { Timestamp($0.heardAt) },
      waiting: Int64(clamping: summary.entriesBehind), refused: complaints[site]?.count ?? 0)
    if let pack = try installed(by: site) {
      (line.packVersion, line.envelopesVersion) = (Int(clamping: pack.version), Int(clamping: pack.envelopesVersion))
    }
    let age = summary.presence.map { DurationText.short(nanoseconds: max(0, now.nanoseconds(since: $0.heardAt))) }
    switch summary.standing {
    case .quarantined(let reason):
      (line.state, line.problem) = ("quarantined", reason)
      line.next = "look at it, then: twinctl fleet sync release \(site) --reason …"
    case .revoked(let reason):
      (line.state, line.problem, line.next) = (
        "quarantined", "revoked: \(reason)", "enrol it anew if it is to come back"
      )
    case .active:
      if summary.presence == nil {
        (line.state, line.problem) = ("enrolling", "enrolled, not heard yet")
        line.next = "start twind edge on the gateway"
      } else if summary.presence?.state(at: now) != .online {
        (line.state, line.problem) = ("silent", "last heard \(age ?? "never") ago")
        line.next = "the site runs on by itself; look at its line and its gateway"
      } else if let complaint = complaints[site],
        now.nanoseconds(since: complaint.at) < Self.complaintNanoseconds
      {
        (line.state, line.problem) = ("behind", "\(complaint.kind.rawValue): \(complaint.message)")
        line.next = "twinctl fleet keys \(site)"
      } else if summary.entriesBehind > 0 || summary.directedWaiting > 0 {
        line.state = "behind"
        line.problem =
          summary.entriesBehind > 0
          ? "\(summary.entriesBehind) entries under way" : "\(summary.directedWaiting) orders not taken up yet"
      }
    }
    guard streams else { return line }
    let logs = try asking { () throws(LedgerError) in try ledger.streams(of: site) }
    line.streams = logs.map { log in
      API.FleetStream(
        stream: log.log.stream.name, next: Int64(clamping: log.next), siteNext: Int64(clamping: log.claimed),
        safe: Int64(clamping: log.safe), lost: log.gapFirst.map { Int64(clamping: $0.upperBound - $0.lowerBound) } ?? 0)
    }
    return line
  }

  /// The pack that the site last said to have taken up.
  private func installed(by site: SiteName) throws(APIProblem) -> PackOutcome? {
    let filter = AuditFilter(site: site, kinds: [.packInstalled], isNewestFirst: true)
    let page = try asking { () throws(LedgerError) in try ledger.audit(filter, limit: 16) }
    return page.entries.lazy.compactMap { $0.body.flatMap { try? PackOutcome(body: $0) } }.first { $0.isTaken }
  }

  /// What a site told, or what the foundation itself did.
  func audit(site name: String?, after: String?, limit: Int) throws(APIProblem) -> API.AuditEntries {
    guard let name else { return try ownAudit(after: after, limit: limit) }
    let site = try known(name)
    let cursor = after.flatMap { AuditCursor($0) }
    let page = try asking { () throws(LedgerError) in
      try ledger.audit(
        AuditFilter(site: site, streams: [.audit, .control]), from: cursor, limit: limit)
    }
    let entries = page.entries.compactMap { stored -> API.AuditEntry? in
      guard let entry = try? LogEntry(stored.entry) else { return nil }
      return API.AuditEntry(
        number: Int64(clamping: stored.sequence), at: Timestamp(Instant(milliseconds: entry.wall)),
        site: name, stream: stored.log.stream.name, sequence: Int64(clamping: stored.sequence),
        kind: EntryText.name(entry.kind), text: EntryText.line(entry.kind, stored.body), digest: entry.bodyDigest.hex)
    }
    return API.AuditEntries(entries: entries, next: page.next?.text)
  }

  private func ownAudit(after: String?, limit: Int) throws(APIProblem) -> API.AuditEntries {
    let from = after.flatMap(UInt64.init).map { $0 + 1 } ?? 0
    let records = try asking { () throws(LedgerError) in try ledger.foundationRecords(from: from, limit: limit) }
    let entries = records.map { record in
      API.AuditEntry(
        number: Int64(clamping: record.sequence), at: Timestamp(record.notedAt),
        site: record.leaf.site?.description, kind: "\(record.leaf.kind)",
        text: EntryText.leaf(record.leaf), digest: Sodium.blake2b256(record.leaf.bytes).hex)
    }
    return API.AuditEntries(
      entries: entries, next: records.count == limit ? records.last.map { "\($0.sequence)" } : nil)
  }

  func keys(owner: String?) throws(APIProblem) -> [API.FleetKey] {
    var keys: [API.FleetKey] = []
    if owner == nil {
      for key in metadata.store.root.keys {
        guard let bytes = key.key else { continue }
        keys.append(API.FleetKey(id: KeyID(bytes).hex, owner: key.role.name, state: "current"))
      }
    }
    let names: [SiteName]
    if let owner { names = [try known(owner)] } else { names = try sites().compactMap { SiteName($0.site) } }
    for name in names {
      let record: SiteRecord?
      do throws(LedgerFault) { record = try ledger.site(name) } catch { throw APIProblem(ledger: error) }
      guard let record else { continue }
      for key in record.keys {
        let isOver = key.validUntil.map { $0 < clock.instant } ?? false
        let state = record.standing == .revoked ? "revoked" : (isOver || key.validUntil != nil ? "retired" : "current")
        keys.append(
          API.FleetKey(
            id: KeyID(key.signing).hex, owner: name.description, state: state,
            until: key.validUntil.map(Timestamp.init)))
      }
    }
    return keys
  }

  func enrolments() throws(APIProblem) -> [API.Enrolment] {
    let now = clock.instant
    return try asking { () throws(LedgerError) in try ledger.tokens() }.map { token in
      API.Enrolment(
        id: token.grant.name, site: "\(token.grant.tenant).\(token.grant.site ?? "*")",
        state: token.spentAt != nil ? "used" : (token.grant.expires < now ? "expired" : "open"),
        expiresAt: Timestamp(token.grant.expires))
    }
  }

  func known(_ name: String) throws(APIProblem) -> SiteName {
    guard let site = SiteName(name) else {
      throw .invalid("\(name) is no site", cause: "wanted TENANT.SITE of a-z, 0-9 and -", next: "twinctl fleet sites")
    }
    return site
  }

  func asking<Result>(_ body: () throws(LedgerError) -> Result) throws(APIProblem) -> Result {
    do throws(LedgerError) { return try body() } catch { throw APIProblem(ledger: error) }
  }
}

extension APIProblem {
  init(ledger fault: some Fault) {
    let status =
      switch fault.code {
      case "ledger.not_found", "ledger.site_unknown", "ledger.token_unknown": 404
      case "ledger.exists", "ledger.refused", "ledger.token_spent", "ledger.out_of_range": 409
      default: 503
      }
    self.init(
      status: status, code: fault.code, title: "the ledger said no", cause: fault.message, next: fault.remedy)
  }

  static func refused(_ title: String, cause: String, next: String) -> APIProblem {
    .refused(code: "fleet.refused", title: title, cause: cause, effect: "nothing was changed", next: next)
  }

  init(foundation fault: FoundationFault) {
    self.init(
      status: 409, code: fault.code, title: "it was refused", cause: fault.message, effect: "nothing was changed",
      next: fault.remedy)
  }
}
