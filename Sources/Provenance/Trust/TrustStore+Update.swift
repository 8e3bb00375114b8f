import Sodium
import TwinCore

/// What one update came to. Steps that succeeded before a problem stay taken: a site keeps the newest root even when
/// the rest is withheld.
public struct TrustReport: Equatable, Sendable {
  /// What is new, as `root 3`, in the order of the update.
  public internal(set) var adopted: [String] = []
  /// Why it went no further; nil when everything that is promised is here.
  public internal(set) var problem: ProvenanceFault?
  /// The proof that is lacking, where `problem` is `provenance.checkpoint_unproven` for that reason alone.
  public internal(set) var unproven: LogSpan?
}

extension TrustStore {
  /// Takes in what is signed, newer and whole, in TUF's order: roots, timestamp, then the snapshot with its documents
  /// as one set.
  ///
  /// `time` is taken once, by `TimeFloor.time`, before the fetching begins: a clock that steps in between changes
  /// nothing. Where the bundle's proof is the foundation's signed answer about the sizes `answering`, a wrong one is
  /// its own contradiction and freezes the intake.
  public mutating func update(
    _ bundle: TrustBundle, at time: TrustTime, answering: LogSpan? = nil
  ) -> TrustReport {
    var report = TrustReport()
    do throws(ProvenanceFault) {
      try adoptRoots(bundle.roots, &report)
      guard root.expires > time.instant else { throw .expired(RootMetadata.title, root.version) }
      if let frozen { throw .intakeFrozen(frozen) }
      if let bytes = bundle.timestamp { try adoptTimestamp(bytes, bundle, time, answering, &report) }
      try adoptSet(bundle, time, &report)
    } catch {
      report.problem = error
    }
    advance()
    return report
  }

  /// Each root by the keys of the one before and its own. One that has expired is a step on the way like any other.
  private mutating func adoptRoots(_ roots: [[UInt8]], _ report: inout TrustReport) throws(ProvenanceFault) {
    for bytes in roots.prefix(TrustBundle.rootsMax) {
      let envelope = try RootMetadata.envelope(bytes)
      // The version is read before the signature is checked, to pass over what is known already.
      let next = try RootMetadata(payload: envelope.payload)
      if next.version <= root.version {
        guard next.version < root.version || next == root else {
          throw .contradiction(RootMetadata.title, next.version)
        }
        continue
      }
      guard next.version == root.version + 1 else {
        throw ProvenanceFault(
          .rootSkipped, path: RootMetadata.title, "root \(next.version) came after \(root.version)",
          remedy: "fetch root \(root.version + 1) first")
      }
      guard next.fleet == root.fleet else { throw .otherFleet(RootMetadata.title, next.fleet, root.fleet) }
      try envelope.verify(by: root.keys(.root), threshold: root.threshold(.root))
      try envelope.verify(by: next.keys(.root), threshold: next.threshold(.root))
      rekey(to: next)
      rootHeld = Accepted(document: next, bytes: bytes)
      report.adopted.append("root \(next.version)")
    }
  }

  /// Drops what the next root's keys no longer sign for, and the floors that only those keys could have raised.
  private mutating func rekey(to next: RootMetadata) {
    let old = root
    if next.strands(.timestamp, of: old) {
      (floors.timestamp, floors.promise) = (0, 0)
      time.forgetTimestamps()
    }
    if next.strands(.snapshot, of: old) {
      (floors.snapshot, floors.promise) = (0, 0)
      floors.revocationsOnlyGrow = false
    }
    if next.strands(.targets, of: old) { floors.documents[.targets] = nil }
    if next.strands(.rollout, of: old) { floors.documents[.rollout] = nil }
    if let held = timestampHeld, !stands(held, .timestamp, next) { timestampHeld = nil }
    if let held = snapshotHeld, !stands(held, .snapshot, next) { snapshotHeld = nil }
    if let held = rolloutHeld, !stands(held, .rollout, next) { rolloutHeld = nil }
    // The classes are signed by keys that the targets document names: without it nobody vouches for those.
    if let held = targetsHeld[.targets], !stands(held, .targets, next) { targetsHeld = [:] }
    // Once withdrawn by a rotation, an old timestamp no longer proves freshness.
    if timestampHeld == nil { freshUntil = nil }
    if let restart = next.logRestart, restart.number > logRestart {
      logRestart = restart.number
      if let old = checkpoint {
        checkpoint = FoundationCheckpoint(origin: old.origin, size: restart.size, root: restart.root)
      }
      frozen = nil
    }
  }

  private func stands<Document: TrustDocument>(
    _ held: Accepted<Document>, _ role: TrustRole, _ root: RootMetadata
  ) -> Bool {
    (try? Document.open(held.bytes, by: root.keys(role), threshold: root.threshold(role))) != nil
  }

  private mutating func adoptTimestamp(
    _ bytes: [UInt8], _ bundle: TrustBundle, _ time: TrustTime, _ answering: LogSpan?, _ report: inout TrustReport
  ) throws(ProvenanceFault) {
    let title = TimestampMetadata.title
    let next = try TimestampMetadata.open(bytes, by: root.keys(.timestamp), threshold: root.threshold(.timestamp))
    guard next.fleet == root.fleet else { throw .otherFleet(title, next.fleet, root.fleet) }
    guard next.version >= floors.timestamp else { throw .older(title, next.version, floors.timestamp) }
    if let timestamp, timestamp.version == next.version {
      guard timestamp == next else { throw .contradiction(title, next.version) }
      return
    }
    guard next.expires > time.instant else { throw .expired(title, next.version) }
    guard next.snapshotVersion >= floors.promise else {
      throw .older("\(title)'s snapshot", next.snapshotVersion, floors.promise)
    }
    guard self.time.admits(next.time) else { throw .timeStep(from: self.time.instant, to: next.time) }
    try checkCheckpoint(next.checkpoint, bundle, answering, &report)
    try self.time.raise(byTimestamp: next.time)
    timestampHeld = Accepted(document: next, bytes: bytes)
    (floors.timestamp, floors.promise) = (next.version, next.snapshotVersion)
    if let seen = next.checkpoint { checkpoint = seen }
    report.adopted.append("\(title) \(next.version)")
  }

  /// The foundation's log only grows. What its own key contradicts freezes the intake; a proof that is missing or wrong
  /// could be anyone's doing on the way, and is asked for again.
  private mutating func checkCheckpoint(
    _ next: FoundationCheckpoint?, _ bundle: TrustBundle, _ answering: LogSpan?, _ report: inout TrustReport
  ) throws(ProvenanceFault) {
    let needed = root.threshold(.witness)
    guard let next else {
      guard checkpoint == nil, needed == 0 else {
        throw .unproven("the timestamp has no checkpoint, as it had before")
      }
      return
    }
    if let old = checkpoint {
      guard next.origin == old.origin else {
        throw .unproven("the checkpoint is of \(next.origin), wanted \(old.origin)")
      }
      guard next.size >= old.size, next.size > old.size || next.root == old.root else {
        let reason =
          next.size < old.size
          ? "the foundation's log went back from \(old.size) to \(next.size) entries"
          : "the foundation's log has two roots at \(old.size) entries"
        throw freeze(reason)
      }
      let isProven =
        next.size == old.size
        || Merkle.verifyConsistency(
          from: old.size, root1: old.root, to: next.size, root2: next.root, proof: bundle.consistency)
      guard isProven else {
        let span = LogSpan(from: old.size, to: next.size)
        if let answering, answering == span {
          throw freeze("the foundation's log of \(next.size) entries does not begin with the \(old.size) seen here")
        }
        report.unproven = span
        throw .unproven("no proof that the log of \(next.size) entries continues the one of \(old.size)")
      }
    }
    guard needed > 0 else { return }
    let body = Checkpoint(origin: next.origin, size: next.size, root: next.root).body
    guard let note = bundle.note, try SignedNote(parse: note).text == body else {
      throw .unwitnessed(0, needed)
    }
    let count = root.witnesses(of: note)
    guard count >= needed else { throw .unwitnessed(count, needed) }
  }

  private mutating func freeze(_ reason: String) -> ProvenanceFault {
    frozen = reason
    return .intakeFrozen(reason)
  }
}

extension TrustStore {
  /// The snapshot and all that it lists, from the bundle or from what is held; all of it or nothing.
  fileprivate mutating func adoptSet(
    _ bundle: TrustBundle, _ time: TrustTime, _ report: inout TrustReport
  ) throws(ProvenanceFault) {
    guard let timestamp else { throw .missing([TimestampMetadata.title]) }
    let snapshot = try nextSnapshot(bundle.snapshot, timestamp, time)
    var bytes: [DocumentName: [UInt8]] = [:]
    var absent: [String] = []
    for listing in snapshot.document.listings {
      if let given = bundle.documents[listing.name] {
        guard UInt64(given.count) == listing.length, Self.digest(given) == listing.digest else {
          throw .mismatch(listing.name.name, "is not the one that snapshot \(snapshot.document.version) lists")
        }
        bytes[listing.name] = given
      } else if heldDigest(listing.name) == listing.digest {
        bytes[listing.name] = listing.name == .rollout ? rolloutHeld?.bytes : targetsHeld[listing.name]?.bytes
      } else {
        absent.append(listing.name.name)
      }
    }
    guard absent.isEmpty else { throw .missing(absent) }
    let set = try readSet(snapshot.document, bytes, time)
    adopt(set, snapshot, timestamp, &report)
  }

  private func nextSnapshot(
    _ given: [UInt8]?, _ timestamp: TimestampMetadata, _ time: TrustTime
  ) throws(ProvenanceFault) -> Accepted<SnapshotMetadata> {
    let title = SnapshotMetadata.title
    let held = snapshotHeld.flatMap { $0.digest == timestamp.snapshotDigest ? $0.bytes : nil }
    guard let bytes = given ?? held else { throw .missing([title]) }
    guard UInt64(bytes.count) == timestamp.snapshotLength, Self.digest(bytes) == timestamp.snapshotDigest else {
      throw .mismatch(title, "is not the one that timestamp \(timestamp.version) promises")
    }
    let next = try SnapshotMetadata.open(bytes, by: root.keys(.snapshot), threshold: root.threshold(.snapshot))
    guard next.fleet == root.fleet else { throw .otherFleet(title, next.fleet, root.fleet) }
    guard next.version == timestamp.snapshotVersion else {
      throw .mismatch(title, "has version \(next.version), promised is \(timestamp.snapshotVersion)")
    }
    guard next.version >= floors.snapshot else { throw .older(title, next.version, floors.snapshot) }
    if let old = snapshot, old.version == next.version, old != next { throw .contradiction(title, next.version) }
    guard next.expires > time.instant else { throw .expired(title, next.version) }
    for old in snapshot?.listings ?? [] where next.listing(old.name) == nil { throw .vanished(old.name.name, title) }
    if floors.revocationsOnlyGrow, let problem = next.revocations.problem(after: floors.revocations) {
      throw ProvenanceFault(
        .versionOld, path: title, problem, remedy: "have the foundation publish the newest revocations again")
    }
    return Accepted(document: next, bytes: bytes)
  }

  /// A set that belongs together, not yet believed.
  private struct DocumentSet {
    var targets: [DocumentName: Accepted<TargetsMetadata>] = [:]
    var rollout: Accepted<RolloutMetadata>?
    /// Classes whose floor falls because the targets keys took them from their signers.
    var stranded: Set<DocumentName> = []
  }

  private func readSet(
    _ snapshot: SnapshotMetadata, _ bytes: [DocumentName: [UInt8]], _ time: TrustTime
  ) throws(ProvenanceFault) -> DocumentSet {
    var set = DocumentSet()
    for listing in snapshot.listings {
      let name = listing.name
      let document = bytes[name]!
      if name == .rollout {
        let next = try RolloutMetadata.open(document, by: root.keys(.rollout), threshold: root.threshold(.rollout))
        try check(next, listing, isStranded: false, time)
        set.rollout = Accepted(document: next, bytes: document)
        continue
      }
      let (keys, threshold) = try signers(name, set)
      let next = try TargetsMetadata.open(document, by: keys, threshold: threshold)
      guard next.name == name else { throw .mismatch(name.name, "is the \(next.name.name) document") }
      if let old = delegations.first(where: { $0.name == name }),
        RootMetadata.strands(Set(old.usableKeys), threshold: threshold, keys: keys)
      {
        set.stranded.insert(name)
      }
      try check(next, listing, isStranded: set.stranded.contains(name), time)
      try checkArtefacts(next, isStranded: set.stranded.contains(name))
      set.targets[name] = Accepted(document: next, bytes: document)
    }
    try checkAssignments(set)
    return set
  }

  /// Who signs the document `name`: the targets role, or those to whom it delegated.
  private func signers(
    _ name: DocumentName, _ set: DocumentSet
  ) throws(ProvenanceFault) -> (keys: [Ed25519.PublicKey], threshold: Int) {
    guard name != .targets else { return (root.keys(.targets), root.threshold(.targets)) }
    // Listings ascend by name, so the targets document was read before.
    guard let delegation = set.targets[.targets]?.document.delegation(name) else {
      throw ProvenanceFault(
        .signerUnknown, path: name.name, "the targets document delegates \(name.name) to nobody",
        remedy: "have the targets keys sign a delegation")
    }
    return (delegation.usableKeys, delegation.threshold)
  }

  private func check<Document: TrustDocument>(
    _ next: Document, _ listing: DocumentListing, isStranded: Bool, _ time: TrustTime
  ) throws(ProvenanceFault) {
    let title = listing.name.name
    guard next.fleet == root.fleet else { throw .otherFleet(title, next.fleet, root.fleet) }
    guard next.version == listing.version else {
      throw .mismatch(title, "has version \(next.version), listed is \(listing.version)")
    }
    let floor = isStranded ? 0 : floors.documents[listing.name] ?? 0
    guard next.version >= floor else { throw .older(title, next.version, floor) }
    let isHeld = heldDigest(listing.name) == listing.digest
    // What was taken in its time stays, though nothing is installed by it: dropping it would bring back nothing newer.
    guard isHeld || next.expires > time.instant else { throw .expired(title, next.version) }
    let old: Document? = listing.name == .rollout ? rollout as? Document : targets(listing.name) as? Document
    if let old, old.version == next.version, old != next { throw .contradiction(title, next.version) }
  }

  private func checkArtefacts(_ next: TargetsMetadata, isStranded: Bool) throws(ProvenanceFault) {
    let title = next.name.name
    for artefact in next.artefacts {
      let floor = floors.artefacts[artefact.name] ?? 0
      guard artefact.lowest >= floor else {
        throw .older("the lowest version of \(artefact.name)", artefact.lowest, floor)
      }
    }
    if next.name == .targets {
      for old in delegations where next.delegation(old.name) == nil { throw .vanished(old.name.name, title) }
    }
    let names = next.artefacts.count { floors.artefacts[$0.name] == nil }
    guard floors.artefacts.count + names <= Self.artefactsMax else {
      throw .document(title, "more than \(Self.artefactsMax) artefacts over all documents and times")
    }
    guard let old = targets(next.name), !isStranded else { return }
    for artefact in old.artefacts {
      guard let kept = next.artefact(artefact.name) else { throw .vanished(artefact.name, title) }
      for release in artefact.releases {
        guard let again = kept.releases.first(where: { $0.version == release.version }), again != release else {
          continue
        }
        throw .contradiction(artefact.name, release.version)
      }
    }
  }

  /// An online key chooses among what offline keys signed; one assignment outside that refuses the whole rollout.
  private func checkAssignments(_ set: DocumentSet) throws(ProvenanceFault) {
    for assignment in set.rollout?.document.assignments ?? [] {
      let listed = set.targets.values.lazy.compactMap { $0.document.artefact(assignment.artefact) }.first
      guard listed?.release(assignment.version) != nil else {
        throw .notListed(assignment.artefact, assignment.version)
      }
    }
  }

  private mutating func adopt(
    _ set: DocumentSet, _ snapshot: Accepted<SnapshotMetadata>, _ timestamp: TimestampMetadata,
    _ report: inout TrustReport
  ) {
    if snapshotHeld != snapshot { report.adopted.append("\(SnapshotMetadata.title) \(snapshot.document.version)") }
    for listing in snapshot.document.listings where heldDigest(listing.name) != listing.digest {
      report.adopted.append("\(listing.name.name) \(listing.version)")
    }
    snapshotHeld = snapshot
    floors.snapshot = snapshot.document.version
    (floors.revocations, floors.revocationsOnlyGrow) = (snapshot.document.revocations, true)
    for listing in snapshot.document.listings { floors.documents[listing.name] = listing.version }
    targetsHeld = set.targets
    rolloutHeld = set.rollout
    delegations = set.targets[.targets]?.document.delegations ?? delegations
    for document in set.targets.values {
      for artefact in document.document.artefacts where artefact.lowest > 0 {
        floors.artefacts[artefact.name] = artefact.lowest
      }
    }
    freshUntil = timestamp.expires
  }
}
