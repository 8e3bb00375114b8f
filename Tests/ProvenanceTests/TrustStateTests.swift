import Sodium
import Testing
import TwinCore

@testable import Provenance

@Suite struct `A trust state is kept whole or not at all` {
  @Test func `It comes back as it was, floors and all`() throws {
    var fleet = try Fleet()
    fleet.checkpoint = Leaves(5).checkpoint(5)
    var store = try fleet.current()
    store.pass(uptimeNanoseconds: 3_600_000_000_000)
    store.noteBoot()
    _ = store.admit(intentSequence: 9)
    try store.noteInstalled(.init(version: 4, digest: Sodium.sha256([1])))
    let again = try TrustStore(bytes: store.bytes, build: day(-30))
    #expect(again == store && again.bytes == store.bytes)
    #expect(again.mark == store.mark && again.continuity(since: store.mark) == .same)
    // A newer program raises the build's part of the floor, an older one does not lower it.
    #expect(try TrustStore(bytes: store.bytes, build: day(50)).time.instant == day(50))
    #expect(try TrustStore(bytes: store.bytes, build: day(-90)).time.build == day(-30))
  }

  @Test func `Every flipped bit is seen`() throws {
    let bytes = try Fleet().current().bytes
    var dice = TrustDice(7)
    for _ in 0..<trustRounds * 5 {
      let bit = Int.random(in: 0..<bytes.count * 8, using: &dice)
      #expect(read(flipped(bytes, bit)) == "state_malformed", "bit \(bit)")
    }
    for length in [0, 1, bytes.count / 2, bytes.count - 1] {
      #expect(read(Array(bytes.prefix(length))) == "state_malformed")
    }
    #expect(read(bytes + [0]) == "state_malformed")
    #expect(read(bytes) == "accepted")
  }

  private func read(_ bytes: [UInt8]) -> String {
    slug { () throws(ProvenanceFault) in _ = try TrustStore(bytes: bytes, build: day(-30)) }
  }

  @Test func `A witness of an earlier mark sees a state that was put back or forked`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let old = store.bytes
    let seen = store.mark
    #expect(store.continuity(since: seen) == .same)
    fleet.now = day(1)
    fleet.retime()
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(store.continuity(since: seen) == .newer)
    let putBack = try TrustStore(bytes: old, build: day(-30))
    #expect(putBack.continuity(since: store.mark) == .rolledBack)
    var clone = putBack
    clone.noteBoot()
    #expect(clone.mark.generation == store.mark.generation && clone.continuity(since: store.mark) == .forked)
    for _ in 0..<TrustStore.marksMax + 5 { store.noteBoot() }
    #expect(store.marks.count == TrustStore.marksMax && store.continuity(since: seen) == .unproven)
    #expect(read(store.bytes) == "accepted")
  }

  @Test func `Marks that are not this state's own are refused`() throws {
    let store = try Fleet().current()
    var other = store
    other.marks[other.marks.count - 1] = StateMark(generation: store.mark.generation, chain: .zero)
    #expect(read(other.bytes) == "state_malformed")
    other = store
    other.marks.removeFirst()
    #expect(read(other.bytes) == "state_malformed")
  }

  @Test func `An update that brings nothing changes nothing`() throws {
    let fleet = try Fleet()
    var store = try fleet.current()
    let mark = store.mark
    #expect(store.take(try fleet.bundle(), on: 1) == "complete")
    #expect(store.mark == mark)
  }

  @Test func `A state whose documents lost their signatures is refused, even with its check made right`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    fleet.seeds[.rollout] = [66]
    fleet.assignments = []
    let forgery = try RolloutMetadata.envelope(try fleet.document(.rollout))
    store.rolloutHeld = TrustStore.Accepted(
      document: try RolloutMetadata(payload: forgery.payload), bytes: forgery.bytes)
    store.advance()
    #expect(read(store.bytes) == "state_malformed")
  }
}

@Suite struct `No sequence of metadata lowers a floor unsigned` {
  private struct World {
    var fleet: Fleet
    var store: TrustStore
    var published: [TrustBundle] = []
    var wall = 0.0
    var dice: TrustDice

    init(_ seed: UInt64) throws {
      fleet = try Fleet()
      store = try fleet.current()
      dice = TrustDice(seed)
      published = [try fleet.bundle()]
    }

    mutating func chance(_ count: Int) -> Int { Int.random(in: 0..<count, using: &dice) }

    /// One turn; returns the roles that honest root keys rotated in it.
    mutating func turn() throws -> Set<TrustRole> {
      wall += Double(chance(3))
      fleet.now = day(wall)
      switch chance(8) {
      case 0, 1: return try honest()
      case 2: return try rotation()
      case 3: _ = store.take(published[chance(published.count)], on: wall)
      case 4: try mixture()
      case 5: try damage()
      case 6: try theft()
      default: store = try TrustStore(bytes: store.bytes, build: day(-30))
      }
      return []
    }

    private mutating func honest() throws -> Set<TrustRole> {
      let title = ["rollout", "models", "policies", "packs", "targets"][chance(5)]
      fleet.change(title)
      published.append(try fleet.bundle())
      _ = store.take(published[published.count - 1], on: wall)
      return []
    }

    private mutating func rotation() throws -> Set<TrustRole> {
      let role = [TrustRole.timestamp, .snapshot, .rollout, .ingest][chance(4)]
      let seed = UInt8(180 + chance(60))
      guard !fleet.seeds.values.joined().contains(seed) else { return [] }
      let root = try fleet.rotate { $0.seeds[role] = [seed] }
      fleet.change()
      published.append(try fleet.bundle(roots: [root]))
      _ = store.take(published[published.count - 1], on: wall)
      return [role]
    }

    /// Pieces of everything that was ever published.
    private mutating func mixture() throws {
      var bundle = published[chance(published.count)]
      bundle.timestamp = published[chance(published.count)].timestamp
      bundle.snapshot = published[chance(published.count)].snapshot
      for name in DocumentName.allCases {
        bundle.documents[name] = published[chance(published.count)].documents[name]
      }
      bundle.roots = published.flatMap(\.roots).shuffled(using: &dice)
      _ = store.take(bundle, on: wall)
    }

    private mutating func damage() throws {
      var bytes = published[chance(published.count)].bytes
      for _ in 0...chance(3) { bytes[chance(bytes.count)] ^= 1 << UInt8(chance(8)) }
      if let bundle = try? TrustBundle(bytes) { _ = store.take(bundle, on: wall) }
    }

    /// Online keys in the wrong hands, or a root by too few.
    private mutating func theft() throws {
      var thief = fleet
      switch chance(4) {
      case 0:
        thief.rootVersion += 1
        thief.thresholds[.root] = 1
        thief.seeds[.safety] = [66, 67]
        _ = store.take(TrustBundle(roots: [try thief.rootBytes([101])]), on: wall)
      case 1:
        thief.issued["models"] = (1, day(0))
        thief.issued["rollout"]!.version = 1
        thief.change()
        _ = store.take(try thief.bundle(), on: wall)
      case 2:
        thief.artefacts[.models] = [
          Artefact(name: "models/thermal", kind: "gaussian", lowest: 0, releases: [try modelRelease(1)])
        ]
        thief.change("models")
        let models = try TargetsMetadata(
          header: thief.header("models"), .models, artefacts: thief.artefacts[.models]!)
        _ = store.take(try thief.bundle([.models: try sealed(models, [131])]), on: wall)
      default:
        thief.issued["timestamp"]!.version = 1
        thief.issued["snapshot"]!.version = 1
        _ = store.take(try thief.bundle(), on: wall)
      }
    }
  }

  @Test func `Random histories of honest, stale, mixed, damaged and stolen metadata`() throws {
    for seed in 0..<UInt64(max(6, trustRounds / 10)) {
      var world = try World(seed)
      for turn in 0..<40 {
        let before = world.store
        let rotated = try world.turn()
        let after = world.store
        let place = Comment("seed \(seed), turn \(turn)")
        #expect(after.root.version >= before.root.version, place)
        if after.root != before.root {
          #expect(after.root.version > before.root.version && after.root.fleet == before.root.fleet, place)
        }
        #expect(
          after.root.thresholds == before.root.thresholds && after.root.keys(.safety) == before.root.keys(.safety),
          place)
        #expect(after.frozen == nil, place)
        // Rotated roots may come again in a mixture; what they reset then was theirs to reset.
        if !rotated.isEmpty || after.root != before.root { continue }
        #expect(after.floors.timestamp >= before.floors.timestamp, place)
        #expect(after.floors.promise >= before.floors.promise, place)
        #expect(after.floors.snapshot >= before.floors.snapshot, place)
        #expect(after.time.instant >= before.time.instant, place)
        #expect(after.revocations.version >= before.revocations.version, place)
        for (name, version) in before.floors.documents { #expect(after.floors.documents[name]! >= version, place) }
        for (name, version) in before.floors.artefacts { #expect(after.floors.artefacts[name]! >= version, place) }
        if after.snapshot != nil, after.isComplete {
          #expect(after.targets(.models)?.artefact("models/thermal")?.lowest == 1, place)
        }
      }
      // The honest fleet is heard again whatever happened, at the latest with fresh online keys.
      world.fleet.now = day(world.wall)
      let root = try world.fleet.rotate {
        $0.seeds[.timestamp] = [251]
        $0.seeds[.snapshot] = [252]
        $0.seeds[.rollout] = [253]
      }
      world.fleet.change("rollout")
      let bundle = try world.fleet.bundle(roots: world.published.flatMap(\.roots) + [root])
      #expect(world.store.take(bundle, on: world.wall) == "complete", "seed \(seed)")
      #expect(world.store.rollout?.version == world.fleet.issued["rollout"]?.version, "seed \(seed)")
    }
  }
}

@Suite struct `Bytes from outside never do more than be refused` {
  @Test func `Documents with random changes`() throws {
    let fleet = try Fleet()
    let bundle = try fleet.bundle()
    let payloads: [(String, [UInt8])] = [
      ("root", try fleet.root().payload), ("timestamp", try TimestampMetadata.envelope(bundle.timestamp!).payload),
      ("snapshot", try SnapshotMetadata.envelope(bundle.snapshot!).payload),
      ("targets", try TargetsMetadata.envelope(bundle.documents[.targets]!).payload),
      ("models", try TargetsMetadata.envelope(bundle.documents[.models]!).payload),
      ("rollout", try RolloutMetadata.envelope(bundle.documents[.rollout]!).payload),
      ("manifest", try modelManifest(1).payload), ("bundle", bundle.bytes),
      ("time", TimeStatement(fleet: "acme-fleet", time: day(0)).payload),
    ]
    for (title, payload) in payloads {
      #expect(again(title, payload) == payload, "\(title)")
      for seed in 0..<UInt64(trustRounds * 4) {
        var dice = TrustDice(seed)
        var bytes = payload
        for _ in 0..<Int.random(in: 1...4, using: &dice) {
          switch Int.random(in: 0..<4, using: &dice) {
          case 0: bytes[Int.random(in: 0..<bytes.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
          case 1: bytes.remove(at: Int.random(in: 0..<bytes.count, using: &dice))
          case 2:
            bytes.insert(UInt8.random(in: 0...255, using: &dice), at: Int.random(in: 0...bytes.count, using: &dice))
          default: bytes = Array(bytes.prefix(Int.random(in: 1...bytes.count, using: &dice)))
          }
          if bytes.isEmpty { bytes = [0] }
        }
        // What is read has one form: it comes out as it went in.
        if let same = again(title, bytes) { #expect(same == bytes, "\(title), seed \(seed)") }
      }
    }
  }

  private func again(_ title: String, _ bytes: [UInt8]) -> [UInt8]? {
    switch title {
    case "root": try? RootMetadata(payload: bytes).payload
    case "timestamp": try? TimestampMetadata(payload: bytes).payload
    case "snapshot": try? SnapshotMetadata(payload: bytes).payload
    case "targets", "models": try? TargetsMetadata(payload: bytes).payload
    case "rollout": try? RolloutMetadata(payload: bytes).payload
    case "manifest": try? ReleaseManifest(payload: bytes).payload
    case "bundle": try? TrustBundle(bytes).bytes
    default: try? TimeStatement(payload: bytes).payload
    }
  }

  @Test func `Random bytes, signed and not`() throws {
    let fleet = try Fleet()
    let store = try fleet.current()
    for seed in 0..<UInt64(trustRounds * 4) {
      var dice = TrustDice(seed)
      let bytes = (0..<Int.random(in: 0...200, using: &dice)).map { _ in UInt8.random(in: 0...255, using: &dice) }
      for title in ["root", "timestamp", "snapshot", "targets", "rollout", "manifest", "bundle", "time"] {
        #expect(again(title, bytes) == nil, "\(title), seed \(seed)")
      }
      _ = JSONItem(bytes, bytesMax: 1_000)
      // Signed by the right key, but nonsense: the store stays as it is.
      var copy = store
      let bundle = TrustBundle(
        timestamp: forged(TimestampMetadata.type, bytes, 151), snapshot: bytes, documents: [.rollout: bytes])
      #expect(copy.take(bundle, on: 0) != "complete")
      #expect(copy == store, "seed \(seed)")
    }
  }
}
