import Sodium
public import TwinCore

/// What a site knows of its fleet's authority: the newest metadata, and floors below which nothing is accepted again.
///
/// A value without I/O: the harness fetches bundles, saves `bytes` after every change before it acts on it, and tells
/// the uptime that passes. Clients update in TUF's order (theupdateframework specification 1.0.34 §5.3). A floor falls
/// only when a root takes the role's keys away so far that what they signed counts no more: the way out of a
/// fast-forward attack, and no way into a rollback.
public struct TrustStore: Equatable, Sendable {
  /// Names whose lowest versions are kept, over all classes.
  static let artefactsMax = 8_192

  /// A document as it was accepted.
  struct Accepted<Document: TrustDocument>: Equatable, Sendable {
    let document: Document
    let bytes: [UInt8]

    var digest: Digest { TrustStore.digest(bytes) }
  }

  /// Versions below which nothing is accepted; 0 before the first.
  struct Floors: Equatable, Sendable {
    var timestamp: UInt64 = 0
    /// The snapshot version that the newest timestamp promised.
    var promise: UInt64 = 0
    var snapshot: UInt64 = 0
    var documents: [DocumentName: UInt64] = [:]
    /// The lowest version of each artefact; outlives every change of keys.
    var artefacts: [String: UInt64] = [:]
    /// The revocations last seen.
    var revocations = RevocationList()
    /// False after the snapshot keys were replaced: the next list may then lack what they revoked wrongly.
    var revocationsOnlyGrow = true
  }

  /// The envelope that runs here: version and digest of `envelopes.yaml` as the safety keys signed it.
  public struct EnvelopeFloor: Equatable, Sendable {
    public let version: Int
    public let digest: Digest
  }

  var rootHeld: Accepted<RootMetadata>
  var timestampHeld: Accepted<TimestampMetadata>?
  var snapshotHeld: Accepted<SnapshotMetadata>?
  var targetsHeld: [DocumentName: Accepted<TargetsMetadata>] = [:]
  var rolloutHeld: Accepted<RolloutMetadata>?
  /// Of the last targets document, also after it was dropped: they say whose floors a new one may lower.
  var delegations: [Delegation] = []
  var floors = Floors()
  /// The end of the newest timestamp whose whole set was taken: one that promises what never comes keeps nothing fresh.
  var freshUntil: Instant?
  public internal(set) var time: TimeFloor
  public let enrolledAt: Instant
  /// The foundation's checkpoint that this site has seen; goes into births, so that a split view shows.
  public internal(set) var checkpoint: FoundationCheckpoint?
  var logRestart: UInt64 = 0
  /// Why no metadata but a root is taken in; nil at most times.
  public internal(set) var frozen: String?
  /// Nil until the first pack of the fleet was installed.
  public internal(set) var envelope: EnvelopeFloor?
  /// The sequence of the newest intent that was obeyed.
  public internal(set) var intentSequence: UInt64 = 0
  public internal(set) var boots: UInt64 = 0
  /// The newest marks of this state's history, oldest first, this state's own last.
  public internal(set) var marks: [StateMark] = []

  /// Begins with the root whose payload has this SHA-256: from the enrolment token, or read off a screen.
  ///
  /// `build` is when the program was built, `enrolledAt` what the clock said at enrolment. Faults:
  /// `provenance.root_unknown` and those of reading a document.
  public init(
    root bytes: [UInt8], fingerprint: Digest, build: Instant, enrolledAt: Instant
  ) throws(ProvenanceFault) {
    let envelope = try RootMetadata.envelope(bytes)
    let seen = RootMetadata.fingerprint(payload: envelope.payload)
    guard seen == fingerprint else {
      throw ProvenanceFault(
        .rootUnknown, path: RootMetadata.title, "the root is \(seen.short)…, wanted \(fingerprint.short)…",
        remedy: "fetch the fleet's first root again, or enrol with a token of this fleet")
    }
    let root = try RootMetadata(payload: envelope.payload)
    try envelope.verify(by: root.keys(.root), threshold: root.threshold(.root))
    rootHeld = Accepted(document: root, bytes: bytes)
    logRestart = root.logRestart?.number ?? 0
    time = TimeFloor(build: build)
    self.enrolledAt = enrolledAt
    advance()
  }

  /// For the state file, which checks the pieces itself.
  init(root: Accepted<RootMetadata>, time: TimeFloor, enrolledAt: Instant) {
    (rootHeld, self.time, self.enrolledAt) = (root, time, enrolledAt)
  }

  public var root: RootMetadata { rootHeld.document }
  public var timestamp: TimestampMetadata? { timestampHeld?.document }
  public var snapshot: SnapshotMetadata? { snapshotHeld?.document }
  public var rollout: RolloutMetadata? { rolloutHeld?.document }
  public var revocations: RevocationList { floors.revocations }

  public func targets(_ name: DocumentName) -> TargetsMetadata? { targetsHeld[name]?.document }

  /// What the newest roots, timestamps, snapshots and so on are, for births and screens.
  public var versions: [(title: String, version: UInt64)] {
    var versions: [(title: String, version: UInt64)] = [("root", root.version)]
    if let timestamp { versions.append(("timestamp", timestamp.version)) }
    if let snapshot { versions.append(("snapshot", snapshot.version)) }
    for listing in snapshot?.listings ?? [] { versions.append((listing.name.name, listing.version)) }
    versions.append(("revocations", revocations.version))
    return versions
  }

  /// Whether everything that the newest timestamp promises is here.
  public var isComplete: Bool {
    guard let timestamp, let held = snapshotHeld, held.digest == timestamp.snapshotDigest else { return false }
    return held.document.listings.allSatisfy { heldDigest($0.name) == $0.digest }
  }

  /// The documents of the newest promise that are not here, for the next request.
  public var missing: [String] {
    guard let timestamp else { return [TimestampMetadata.title] }
    guard let held = snapshotHeld, held.digest == timestamp.snapshotDigest else { return [SnapshotMetadata.title] }
    return held.document.listings.filter { heldDigest($0.name) != $0.digest }.map(\.name.name)
  }

  /// Where the ladder stands at `time`; see `ExpiryLadder`.
  public func standing(at time: TrustTime, _ ladder: ExpiryLadder = .standard) -> ExpiryStanding {
    let (policies, top) = (targets(.policies)?.expires, targets(.targets)?.expires)
    let dates = ExpiryDates(
      root: root.expires, timestamp: freshUntil, snapshot: snapshot?.expires, rollout: rollout?.expires,
      policy: policies.map { min($0, top ?? $0) } ?? top)
    return ladder.standing(dates, .enrolled(at: enrolledAt), at: time)
  }

  /// Checks an envelope of the online roles `ingest` and `rollout`, or any other, against the newest root.
  ///
  /// Faults: those of `SignedEnvelope.verify`; `provenance.signer_unknown` where the root has no such role.
  public func verify(_ envelope: SignedEnvelope, role: TrustRole) throws(ProvenanceFault) {
    let threshold = root.threshold(role)
    guard threshold > 0 else {
      throw ProvenanceFault(
        .signerUnknown, path: envelope.type, "the fleet's root names no \(role.name) key",
        remedy: "add one by a rotation of the root")
    }
    try envelope.verify(by: root.keys(role), threshold: threshold)
  }

  /// Lifts the time floor by a statement of the targets threshold. Faults: `provenance.other_fleet` and those of the
  /// envelope.
  public mutating func admit(timeStatement bytes: [UInt8]) throws(ProvenanceFault) {
    let envelope = try SignedEnvelope(bytes, max: TimeStatement.bytesMax)
    guard envelope.type == TimeStatement.type else { throw .document("time statement", "wrong type") }
    try verify(envelope, role: .targets)
    let statement = try TimeStatement(payload: envelope.payload)
    guard statement.fleet == root.fleet else { throw .otherFleet("time statement", statement.fleet, root.fleet) }
    time.raise(byTargets: statement.time)
    advance()
  }

  /// Counts uptime; tell it every few minutes and save now and then, for what is not saved is lost at the next boot.
  public mutating func pass(uptimeNanoseconds span: Int64) {
    time.pass(uptimeNanoseconds: span)
    advance()
  }

  public mutating func noteBoot() {
    boots += 1
    advance()
  }

  /// Whether an intent of this sequence is newer than every one before; if so it is the floor from now on.
  public mutating func admit(intentSequence sequence: UInt64) -> Bool {
    guard sequence > intentSequence else { return false }
    intentSequence = sequence
    advance()
    return true
  }

  /// BLAKE2b-256, by which documents list each other.
  static func digest(_ bytes: [UInt8]) -> Digest { Sodium.blake2b256(bytes) }

  func heldDigest(_ name: DocumentName) -> Digest? {
    name == .rollout ? rolloutHeld?.digest : targetsHeld[name]?.digest
  }
}
