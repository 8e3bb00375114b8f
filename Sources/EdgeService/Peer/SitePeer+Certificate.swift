import Logging
import MQTT
import Provenance
import Seams
import Sodium
import StatusAPI
import Sync
import TwinCore
import X509

// The site's certificate for TLS: renewed in time, and after its time, without anybody's help.

extension SitePeer {
  /// With less of its life left, a renewal that fails is told.
  static let warningPart: Int64 = 6

  /// At every tick.
  func keepCertificate(_ now: Uptime) {
    if let attempt = certificates.attempt, now >= attempt.deadline {
      failRenewal(
        EdgeFault(
          "renewal_unanswered",
          "the foundation did not answer at \(enrolment.host):\(enrolment.enrolmentPort)",
          remedy: "see that the foundation runs, and that the line lets the enrolment port through; it is tried again"))
    }
    if let attempt = certificates.attempt, let at = certificates.askAt, now >= at { try? ask(over: attempt.link) }
    guard certificates.isDue(at: clock.instant, now) else { return }
    beginRenewal(now)
    tellCertificate()
  }

  private func beginRenewal(_ now: Uptime) {
    let number = certificates.attempts + 1
    let mailbox = mailbox
    do {
      let key = try PrivateKey()
      let asked = try SigningRequest(commonName: enrolment.site.description, key: key)
      let request = RenewalRequest(
        site: enrolment.site, nonce: Sodium.randomBytes(RenewalRequest.nonceBytes),
        certificateRequest: String(decoding: try asked.pem(), as: UTF8.self))
      let link = BrokerLink(
        BrokerSettings(
          address: BrokerAddress(host: enrolment.host, port: enrolment.enrolmentPort),
          credentials: BrokerCredentials(authoritiesOnly: "\(folder.path)/\(PeerFolder.authorityName)"),
          clientID: request.exchange)
      ) { mailbox.yield(.renewal(number, $0)) }
      certificates.begin(
        CertificateUpkeep.Attempt(
          number, key, request, link, until: now.advanced(byNanoseconds: CertificateUpkeep.patienceNanoseconds)))
      try link.connect(will: nil)
    } catch let fault as any Fault {
      failRenewal(EdgeFault(code: fault.code, fault.message, remedy: fault.remedy))
    } catch {
      failRenewal(EdgeFault("renewal_failed", "\(error)", remedy: "it is tried again"))
    }
  }

  /// What the link of an attempt says; one of an earlier attempt is passed over.
  func takeRenewal(_ number: Int, _ event: MessageEvent) {
    guard let attempt = certificates.attempt, attempt.number == number else { return }
    let answer = SyncTopic.enrolAnswer(token: attempt.request.exchange).description
    do throws(MessageFault) {
      switch event {
      case .connected: _ = try attempt.link.subscribe(answer)
      case .subscribed: try ask(over: attempt.link)
      case .received(let message) where message.topic == answer: try hear(message.payload, attempt)
      case .disconnected(let fault): failRenewal(EdgeFault(fault))
      case .received, .published: break
      }
    } catch {
      failRenewal(EdgeFault(error))
    }
  }

  private func ask(over link: BrokerLink) throws(MessageFault) {
    guard let request = certificates.ask(at: clock.uptime) else { return }
    _ = try link.publish(
      OutgoingMessage(
        topic: SyncTopic.enrolRequest(token: request.exchange).description,
        payload: request.sealed { key.seal($0, $1) }))
  }

  private func hear(_ bytes: [UInt8], _ attempt: CertificateUpkeep.Attempt) throws(MessageFault) {
    guard let reply = try? RenewalReply(bytes, nonce: attempt.request.nonce) else { return }
    switch reply.answer {
    case .challenge(let challenge):
      certificates.challenge = challenge
      try ask(over: attempt.link)
    case .certificate(let text):
      do throws(EdgeFault) {
        try check(text, attempt.key)
        try folder.stage(text, attempt.key)
        installed()
      } catch {
        failRenewal(error)
      }
    case .refused(let why): failRenewal(EdgeFault(why))
    }
  }

  /// Ours, for the key that was just made, by the authority that the site was enrolled with. Its dates are the
  /// foundation's to choose: this clock may be the one that is wrong.
  private func check(_ text: String, _ key: borrowing PrivateKey) throws(EdgeFault) {
    let chain: [Certificate]
    do throws(X509Fault) {
      chain = try Certificate.chain(pem: Array(text.utf8))
      let roots = try Certificate.chain(pem: folder.bytes(PeerFolder.authorityName, max: 64 << 10) ?? [])
      let validity = chain[0].validity
      let span = validity.notAfter.nanoseconds(since: validity.notBefore)
      try chain[0].verify(
        through: Array(chain.dropFirst()), to: roots, for: .client,
        at: validity.notBefore.advanced(byNanoseconds: span / 2))
    } catch {
      throw EdgeFault(error)
    }
    guard chain[0].subject == enrolment.site.description, chain[0].publicKey == key.publicKey else {
      throw EdgeFault(
        "renewal_foreign", "the certificate that came is for \(chain[0].subject), or for another key",
        remedy: "take the broker for hostile until it is explained")
    }
  }

  private func installed() {
    certificates.renewed(at: clock.instant, clock.uptime)
    saveNote()
    triesCurrent = false
    isSwapping = link != nil
    link?.disconnect()
    logger.info("the certificate was renewed; the next session uses it")
  }

  func failRenewal(_ fault: EdgeFault) {
    let isNews = certificates.note.fault?.code != fault.code
    certificates.failed(fault, at: clock.instant, clock.uptime, spread: Double.random(in: 0..<1))
    if isNews {
      saveNote()
      logger.warning("certificate not renewed", metadata: ["code": "\(fault.code)", "cause": "\(fault.message)"])
    }
    tellCertificate()
  }

  private func saveNote() {
    do throws(ProvenanceFault) {
      try folder.write(certificates.note.bytes, PeerFolder.renewalName)
    } catch {
      logger.warning("renewal not noted", metadata: ["code": "\(error.code)"])
    }
  }

  /// The pair for the next session: a renewed one, and in turn with the old one while that counts and it has brought
  /// nothing useful.
  func choosePair() -> PeerFolder.Pair {
    let current = folder.certificate(.current)
    if let next = folder.certificate(.next), !(triesCurrent && current?.validity.contains(clock.instant) ?? false) {
      certificates.inUse = next
      return .next
    }
    certificates.inUse = current
    return .current
  }

  /// The session did what it is for: the pair that it used is the one to keep.
  func proveCertificate() {
    if certificates.noteUseful(at: clock.instant) { saveNote() }
    triesCurrent = false
    if pair == .current, folder.certificate(.next) != nil {
      // It goes first, so it has just failed where the old one did not. Another is asked for.
      folder.dropNext()
      logger.warning("the renewed certificate brought no session; the old one did")
    } else if pair == .next {
      do throws(ProvenanceFault) {
        try folder.promote()
        pair = .current
        // The link reads other files from now on.
        isLinkOld = true
        logger.info("the renewed certificate is in use")
      } catch {
        logger.warning("the renewed certificate stays beside the old one", metadata: ["code": "\(error.code)"])
      }
    }
    tellCertificate()
  }

  /// Raises what somebody has to look at, and clears it.
  private func tellCertificate() {
    let wall = clock.instant
    guard let certificate = certificates.inUse, certificates.note.fault != nil else {
      health.clear("sync.certificate")
      return
    }
    let validity = certificate.validity
    let left = validity.notAfter.nanoseconds(since: wall)
    let hasEnded = left <= 0
    guard hasEnded || left < validity.notAfter.nanoseconds(since: validity.notBefore) / Self.warningPart else {
      health.clear("sync.certificate")
      return
    }
    let fault = certificates.note.fault
    health.raise(
      Problem(
        id: "sync.certificate", code: hasEnded ? "sync.certificate_ended" : "sync.certificate_ends", severity: .warning,
        title: hasEnded ? "the site's certificate has ended" : "the site's certificate ends and is not renewed",
        cause: "it counts until \(validity.notAfter.rfc3339); \(fault?.message ?? "")",
        effect: "without it the foundation is not reached; the site runs on, and what it has to tell waits in its log",
        next: clock.isTrusted ? fault?.remedy ?? "" : "set the clock first: chronyc sources -v", since: wall))
  }

  /// As the status socket shows it.
  var certificateState: API.CertificateState {
    let wall = clock.instant
    let fault = certificates.note.fault
    guard let certificate = certificates.inUse else {
      return API.CertificateState(
        state: "missing", renewedAt: certificates.note.renewedAt.map(Timestamp.init), problem: fault?.message,
        next: fault?.remedy)
    }
    let renewal = CertificateUpkeep.renewalAt(certificate)
    let state = certificate.validity.notAfter <= wall ? "ended" : (renewal <= wall ? "ending" : "good")
    return API.CertificateState(
      state: state, until: Timestamp(certificate.validity.notAfter), renewalAt: Timestamp(renewal),
      renewedAt: certificates.note.renewedAt.map(Timestamp.init), problem: fault?.message, next: fault?.remedy)
  }
}

extension EdgeFault {
  init(_ refusal: RenewalRefusal) {
    let (why, remedy) =
      switch refusal {
      case .revoked:
        ("the site's keys are revoked", "enrol the gateway anew under another name: docs/runbooks/fleet.md")
      case .keyEnded:
        (
          "the site signs with a key that was replaced",
          "restore the newest copy of its state, or enrol the gateway anew: docs/runbooks/fleet.md"
        )
      case .tooOften: ("too many certificates within an hour", "nothing; it is tried again")
      case .requestMalformed:
        ("the request does not fit the site", "compare the releases of site and foundation: twinctl version")
      case .unable:
        (
          "the foundation cannot issue certificates now",
          "its operator finds the cause in its journal, and in twinctl fleet"
        )
      }
    self.init("renewal_refused", "the foundation refuses to renew the certificate: \(why)", remedy: remedy)
  }
}
