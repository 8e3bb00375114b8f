import StatusAPI
import TwinCore

extension Screen {
  func fleet(_ fleet: API.Fleet) -> [String] {
    var lines = [
      oneLine(
        "foundation \(fleet.foundation)  ",
        [
          (state(fleet.state), 0), (counts(fleet.sites), 5), ("broker \(fleet.broker.state)", 4),
          ("ledger \(fleet.ledger), term \(fleet.term)", 2),
          (Self.plural(fleet.workers, "worker"), 1),
        ])
    ]
    for problem in fleet.problems {
      lines.append(marked(problem.title, problem.severity == "alarm" ? .alarm : .attention))
      lines += labelled("why", problem.cause)
      lines += labelled("next", problem.next)
    }
    return lines
  }

  /// The sites that are not current, or all of them.
  func fleetSites(_ sites: [API.FleetSite], all: Bool) -> [String] {
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
    let head = "\(Self.plural(sites.count, "site")): \(self.counts(counts))"
    let shown = all ? sites : sites.filter { $0.state != "current" }
    guard !shown.isEmpty else { return [head] }
    let columns = [
      Column(title: "SITE"), Column(title: "STATE"), Column(title: "HEARD"), Column(title: "WAITING", isRight: true),
      Column(title: "PACK", isRight: true),
      Column(title: "WHY → NEXT"),
    ]
    return [head]
      + table(
        columns,
        shown.map { site in
          [
            site.site, state(site.state),
            site.lastHeardAt.map { ago(age($0)) } ?? "never", Self.grouped(site.waiting),
            site.packVersion.map { "\($0)" } ?? "–",
            [site.problem, site.next].compactMap(\.self).joined(separator: " → "),
          ]
        })
  }

  func fleetSite(_ site: API.FleetSite) -> [String] {
    var lines = [
      oneLine(
        "\(site.site)  ",
        [
          (state(site.state), 0), (site.lastHeardAt.map { "heard \(ago(age($0)))" } ?? "never heard", 4),
          (site.packVersion.map { "pack \($0)" } ?? "", 3),
          (site.envelopesVersion.map { "envelopes of \($0)" } ?? "", 2),
          (site.refused > 0 ? "\(Self.grouped(site.refused)) refused" : "", 3),
        ].filter { !$0.0.isEmpty })
    ]
    if let problem = site.problem { lines += labelled("why", problem) }
    if let next = site.next { lines += labelled("next", next) }
    guard !site.streams.isEmpty else { return lines }
    lines += table(
      [
        Column(title: "STREAM"), Column(title: "HERE", isRight: true), Column(title: "THERE", isRight: true),
        Column(title: "SAFE", isRight: true),
        Column(title: "LOST", isRight: true),
      ],
      site.streams.map { stream in
        [
          stream.stream, Self.grouped(stream.next), stream.siteNext.map(Self.grouped) ?? "–", Self.grouped(stream.safe),
          Self.grouped(stream.lost),
        ]
      })
    return lines
  }

  func fleetKeys(_ keys: [API.FleetKey]) -> [String] {
    table(
      [Column(title: "KEY"), Column(title: "OF"), Column(title: "STATE"), Column(title: "UNTIL")],
      keys.map { key in
        [
          key.id, key.owner, state(key.state),
          key.until.map(time) ?? "–",
        ]
      })
  }

  func enrolments(_ enrolments: [API.Enrolment]) -> [String] {
    guard !enrolments.isEmpty else { return ["no token was made yet: twinctl fleet enrol new TENANT.SITE"] }
    return table(
      [Column(title: "TOKEN"), Column(title: "SITE"), Column(title: "STATE"), Column(title: "UNTIL")],
      enrolments.map { [$0.id, $0.site, $0.state, time($0.expiresAt)] })
  }

  func auditEntries(_ page: API.AuditEntries) -> [String] {
    guard !page.entries.isEmpty else { return [page.next == nil ? "nothing is recorded" : "nothing on this page"] }
    var lines = table(
      [
        Column(title: "AT"), Column(title: "WHO"), Column(title: "ENTRY", isRight: true), Column(title: "KIND"),
        Column(title: "WHAT"),
      ],
      page.entries.map { entry in
        [
          time(entry.at), entry.site ?? "foundation",
          entry.stream.map { "\($0) \(entry.sequence ?? entry.number)" } ?? "\(entry.number)", entry.kind, entry.text,
        ]
      })
    if let next = page.next { lines.append("more: --after \(next)") }
    return lines
  }

  func published(_ published: API.Published) -> [String] {
    [
      "\(published.site) is offered pack \(published.packVersion), envelopes of \(published.envelopesVersion)",
      "   next  twinctl fleet sites \(published.site), until it shows pack \(published.packVersion)",
    ]
  }

  /// How a site stands with its foundation.
  func sync(_ sync: API.SyncState) -> [String] {
    guard sync.state != "alone" else { return ["this site stands alone: nothing leaves it"] }
    var lines = [
      oneLine(
        "\(sync.foundation ?? "foundation")  ",
        [
          (state(sync.state), 0), (sync.broker.map { "broker \($0.address) \($0.state)" } ?? "", 4),
          (sync.ladder ?? "", 3),
          (sync.lastAckAt.map { "acknowledged \(ago(age($0)))" } ?? "", 2),
          (sync.bytesWaiting > 0 ? "\(Self.grouped(sync.bytesWaiting)) B wait" : "", 3),
        ].filter { !$0.0.isEmpty })
    ]
    if let problem = sync.problem { lines += labelled("why", problem) }
    if let next = sync.next { lines += labelled("next", next) }
    if let certificate = sync.certificate { lines += self.certificate(certificate) }
    lines += table(
      [
        Column(title: "STREAM"), Column(title: "WRITTEN", isRight: true), Column(title: "THERE", isRight: true),
        Column(title: "SAFE", isRight: true),
      ],
      sync.streams.filter { $0.next > 0 }.map {
        [$0.stream, Self.grouped($0.next), Self.grouped($0.acknowledged), Self.grouped($0.safe)]
      })
    return lines
  }

  /// One line while all is well.
  private func certificate(_ certificate: API.CertificateState) -> [String] {
    var text = certificate.until.map { "until \(time($0))" } ?? "there is none that can be used"
    switch certificate.state {
    case "good": text += certificate.renewalAt.map { ", renewed from \(time($0)) on" } ?? ""
    case "ending": text += ", being renewed"
    case "ended": text += ", ENDED; being renewed"
    default: break
    }
    if let at = certificate.renewedAt { text += "; last renewed \(time(at))" }
    var lines = labelled("cert", text)
    if let problem = certificate.problem { lines += labelled("why", problem) }
    if let next = certificate.next { lines += labelled("next", next) }
    return lines
  }

  private func counts(_ counts: API.FleetCounts) -> String {
    let parts = [
      (counts.current, "current"), (counts.behind, "behind"), (counts.silent, "silent"),
      (counts.quarantined, "quarantined"), (counts.enrolling, "enrolling"),
    ]
    let shown = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    return shown.isEmpty ? "none enrolled" : shown.joined(separator: " · ")
  }

  /// Plain where all is well.
  private func state(_ state: String) -> String {
    switch state {
    case "well", "current": state
    case "alarm", "quarantined", "revoked": marked(state, .alarm)
    default: marked(state, .attention)
    }
  }
}
