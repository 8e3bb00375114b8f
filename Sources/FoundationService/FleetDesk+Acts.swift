import DeltaLog
import Ledger
import Provenance
import Seams
import Sodium
import StatusAPI
import Sync
import TwinCore

// What an operator does at the console; each act is a leaf of the foundation's own log.

extension FleetDesk {
  /// Checks a pack as its site will, keeps it, and offers it. The offline keys' documents go out with it.
  func publish(_ request: API.PublishRequest, by actor: String) throws(APIProblem) -> API.Published {
    let site = try known(request.site)
    var files: [PackFile] = []
    for file in request.files {
      files.append(PackFile(path: file.path, bytes: try Self.bytes(file.content, file.path)))
    }
    let seal: PackSeal
    switch PackTrust.check(files, keys: metadata.store.root.keyRing, site: site.description) {
    case .signed(let good): seal = good
    case .unsigned(let reasons):
      throw .refused("the pack is not signed", cause: reasons.joined(separator: "; "), next: "twinctl pack sign PACK")
    case .broken(let faults):
      throw .refused(
        "the pack is not as it was signed", cause: faults.map(\.message).joined(separator: "; "),
        next: faults.first?.remedy ?? "sign it again")
    }
    let archive = PackArchive.encode(files)
    guard archive.count <= PackArchive.bytesMax else {
      throw .refused(
        "the pack is too large", cause: "\(archive.count) bytes, at most \(PackArchive.bytesMax)",
        next: "leave out what is not part of the pack")
    }
    var documents: [DocumentName: [UInt8]] = [:]
    for document in request.documents {
      guard let name = DocumentName.allCases.first(where: { $0.name == document.path }), name != .rollout else {
        throw .invalid(
          "\(document.path) is no document", cause: "wanted targets or packs", next: "use twinctl fleet publish")
      }
      documents[name] = try Self.bytes(document.content, document.path)
    }
    do {
      try checkpoint()
      metadata.head = try newestHead()
    } catch let fault as any Fault {
      throw APIProblem(foundation: FoundationFault(fault))
    } catch {
      throw .invalid("the foundation's log cannot be signed", cause: "\(error)", next: "try again")
    }
    do throws(FoundationFault) {
      try metadata.publish(documents, packOf: site, version: UInt64(seal.version), at: clock.instant)
    } catch {
      throw APIProblem(foundation: error)
    }
    let tree = ArtefactTree(archive)
    let manifest = ArtefactManifest(
      digest: Sodium.blake2b256(archive), size: UInt64(archive.count), root: tree.root,
      kind: LogKind.packOffered.rawValue)
    let offer = PackOffer(
      manifest: manifest, version: UInt64(seal.version), envelopesVersion: UInt64(seal.envelopesVersion))
    let sequence = try keep(archive, manifest, tree, for: site, offer)
    try leaf(.rollout, site, "published", actor, request.reason, detail: "pack \(seal.version), \(manifest.digest.hex)")
    try logMetadata()
    tellMetadata()
    tellWorkers(.directed(site))
    return API.Published(
      site: site.description, packVersion: seal.version, envelopesVersion: seal.envelopesVersion,
      digest: manifest.digest.hex, sequence: Int64(clamping: sequence))
  }

  private func keep(
    _ archive: [UInt8], _ manifest: ArtefactManifest, _ tree: ArtefactTree, for site: SiteName, _ offer: PackOffer
  ) throws(APIProblem) -> UInt64 {
    do {
      try ledger.admit(manifest, with: site)
      for (index, bytes) in ArtefactTree.chunks(of: archive).enumerated() {
        let number = UInt32(index)
        _ = try ledger.keep(
          ArtefactChunk(
            site: site, digest: manifest.digest, index: number, bytes: bytes, proof: tree.proof(number)))
      }
      return try ledger.appendDirected(to: site, kind: .packOffered, body: offer.body, at: clock.instant)
    } catch let fault as LedgerFault {
      throw APIProblem(ledger: fault)
    } catch let fault as LedgerError {
      throw APIProblem(ledger: fault)
    } catch {
      throw .invalid("the pack could not be kept", cause: "\(error)", next: "try again")
    }
  }

  func setQuarantine(
    _ name: String, _ request: API.FleetActRequest, isOn: Bool, by actor: String
  ) throws(APIProblem) -> API.FleetSite {
    let site = try known(name)
    if isOn {
      do throws(LedgerFault) {
        try ledger.quarantine(site, reason: request.reason, evidence: [])
      } catch {
        throw APIProblem(ledger: error)
      }
    } else {
      try asking { () throws(LedgerError) in try ledger.release(site) }
      forgive(site)
    }
    try leaf(.operation, site, isOn ? "quarantined" : "released", actor, request.reason)
    return try self.site(name)
  }

  /// Orders new keys; the site logs them under its old ones. The order waits for a site that is away.
  func rekey(_ name: String, _ request: API.FleetActRequest, by actor: String) throws(APIProblem) -> API.FleetSite {
    let site = try known(name)
    do throws(LedgerFault) {
      guard let key = try ledger.site(site)?.keys.first else {
        throw LedgerFault(.siteUnknown, "no site \(site) is enrolled", remedy: "twinctl fleet sites")
      }
      _ = try ledger.appendDirected(
        to: site, kind: .keysOrdered, body: KeyOrder(keyEpoch: key.keyEpoch).body, at: clock.instant)
    } catch {
      throw APIProblem(ledger: error)
    }
    try leaf(.operation, site, "new keys ordered", actor, request.reason)
    tellWorkers(.directed(site))
    return try self.site(name)
  }

  /// A site has one line of keys: revoking one revokes the site, until it is enrolled anew.
  func revokeKey(_ id: String, _ request: API.FleetActRequest, by actor: String) throws(APIProblem) -> API.FleetKey {
    let named = SiteName(id)
    let all = try keys(owner: named?.description)
    guard let key = all.first(where: { $0.id == id || $0.owner == named?.description }) else {
      throw .notFound("key", id, known: all.map(\.id), list: "twinctl fleet keys")
    }
    guard let site = SiteName(key.owner) else {
      throw .refused(
        "\(id) is a \(key.owner) key of the fleet", cause: "only the root's keys can replace it",
        next: "rotate the root: docs/runbooks/keys.md")
    }
    let bytes = leafBytes("revoked", actor, request.reason, detail: key.id)
    _ = try asking { () throws(LedgerError) in
      try ledger.revoke(site, reason: request.reason, leaf: FoundationLeaf(.revocation, site: site, bytes: bytes))
    }
    bringBrokerList()
    var revoked = key
    revoked.state = "revoked"
    return revoked
  }

  static let tokenSecondsMax: Double = 7 * 86_400

  func enrol(_ request: API.EnrolmentRequest, by actor: String) throws(APIProblem) -> API.Enrolment {
    let site = try known(request.site)
    guard request.forS >= 60, request.forS <= Self.tokenSecondsMax else {
      throw .invalid("for_s is out of range", cause: "\(request.forS) s; wanted 60 s to 7 d", next: "choose 1d")
    }
    // At the broker a worker is known by such a name.
    guard !(site.tenant.hasPrefix("w-") && site.tenant.dropFirst(2).allSatisfy(\.isNumber)) else {
      throw .invalid(
        "\(site.tenant) cannot be a tenant", cause: "w-NUMBER is a worker's name at the broker", next: "choose another")
    }
    let (token, expires): (EnrolmentToken, Instant)
    do throws(FoundationFault) {
      (token, expires) = try makeToken(site, forSeconds: request.forS)
    } catch {
      throw APIProblem(foundation: error)
    }
    try leaf(.operation, site, "token made", actor, token.idText)
    return API.Enrolment(
      id: token.idText, site: request.site, state: "open", expiresAt: Timestamp(expires), token: token.text)
  }

  func withdraw(_ id: String, by actor: String) throws(APIProblem) -> API.Enrolment {
    guard let token = try enrolments().first(where: { $0.id == id }) else {
      throw .notFound("enrolment", id, known: try enrolments().map(\.id), list: "twinctl fleet enrol list")
    }
    try asking { () throws(LedgerError) in try ledger.withdrawToken(id) }
    try leaf(.operation, nil, "token withdrawn", actor, id)
    var withdrawn = token
    withdrawn.state = "withdrawn"
    return withdrawn
  }

  var publishedMetadata: API.FleetMetadata {
    API.FleetMetadata(
      fleet: metadata.fleet,
      documents: metadata.published.map {
        API.PublishFile(path: $0.name, content: String(decoding: Base64.encode($0.bytes), as: UTF8.self))
      })
  }

  func metrics() throws(APIProblem) -> String {
    let fleet = try fleet()
    var text = "# TYPE twind_fleet_sites gauge\n"
    for (state, count) in [
      ("current", fleet.sites.current), ("behind", fleet.sites.behind), ("silent", fleet.sites.silent),
      ("quarantined", fleet.sites.quarantined), ("enrolling", fleet.sites.enrolling),
    ] { text += "twind_fleet_sites{state=\"\(state)\"} \(count)\n" }
    text += "# TYPE twind_fleet_term gauge\ntwind_fleet_term \(fleet.term)\n"
    text += "# TYPE twind_fleet_problems gauge\ntwind_fleet_problems \(fleet.problems.count)\n"
    return text + certificateMetrics
  }

  func answer(_ file: API.EnrolmentFile, by actor: String) throws(APIProblem) -> API.EnrolmentFile {
    let bytes = try Self.bytes(file.content, "the request")
    do {
      let name = EnrolmentToken.name(of: try EnrolmentRequest.tokenID(of: bytes))
      let reply = try admit(bytes, token: name)
      return API.EnrolmentFile(content: String(decoding: Base64.encode(reply), as: UTF8.self))
    } catch let fault as FoundationFault {
      throw APIProblem(foundation: fault)
    } catch let fault as ProvenanceFault {
      throw APIProblem(foundation: FoundationFault(fault))
    } catch {
      throw .invalid("the request cannot be read", cause: "\(error)", next: "make it again on the gateway")
    }
  }

  func leaf(
    _ kind: FoundationLeaf.Kind, _ site: SiteName?, _ what: String, _ actor: String, _ reason: String,
    detail: String = ""
  ) throws(APIProblem) {
    let bytes = leafBytes(what, actor, reason, detail: detail)
    _ = try asking { () throws(LedgerError) in
      try ledger.appendFoundation([FoundationLeaf(kind, site: site, bytes: bytes)])
    }
  }

  /// {0: what text, 1: who text, 2: why text, 3: detail text, 4: instant ns}
  private func leafBytes(_ what: String, _ actor: String, _ reason: String, detail: String) -> [UInt8] {
    CBORItem.map(
      (0, .text(what)), (1, .text(actor)), (2, .text(reason)), (3, .text(detail)),
      (4, .integer(clock.instant.nanoseconds))
    ).encoded
  }

  private static func bytes(_ content: String, _ name: String) throws(APIProblem) -> [UInt8] {
    guard let bytes = Base64.decode(Array(content.utf8)) else {
      throw .invalid("\(name) is not base 64", cause: "RFC 4648 §4, with padding", next: "use twinctl")
    }
    return bytes
  }
}

extension FleetDesk {
  /// Everything that proves what a site did, with the roots and this foundation's word for the site's keys.
  func bundle(of name: String) throws(APIProblem) -> [UInt8] {
    let site = try known(name)
    let path = "\(folder.path)/.bundle-\(site)"
    defer { try? SystemFileStore().remove(path) }
    do {
      guard let record = try ledger.site(site) else {
        throw APIProblem.notFound("site", name, list: "twinctl fleet sites")
      }
      let statement = SiteStatement(
        site: site, keys: record.keys.map(\.signing), foundation: settings.name, at: clock.instant.milliseconds)
      let word = SignedEnvelope.seal(
        type: SiteStatement.type, payload: statement.payload, by: try folder.key(.ingest))
      var writer = try AuditBundleWriter(
        try SystemFileStore().open(path, .create), site: site, madeAt: clock.instant, trust: metadata.roots + [word])
      try copy(record, to: &writer)
      try writer.finish()
    } catch let problem as APIProblem {
      throw problem
    } catch let fault as any Fault {
      throw APIProblem(
        status: 503, code: fault.code, title: "no bundle was made", cause: fault.message, next: fault.remedy)
    } catch {
      throw .invalid("no bundle was made", cause: "\(error)", next: "try again")
    }
    guard let bytes = SystemFiles.bytes(path, max: Self.bundleBytesMax) else {
      throw .refused(
        "the bundle is too large for one answer", cause: "more than \(Self.bundleBytesMax) bytes",
        next: "export it on the site itself")
    }
    return bytes
  }

  static let bundleBytesMax = 60 << 20

  /// What a closed epoch came to, as it is here: the next one's first entry says the same.
  private func link(closing epoch: LogEpoch, of site: SiteName) throws(LedgerFault) -> EpochLink {
    var heads: [LogPoint] = []
    for stream in LogStream.allCases {
      let head = try ledger.stored(LogName(site: site, epoch: epoch, stream: stream))?.head
      heads.append(
        LogPoint(size: head?.next ?? 0, chain: head?.chain ?? .zero, root: head?.root ?? Merkle.emptyRoot))
    }
    return EpochLink(epoch: epoch, heads: heads)
  }

  private func copy(_ record: SiteRecord, to writer: inout AuditBundleWriter) throws {
    var trail = try ledger.trail(of: record.name)
    var head: LogHead?
    while let row = try trail.next() {
      switch row {
      case .epoch(let epoch):
        let closed =
          epoch.standing == .closed ? EpochLink.body(of: try link(closing: epoch.epoch, of: record.name)) : nil
        // Its first audit entry says when it was opened.
        let audit = LogName(site: record.name, epoch: epoch.epoch, stream: .audit)
        let first = try ledger.entries(of: audit, from: 0, limit: 1).first.map { try LogEntry($0.entry) }
        guard let first else { continue }
        try writer.epoch(
          epoch.epoch, previous: epoch.previous, openedAt: Instant(milliseconds: first.wall), closed: closed)
      case .stream(let log, let next):
        head = LogHead(epoch: log.epoch, stream: log.stream)
        try writer.stream(log.stream, next: next)
      case .gap(let range, _):
        throw FoundationFault(
          "bundle_gap",
          "entries \(range.lowerBound) to \(range.upperBound) of \(record.name) were lost before they came here",
          remedy: "export the bundle on the site itself, which says the same under its own signature")
      case .checkpoint(let checkpoint): try writer.checkpoint(checkpoint.note)
      case .entry(let entry):
        head?.append(entry.entry)
        try writer.entry(entry.entry, chain: head?.chain ?? .zero, body: entry.body)
      }
    }
  }
}
