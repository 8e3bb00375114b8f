import Sodium
import Testing
import TwinCore

@testable import Provenance

/// The rows of the attack matrix that end at a site's trust in its fleet.
@Suite struct `What stolen keys and false brokers cannot do` {
  @Test func `row 16: an old timestamp served for ever makes the site stale, not still`() throws {
    var store = try Fleet().current()
    let frozen = try Fleet().bundle()
    for wall in [1.0, 6.9] {
      #expect(store.take(frozen, on: wall) == "complete")
      #expect(store.standing(at: store.time.time(day(wall))).state == .fresh)
    }
    #expect(store.take(frozen, on: 8) == "complete")
    let standing = store.standing(at: store.time.time(day(8)))
    #expect(standing.state == .stale && !standing.allowed.installs && standing.allowed.learning)
    #expect(standing.reasons == ["timestamp expired 1 d ago"])
    // A site that hears this timestamp for the first time does not take it.
    var late = try Fleet().store()
    #expect(late.take(frozen, on: 8) == "metadata_expired")
  }

  @Test func `row 16: a promise that never comes keeps nothing fresh`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    for wall in 1...9 {
      fleet.now = day(Double(wall))
      fleet.change()
      var bundle = try fleet.bundle()
      bundle.snapshot = nil
      #expect(store.take(bundle, on: Double(wall)) == "metadata_missing")
    }
    #expect(store.missing == ["snapshot"])
    #expect(store.standing(at: store.time.time(day(9))).state == .stale)
  }

  @Test func `row 17: an old snapshot with new documents is refused and the set kept`() throws {
    var fleet = try Fleet()
    let old = try fleet.bundle()
    var store = try fleet.current()
    let before = store
    fleet.now = day(1)
    fleet.assignments[0] = Assignment(.fleet, artefact: "models/thermal", version: 1, stage: .active)
    fleet.change("rollout", "targets")
    var mixed = try fleet.bundle()
    mixed.snapshot = old.snapshot
    #expect(store.take(mixed, on: 1) == "metadata_mismatch")
    mixed = try fleet.bundle()
    mixed.documents[.rollout] = old.documents[.rollout]
    #expect(store.take(mixed, on: 1) == "metadata_mismatch")
    #expect(store.snapshot == before.snapshot && store.rollout == before.rollout)
    mixed = old
    mixed.documents = try fleet.bundle().documents
    mixed.timestamp = nil
    #expect(store.take(mixed, on: 1) == "metadata_mismatch")
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(store.rollout?.version == 2)
  }

  @Test func `row 18: timestamp, snapshot and targets never go back, not over a reboot either`() throws {
    var fleet = try Fleet()
    let old = try fleet.bundle()
    var store = try fleet.current()
    fleet.now = day(1)
    fleet.change("targets", "models", "rollout")
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    let versions = store.versionTexts()
    var rebooted = try TrustStore(bytes: store.bytes, build: day(-30))
    #expect(rebooted.take(old, on: 1) == "version_old")
    #expect(rebooted.versionTexts() == versions)
    // Online keys sign the old documents again under new versions: the offline documents' own versions stand.
    fleet.issued["models"] = (1, day(0))
    fleet.change()
    #expect(rebooted.take(try fleet.bundle(), on: 1) == "version_old")
    fleet.issued["snapshot"] = (1, day(1))
    fleet.retime()
    #expect(rebooted.take(try fleet.bundle(), on: 1) == "version_old")
    #expect(rebooted.rollout?.version == 2 && rebooted.targets(.models)?.version == 2)
  }

  @Test func `row 21: of two checkpoints that contradict each other one freezes the intake`() throws {
    var fleet = try Fleet()
    var log = Leaves(8)
    fleet.checkpoint = log.checkpoint(8)
    var store = try fleet.current()
    fleet.now = day(1)
    fleet.checkpoint = Leaves(12, fork: 6).checkpoint(12)
    fleet.retime()
    // A proof that fails may be the broker's doing: nothing is taken, but nothing is decided either.
    var bundle = try fleet.bundle()
    bundle.consistency = Leaves(12, fork: 6).proof(8, 12)
    #expect(store.take(bundle, on: 1) == "checkpoint_unproven")
    #expect(store.frozen == nil && store.timestamp?.version == 1)
    fleet.checkpoint = FoundationCheckpoint(origin: "twind/other", size: 12, root: Leaves(12).checkpoint(12).root)
    bundle = try fleet.bundle()
    bundle.consistency = log.proof(8, 8) + Leaves(12).proof(8, 12)
    #expect(store.take(bundle, on: 1) == "checkpoint_unproven")
    // Two roots of one size, both signed, can only be the foundation's.
    fleet.checkpoint = Leaves(8, fork: 6).checkpoint(8)
    #expect(store.take(try fleet.bundle(), on: 1) == "intake_frozen")
    #expect(store.frozen == "the foundation's log has two roots at 8 entries")
    log = Leaves(20)
    fleet.checkpoint = log.checkpoint(20)
    fleet.retime()
    var honest = try fleet.bundle()
    honest.consistency = log.proof(8, 20)
    #expect(store.take(honest, on: 1) == "intake_frozen")
    #expect(store.checkpoint?.root == log.checkpoint(8).root)
  }

  @Test func `row 39: versions that ran away come back by a rotation of the root, and by nothing else`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let good = fleet
    fleet.issued["timestamp"]!.version = DocumentHeader.versionMax - 1
    fleet.issued["snapshot"]!.version = DocumentHeader.versionMax - 1
    #expect(store.take(try fleet.bundle(), on: 0) == "complete")
    fleet = good
    fleet.now = day(1)
    fleet.change()
    #expect(store.take(try fleet.bundle(), on: 1) == "version_old")
    // A second key beside the stolen one is no recovery: the stolen one still signs.
    var half = try fleet.rotate { $0.seeds[.timestamp]!.append(152) }
    #expect(store.take(try fleet.bundle(roots: [half]), on: 1) == "version_old")
    // Nor is taking the stolen one away while the other stays, which may have signed what ran away.
    let more = try fleet.rotate { $0.seeds[.timestamp] = [152] }
    #expect(store.take(try fleet.bundle(roots: [more]), on: 1) == "version_old")
    half = try fleet.rotate {
      $0.seeds[.timestamp] = [153]
      $0.seeds[.snapshot] = [142]
    }
    #expect(store.take(try fleet.bundle(roots: [half]), on: 1) == "complete")
    #expect(store.timestamp?.version == 2 && store.snapshot?.version == 2)
    // What the stolen keys sign now counts for nothing.
    var thief = good
    thief.issued["timestamp"]!.version = 900
    #expect(store.take(try thief.bundle(), on: 1) == "signer_unknown")
  }

  @Test func `row 39: a timestamp that ran far ahead in time is not taken`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let floor = store.time.instant
    fleet.now = day(401)
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: 1) == "time_step")
    #expect(store.time.instant == floor)
    let statement = TimeStatement(fleet: "acme-fleet", time: day(390)).payload
    #expect(admit(&store, forged(TimeStatement.type, statement, 151)) == "signer_unknown")
    #expect(admit(&store, forged(TimeStatement.type, statement, 121)) == "threshold_missed")
    let signed = try SignedEnvelope(forged(TimeStatement.type, statement, 121), max: 4_096)
    #expect(admit(&store, signed.adding(signature: key(122)).bytes) == "accepted")
    let foreign = try SignedEnvelope(
      forged(TimeStatement.type, TimeStatement(fleet: "other-fleet", time: day(700)).payload, 121), max: 4_096)
    #expect(admit(&store, foreign.adding(signature: key(122)).bytes) == "other_fleet")
    #expect(store.time.instant == day(390))
    fleet.change("targets", "models", "policies", "packs", "rollout")
    #expect(store.take(try fleet.bundle(), on: 401) == "complete")
  }

  @Test func `row 39: a time that a stolen key signed is forgotten with the key`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    fleet.now = day(300)
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: -20) == "complete")
    #expect(store.time.clock(day(1)) == .behind)
    fleet.now = day(1)
    let root = try fleet.rotate { $0.seeds[.timestamp] = [152] }
    fleet.retime()
    // This update is still judged by the time that was fixed before it; the next one is not.
    #expect(store.take(try fleet.bundle(roots: [root]), on: 1) == "metadata_expired")
    #expect(store.root.version == 2 && store.time.clock(day(1)) == .trusted)
    #expect(store.take(try fleet.bundle(roots: [root]), on: 1) == "complete")
    #expect(store.time.instant == day(1) && store.time.clock(day(1)) == .trusted)
  }

  private func admit(_ store: inout TrustStore, _ bytes: [UInt8]) -> String {
    slug { () throws(ProvenanceFault) in try store.admit(timeStatement: bytes) }
  }

  @Test func `row 40: the rollout key cannot assign what is not signed, or is another fleet's`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let before = store.rollout
    fleet.now = day(1)
    for (artefact, version) in [("models/evil", 1), ("models/thermal", 3), ("packs/acme.oslo", 1)] {
      fleet.assignments = [Assignment(.fleet, artefact: artefact, version: UInt64(version), stage: .active)]
      fleet.change("rollout")
      #expect(store.take(try fleet.bundle(), on: 1) == "not_listed")
    }
    // Another fleet with the same keys: the names differ.
    var other = try Fleet()
    other.name = "other-fleet"
    other.issued = fleet.issued
    other.change()
    #expect(store.take(try other.bundle(), on: 1) == "other_fleet")
    var bundle = try Fleet().bundle()
    bundle.documents[.rollout] = try other.document(.rollout)
    #expect(store.rollout == before)
  }

  @Test func `row 41: all online keys together choose among signed artefacts, and leave the envelope alone`() throws {
    var fleet = try Fleet()
    fleet.artefacts[.models] = [
      Artefact(
        name: "models/thermal", kind: "gaussian", lowest: 2, releases: [try modelRelease(1), try modelRelease(2)])
    ]
    var store = try fleet.current()
    let old = try fleet.current()
    fleet.now = day(1)
    // An artefact of their own needs the class's key, a lower version its consent.
    for thief in [131, 141, 151] as [UInt8] {
      fleet.change("models")
      let own = try TargetsMetadata(
        header: fleet.header("models"), .models,
        artefacts: [Artefact(name: "models/thermal", kind: "gaussian", lowest: 1, releases: [try modelRelease(1)])])
      #expect(store.take(try fleet.bundle([.models: try sealed(own, [thief])]), on: 1) == "signer_unknown")
    }
    fleet.issued["models"] = (1, day(0))
    fleet.assignments[0] = Assignment(.fleet, artefact: "models/thermal", version: 1, stage: .rollback)
    fleet.change("rollout")
    #expect(store.take(try fleet.bundle(), on: 1) == "not_listed")
    #expect(store.rollout == old.rollout)
  }

  @Test func `row 41: going back to an older envelope is a change that online keys cannot make`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let time = store.time.time(day(0))
    fleet.assignments[1] = Assignment(.site(lyon), artefact: "packs/acme.lyon", version: 2, stage: .active)
    fleet.now = day(1)
    fleet.change("rollout")
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    let admission = store.admit(pack: try fleetPack(2), for: lyon, packSite: "lyon", at: time)
    guard case .install(let pack) = admission else {
      Issue.record("\(admission)")
      return
    }
    #expect(pack.changesEnvelope && pack.envelope.version == 2 && pack.stage == .active)
    try store.noteInstalled(pack.envelope)
    // The first pack, signed by everyone in its time, with the looser envelope of then.
    fleet.assignments[1] = Assignment(.site(lyon), artefact: "packs/acme.lyon", version: 1, stage: .rollback)
    fleet.change("rollout")
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(refusals(store, try fleetPack(1), time) == ["envelope_older"])
    store = try TrustStore(bytes: store.bytes, build: day(-30))
    #expect(refusals(store, try fleetPack(1), time) == ["envelope_older"])
  }

  @Test func `row 42: a stolen ingest key stops counting with the next root`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let ack = try SignedEnvelope(forged("application/vnd.twind.ack.v1+cbor", [0xA0], 161), max: 4_096)
    #expect(slug { () throws(ProvenanceFault) in try store.verify(ack, role: .ingest) } == "accepted")
    #expect(slug { () throws(ProvenanceFault) in try store.verify(ack, role: .rollout) } == "signer_unknown")
    #expect(slug { () throws(ProvenanceFault) in try store.verify(ack, role: .witness) } == "signer_unknown")
    let root = try fleet.rotate { $0.seeds[.ingest] = [162] }
    #expect(store.take(try fleet.bundle(roots: [root]), on: 1) == "complete")
    #expect(slug { () throws(ProvenanceFault) in try store.verify(ack, role: .ingest) } == "signer_unknown")
  }

  @Test func `row 43: one root key of three signs no root`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    fleet.rootVersion = 2
    fleet.seeds[.timestamp] = [66]
    for signers in [[101], [101, 66], [111, 112]] as [[UInt8]] {
      let root = try fleet.rootBytes(signers)
      let seen = store.take(TrustBundle(roots: [root]), on: 1)
      #expect(seen == (signers[0] == 101 ? "threshold_missed" : "signer_unknown"))
    }
    #expect(store.root.version == 1)
  }

  @Test func `row 44: a key counts once, however often it is listed`() throws {
    let fleet = try Fleet()
    var root = try fleet.root()
    let twice = root.keys + root.keys.filter { $0.role == .root }
    #expect(throws: ProvenanceFault.self) {
      try RootMetadata(header: root.header, keys: twice, thresholds: root.thresholds)
    }
    // One key under two roles would let one holder be two.
    let borrowed = root.keys + [TrustKey(.targets, key(101).publicKey)]
    #expect(throws: ProvenanceFault.self) {
      try RootMetadata(header: root.header, keys: borrowed, thresholds: root.thresholds)
    }
    root = try fleet.root()
    let envelope = try RootMetadata.envelope(try fleet.rootBytes([101]))
    let keys = [key(101).publicKey, key(101).publicKey, key(101).publicKey]
    #expect(slug { () throws(ProvenanceFault) in try envelope.verify(by: keys, threshold: 2) } == "threshold_missed")
  }

  @Test func `row 45: a foundation log that went back freezes the intake until the root keys restart it`() throws {
    var fleet = try Fleet()
    fleet.checkpoint = Leaves(8).checkpoint(8)
    var store = try fleet.current()
    fleet.now = day(1)
    fleet.checkpoint = Leaves(5).checkpoint(5)
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: 1) == "intake_frozen")
    #expect(store.frozen == "the foundation's log went back from 8 to 5 entries")
    store = try TrustStore(bytes: store.bytes, build: day(-30))
    #expect(store.take(try fleet.bundle(), on: 1) == "intake_frozen")
    // Control runs on by what is here; only new metadata stays out.
    #expect(store.standing(at: store.time.time(day(1))).state == .fresh)
    let restart = LogRestart(number: 1, size: 5, root: Leaves(5).checkpoint(5).root)
    let root = try fleet.rotate { $0.logRestart = restart }
    #expect(store.take(try fleet.bundle(roots: [root]), on: 1) == "complete")
    #expect(store.checkpoint?.size == 5 && store.frozen == nil)
    // The same restart once more is none.
    fleet.checkpoint = Leaves(4).checkpoint(4)
    fleet.retime()
    let again = try fleet.rotate { _ in }
    #expect(store.take(try fleet.bundle(roots: [again]), on: 1) == "intake_frozen")
  }

  @Test func `row 46: sixty days without a policy end at the baseline, and one update brings all back`() throws {
    var fleet = try Fleet()
    fleet.life["policies"] = 10
    var store = try fleet.current()
    func state(_ wall: Double) -> ExpiryStanding { store.standing(at: store.time.time(day(wall))) }
    #expect(
      [0, 8, 11, 23, 25, 54, 56, 70].map { state($0).state } == [
        .fresh, .stale, .stale, .stale, .degraded,
        .degraded, .baseline, .baseline,
      ])
    #expect(state(70).allowed.policy == .baseline && state(25).allowed.policy == .clamped)
    #expect(!state(70).allowed.learning && state(70).allowed.remoteIntents == .none)
    let envelope = store.envelope
    fleet.now = day(70)
    fleet.change("policies", "rollout")
    #expect(store.take(try fleet.bundle(), on: 70) == "complete")
    #expect(state(70).state == .fresh && state(70).reasons.isEmpty && store.envelope == envelope)
  }

  @Test func `row 47: an expired root on the way is a step, an expired root at the end is none`() throws {
    var fleet = try Fleet()
    fleet.rootLife = 30
    var store = try fleet.store()
    fleet.now = day(1)
    let second = try fleet.rotate { $0.seeds[.timestamp] = [152] }
    fleet.now = day(100)
    fleet.rootLife = 1_096
    fleet.change("targets", "models", "policies", "packs", "rollout")
    let ended = try fleet.bundle(roots: [second])
    #expect(store.take(ended, on: 100) == "metadata_expired")
    // It counts all the same: the next one is checked by its keys.
    #expect(store.root.version == 2 && store.timestamp == nil)
    #expect(store.standing(at: store.time.time(day(100))).state >= .stale)
    let third = try fleet.rotate { _ in }
    #expect(store.take(try fleet.bundle(roots: [third]), on: 100) == "complete")
    #expect(store.root.version == 3)
  }

  @Test func `row 48: a rollout by mistake cannot relax an envelope that the safety keys did not sign`() throws {
    let loose = "envelopes: {everything: allowed}\n"
    for safety in [[111], [121], [111, 121], [131]] as [[UInt8]] {
      var fleet = try Fleet()
      // Signed as a pack by the targets keys, listed, assigned: everything but the safety keys.
      let files = try fleetPack(3, text: loose, safety: safety)
      let listing = PackListing(files)
      fleet.artefacts[.packs] = [
        Artefact(
          name: "packs/acme.lyon", kind: "pack", lowest: 1,
          releases: [Release(version: 3, digest: listing.digest, size: listing.size)])
      ]
      fleet.assignments[1] = Assignment(.fleet, artefact: "packs/acme.lyon", version: 3, stage: .active)
      let store = try fleet.current()
      let seen = refusals(store, files, store.time.time(day(0)))
      #expect(seen == [safety[0] == 111 ? "threshold_missed" : "signer_unknown"], "\(safety)")
    }
  }

  @Test func `row 48: a rollout of another site's pack is refused`() throws {
    var fleet = try Fleet()
    fleet.assignments[1] = Assignment(.site(oslo), artefact: "packs/acme.lyon", version: 1, stage: .active)
    let store = try fleet.current()
    let time = store.time.time(day(0))
    #expect(refusals(store, try fleetPack(1), time) == ["not_assigned"])
    guard case .refuse(let problems) = store.admit(pack: try fleetPack(1), for: oslo, packSite: "oslo", at: time) else {
      Issue.record("installed")
      return
    }
    #expect(problems.map(\.kind) == [.notAssigned, .otherSite, .otherSite])
  }

  @Test func `row 52: a clock ten years off, either way, is not believed and changes no floor`() throws {
    let fleet = try Fleet()
    for (wall, state) in [(3_650.0, ClockState.ahead), (-3_650, .behind), (-20_454, .behind)] {
      var store = try fleet.current()
      let floor = store.time
      let time = store.time.time(day(wall))
      #expect(time == TrustTime(day(0), clock: state))
      #expect(store.update(try fleet.bundle(), at: time).problem == nil)
      #expect(store.time == floor)
      let standing = store.standing(at: time)
      #expect(standing.state == .fresh && standing.allowed.remoteIntents == .freshNonce)
      // Uptime moves the ladder on.
      store.pass(uptimeNanoseconds: 8 * 86_400 * 1_000_000_000)
      #expect(store.standing(at: store.time.time(day(wall))).state == .stale)
      // A newer signed time makes the site fresh again, clock or no clock.
      var later = fleet
      later.now = day(9)
      later.retime()
      #expect(store.take(try later.bundle(), on: wall) == "complete")
      #expect(store.time.instant == day(9))
      #expect(store.standing(at: store.time.time(day(wall))).state == .fresh)
    }
  }

  @Test func `row 53: a clock that steps during an update changes nothing about it`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let time = store.time.time(day(1))
    fleet.now = day(1)
    fleet.change("rollout")
    var first = try fleet.bundle()
    first.documents = [:]
    #expect(store.update(first, at: time).problem?.kind == .metadataMissing)
    // Meanwhile the clock jumped by 300 days; by it the rest would have expired.
    #expect(store.time.time(day(301)).clock == .trusted)
    #expect(store.update(try fleet.bundle(), at: time).problem == nil)
    #expect(store.rollout?.version == 2)
    var other = try Fleet().current()
    #expect(other.update(try fleet.bundle(), at: other.time.time(day(301))).problem?.kind == .metadataExpired)
  }

  private func refusals(_ store: TrustStore, _ files: [PackFile], _ time: TrustTime) -> [String] {
    switch store.admit(pack: files, for: lyon, packSite: "lyon", at: time) {
    case .install: ["installed"]
    case .refuse(let problems): problems.map(\.kind.rawValue)
    }
  }
}

/// A foundation's log of numbered leaves; from `fork` on they are other ones.
struct Leaves {
  let hashes: [Digest]

  init(_ count: Int, fork: Int = .max) {
    hashes = (0..<count).map { Merkle.leafHash([UInt8($0), $0 >= fork ? 1 : 0]) }
  }

  func checkpoint(_ size: Int) -> FoundationCheckpoint {
    var frontier = MerkleFrontier()
    for hash in hashes.prefix(size) { frontier.append(hash) }
    return FoundationCheckpoint(origin: "twind/foundation", size: UInt64(size), root: frontier.root)
  }

  func proof(_ from: Int, _ to: Int) -> [Digest] {
    Merkle.consistencyProof(from: UInt64(from), to: UInt64(to)) { hashes[Int($0)] }
  }
}
