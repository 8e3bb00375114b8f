import Provenance
import Seams
import Sodium
import TwinCore

/// A checkpoint of the foundation's own log and its note, with all cosignatures.
struct FoundationHead: Equatable {
  let checkpoint: FoundationCheckpoint
  let note: String
}

/// What one publication said.
struct PublishedSet {
  let versions: String
  /// Where the root is new and has one.
  let restart: LogRestart?
}

/// The fleet's signed metadata: what sites are given, and how a next version comes about.
///
/// The online keys sign freshness and choice; what may be installed at all comes signed from elsewhere. A set that a
/// site would refuse is refused here first, by the same code.
struct MetadataDesk {
  static let day: Int64 = 86_400_000_000_000
  static let timestampLife = 7 * day
  static let snapshotLife = 30 * day
  static let rolloutLife = 30 * day
  /// Timestamps are signed anew after so long,
  static let refreshAfter = day
  /// or after this long where the foundation's log grew: each one goes to every site.
  static let headAfter: Int64 = 3_600_000_000_000
  private static let noteName = "checkpoint"

  private let folder: FoundationFolder
  private(set) var store: TrustStore
  private(set) var roots: [[UInt8]]
  private(set) var documents: [DocumentName: [UInt8]] = [:]
  private(set) var snapshot: [UInt8]?
  private(set) var timestamp: [UInt8]?
  /// The foundation's own log as the next timestamp is to say it.
  var head: FoundationHead?
  /// Of the foundation's own log; nil where it cannot be given.
  private let proof: @Sendable (LogSpan) -> [Digest]?
  /// From the checkpoint before the timestamp's: what a site that heard every timestamp needs.
  private var consistency: [Digest] = []
  /// The timestamp's checkpoint with its cosignatures.
  private var note: String?
  /// What was published and is not a leaf yet.
  private var unlogged: PublishedSet?

  init(
    folder: FoundationFolder, at now: Instant, proof: @escaping @Sendable (LogSpan) -> [Digest]?
  ) throws(FoundationFault) {
    (self.folder, roots, self.proof) = (folder, try folder.roots(), proof)
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
    note = read(Self.noteName).map { String(decoding: $0, as: UTF8.self) }
    // What was published before stands, expired or not: the next version follows it. A root that came since may say
    // that the log goes on elsewhere than that timestamp says, so it comes after it.
    var earlier = bundle
    if let last = read(RootMetadata.title), let index = roots.firstIndex(of: last) {
      earlier.roots = Array(roots[...index])
    }
    _ = store.update(earlier, at: TrustTime(now))
    _ = store.update(TrustBundle(roots: roots), at: TrustTime(now))
  }

  var fleet: String { store.root.fleet }

  /// What a token carries of the first root.
  let firstFingerprint: Digest

  var bundle: TrustBundle {
    TrustBundle(
      roots: roots, timestamp: timestamp, snapshot: snapshot, documents: documents, consistency: consistency, note: note
    )
  }

  /// What was published and is to be a leaf, once.
  mutating func takeUnlogged() -> PublishedSet? {
    defer { unlogged = nil }
    return unlogged
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
    guard isDue(at: now) else { return try takeCosignatures() }
    do throws(ProvenanceFault) {
      var next = documents
      if let rollout = store.rollout, rollout.expires < now.advanced(byNanoseconds: Self.rolloutLife / 2) {
        next[.rollout] = try sealedRollout(
          rollout.assignments, version: Self.version(after: rollout.version, at: now), at: now)
      }
      try adopt(next, at: now)
      return true
    } catch {
      throw FoundationFault(error)
    }
  }

  private func isDue(at now: Instant) -> Bool {
    guard let time = store.timestamp?.time, timestamp != nil, read(RootMetadata.title) == roots.last else {
      return true
    }
    let age = now.nanoseconds(since: time)
    guard let head, head.checkpoint != store.checkpoint else { return age >= Self.refreshAfter }
    return age >= (store.checkpoint == nil ? 0 : Self.headAfter)
  }

  /// Witnesses that cosigned after the timestamp was signed.
  private mutating func takeCosignatures() throws(FoundationFault) -> Bool {
    guard let head, head.checkpoint == store.checkpoint, head.note != note else { return false }
    note = head.note
    do throws(ProvenanceFault) { try write(Array(head.note.utf8), Self.noteName) } catch {
      throw FoundationFault(error)
    }
    return true
  }

  /// Follows the last version, and the clock: a foundation that was put back to an older state goes on beyond what
  /// sites have seen of the newer one.
  private static func version(after last: UInt64?, at now: Instant) -> UInt64 {
    max((last ?? 0) + 1, UInt64(max(0, now.nanoseconds / 1_000_000_000)))
  }

  private func rollout(
    assigning site: SiteName, version: UInt64, at now: Instant
  ) throws(ProvenanceFault) -> [UInt8] {
    let artefact = "\(DocumentName.packs.name)/\(site)"
    var assignments = (store.rollout?.assignments ?? []).filter { $0.artefact != artefact || $0.scope != .site(site) }
    assignments.append(Assignment(.site(site), artefact: artefact, version: version, stage: .active))
    return try sealedRollout(assignments, version: Self.version(after: store.rollout?.version, at: now), at: now)
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
    let (snapshot, snapshotVersion) = try nextSnapshot(of: next, at: now)
    let checkpoint = head?.checkpoint ?? store.checkpoint
    let timestamp = try TimestampMetadata(
      header: DocumentHeader(
        fleet: fleet, version: Self.version(after: store.timestamp?.version, at: now),
        expires: now.advanced(byNanoseconds: Self.timestampLife)),
      snapshot: snapshot, version: snapshotVersion, time: now, checkpoint: checkpoint
    ).sealed(by: try OperatorKeys.secretKey(.timestamp, in: folder.keys))
    var bundle = TrustBundle(roots: roots, timestamp: timestamp, snapshot: snapshot, documents: next)
    if let old = store.checkpoint, let checkpoint, let span = LogSpan(from: old.size, to: checkpoint.size) {
      bundle.consistency = proof(span) ?? []
    }
    bundle.note = head?.note ?? note
    var trial = store
    let report = trial.update(bundle, at: TrustTime(now))
    if let problem = report.problem { throw problem }
    for (name, bytes) in next where documents[name] != bytes { try write(bytes, name.name) }
    if let note = bundle.note { try write(Array(note.utf8), Self.noteName) }
    try write(snapshot, SnapshotMetadata.title)
    let isRootNew = read(RootMetadata.title) != roots.last
    if snapshot != self.snapshot || isRootNew {
      let versions = trial.versions.filter { $0.title != TimestampMetadata.title }.map { "\($0.title) \($0.version)" }
      unlogged = PublishedSet(
        versions: versions.joined(separator: ", "), restart: isRootNew ? trial.root.logRestart : nil)
    }
    try write(roots[roots.count - 1], RootMetadata.title)
    // Last: it is what makes the others count.
    try write(timestamp, TimestampMetadata.title)
    (store, documents, self.snapshot, self.timestamp) = (trial, next, snapshot, timestamp)
    (consistency, note) = (bundle.consistency, bundle.note)
  }

  /// The one that stands, where it says the same and does not end soon.
  private func nextSnapshot(
    of next: [DocumentName: [UInt8]], at now: Instant
  ) throws(ProvenanceFault) -> (bytes: [UInt8], version: UInt64) {
    if let snapshot, let held = store.snapshot, next == documents, store.isComplete,
      held.expires > now.advanced(byNanoseconds: Self.snapshotLife / 2)
    {
      return (snapshot, held.version)
    }
    var listings: [DocumentListing] = []
    for (name, bytes) in next {
      listings.append(
        DocumentListing(
          name: name, version: try Self.version(of: bytes, name), length: UInt64(bytes.count),
          digest: Sodium.blake2b256(bytes)))
    }
    let version = Self.version(after: store.snapshot?.version, at: now)
    let snapshot = try SnapshotMetadata(
      header: DocumentHeader(
        fleet: fleet, version: version, expires: now.advanced(byNanoseconds: Self.snapshotLife)),
      listings: listings, revocations: store.revocations
    ).sealed(by: try OperatorKeys.secretKey(.snapshot, in: folder.keys))
    return (snapshot, version)
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
