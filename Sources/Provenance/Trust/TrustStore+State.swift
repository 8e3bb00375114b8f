// The state file, strict CBOR (see CBORItem.swift):
//
//     [1, content: bytes, marks: array of [generation, chain bytes(32)], check: bytes(32)]
//
// `check` is BLAKE2b-256 over the content, then each mark's generation in 8 bytes, big-endian, and its chain. The marks
// are the newest of the history, ascending by 1, at most 64; the last is this content's own:
//
//     chain of generation n = BLAKE2b-256(0x03 ‖ chain of n - 1 ‖ BLAKE2b-256(content)), before the first 32 zero bytes
//
// The content is a map:
//
//     0: root  1: timestamp  2: snapshot (envelopes; 1 and 2 may be absent)  3: array of [document, envelope]
//     4: floors {0: timestamp, 1: promised snapshot, 2: snapshot, 3: array of [document, version],
//               4: array of [artefact, lowest version], 5: revocations, 6: whether those only grow}
//     5: fresh until (may be absent)
//     6: time {0: build, 1: by timestamp, 2: by targets, 3: elapsed}, 1 and 2 may be absent
//     7: enrolled at  8: checkpoint (may be absent)  9: log restart's number  10: frozen (may be absent)
//     11: [envelope version, digest] (may be absent)  12: intent sequence  13: boots  14: delegations

import Sodium
public import TwinCore

/// One generation of a trust state. Who keeps the newest (the foundation from births, a TPM) sees a state put back.
public struct StateMark: Equatable, Sendable {
  /// From 1, one more with each change.
  public let generation: UInt64
  public let chain: Digest

  public init(generation: UInt64, chain: Digest) { (self.generation, self.chain) = (generation, chain) }
}

/// How a state relates to a mark that a witness kept of it.
public enum StateContinuity: Equatable, Sendable {
  case same
  case newer
  /// The witness saw a later generation: an old file was put back.
  case rolledBack
  /// Another history reached this generation: two machines run from one copy.
  case forked
  /// The witness's mark is older than what the state remembers.
  case unproven
}

extension TrustStore {
  static let marksMax = 64
  /// Every document at its largest.
  public static let stateBytesMax = 12 << 20

  /// This state's own mark.
  public var mark: StateMark { marks[marks.count - 1] }

  public func continuity(since witness: StateMark) -> StateContinuity {
    if witness.generation > mark.generation { return .rolledBack }
    guard let own = marks.first(where: { $0.generation == witness.generation }) else { return .unproven }
    guard own.chain == witness.chain else { return .forked }
    return own == mark ? .same : .newer
  }

  /// The state for its file: save it by a flush and a rename, before anything is done because of it.
  public var bytes: [UInt8] {
    let content = content
    let rows = marks.map { CBORItem.array([.unsigned($0.generation), .digest($0.chain)]) }
    return CBORItem.array([.unsigned(1), .bytes(content), .array(rows), .digest(Self.check(content, marks))]).encoded
  }

  /// Reads a saved state and checks every signature in it again. `build` is this program's.
  ///
  /// Fault: `provenance.state_malformed`.
  public init(bytes: [UInt8], build: Instant) throws(ProvenanceFault) {
    do throws(ProvenanceFault) {
      try self.init(state: bytes)
    } catch {
      throw ProvenanceFault(
        .stateMalformed, path: "trust state", "the trust state is damaged: \(error.message)",
        remedy: "restore the newest copy, or enrol the site again; control goes on without it")
    }
    if build > time.build {
      time = TimeFloor(
        build: build, byTimestamp: time.byTimestamp, byTargets: time.byTargets, elapsed: time.elapsed)
      advance()
    }
  }

  /// Ends every change: a new generation unless nothing changed.
  mutating func advance() {
    let content = content
    let before = marks.dropLast().last?.chain ?? .zero
    if let last = marks.last, Self.chain(before, content) == last.chain { return }
    let mark = StateMark(
      generation: (marks.last?.generation ?? 0) + 1, chain: Self.chain(marks.last?.chain ?? .zero, content))
    marks = marks.suffix(Self.marksMax - 1) + [mark]
  }

  private static func chain(_ before: Digest, _ content: [UInt8]) -> Digest {
    digest([0x03] + before.bytes + digest(content).bytes)
  }

  private static func check(_ content: [UInt8], _ marks: [StateMark]) -> Digest {
    digest(content + marks.flatMap { $0.generation.bigEndianBytes + $0.chain.bytes })
  }

  private init(state bytes: [UInt8]) throws(ProvenanceFault) {
    let place = "trust state"
    let limits = CBORLimits(bytes: Self.stateBytesMax, depth: 3, items: 512)
    let parts = try CBORItem.decode(bytes, limits: limits).asArray(max: 4, place)
    guard parts.count == 4, try parts[0].asUnsigned(place) == 1 else { throw .document(place, "not of version 1") }
    let content = try parts[1].asBytes(place)
    var marks: [StateMark] = []
    for item in try parts[2].asArray(max: Self.marksMax, place) {
      let pair = try item.asArray(max: 2, place)
      guard pair.count == 2 else { throw .document(place, "a mark is a generation and a chain") }
      marks.append(StateMark(generation: try pair[0].asUnsigned(place), chain: try pair[1].asDigest(place)))
    }
    guard try parts[3].asDigest(place) == Self.check(content, marks) else { throw .document(place, "wrong check") }
    guard let last = marks.last, last.generation >= 1, min(last.generation, UInt64(Self.marksMax)) == marks.count,
      marks.indices.allSatisfy({ marks[$0].generation == last.generation - UInt64(marks.count - 1 - $0) })
    else { throw .document(place, "its marks do not ascend by 1") }
    try self.init(content: content)
    self.marks = marks
    let before = marks.dropLast().last?.chain ?? .zero
    guard self.content == content else { throw .document(place, "not in its one form") }
    guard Self.chain(before, content) == last.chain else {
      throw .document(place, "its last mark is not its own")
    }
  }
}

extension TrustStore {
  fileprivate var content: [UInt8] {
    var documents = targetsHeld.map { ($0.key, $0.value.bytes) }
    if let rolloutHeld { documents.append((.rollout, rolloutHeld.bytes)) }
    documents.sort { $0.0 < $1.0 }
    let times = CBORItem.map(
      (0, .integer(time.build.nanoseconds)), (1, time.byTimestamp.map { .integer($0.nanoseconds) }),
      (2, time.byTargets.map { .integer($0.nanoseconds) }), (3, .integer(time.elapsed)))
    return CBORItem.map(
      (0, .bytes(rootHeld.bytes)), (1, timestampHeld.map { .bytes($0.bytes) }),
      (2, snapshotHeld.map { .bytes($0.bytes) }),
      (3, .array(documents.map { .array([$0.0.item, .bytes($0.1)]) })), (4, floors.item),
      (5, freshUntil.map { .integer($0.nanoseconds) }), (6, times), (7, .integer(enrolledAt.nanoseconds)),
      (8, checkpoint?.item), (9, .unsigned(logRestart)), (10, frozen.map { .text($0) }),
      (11, envelope.map { .array([.unsigned(UInt64($0.version)), .digest($0.digest)]) }),
      (12, .unsigned(intentSequence)), (13, .unsigned(boots)), (14, .array(delegations.map(\.item)))
    ).encoded
  }

  fileprivate init(content: [UInt8]) throws(ProvenanceFault) {
    let limits = CBORLimits(bytes: Self.stateBytesMax, depth: 8, items: 65_536)
    var fields = try CBORItem.decode(content, limits: limits).fields("trust state")
    let rootBytes = try fields.bytes(0)
    let root = try RootMetadata(payload: try RootMetadata.envelope(rootBytes).payload)
    _ = try RootMetadata.open(rootBytes, by: root.keys(.root), threshold: root.threshold(.root))
    let timestamp = try fields.bytesIfPresent(1, max: TimestampMetadata.bytesMax)
    let snapshot = try fields.bytesIfPresent(2, max: SnapshotMetadata.bytesMax)
    let documents = try fields.array(3, max: DocumentName.allCases.count)
    let floors = try Floors(try fields.item(4))
    let freshUntil = try fields.instantIfPresent(5)
    var times = try fields.item(6).fields("time")
    let time = TimeFloor(
      build: try times.instant(0), byTimestamp: try times.instantIfPresent(1), byTargets: try times.instantIfPresent(2),
      elapsed: try times.integer(3))
    try times.finish()
    guard time.elapsed >= 0 else { throw .document("trust state", "uptime below 0") }
    self.init(
      root: Accepted(document: root, bytes: rootBytes), time: time, enrolledAt: try fields.instant(7))
    (self.floors, self.freshUntil) = (floors, freshUntil)
    checkpoint = try fields.itemIfPresent(8).map(FoundationCheckpoint.init)
    logRestart = try fields.unsigned(9)
    frozen = try fields.textIfPresent(10, max: 256)
    if let pair = try fields.arrayIfPresent(11, max: 2) {
      guard pair.count == 2, let version = Int(exactly: try pair[0].asUnsigned()) else {
        throw .document("trust state", "an envelope is a version and a digest")
      }
      envelope = EnvelopeFloor(version: version, digest: try pair[1].asDigest())
    }
    intentSequence = try fields.unsigned(12)
    boots = try fields.unsigned(13)
    var delegations: [Delegation] = []
    for item in try fields.array(14, max: DocumentName.allCases.count) { delegations.append(try Delegation(item)) }
    self.delegations = delegations
    try fields.finish()
    try hold(timestamp, snapshot, documents)
  }

  /// Takes saved documents back, each under the signatures that it needs today.
  private mutating func hold(
    _ timestamp: [UInt8]?, _ snapshot: [UInt8]?, _ documents: [CBORItem]
  ) throws(ProvenanceFault) {
    if let timestamp {
      let document = try TimestampMetadata.open(
        timestamp, by: root.keys(.timestamp), threshold: root.threshold(.timestamp))
      timestampHeld = Accepted(document: document, bytes: timestamp)
    }
    if let snapshot {
      let document = try SnapshotMetadata.open(
        snapshot, by: root.keys(.snapshot), threshold: root.threshold(.snapshot))
      snapshotHeld = Accepted(document: document, bytes: snapshot)
    }
    for item in documents {
      let pair = try item.asArray(max: 2)
      guard pair.count == 2 else { throw .document("trust state", "a document is a name and an envelope") }
      let (name, bytes) = (try DocumentName(pair[0]), try pair[1].asBytes(max: TargetsMetadata.bytesMax))
      if name == .rollout {
        let document = try RolloutMetadata.open(
          bytes, by: root.keys(.rollout), threshold: root.threshold(.rollout))
        rolloutHeld = Accepted(document: document, bytes: bytes)
        continue
      }
      // The targets document comes first: it names the signers of the others.
      let delegation = targets(.targets)?.delegation(name)
      let document = try TargetsMetadata.open(
        bytes, by: name == .targets ? root.keys(.targets) : delegation?.usableKeys ?? [],
        threshold: name == .targets ? root.threshold(.targets) : delegation?.threshold ?? 1)
      guard document.name == name else { throw .document("trust state", "\(name.name) is another document") }
      targetsHeld[name] = Accepted(document: document, bytes: bytes)
    }
  }
}

extension TrustStore.Floors {
  fileprivate var item: CBORItem {
    let documents = documents.sorted { $0.key < $1.key }.map { CBORItem.array([$0.key.item, .unsigned($0.value)]) }
    let artefacts = artefacts.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
      CBORItem.array([.text($0.key), .unsigned($0.value)])
    }
    return .map(
      (0, .unsigned(timestamp)), (1, .unsigned(promise)), (2, .unsigned(snapshot)), (3, .array(documents)),
      (4, .array(artefacts)), (5, revocations.item), (6, .bool(revocationsOnlyGrow)))
  }

  fileprivate init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("floors")
    timestamp = try fields.unsigned(0)
    promise = try fields.unsigned(1)
    snapshot = try fields.unsigned(2)
    for item in try fields.array(3, max: DocumentName.allCases.count) {
      let pair = try item.asArray(max: 2)
      guard pair.count == 2 else { throw .document("floors", "a floor is a name and a version") }
      documents[try DocumentName(pair[0])] = try pair[1].asUnsigned()
    }
    for item in try fields.array(4, max: TrustStore.artefactsMax) {
      let pair = try item.asArray(max: 2)
      guard pair.count == 2 else { throw .document("floors", "a floor is a name and a version") }
      artefacts[try pair[0].asText(max: Artefact.nameBytesMax)] = try pair[1].asUnsigned()
    }
    revocations = try RevocationList(try fields.item(5))
    revocationsOnlyGrow = try fields.bool(6)
    try fields.finish()
  }
}
