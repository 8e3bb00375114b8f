import Provenance
import Seams
import Sync
import TwinCore

/// What the site believes of its foundation, kept over starts: the trust metadata and what follows from it.
struct TrustDesk {
  /// Nothing of this program is older: a clock before it is wrong.
  static let build = Instant(rfc3339: "2026-11-01T00:00:00Z")!

  private(set) var store: TrustStore
  private let folder: PeerFolder
  private let enrolment: EnrolmentReply

  init(folder: PeerFolder, enrolment: EnrolmentReply, clock: any SiteClock) throws(ProvenanceFault) {
    (self.folder, self.enrolment) = (folder, enrolment)
    if let bytes = folder.bytes(PeerFolder.trustName, max: TrustStore.stateBytesMax) {
      store = try TrustStore(bytes: bytes, build: Self.build)
    } else {
      guard let first = enrolment.roots.first else {
        throw ProvenanceFault(
          .enrolmentForeign, path: folder.path, "the enrolment names no root", remedy: "enrol the gateway anew")
      }
      let payload = try RootMetadata.envelope(first).payload
      store = try TrustStore(
        root: first, fingerprint: RootMetadata.fingerprint(payload: payload), build: Self.build,
        enrolledAt: Instant(milliseconds: enrolment.at))
      _ = store.update(TrustBundle(roots: Array(enrolment.roots.dropFirst())), at: store.time.time(clock.instant))
    }
    store.noteBoot()
    try save()
  }

  /// Whose acks and commands count, and whose cosignatures.
  var foundation: FoundationTrust {
    let keys = store.root.keys(.ingest)
    let ingest = keys.isEmpty ? enrolment.ingest : keys
    return FoundationTrust(
      ingest: ingest, cosigners: ingest.map { .init(name: enrolment.foundation, key: $0) })
  }

  var versions: MetadataVersions {
    MetadataVersions(
      root: store.root.version, timestamp: store.timestamp?.version ?? 0, snapshot: store.snapshot?.version ?? 0,
      revocations: store.revocations.version)
  }

  /// Takes in a bundle; what is not signed, or older, changes nothing.
  mutating func take(
    _ bundle: TrustBundle, answering span: LogSpan? = nil, at wall: Instant
  ) throws(ProvenanceFault) -> TrustReport {
    let before = store.mark
    let report = store.update(bundle, at: store.time.time(wall), answering: span)
    if store.mark != before { try save() }
    return report
  }

  func standing(at wall: Instant) -> ExpiryStanding { store.standing(at: store.time.time(wall)) }

  mutating func pass(uptimeNanoseconds span: Int64) throws(ProvenanceFault) {
    store.pass(uptimeNanoseconds: max(0, span))
    try save()
  }

  func admit(_ files: [PackFile], for site: SiteName, packSite: String, at wall: Instant) -> PackAdmission {
    store.admit(pack: files, for: site, packSite: packSite, at: store.time.time(wall))
  }

  mutating func noteInstalled(_ floor: TrustStore.EnvelopeFloor) throws(ProvenanceFault) {
    try store.noteInstalled(floor)
    try save()
  }

  private func save() throws(ProvenanceFault) { try folder.write(store.bytes, PeerFolder.trustName) }
}
