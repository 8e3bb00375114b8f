import Provenance
import Seams
import Sodium
import TwinCore

/// The fleet's signed metadata: what sites are given, and how a next version comes about.
///
/// The online keys sign freshness and choice; what may be installed at all comes signed from elsewhere. A set that a
/// site would refuse is refused here first, by the same code.
struct MetadataDesk {
  static let day: Int64 = 86_400_000_000_000
  static let timestampLife = 7 * day
  static let snapshotLife = 30 * day
  static let rolloutLife = 30 * day
  /// Timestamps are signed anew after so long.
  static let refreshAfter = day

  private let folder: FoundationFolder
  private(set) var store: TrustStore
  private(set) var roots: [[UInt8]]
  private(set) var documents: [DocumentName: [UInt8]] = [:]
  private(set) var snapshot: [UInt8]?
  private(set) var timestamp: [UInt8]?

  init(folder: FoundationFolder, at now: Instant) throws(FoundationFault) {
    (self.folder, roots) = (folder, try folder.roots())
    do throws(ProvenanceFault) {
      let payload = try RootMetadata.envelope(roots[0]).payload
      firstFingerprint = RootMetadata.fingerprint(payload: payload)
      store = try TrustStore(
        root: roots[0], fingerprint: firstFingerprint,
        build: Instant(nanoseconds: 1_793_000_000_000_000_000), enrolledAt: now)
    } catch {
      throw FoundationFault(error)
    }
    for name in DocumentName.allCases { documents[name] = read(name.name) }
    (snapshot, timestamp) = (read(SnapshotMetadata.title), read(TimestampMetadata.title))
    // What was published before stands, expired or not: the next version follows it.
    _ = store.update(bundle, at: TrustTime(now))
  }

  var fleet: String { store.root.fleet }

  /// What a token carries of the first root.
  let firstFingerprint: Digest

  var bundle: TrustBundle {
    TrustBundle(roots: roots, timestamp: timestamp, snapshot: snapshot, documents: documents)
  }

  /// By the names of `API.FleetMetadata`.
  var published: [(name: String, bytes: [UInt8])] {
    var all = [(RootMetadata.title, roots[roots.count - 1])]
    for (name, bytes) in documents.sorted(by: { $0.key < $1.key }) { all.append((name.name, bytes)) }
    if let snapshot { all.append((SnapshotMetadata.title, snapshot)) }
    if let timestamp { all.append((TimestampMetadata.title, timestamp)) }
    return all
  }

  /// Takes in documents that the offline keys signed, and gives `site` its pack in `version`. All or nothing.
  mutating func publish(
    _ given: [DocumentName: [UInt8]], packOf site: SiteName, version: UInt64, at now: Instant
  ) throws(FoundationFault) {
    do throws(ProvenanceFault) {
      var next = documents
      for (name, bytes) in given { next[name] = bytes }
      next[.rollout] = try rollout(assigning: site, version: version, at: now)
      try adopt(next, at: now)
    } catch {
      throw FoundationFault(error)
    }
  }

  /// Signs a newer timestamp, and what runs out soon; true when there is something new to tell.
  mutating func refresh(at now: Instant) throws(FoundationFault) -> Bool {
    if let time = store.timestamp?.time, now.nanoseconds(since: time) < Self.refreshAfter, timestamp != nil {
      return false
    }
    do throws(ProvenanceFault) {
      var next = documents
      if let rollout = store.rollout, rollout.expires < now.advanced(byNanoseconds: Self.rolloutLife / 2) {
        next[.rollout] = try sealedRollout(rollout.assignments, version: rollout.version + 1, at: now)
      }
      try adopt(next, at: now)
      return true
    } catch {
      throw FoundationFault(error)
    }
  }

  private func rollout(
    assigning site: SiteName, version: UInt64, at now: Instant
  ) throws(ProvenanceFault) -> [UInt8] {
    let artefact = "\(DocumentName.packs.name)/\(site)"
    var assignments = (store.rollout?.assignments ?? []).filter { $0.artefact != artefact || $0.scope != .site(site) }
    assignments.append(Assignment(.site(site), artefact: artefact, version: version, stage: .active))
    return try sealedRollout(assignments, version: (store.rollout?.version ?? 0) + 1, at: now)
  }

  private func sealedRollout(
    _ assignments: [Assignment], version: UInt64, at now: Instant
  ) throws(ProvenanceFault) -> [UInt8] {
    try RolloutMetadata(
      header: DocumentHeader(
        fleet: fleet, version: version, expires: now.advanced(byNanoseconds: Self.rolloutLife)),
      assignments: assignments
    ).sealed(by: try OperatorKeys.secretKey(.rollout, in: folder.keys))
  }

  /// A snapshot and a timestamp over the documents; kept when a site would take them.
  private mutating func adopt(_ next: [DocumentName: [UInt8]], at now: Instant) throws(ProvenanceFault) {
    var listings: [DocumentListing] = []
    for (name, bytes) in next {
      listings.append(
        DocumentListing(
          name: name, version: try Self.version(of: bytes, name), length: UInt64(bytes.count),
          digest: Sodium.blake2b256(bytes)))
    }
    let snapshotVersion = (store.snapshot?.version ?? 0) + 1
    let snapshot = try SnapshotMetadata(
      header: DocumentHeader(
        fleet: fleet, version: snapshotVersion, expires: now.advanced(byNanoseconds: Self.snapshotLife)),
      listings: listings, revocations: store.revocations
    ).sealed(by: try OperatorKeys.secretKey(.snapshot, in: folder.keys))
    let timestamp = try TimestampMetadata(
      header: DocumentHeader(
        fleet: fleet, version: (store.timestamp?.version ?? 0) + 1,
        expires: now.advanced(byNanoseconds: Self.timestampLife)),
      snapshot: snapshot, version: snapshotVersion, time: now
    ).sealed(by: try OperatorKeys.secretKey(.timestamp, in: folder.keys))
    var trial = store
    let bundle = TrustBundle(roots: roots, timestamp: timestamp, snapshot: snapshot, documents: next)
    let report = trial.update(bundle, at: TrustTime(now))
    if let problem = report.problem { throw problem }
    for (name, bytes) in next where documents[name] != bytes { try write(bytes, name.name) }
    try write(snapshot, SnapshotMetadata.title)
    // Last: it is what makes the others count.
    try write(timestamp, TimestampMetadata.title)
    (store, documents, self.snapshot, self.timestamp) = (trial, next, snapshot, timestamp)
  }

  private static func version(of bytes: [UInt8], _ name: DocumentName) throws(ProvenanceFault) -> UInt64 {
    let max = Swift.max(TargetsMetadata.bytesMax, RolloutMetadata.bytesMax)
    let payload = try SignedEnvelope(bytes, max: max).payload
    return name == .rollout
      ? try RolloutMetadata(payload: payload).version : try TargetsMetadata(payload: payload).version
  }

  private func read(_ name: String) -> [UInt8]? {
    SystemFiles.bytes("\(folder.metadata)/\(name)", max: TrustBundle.bytesMax)
  }

  private func write(_ bytes: [UInt8], _ name: String) throws(ProvenanceFault) {
    try PrivateFile.write(bytes, directory: folder.metadata, name: name, mode: 0o644)
  }
}
