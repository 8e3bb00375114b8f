import Sodium
import Testing
import TwinCore

@testable import Provenance

/// Scenarios of theupdateframework/tuf-conformance, in this client's terms.
@Suite struct `Metadata is taken in TUF's order` {
  @Test func `A first update takes everything, a second one nothing`() throws {
    let fleet = try Fleet()
    var store = try fleet.store()
    let report = store.update(try fleet.bundle(), at: store.time.time(day(0)))
    #expect(
      report.adopted == ["timestamp 1", "snapshot 1", "targets 1", "models 1", "policies 1", "packs 1", "rollout 1"])
    #expect(report.problem == nil && store.isComplete && store.missing.isEmpty)
    #expect(store.update(try fleet.bundle(), at: store.time.time(day(0))) == TrustReport())
  }

  @Test func `Only what changed needs to come`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    fleet.now = day(1)
    fleet.change("rollout")
    var bundle = try fleet.bundle()
    bundle.documents = [.rollout: bundle.documents[.rollout]!]
    #expect(store.take(bundle, on: 1) == "complete")
    fleet.now = day(2)
    fleet.retime()
    bundle = TrustBundle(timestamp: try fleet.bundle().timestamp)
    #expect(store.take(bundle, on: 2) == "complete")
    #expect(store.versionTexts().prefix(3) == ["root 1", "timestamp 3", "snapshot 2"])
  }

  @Test func `The first root is the one that was told`() throws {
    let fleet = try Fleet()
    let root = try fleet.rootBytes()
    let right = RootMetadata.fingerprint(payload: try fleet.root().payload)
    func begin(_ bytes: [UInt8], _ fingerprint: Digest) -> String {
      slug { () throws(ProvenanceFault) in
        _ = try TrustStore(root: bytes, fingerprint: fingerprint, build: day(0), enrolledAt: day(0))
      }
    }
    #expect(begin(root, right) == "accepted")
    #expect(begin(root, .zero) == "root_unknown")
    #expect(begin(try fleet.rootBytes([101]), right) == "threshold_missed")
    #expect(begin(try fleet.rootBytes([66]), right) == "signer_unknown")
  }

  @Test func `A chain of roots is walked one by one, by both thresholds`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let roots = [
      try fleet.rotate { $0.seeds[.root] = [102, 103, 104] },
      try fleet.rotate { $0.seeds[.root] = [104, 105, 106] },
      try fleet.rotate { $0.thresholds[.root] = 3 },
    ]
    #expect(store.take(TrustBundle(roots: [roots[1]]), on: 1) == "root_skipped")
    #expect(store.take(TrustBundle(roots: [roots[2], roots[0]]), on: 1) == "root_skipped")
    #expect(store.root.version == 1)
    #expect(store.take(TrustBundle(roots: roots), on: 1) == "complete")
    #expect(store.root.version == 4 && store.root.threshold(.root) == 3)
    // Known ones again are passed over, a different one of a known version is not.
    #expect(store.take(TrustBundle(roots: roots), on: 1) == "complete")
    fleet.rootLife = 50
    #expect(store.take(TrustBundle(roots: [try fleet.rootBytes()]), on: 1) == "version_changed")
  }

  @Test func `A root by the new keys alone, or the old ones alone, is refused`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    _ = try fleet.rotate { $0.seeds[.root] = [104, 105, 106] }
    for signers in [[104, 105], [101, 102], [101, 104]] as [[UInt8]] {
      let seen = store.take(TrustBundle(roots: [try fleet.rootBytes(signers)]), on: 1)
      #expect(["signer_unknown", "threshold_missed"].contains(seen))
    }
    #expect(store.take(TrustBundle(roots: [try fleet.rootBytes([101, 102, 104, 105])]), on: 1) == "complete")
  }

  @Test func `A good prefix of a chain is kept when the rest is bad`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let second = try fleet.rotate { _ in }
    var third = try fleet.rotate { _ in }
    third[third.count / 2] ^= 1
    let report = store.update(TrustBundle(roots: [second, third]), at: store.time.time(day(1)))
    #expect(report.adopted == ["root 2"] && report.problem != nil && store.root.version == 2)
  }

  @Test func `Keys that a root takes away no longer vouch for what is held`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let root = try fleet.rotate {
      $0.seeds[.targets] = [126, 127]
      $0.classSeeds[.packs] = [126, 127]
    }
    #expect(store.take(TrustBundle(roots: [root]), on: 1) == "metadata_missing")
    #expect(store.missing == ["targets", "models", "policies", "packs"])
    #expect(store.installables(for: lyon, at: store.time.time(day(1))).items.isEmpty)
    fleet.now = day(1)
    fleet.change("targets", "packs")
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(!store.installables(for: lyon, at: store.time.time(day(1))).items.isEmpty)
  }

  @Test func `Every role's document needs that role's key`() throws {
    let honest = try Fleet()
    for (role, code) in [
      (TrustRole.timestamp, "signer_unknown"), (.snapshot, "signer_unknown"), (.rollout, "signer_unknown"),
      (.targets, "signer_unknown"),
    ] {
      var fleet = honest
      fleet.seeds[role] = [66, 67]
      var store = try honest.store()
      #expect(store.take(try fleet.bundle(), on: 0) == code, "\(role)")
    }
    var fleet = honest
    fleet.seeds[.targets] = [121, 66]
    var store = try honest.store()
    #expect(store.take(try fleet.bundle(), on: 0) == "threshold_missed")
    #expect(store.snapshot == nil)
  }

  @Test func `An expired document is not taken`() throws {
    for (title, wall) in [("timestamp", 7.0), ("snapshot", 30), ("rollout", 30), ("targets", 365), ("models", 365)] {
      var fleet = try Fleet()
      for other in fleet.life.keys where other != title { fleet.life[other] = 500 }
      var store = try fleet.store()
      #expect(store.take(try fleet.bundle(), on: wall) == "metadata_expired", "\(title)")
      store = try fleet.store()
      #expect(store.take(try fleet.bundle(), on: wall - 0.1) == "complete", "\(title)")
    }
  }

  @Test func `A document that was taken in its time does not stand in the way of a newer set`() throws {
    var fleet = try Fleet()
    fleet.life["models"] = 5
    var store = try fleet.current()
    fleet.now = day(6)
    fleet.change("rollout")
    #expect(store.take(try fleet.bundle(), on: 6) == "complete")
    // Nothing is installed by it.
    let time = store.time.time(day(6))
    let refused = store.installables(for: lyon, at: time).refused
    #expect(refused.map(\.kind) == [.metadataExpired])
    var first = try fleet.store()
    #expect(first.take(try fleet.bundle(), on: 6) == "metadata_expired")
  }

  @Test func `Nothing longer than declared is read`() throws {
    let fleet = try Fleet()
    for title in DocumentName.allCases {
      var store = try fleet.store()
      var bundle = try fleet.bundle()
      bundle.documents[title]! += [0]
      #expect(store.take(bundle, on: 0) == "metadata_mismatch")
      bundle.documents[title] = [UInt8](repeating: 0, count: 20 << 20)
      #expect(store.take(bundle, on: 0) == "metadata_mismatch")
    }
    var store = try fleet.store()
    var bundle = try fleet.bundle()
    bundle.snapshot! += [0]
    #expect(store.take(bundle, on: 0) == "metadata_mismatch")
    bundle.timestamp = [UInt8](repeating: 0x84, count: TimestampMetadata.bytesMax + 1)
    #expect(store.take(bundle, on: 0) == "message_too_large")
    bundle.roots = [[UInt8](repeating: 0x84, count: RootMetadata.bytesMax + 1)]
    #expect(store.take(bundle, on: 0) == "message_too_large")
    // A snapshot that promises more than is ever read.
    let listing = DocumentListing(name: .models, version: 1, length: 1 << 40, digest: .zero)
    #expect(throws: ProvenanceFault.self) {
      try SnapshotMetadata(header: fleet.header("snapshot"), listings: [listing])
    }
  }

  @Test func `What is promised under one name or version is not another`() throws {
    var fleet = try Fleet()
    fleet.change("models")
    // The models' document where the policies' should be; both are signed by one key here.
    fleet.classSeeds[.policies] = [124]
    var store = try fleet.store()
    var models = try fleet.documents()
    fleet.issued["policies"] = fleet.issued["models"]
    models[.policies] = models[.models]
    #expect(store.take(try fleet.bundle(roots: [], models), on: 0) == "metadata_mismatch")
    // A listing with another version than the document has.
    fleet = try Fleet()
    let documents = try fleet.documents()
    fleet.issued["rollout"]!.version = 5
    let snapshot = try fleet.snapshot(documents)
    store = try fleet.store()
    var bundle = TrustBundle(
      timestamp: try fleet.timestamp(snapshot), snapshot: snapshot, documents: documents)
    #expect(store.take(bundle, on: 0) == "metadata_mismatch")
    // A timestamp that promises another version than the snapshot has.
    fleet = try Fleet()
    bundle = try fleet.bundle()
    fleet.issued["snapshot"]!.version = 5
    bundle.timestamp = try fleet.timestamp(bundle.snapshot!)
    store = try fleet.store()
    #expect(store.take(bundle, on: 0) == "metadata_mismatch")
  }

  @Test func `A root of another fleet is refused though the same holders signed it`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let root = try fleet.rotate { $0.name = "other-fleet" }
    #expect(store.take(TrustBundle(roots: [root]), on: 1) == "other_fleet")
    #expect(store.root.version == 1)
  }

  @Test func `Each floor holds by itself`() throws {
    // The same snapshot, said again by an older timestamp.
    var fleet = try Fleet()
    var store = try fleet.current()
    let first = try fleet.bundle()
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: 0) == "complete")
    #expect(store.take(first, on: 0) == "version_old")
    // A newer timestamp that promises less than one before, whose snapshot never came.
    fleet.change()
    #expect(store.take(TrustBundle(timestamp: try fleet.bundle().timestamp), on: 0) == "metadata_missing")
    fleet.issued["snapshot"]!.version = 1
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: 0) == "version_old")
    // A fresh timestamp key promises an older snapshot than the one that is here.
    fleet = try Fleet()
    fleet.change()
    store = try Fleet().current()
    #expect(store.take(try fleet.bundle(), on: 0) == "complete")
    let root = try fleet.rotate { $0.seeds[.timestamp] = [152] }
    fleet.issued["snapshot"]!.version = 1
    fleet.retime()
    #expect(store.take(try fleet.bundle(roots: [root]), on: 0) == "version_old")
  }

  @Test func `A signed change under the same version is refused`() throws {
    let changes: [(inout Fleet) -> Void] = [
      { $0.life["timestamp"] = 6 },
      { fleet in
        fleet.revocations = RevocationList(version: 1)
        fleet.retime()
      },
      { fleet in
        fleet.assignments = []
        fleet.change()
      },
      { fleet in
        let release = Release(version: 1, digest: TrustStore.digest([1]), size: 1)
        fleet.artefacts[.packs] = [Artefact(name: "packs/acme.lyon", kind: "pack", lowest: 1, releases: [release])]
        fleet.change("packs")
      },
    ]
    for (index, change) in changes.enumerated() {
      var fleet = try Fleet()
      var store = try fleet.current()
      change(&fleet)
      #expect(store.take(try fleet.bundle(), on: 0) == "version_changed", "change \(index)")
    }
  }

  @Test func `Names do not vanish`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    fleet.listed = [.targets, .models, .policies, .packs]
    fleet.change()
    #expect(store.take(try fleet.bundle(), on: 0) == "name_vanished")
    fleet = try Fleet()
    fleet.artefacts[.models] = []
    fleet.assignments.removeFirst()
    fleet.change("models", "rollout")
    fleet.change()
    #expect(store.take(try fleet.bundle(), on: 0) == "name_vanished")
    fleet = try Fleet()
    fleet.classSeeds[.policies] = nil
    fleet.change("targets")
    fleet.change("targets")
    fleet.change("targets")
    fleet.listed = [.targets, .models, .packs, .rollout]
    #expect(store.take(try fleet.bundle(), on: 0) == "name_vanished")
    // Taking an artefact back leaves its name.
    fleet = try Fleet()
    for _ in 0..<5 { fleet.change("models", "rollout", "targets") }
    fleet.artefacts[.models] = [Artefact(name: "models/thermal", kind: "gaussian", lowest: 3, releases: [])]
    fleet.assignments.removeFirst()
    #expect(store.take(try fleet.bundle(), on: 0) == "complete")
  }

  @Test func `The lowest version only rises, over every change of keys`() throws {
    var fleet = try Fleet()
    fleet.artefacts[.models] = [
      Artefact(name: "models/thermal", kind: "gaussian", lowest: 2, releases: [try modelRelease(2)])
    ]
    var store = try fleet.current()
    let root = try fleet.rotate {
      $0.seeds[.targets] = [126, 127]
      $0.classSeeds = [.models: [128], .policies: [125], .packs: [126, 127]]
    }
    fleet.artefacts[.models] = [
      Artefact(name: "models/thermal", kind: "gaussian", lowest: 1, releases: [try modelRelease(1)])
    ]
    fleet.assignments[0] = Assignment(.fleet, artefact: "models/thermal", version: 1, stage: .active)
    fleet.change("targets", "models", "packs", "rollout")
    #expect(store.take(try fleet.bundle(roots: [root]), on: 1) == "version_old")
    #expect(throws: ProvenanceFault.self) {
      try TargetsMetadata(
        header: fleet.header("models"), .models,
        artefacts: [Artefact(name: "models/thermal", kind: "gaussian", lowest: 9, releases: [try modelRelease(1)])])
    }
  }

  @Test func `A class that ran away comes back when the targets keys name other signers`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    fleet.issued["models"]!.version = DocumentHeader.versionMax
    fleet.change()
    #expect(store.take(try fleet.bundle(), on: 0) == "complete")
    fleet.issued["models"]!.version = 2
    fleet.change("targets")
    // The snapshot's own listing is not what holds it: the class's floor is.
    #expect(store.take(try fleet.bundle(), on: 0) == "version_old")
    fleet.classSeeds[.models] = [129]
    fleet.change("targets")
    #expect(store.take(try fleet.bundle(), on: 0) == "complete")
    #expect(store.targets(.models)?.version == 2)
  }

  @Test func `Witnesses are asked for once the root names them`() throws {
    var fleet = try Fleet()
    fleet.checkpoint = Leaves(3).checkpoint(3)
    var store = try fleet.current()
    let root = try fleet.rotate {
      $0.seeds[.witness] = [171, 172, 173]
      $0.thresholds[.witness] = 2
    }
    fleet.checkpoint = Leaves(9).checkpoint(9)
    fleet.retime()
    var bundle = try fleet.bundle(roots: [root])
    bundle.consistency = Leaves(9).proof(3, 9)
    #expect(store.take(bundle, on: 1) == "witness_missing")
    let body = Checkpoint(origin: "twind/foundation", size: 9, root: Leaves(9).checkpoint(9).root)
    let note = body.signed(name: "twind/foundation", by: key(161))
    bundle.note = note
    #expect(store.take(bundle, on: 1) == "witness_missing")
    let one = try Checkpoint.cosign(note, name: "witness-171", by: key(171), at: 1_767_225_600)
    let again = try Checkpoint.cosign(note, name: "witness-171", by: key(171), at: 1_767_225_601)
    bundle.note = note + one + again
    #expect(store.take(bundle, on: 1) == "witness_missing")
    bundle.note = note + one + (try Checkpoint.cosign(note, name: "witness-172", by: key(66), at: 1))
    #expect(store.take(bundle, on: 1) == "witness_missing")
    bundle.note = note + one + (try Checkpoint.cosign(note, name: "witness-173", by: key(173), at: 1))
    #expect(store.take(bundle, on: 1) == "complete")
    #expect(store.checkpoint?.size == 9)
    // From here on a timestamp without a checkpoint is a way round.
    fleet.checkpoint = nil
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: 1) == "checkpoint_unproven")
  }

  @Test func `Revocations only grow, until other keys sign them`() throws {
    let epoch = LogEpoch(bytes: [UInt8](repeating: 7, count: 16))!
    let revoked = KeyID(key(201).publicKey)
    let entry = Revocation(site: lyon, key: revoked, logs: [.init(epoch: epoch, stream: .audit, size: 40)])
    var fleet = try Fleet()
    fleet.revocations = RevocationList(version: 1, entries: [entry])
    var store = try fleet.current()
    func permits(_ sequence: UInt64, _ stream: LogStream = .audit, _ id: KeyID = revoked) -> Bool {
      store.revocations.permits(site: lyon, key: id, epoch: epoch, stream: stream, sequence: sequence)
    }
    #expect(permits(39) && !permits(40) && !permits(0, .control) && permits(900, .audit, KeyID(key(202).publicKey)))
    let weaker = Revocation(site: lyon, key: revoked, logs: [.init(epoch: epoch, stream: .audit, size: 41)])
    for (version, entries) in [(2, []), (2, [weaker]), (1, []), (0, [entry])] as [(UInt64, [Revocation])] {
      fleet.revocations = RevocationList(version: version, entries: entries)
      fleet.change()
      #expect(store.take(try fleet.bundle(), on: 1) == "version_old")
    }
    let stronger = Revocation(site: lyon, key: revoked, logs: [.init(epoch: epoch, stream: .audit, size: 12)])
    fleet.revocations = RevocationList(version: 2, entries: [stronger])
    fleet.change()
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(permits(11) && !permits(12))
    let root = try fleet.rotate { $0.seeds[.snapshot] = [142] }
    fleet.revocations = RevocationList(version: 1)
    fleet.change()
    #expect(store.take(TrustBundle(roots: [root]), on: 1) == "metadata_missing")
    #expect(!permits(12))
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(permits(12))
  }

  @Test func `The narrowest scope decides`() throws {
    var fleet = try Fleet()
    fleet.assignments = [
      Assignment(.fleet, artefact: "models/thermal", version: 1, stage: .active),
      Assignment(.tenant("acme"), artefact: "models/thermal", version: 2, stage: .shadow),
      Assignment(.site(lyon), artefact: "models/thermal", version: 1, stage: .canary),
    ]
    let store = try fleet.current()
    let seen = [lyon, oslo, SiteName("zeta.one")!].map { site in
      store.installables(for: site, at: store.time.time(day(0))).items.map { "\($0.release.version) \($0.stage.name)" }
    }
    #expect(seen == [["1 canary"], ["2 shadow"], ["1 active"]])
    #expect(RolloutScope("acme.*") == .tenant("acme") && RolloutScope("*") == .fleet)
    for text in ["", "acme", "*.lyon", "acme.lyon.x", "Acme.*", ".*", "**"] { #expect(RolloutScope(text) == nil) }
  }

  @Test func `Intents are obeyed in their order, over a reboot too`() throws {
    var store = try Fleet().current()
    #expect(store.admit(intentSequence: 5) && !store.admit(intentSequence: 5) && !store.admit(intentSequence: 4))
    store.noteBoot()
    store = try TrustStore(bytes: store.bytes, build: day(-30))
    #expect(!store.admit(intentSequence: 5) && store.admit(intentSequence: 6) && store.boots == 1)
  }
}
