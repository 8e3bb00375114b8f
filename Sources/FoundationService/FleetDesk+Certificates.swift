import Ledger
import Logging
import Provenance
import Seams
import StatusAPI
import Sync
import TwinCore
import X509

// Certificates over their life: sites' are renewed on their own request, workers' here, and the broker's list follows
// what the ledger says is revoked.

/// What the desk remembers of certificates.
struct CertificateBook {
  var gate: RenewalGate
  var list: BrokerList
  /// Whether something was revoked that the list may lack; true at the start.
  var isListBehind = true
  var fault: FoundationFault?
  var renewedCount: Int64 = 0
  var refusedCount: Int64 = 0
  var brokerEnds: Instant?
  var nextLook = Uptime(nanoseconds: .min)

  static let lookNanoseconds: Int64 = 3_600_000_000_000
  /// A broker's certificate takes the stick, hence a person.
  static let brokerWarningNanoseconds: Int64 = 120 * 86_400_000_000_000
}

extension FleetDesk {
  /// The answer to a site that asks for a new certificate, or nil with a word in the log.
  func renew(_ bytes: [UInt8], exchange: String) -> [UInt8]? {
    guard let site = book.gate.open(bytes, exchange: exchange, at: clock.uptime) else { return nil }
    let record: SiteRecord?
    do throws(LedgerFault) {
      record = try ledger.site(site)
    } catch {
      logger.warning("renewal not judged", metadata: ["site": "\(site)", "cause": "\(error.message)"])
      return nil
    }
    guard let record else {
      noteRefused(site, "no site of that name is enrolled")
      return nil
    }
    switch book.gate.judge(bytes, by: record, at: clock.uptime, wall: clock.instant) {
    case .silence(let why):
      noteRefused(site, why)
      return nil
    case .reply(let reply): return reply
    case .refuse(let request, let why):
      noteRefused(site, "\(why)")
      return RenewalGate.refuse(request, why)
    case .issue(let request): return issue(request)
    }
  }

  private func issue(_ request: RenewalRequest) -> [UInt8] {
    let site = request.site
    let made: IssuedCertificate
    do throws(X509Fault) {
      made = try devices.certify(
        SigningRequest(pem: Array(request.certificateRequest.utf8)), expecting: site.description,
        life: DeviceDesk.life, at: clock.instant)
    } catch {
      noteRefused(site, error.message)
      let isOurs = error.kind == .badValidity || error.kind == .libraryFailed
      return RenewalGate.refuse(request, isOurs ? .unable : .requestMalformed)
    }
    do throws(LedgerError) {
      // Before the site has it: a certificate that is not in the log could not be taken back.
      try ledger.appendFoundation([made.leaf(for: site, "renewal", at: clock.instant)])
    } catch {
      noteRefused(site, error.message)
      return RenewalGate.refuse(request, .unable)
    }
    book.renewedCount += 1
    logger.info("certificate renewed", metadata: ["site": "\(site)", "until": "\(made.notAfter.rfc3339)"])
    return book.gate.issued(made.text, to: request, at: clock.uptime)
  }

  private func noteRefused(_ site: SiteName, _ why: String) {
    book.refusedCount += 1
    logger.warning("renewal refused", metadata: ["site": "\(site)", "cause": "\(why)"])
  }

  /// Puts what was revoked on the broker's list. What fails is tried again every minute, and is a problem until then.
  func bringBrokerList() {
    book.isListBehind = true
    do throws(FoundationFault) {
      if try book.list.bring(try revoked(), at: clock.instant) {
        logger.notice(
          "the broker's list is new: the broker has to be started again", metadata: ["file": "\(book.list.path)"])
      }
      (book.isListBehind, book.fault) = (false, nil)
    } catch {
      book.fault = error
      logger.error("the broker's list", metadata: ["cause": "\(error.message)", "next": "\(error.remedy)"])
    }
  }

  /// The certificates of revoked sites that have not ended by themselves.
  private func revoked() throws(FoundationFault) -> [X509.Revocation] {
    let now = clock.instant
    var (found, from): ([X509.Revocation], UInt64) = ([], 0)
    while true {
      let page: [FoundationRecord]
      do throws(LedgerError) {
        page = try ledger.leavesOfRevokedSites(.certificate, from: from)
      } catch {
        throw FoundationFault(error)
      }
      for record in page {
        guard let (serial, notAfter) = IssuedCertificate.read(record.leaf), notAfter > now else { continue }
        found.append(X509.Revocation(serial: serial, at: now))
      }
      guard let last = page.last, page.count == Ledger.pageMax else { return found }
      from = last.sequence + 1
    }
  }

  /// Once a minute; most of it once an hour.
  func keepCertificates() {
    let now = clock.instant
    if book.isListBehind || book.list.isDue(at: now) { bringBrokerList() }
    guard clock.uptime >= book.nextLook else { return }
    book.nextLook = clock.uptime.advanced(byNanoseconds: CertificateBook.lookNanoseconds)
    book.brokerEnds = certificate("\(folder.broker)/broker.crt")?.validity.notAfter
    for number in 1...settings.workers { renewWorker(number) }
  }

  /// A worker's session goes on with the certificate that it began with; the next one takes the new.
  private func renewWorker(_ number: Int) {
    guard let old = certificate("\(folder.tls)/w-\(number).crt"), old.validity.isEnding(at: clock.instant) else {
      return
    }
    let name = FoundationFolder.worker(number, of: settings.name)
    do {
      let key = try PrivateKey(pem: try folder.bytes("\(folder.tls)/w-\(number).key"))
      let made = try devices.certify(
        SigningRequest(commonName: name, key: key), expecting: name, life: FoundationInit.serverLife, at: clock.instant)
      try PrivateFile.write(
        Array(made.text.utf8), directory: folder.tls, name: "w-\(number).crt", mode: 0o644)
      logger.info("certificate renewed", metadata: ["worker": "\(name)", "until": "\(made.notAfter.rfc3339)"])
    } catch {
      logger.error("a worker's certificate", metadata: ["worker": "\(name)", "cause": "\(error)"])
    }
  }

  private func certificate(_ file: String) -> Certificate? {
    SystemFiles.bytes(file, max: 64 << 10).flatMap { try? Certificate(pem: $0) }
  }

  /// What an operator has to know of certificates.
  var certificateProblems: [API.Problem] {
    var problems: [API.Problem] = []
    if let fault = book.fault {
      problems.append(
        API.Problem(
          id: "fleet.broker_list", code: "fleet.broker_list", severity: "warning",
          title: "the broker's list of revoked certificates cannot be written", cause: fault.message,
          since: Timestamp(clock.instant), forS: 0,
          effect: "a revoked site may still reach the broker; nothing is taken from it",
          next: fault.remedy))
    }
    if let ends = book.brokerEnds,
      ends < clock.instant.advanced(byNanoseconds: CertificateBook.brokerWarningNanoseconds)
    {
      problems.append(
        API.Problem(
          id: "fleet.broker_certificate", code: "fleet.broker_certificate", severity: "warning",
          title: "the broker's certificate ends", cause: "it counts until \(ends.rfc3339)",
          since: Timestamp(clock.instant), forS: 0,
          effect: "after it no site reaches the broker; each runs on by itself",
          next: "take the stick and repeat twind-foundation init: docs/runbooks/fleet.md"))
    }
    return problems
  }

  var certificateMetrics: String {
    let left = book.list.list.map { Double($0.validity.notAfter.nanoseconds(since: clock.instant)) / 1e9 } ?? 0
    return """
      # TYPE twind_fleet_certificates_renewed_total counter
      twind_fleet_certificates_renewed_total \(book.renewedCount)
      # TYPE twind_fleet_renewals_refused_total counter
      twind_fleet_renewals_refused_total \(book.refusedCount)
      # TYPE twind_fleet_broker_list_entries gauge
      twind_fleet_broker_list_entries \(book.list.list?.revoked.count ?? 0)
      # TYPE twind_fleet_broker_list_seconds gauge
      twind_fleet_broker_list_seconds \(left)

      """
  }
}

extension Validity {
  /// Whether a third of the life or less is left.
  func isEnding(at now: Instant) -> Bool {
    notAfter.nanoseconds(since: now) <= notAfter.nanoseconds(since: notBefore) / 3
  }
}
