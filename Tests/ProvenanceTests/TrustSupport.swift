import Glibc
import Sodium
import TwinCore

@testable import Provenance

/// Days after the fleet of these tests began.
func day(_ days: Double) -> Instant {
  Instant(nanoseconds: 1_767_225_600_000_000_000 + Int64(days * 86_400) * 1_000_000_000)
}

let lyon = SiteName("acme.lyon")!
let oslo = SiteName("acme.oslo")!

/// SplitMix64 (Steele, Lea, Flood 2014): the whole sequence follows from the seed.
struct TrustDice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// For a long run: `TWIND_FUZZ_ROUNDS=5000`.
let trustRounds = unsafe getenv("TWIND_FUZZ_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 60

func sealed<Document: TrustDocument>(_ document: Document, _ seeds: [UInt8]) throws -> [UInt8] {
  var envelope = try Document.envelope(document.sealed(by: key(seeds[0])))
  for seed in seeds.dropFirst() { envelope = envelope.adding(signature: key(seed)) }
  return envelope.bytes
}

/// Signs anything as any type: what a stolen key can do.
func forged(_ type: String, _ payload: [UInt8], _ seed: UInt8) -> [UInt8] {
  SignedEnvelope.seal(type: type, payload: payload, by: key(seed))
}

func modelBytes(_ version: UInt64) -> [UInt8] {
  (0..<150_000).map { UInt8(truncatingIfNeeded: UInt64($0) &* 31 &+ UInt64($0) >> 12 &+ version) }
}

func modelManifest(_ version: UInt64, name: String = "models/thermal") throws -> ReleaseManifest {
  try ReleaseManifest(
    name: name, version: version, kind: "gaussian", bytes: modelBytes(version),
    origin: ArtefactOrigin(
      madeBy: "trainer-1",
      trainedOn: [DataWindow(source: "acme.lyon/features", from: day(-400), to: day(-1), digest: .zero)],
      codeVersion: "1.4.0", hyperparameters: [NamedText("ridge", "0.5"), NamedText("horizon", "24 h")], seed: .max,
      scores: [NamedScore("crps", 0.125)],
      attestations: [Attestation(predicateType: "https://slsa.dev/verification_summary/v1", digest: .zero)]))
}

let manifestBytes: [UInt64: [UInt8]] = [
  1: try! modelManifest(1).sealed(by: key(91)), 2: try! modelManifest(2).sealed(by: key(91)),
  3: try! modelManifest(3).sealed(by: key(91)),
]

func modelRelease(_ version: UInt64) throws -> Release {
  let manifest = try modelManifest(version)
  return Release(
    version: version, digest: manifest.digest, size: manifest.size, manifest: TrustStore.digest(manifestBytes[version]!)
  )
}

/// A pack for lyon with both seals, each by two holders unless said otherwise.
func fleetPack(
  _ version: Int, envelopes: Int? = nil, text: String = "envelopes: {}\n", targets: [UInt8] = [121, 122],
  safety: [UInt8] = [111, 112]
) throws -> [PackFile] {
  let files = [file("envelopes.yaml", text), file("site.yaml", "pack: 1\nversion: \(version)\n")]
  var pack = try PackSigner.sealPack(files, site: "lyon", version: version, targets: key(targets[0]))
  for seed in targets.dropFirst() { pack = try PackSigner.cosign(pack, by: key(seed)) }
  var seal = try PackSigner.sealEnvelopes(files, site: "lyon", version: envelopes ?? version, safety: key(safety[0]))
  for seed in safety.dropFirst() { seal = try PackSigner.cosign(seal, by: key(seed)) }
  return files + [pack, seal]
}

/// A fleet that signs: three holders for each offline role, two of whom must agree, and one key for each online role.
struct Fleet {
  var name = "acme-fleet"
  var now = day(0)
  var seeds: [TrustRole: [UInt8]] = [
    .root: [101, 102, 103], .safety: [111, 112, 113], .targets: [121, 122, 123], .rollout: [131], .snapshot: [141],
    .timestamp: [151], .ingest: [161],
  ]
  var thresholds: [TrustRole: Int] = [
    .root: 2, .safety: 2, .targets: 2, .rollout: 1, .snapshot: 1, .timestamp: 1, .ingest: 1,
  ]
  var classSeeds: [DocumentName: [UInt8]] = [.models: [124], .policies: [125], .packs: [121, 122, 123]]
  var rootVersion: UInt64 = 1
  var rootLife = 1_096.0
  var logRestart: LogRestart?
  var life: [String: Double] = [
    "timestamp": 7, "snapshot": 30, "rollout": 30, "targets": 365, "models": 365, "policies": 365, "packs": 365,
  ]
  /// Version and day of signing of each document.
  var issued: [String: (version: UInt64, at: Instant)] = [:]
  var artefacts: [DocumentName: [Artefact]]
  var assignments: [Assignment]
  var revocations = RevocationList()
  var checkpoint: FoundationCheckpoint?
  var listed: [DocumentName] = DocumentName.allCases

  init() throws {
    let listing = PackListing(try fleetPack(1))
    let second = PackListing(try fleetPack(2))
    artefacts = [
      .models: [
        Artefact(
          name: "models/thermal", kind: "gaussian", lowest: 1,
          predicates: ["https://slsa.dev/verification_summary/v1"],
          releases: [try modelRelease(1), try modelRelease(2)])
      ],
      .policies: [],
      .packs: [
        Artefact(
          name: "packs/acme.lyon", kind: "pack", lowest: 1,
          releases: [
            Release(version: 1, digest: listing.digest, size: listing.size),
            Release(version: 2, digest: second.digest, size: second.size),
          ])
      ],
    ]
    assignments = [
      Assignment(.tenant("acme"), artefact: "models/thermal", version: 2, stage: .canary),
      Assignment(.site(lyon), artefact: "packs/acme.lyon", version: 1, stage: .active),
    ]
    for title in life.keys { issued[title] = (1, now) }
  }

  /// New versions of the documents, signed today; snapshot and timestamp with them.
  mutating func change(_ titles: String...) {
    for title in Set(titles + ["snapshot", "timestamp"]) { issued[title] = (issued[title]!.version + 1, now) }
  }

  mutating func retime() { issued["timestamp"] = (issued["timestamp"]!.version + 1, now) }

  func header(_ title: String) -> DocumentHeader {
    let (version, at) = issued[title]!
    return DocumentHeader(
      fleet: name, version: version,
      expires: at.advanced(byNanoseconds: Int64(life[title]! * 86_400) * 1_000_000_000))
  }

  func root() throws -> RootMetadata {
    var keys: [TrustKey] = []
    for (role, seeds) in seeds {
      keys += seeds.map { TrustKey(role, key($0).publicKey, name: role == .witness ? "witness-\($0)" : nil) }
    }
    return try RootMetadata(
      header: DocumentHeader(
        fleet: name, version: rootVersion,
        expires: now.advanced(byNanoseconds: Int64(rootLife * 86_400) * 1_000_000_000)),
      keys: keys, thresholds: thresholds, logRestart: logRestart)
  }

  func rootBytes(_ signers: [UInt8]? = nil) throws -> [UInt8] {
    try sealed(try root(), signers ?? Array(seeds[.root]!.prefix(2)))
  }

  /// Changes keys, counts the root up and gives it as old and new holders signed it.
  mutating func rotate(_ change: (inout Fleet) -> Void) throws -> [UInt8] {
    let old = seeds[.root]!
    change(&self)
    rootVersion += 1
    return try rootBytes(old + seeds[.root]!.filter { !old.contains($0) })
  }

  func document(_ name: DocumentName) throws -> [UInt8] {
    switch name {
    case .targets:
      let delegations = classSeeds.map { pair in
        Delegation(pair.key, keys: pair.value.map { key($0).publicKey }, threshold: pair.value.count > 1 ? 2 : 1)
      }
      return try sealed(
        try TargetsMetadata(header: header("targets"), delegations: delegations),
        Array(seeds[.targets]!.prefix(2)))
    case .rollout:
      return try sealed(try RolloutMetadata(header: header("rollout"), assignments: assignments), seeds[.rollout]!)
    case .models, .policies, .packs:
      return try sealed(
        try TargetsMetadata(header: header(name.name), name, artefacts: artefacts[name]!),
        Array(classSeeds[name]!.prefix(2)))
    }
  }

  func documents() throws -> [DocumentName: [UInt8]] {
    Dictionary(uniqueKeysWithValues: try listed.map { ($0, try document($0)) })
  }

  func snapshot(_ documents: [DocumentName: [UInt8]]) throws -> [UInt8] {
    let listings = documents.map { pair in
      DocumentListing(
        name: pair.key, version: issued[pair.key.name]!.version, length: UInt64(pair.value.count),
        digest: TrustStore.digest(pair.value))
    }
    return try sealed(
      try SnapshotMetadata(header: header("snapshot"), listings: listings, revocations: revocations),
      seeds[.snapshot]!)
  }

  func timestamp(_ snapshot: [UInt8]) throws -> [UInt8] {
    try sealed(
      try TimestampMetadata(
        header: header("timestamp"), snapshot: snapshot, version: issued["snapshot"]!.version,
        time: issued["timestamp"]!.at, checkpoint: checkpoint), seeds[.timestamp]!)
  }

  /// With what is published, or with other documents under the online keys' signatures.
  func bundle(roots: [[UInt8]] = [], _ other: [DocumentName: [UInt8]] = [:]) throws -> TrustBundle {
    let documents = try documents().merging(other) { $1 }
    let snapshot = try snapshot(documents)
    return TrustBundle(
      roots: roots, timestamp: try timestamp(snapshot), snapshot: snapshot, documents: documents)
  }

  func store() throws -> TrustStore {
    let root = try root()
    return try TrustStore(
      root: try rootBytes(), fingerprint: RootMetadata.fingerprint(payload: root.payload), build: day(-30),
      enrolledAt: day(0))
  }

  /// A store that has everything of this fleet.
  func current() throws -> TrustStore {
    var store = try store()
    let seen = store.take(try bundle(), on: 0)
    precondition(seen == "complete", "the fleet of the tests does not stand: \(seen)")
    return store
  }
}

extension TrustStore {
  /// The problem's slug, or "complete".
  mutating func take(_ bundle: TrustBundle, on wall: Double) -> String {
    update(bundle, at: time.time(day(wall))).problem?.kind.rawValue ?? "complete"
  }

  func versionTexts() -> [String] { versions.map { "\($0.title) \($0.version)" } }
}

/// Slug of the fault that `body` throws, or "accepted".
func slug(_ body: () throws(ProvenanceFault) -> Void) -> String {
  do throws(ProvenanceFault) {
    try body()
    return "accepted"
  } catch {
    return error.kind.rawValue
  }
}
