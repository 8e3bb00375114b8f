import DeltaLog
import Glibc
import Ledger
import Logging
import Provenance
import Seams
import Sodium
import StatusAPI
import Sync
import TwinCore
import X509

/// What is known of one broker connection.
struct BrokerWord: Sendable {
  var state: String
  var since: Instant
  var cause: String?
}

/// The last complaint about a site.
struct Complaint: Sendable {
  var kind: FoundationNotice.Kind
  var message: String
  var at: Instant
  var count: Int64
}

/// Everything of a foundation that is not ingest: who is enrolled and how, what is published, what operators ask and
/// do.
///
/// On a thread of its own, with its own connection to the ledger.
actor FleetDesk {
  private let executor = ThreadExecutor(name: "desk")
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  let settings: FoundationSettings
  let folder: FoundationFolder
  let ledger: Ledger
  let clock: any SiteClock
  let logger: Logger
  let startedAt: Instant
  var metadata: MetadataDesk
  let devices: DeviceDesk
  var book: CertificateBook
  private(set) var brokers: [Int: BrokerWord] = [:]
  private(set) var complaints: [SiteName: Complaint] = [:]
  private(set) var isLeaseLost = false
  /// Sites that were shown another log of this foundation than its own.
  private(set) var splits: [SiteName: Complaint] = [:]
  /// Why nothing new can be published.
  var metadataFault: FoundationFault?
  /// Set once the workers exist.
  var tellWorkers: @Sendable (WorkerInput) -> Void = { _ in }

  static let complaintsMax = 4096
  static let leaseSpan = Duration.seconds(30)

  init(
    _ settings: FoundationSettings, folder: FoundationFolder, ledger: Ledger, clock: any SiteClock, logger: Logger
  ) throws(FoundationFault) {
    (self.settings, self.folder, self.ledger, self.clock, self.logger) = (settings, folder, ledger, clock, logger)
    startedAt = clock.instant
    metadata = try MetadataDesk(folder: folder, at: clock.instant) { (try? ledger.foundationProof($0)) ?? nil }
    devices = try DeviceDesk(folder: folder)
    book = CertificateBook(
      gate: RenewalGate(challengeKey: try folder.challengeKey()), list: BrokerList(folder: folder, devices: devices)
    )
  }

  deinit { executor.stop() }

  func connect(_ tell: @escaping @Sendable (WorkerInput) -> Void) { tellWorkers = tell }

  // MARK: What workers tell

  func noteBroker(worker: Int, _ state: String, cause: String?) {
    brokers[worker] = BrokerWord(state: state, since: clock.instant, cause: cause)
    logger.info("broker", metadata: ["worker": "\(worker)", "state": "\(state)", "cause": "\(cause ?? "")"])
  }

  func noteLeaseLost() { isLeaseLost = true }

  /// An operator has looked at it.
  func forgive(_ site: SiteName) { (complaints[site], splits[site]) = (nil, nil) }

  func note(_ notice: FoundationNotice) {
    let text = "\(notice.site?.description ?? "-") \(notice.stream?.name ?? "") \(notice.message)"
    logger.log(level: notice.isRoutine ? .info : .warning, "\(notice.kind.rawValue)", metadata: ["what": "\(text)"])
    guard let site = notice.site else { return }
    switch notice.kind {
    case .split where splits.count < Self.complaintsMax || splits[site] != nil:
      splits[site] = Complaint(kind: .split, message: notice.message, at: clock.instant, count: 1)
    case .forged, .foreign, .malformed, .equivocation, .fork, .refused, .flood, .restored, .gap, .held:
      guard complaints[site] != nil || complaints.count < Self.complaintsMax else { return }
      let count = (complaints[site]?.count ?? 0) + 1
      complaints[site] = Complaint(kind: notice.kind, message: notice.message, at: clock.instant, count: count)
    default: break
    }
  }

  // MARK: Enrolment

  /// The answer to a request, or nil with a word in the log: whoever asks without right is not answered.
  func enrol(_ request: [UInt8], token name: String) -> [UInt8]? {
    if RenewalRequest.isExchange(name) { return renew(request, exchange: name) }
    do throws(FoundationFault) {
      return try admit(request, token: name)
    } catch {
      logger.warning("enrolment refused", metadata: ["token": "\(name)", "cause": "\(error.message)"])
      return nil
    }
  }

  /// Spends the token and makes the site's record and certificate.
  func admit(_ bytes: [UInt8], token name: String) throws(FoundationFault) -> [UInt8] {
    let record = try recording { () throws(LedgerError) in try ledger.token(name) }
    guard let record, record.spentAt == nil else {
      // A site that did not hear the answer asks again with the same bytes.
      if let again = answered[name], again.request == bytes { return again.reply }
      throw FoundationFault(
        "token_unknown", "there is no open token \(name)", remedy: "make a new one: twinctl fleet enrol new")
    }
    let (request, reply, certificate) = try judge(bytes, token: name, secret: record.grant.key)
    let key = SiteKey(keyEpoch: 1, signing: request.signing, sealing: request.sealing)
    let enrolment = SiteEnrolment(
      site: request.site, key: key, epoch: request.epoch, evidence: bytes,
      leaf: FoundationLeaf(.enrolment, site: request.site, bytes: bytes),
      certificate: certificate.leaf(for: request.site, "enrolment", at: clock.instant))
    _ = try recording { () throws(LedgerError) in try ledger.enrol(enrolment, token: name) }
    let sealed = reply.sealed(secret: record.grant.key)
    answered[name] = (bytes, sealed)
    if answered.count > 64, let oldest = answered.keys.first(where: { $0 != name }) { answered[oldest] = nil }
    logger.info("enrolled", metadata: ["site": "\(request.site)", "token": "\(name)"])
    return sealed
  }

  private func judge(
    _ bytes: [UInt8], token name: String, secret: [UInt8]
  ) throws(FoundationFault) -> (EnrolmentRequest, EnrolmentReply, IssuedCertificate) {
    do throws(ProvenanceFault) {
      let request = try EnrolmentRequest(bytes, secret: secret)
      guard EnrolmentToken.name(of: request.tokenID) == name else {
        throw ProvenanceFault(
          .codeWrong, path: "enrolment", "the request names another token", remedy: "use one token on both ends")
      }
      let certificate = try devices.certify(request.certificateRequest, request.site, at: clock.instant)
      let reply = EnrolmentReply(
        nonce: request.nonce, site: request.site, foundation: settings.name,
        certificate: certificate.text,
        authority: devices.rootText, host: settings.sitesHost ?? settings.host,
        port: settings.sitesPort ?? settings.port, at: clock.instant.milliseconds,
        roots: metadata.roots, ingest: metadata.store.root.keys(.ingest), enrolmentPort: settings.enrolmentPort)
      return (request, reply, certificate)
    } catch {
      throw FoundationFault(error)
    }
  }

  private func recording<Result>(_ body: () throws(LedgerError) -> Result) throws(FoundationFault) -> Result {
    do throws(LedgerError) { return try body() } catch { throw FoundationFault(error) }
  }

  /// Answers of this run, for those whose answer got lost.
  private var answered: [String: (request: [UInt8], reply: [UInt8])] = [:]

  func makeToken(_ site: SiteName, forSeconds seconds: Double) throws(FoundationFault) -> (EnrolmentToken, Instant) {
    let now = clock.instant
    let expires = now.advanced(byNanoseconds: Int64(seconds * 1e9))
    let token = EnrolmentToken(
      id: Sodium.randomBytes(EnrolmentToken.idBytes), secret: Sodium.randomBytes(EnrolmentToken.secretBytes),
      site: site, expiresAt: expires.milliseconds, host: settings.sitesHost ?? settings.host,
      port: settings.enrolmentPort,
      authority: devices.rootText, root: metadata.firstFingerprint)
    do throws(LedgerError) {
      try ledger.add(
        EnrolmentGrant(
          name: token.idText, key: token.secret, tenant: site.tenant, site: site.site, expires: expires))
    } catch {
      throw FoundationFault(error)
    }
    return (token, expires)
  }

  // MARK: Publishing

  /// What the broker keeps for whoever connects.
  var retained: [(SyncTopic, [UInt8])] {
    [(.metadata(.root), metadata.roots[metadata.roots.count - 1]), (.metadata(.timestamp), metadata.bundle.bytes)]
  }

  func tellMetadata() {
    for (topic, bytes) in retained { tellWorkers(.publish(topic, bytes, isRetained: true)) }
  }

  func renewLease() {
    do throws(LedgerError) {
      try ledger.renewLease(for: Self.leaseSpan)
    } catch {
      logger.error("lease", metadata: ["cause": "\(error.message)"])
      if error.kind == .leaseLost { isLeaseLost = true }
    }
  }
}
