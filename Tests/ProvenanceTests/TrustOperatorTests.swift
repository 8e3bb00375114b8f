import Glibc
import Sodium
import Testing
import TwinCore

@testable import Provenance

@Suite struct `One operator begins alone and may be joined by others` {
  @Test func `One call makes every key and the first root`() throws {
    let scratch = Scratch()
    let path = scratch.path + "/keys"
    let (root, envelope) = try OperatorKeys.initialise(path, fleet: "acme", expires: day(1_096))
    #expect(root.version == 1 && root.keys.count == 7 && root.thresholds.values.allSatisfy { $0 == 1 })
    for role in OperatorKeys.roles {
      #expect(scratch.mode("keys/\(role.name).secret") == 0o600)
      let publicKey = try OperatorKeys.secretKey(role, in: path).publicKey
      #expect(root.keys(role) == [publicKey])
    }
    #expect(try scratch.read("keys/1.root") == envelope)
    // The site that knows nothing of fleets finds its keys where it always did.
    #expect(
      try KeyRing.read("\(path)/keys.pub") == KeyRing(root.keyRing.entries.sorted { $0.role.order < $1.role.order }))
    let safety = try KeySet.secretKey(.safety, in: path).publicKey
    #expect(root.keys(.safety) == [safety])
    let store = try TrustStore(
      root: envelope, fingerprint: RootMetadata.fingerprint(payload: root.payload), build: day(0), enrolledAt: day(0))
    #expect(store.root == root)
  }

  @Test func `An operator's older set stays, and is the fleet's`() throws {
    let scratch = Scratch()
    let ring = try KeySet.initialise(scratch.path)
    let before = try ["root.secret", "targets.secret", "safety.secret", "keys.pub"].map { try scratch.read($0) }
    let (root, _) = try OperatorKeys.initialise(scratch.path, fleet: "acme", expires: day(1_096))
    #expect(try ["root.secret", "targets.secret", "safety.secret", "keys.pub"].map { try scratch.read($0) } == before)
    #expect(Set(root.keyRing.entries.map(\.id)) == Set(ring.entries.map(\.id)))
    #expect(
      slug { () throws(ProvenanceFault) in
        try OperatorKeys.initialise(scratch.path, fleet: "acme", expires: day(1))
      } == "key_exists")
  }

  @Test(arguments: ["rollout.secret", "1.root"]) func `Any file in the way stops it, untouched`(_ name: String) throws {
    let scratch = Scratch()
    scratch.write(name, [1])
    #expect(
      slug { () throws(ProvenanceFault) in
        try OperatorKeys.initialise(scratch.path, fleet: "acme", expires: day(1))
      } == "key_exists")
    #expect(try scratch.names() == [name] && scratch.read(name) == [1])
  }

  @Test func `A failure leaves nothing behind`() throws {
    let scratch = Scratch()
    #expect(
      slug { () throws(ProvenanceFault) in
        try OperatorKeys.initialise(scratch.path + "/k", fleet: "Not A Name", expires: day(1))
      } == "document_malformed")
    #expect(try Descriptor.directory(scratch.path + "/k").names(max: 10, shown: "k").isEmpty)
  }

  @Test func `An exposed, swapped or damaged key is refused`() throws {
    let scratch = Scratch()
    try OperatorKeys.initialise(scratch.path, fleet: "acme", expires: day(1))
    func load() -> String {
      slug { () throws(ProvenanceFault) in _ = try OperatorKeys.secretKey(.rollout, in: scratch.path) }
    }
    #expect(load() == "accepted")
    let good = try scratch.read("rollout.secret")
    for bit in 0..<good.count * 8 {
      scratch.write("rollout.secret", flipped(good, bit))
      #expect(load() == "key_malformed", "bit \(bit)")
    }
    scratch.write("rollout.secret", try scratch.read("ingest.secret"))
    #expect(load() == "key_malformed")
    #expect(unsafe chmod(scratch.path + "/rollout.secret", 0o640) == 0)
    #expect(load() == "key_exposed")
    #expect(unsafe unlink(scratch.path + "/rollout.secret") == 0)
    #expect(load() == "key_missing")
  }

  @Test func `One key becomes two of three by a rotation, and sites follow`() throws {
    let scratch = Scratch()
    let paths = ["a", "b", "c"].map { scratch.path + "/" + $0 }
    let (root, first) = try OperatorKeys.initialise(paths[0], fleet: "acme", expires: day(1_096))
    var store = try TrustStore(
      root: first, fingerprint: RootMetadata.fingerprint(payload: root.payload), build: day(0), enrolledAt: day(0))
    let others = [try OperatorKeys.makeKey(.root, in: paths[1]), try OperatorKeys.makeKey(.root, in: paths[2])]
    let change = RootChange(adding: others, thresholds: [.root: 2], expires: day(2_000))
    #expect(rotate(first, change, [paths[0]]) == "threshold_missed")
    #expect(rotate(first, change, [paths[1], paths[2]]) == "signer_unknown")
    let second = try OperatorKeys.rotateRoot(first, change, signers: [paths[0], paths[1]])
    #expect(store.take(TrustBundle(roots: [second]), on: 1) == "metadata_missing")
    #expect(store.root.version == 2 && store.root.threshold(.root) == 2)
    // The first holder's stick is lost: the two others take it out.
    let gone = RootChange(removing: [try #require(root.keys.first { $0.role == .root }).id], expires: day(2_000))
    #expect(rotate(second, gone, [paths[1]]) == "threshold_missed")
    let third = try OperatorKeys.rotateRoot(second, gone, signers: [paths[1], paths[2]])
    #expect(store.take(TrustBundle(roots: [third]), on: 1) == "metadata_missing")
    #expect(store.root.version == 3 && store.root.keys(.root).count == 2)
    #expect(rotate(third, gone, [paths[1], paths[2]]) == "document_malformed")
    let tooMany = RootChange(thresholds: [.root: 3], expires: day(2_000))
    #expect(rotate(third, tooMany, [paths[1], paths[2]]) == "document_malformed")
  }

  private func rotate(_ current: [UInt8], _ change: RootChange, _ signers: [String]) -> String {
    slug { () throws(ProvenanceFault) in _ = try OperatorKeys.rotateRoot(current, change, signers: signers) }
  }

  @Test func `A key of an algorithm that is not known here counts for nothing, and stands in nobody's way`() throws {
    let fleet = try Fleet()
    let root = try fleet.root()
    let future = TrustKey(algorithm: 7, role: .root, bytes: [UInt8](repeating: 5, count: 1_312), name: nil)
    let mixed = try RootMetadata(header: root.header, keys: root.keys + [future], thresholds: root.thresholds)
    #expect(try RootMetadata(payload: mixed.payload) == mixed)
    #expect(mixed.keys(.root).count == 3)
    let onlyFuture =
      root.keys.filter { $0.role != .timestamp }
      + [TrustKey(algorithm: 7, role: .timestamp, bytes: future.bytes, name: nil)]
    #expect(throws: ProvenanceFault.self) {
      try RootMetadata(header: root.header, keys: onlyFuture, thresholds: root.thresholds)
    }
    #expect(TrustKey(.root, key(101).publicKey).id == KeyID(key(101).publicKey))
  }
}

extension Role {
  fileprivate var order: Int { Role.allCases.firstIndex(of: self)! }
}
