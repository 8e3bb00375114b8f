import ArgumentParser
import Provenance
import Seams
import SitePack
import Sodium
import StatusAPI
import TwinCore

struct FleetPublishCommand: FleetVerb {
  static let configuration = CommandConfiguration(
    commandName: "publish", abstract: "Hand a signed pack to its site.",
    discussion: """
      Signs with the fleet's offline keys what may be installed (targets and packs), and sends the pack's files as \
      they were signed: twinctl pack sign comes first. The site judges all of it by its own copy of the root; the \
      foundation can add nothing.
      """)

  static let yearNanoseconds: Int64 = 365 * 86_400_000_000_000

  @OptionGroup var folder: PackFolder
  @Option(name: .long, help: "The folder of the fleet's secret keys.", completion: .directory) var keys: String
  @OptionGroup var reason: Reason
  @OptionGroup var write: WriteOptions
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let files = try folder.files()
    let pack = try folder.pack(files)
    let name = pack.site.qualifiedID
    guard let site = SiteName(name) else {
      throw APIProblem(
        status: 0, code: "provenance.site_refused", title: "\(name) cannot be a site of a fleet",
        cause: "wanted TENANT.SITE of a-z, 0-9 and -", next: "name the site so in site.yaml")
    }
    let metadata = try session.client.get("/v1/fleet/metadata", as: API.FleetMetadata.self).data
    let documents: [API.PublishFile]
    do throws(ProvenanceFault) {
      documents = try FleetSigner(keys: keys, metadata).documents(for: site, files, at: Stream.now)
    } catch {
      throw .input(error)
    }
    let sentence = "hands \(folder.path) to \(site): \(reason.reason)"
    if write.dryRun {
      let site = try session.client.get(Session.path("fleet", "sites", name), as: API.FleetSite.self)
      return session.would(sentence, site) { $0.fleetSite($1) }
    }
    try session.confirm(sentence, target: name, write)
    let request = API.PublishRequest(
      site: name, files: files.map { API.PublishFile(path: $0.path, content: Self.text($0.bytes)) },
      documents: documents, reason: reason.reason)
    let answer = try session.client.send("POST", "/v1/fleet/publications", body: request, as: API.Published.self)
    return session.show(answer) { $0.published($1) }
  }

  static func text(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }
}

/// Makes the next versions of what the offline keys say may be installed.
struct FleetSigner {
  private let keys: String
  private let fleet: String
  private let held: [String: [UInt8]]

  init(keys: String, _ metadata: API.FleetMetadata) {
    self.keys = keys
    fleet = metadata.fleet
    held = Dictionary(
      metadata.documents.map { ($0.path, Base64.decode(Array($0.content.utf8)) ?? []) }, uniquingKeysWith: { a, _ in a }
    )
  }

  /// `packs` with this pack in it, and the others where there is none yet or it ends soon.
  func documents(
    for site: SiteName, _ files: [PackFile], at now: Instant
  ) throws(ProvenanceFault) -> [API.PublishFile] {
    let key = try OperatorKeys.secretKey(.targets, in: keys)
    let expires = now.advanced(byNanoseconds: FleetPublishCommand.yearNanoseconds)
    var documents: [API.PublishFile] = []
    let targets = try document(.targets)
    if targets.map({ ends($0, before: now) }) ?? true {
      let next = try TargetsMetadata(
        header: DocumentHeader(fleet: fleet, version: (targets?.version ?? 0) + 1, expires: expires),
        delegations: targets?.delegations ?? [Delegation(.packs, keys: [key.publicKey], threshold: 1)])
      documents.append(file("targets", next.sealed(by: key)))
    }
    for name in [DocumentName.models, .policies] {
      guard let held = try document(name), ends(held, before: now) else { continue }
      let next = try TargetsMetadata(
        header: DocumentHeader(fleet: fleet, version: held.version + 1, expires: expires), name,
        artefacts: held.artefacts)
      documents.append(file(name.name, next.sealed(by: key)))
    }
    let packs = try document(.packs)
    let artefact = try self.artefact(for: site, files, in: packs)
    let next = try TargetsMetadata(
      header: DocumentHeader(fleet: fleet, version: (packs?.version ?? 0) + 1, expires: expires), .packs,
      artefacts: (packs?.artefacts ?? []).filter { $0.name != artefact.name } + [artefact])
    documents.append(file("packs", next.sealed(by: key)))
    return documents
  }

  private func artefact(
    for site: SiteName, _ files: [PackFile], in packs: TargetsMetadata?
  ) throws(ProvenanceFault) -> Artefact {
    let ring = try KeyRing.read("\(keys)/\(KeySet.publicFile)")
    guard case .signed(let seal) = PackTrust.check(files, keys: ring, site: site.description) else {
      throw ProvenanceFault(
        .signatureWrong, path: "pack", "the pack is not signed by the keys in \(keys)",
        remedy: "twinctl pack sign PACK --keys \(keys)")
    }
    let listing = PackListing(files)
    let release = Release(version: UInt64(seal.version), digest: listing.digest, size: listing.size)
    let name = "packs/\(site)"
    let earlier = packs?.artefact(name)
    if let same = earlier?.release(release.version), same != release {
      throw ProvenanceFault(
        .versionChanged, path: "pack", "version \(release.version) was published before with other files",
        remedy: "raise the version in site.yaml and sign again")
    }
    let others = (earlier?.releases ?? []).filter { $0.version != release.version }
    return Artefact(
      name: name, kind: "pack", lowest: earlier?.lowest ?? release.version,
      releases: others.suffix(Artefact.releasesMax - 1) + [release])
  }

  /// Whether it is time for the next one: within a quarter of a year.
  private func ends(_ document: TargetsMetadata, before now: Instant) -> Bool {
    document.expires < now.advanced(byNanoseconds: FleetPublishCommand.yearNanoseconds / 4)
  }

  private func document(_ name: DocumentName) throws(ProvenanceFault) -> TargetsMetadata? {
    guard let bytes = held[name.name] else { return nil }
    return try TargetsMetadata(payload: try SignedEnvelope(bytes, max: TargetsMetadata.bytesMax).payload)
  }

  private func file(_ name: String, _ bytes: [UInt8]) -> API.PublishFile {
    API.PublishFile(path: name, content: FleetPublishCommand.text(bytes))
  }
}
