import Sodium
import Testing
import TwinCore

@testable import Provenance

@Suite struct `Trees are those of RFC 6962` {
  /// transparency-dev/merkle, rfc6962/rfc6962_test.go.
  @Test func constants() {
    #expect(Merkle.emptyRoot.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(Merkle.leafHash([]).hex == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    #expect(
      Merkle.leafHash(Array("L123456".utf8)).hex == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56")
    // The source's node has children of four bytes, which no tree has; the hash behind it is the same.
    #expect(
      Sodium.sha256(domain: 1, Array("N123N456".utf8)).hex
        == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb")
    let (a, b) = (Merkle.leafHash([1]), Merkle.leafHash([2]))
    #expect(Merkle.nodeHash(a, b) == Sodium.sha256([1] + a.bytes + b.bytes))
  }

  @Test func `Inclusion as public vectors say`() throws {
    let lines = try vectorLines("merkle-inclusion.txt")
    #expect(lines.count == 98)
    for line in lines {
      // Without a hash there is nothing to ask.
      guard line[3] != "-", line[4] != "-" else {
        #expect(line[0] == "refuse")
        continue
      }
      let verdict = Merkle.verifyInclusion(
        index: UInt64(line[1])!, size: UInt64(line[2])!, leaf: hash(line[3]), proof: hashes(line[5]),
        root: hash(line[4]))
      let name = line[6]
      #expect(verdict == (line[0] == "accept"), "\(name)")
    }
  }

  @Test func `Consistency as public vectors say, but for the empty tree`() throws {
    let lines = try vectorLines("merkle-consistency.txt")
    #expect(lines.count == 98)
    var differences: [String] = []
    for line in lines {
      let verdict = Merkle.verifyConsistency(
        from: UInt64(line[1])!, root1: hash(line[3]), to: UInt64(line[2])!, root2: hash(line[4]),
        proof: hashes(line[5]))
      if verdict != (line[0] == "accept") { differences.append(line[6]) }
    }
    // The vectors refuse any first size of 0; here every tree begins with the empty one.
    #expect(differences == ["additional/size1-is-zero-and-size2-is-not-zero"])
  }

  @Test func `The empty tree is the beginning of every tree, without a proof`() {
    let root = Merkle.leafHash([1])
    let empty = Merkle.emptyRoot
    func check(_ root1: Digest, _ size2: UInt64, _ root2: Digest, _ proof: [Digest]) -> Bool {
      Merkle.verifyConsistency(from: 0, root1: root1, to: size2, root2: root2, proof: proof)
    }
    #expect(check(empty, 1, root, []))
    #expect(check(empty, 0, empty, []))
    #expect(!check(empty, 1, root, [root]))
    #expect(!check(root, 1, root, []))
    #expect(!check(empty, 0, root, []))
  }
}

@Suite struct `Proofs made are proofs that hold` {
  static let leaves = (0..<70).map { Merkle.leafHash([UInt8($0)]) }

  /// The definition of RFC 6962 §2.1, as it stands there.
  static func definedRoot(_ leaves: ArraySlice<Digest>) -> Digest {
    guard leaves.count > 1 else { return leaves.first ?? Merkle.emptyRoot }
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    let middle = leaves.startIndex + split
    return Merkle.nodeHash(definedRoot(leaves[..<middle]), definedRoot(leaves[middle...]))
  }

  @Test func `A frontier has the root of the definition`() {
    var frontier = MerkleFrontier()
    #expect(frontier.root == Merkle.emptyRoot)
    for (index, leaf) in Self.leaves.enumerated() {
      frontier.append(leaf)
      #expect(frontier.size == UInt64(index + 1))
      #expect(frontier.root == Self.definedRoot(Self.leaves[...index]), "size \(index + 1)")
      #expect(frontier.nodes.count == frontier.size.nonzeroBitCount)
      #expect(MerkleFrontier(size: frontier.size, nodes: frontier.nodes) == frontier)
      #expect(MerkleFrontier(size: frontier.size, nodes: frontier.nodes + [leaf]) == nil)
    }
    #expect(MerkleFrontier(size: 0, nodes: []) == MerkleFrontier())
  }

  @Test func inclusion() {
    for size in 1...Self.leaves.count {
      let root = Self.definedRoot(Self.leaves[..<size])
      for index in 0..<size {
        let proof = Merkle.inclusionProof(index: UInt64(index), size: UInt64(size)) { Self.leaves[Int($0)] }
        func check(_ index: Int, _ size: Int, _ leaf: Digest, _ proof: [Digest]) -> Bool {
          Merkle.verifyInclusion(index: UInt64(index), size: UInt64(size), leaf: leaf, proof: proof, root: root)
        }
        #expect(check(index, size, Self.leaves[index], proof), "\(index) of \(size)")
        #expect(!check(index, size, Merkle.leafHash([255]), proof))
        #expect(!check((index + 1) % size, size, Self.leaves[index], proof) || size == 1)
        #expect(!check(index, size, Self.leaves[index], proof + [root]))
        #expect(!check(index, size, Self.leaves[index], proof.dropLast()) || proof.isEmpty)
      }
    }
  }

  @Test func consistency() {
    for size2 in 1...Self.leaves.count {
      let root2 = Self.definedRoot(Self.leaves[..<size2])
      for size1 in 0...size2 {
        let root1 = Self.definedRoot(Self.leaves[..<size1])
        let proof = Merkle.consistencyProof(from: UInt64(size1), to: UInt64(size2)) { Self.leaves[Int($0)] }
        func check(_ size1: Int, _ root1: Digest, _ proof: [Digest]) -> Bool {
          Merkle.verifyConsistency(
            from: UInt64(size1), root1: root1, to: UInt64(size2), root2: root2, proof: proof)
        }
        #expect(check(size1, root1, proof), "\(size1) to \(size2)")
        #expect(!check(size1, Merkle.leafHash([255]), proof))
        #expect(!check(size1, root1, proof + [root1]))
        #expect(!check(size1, root1, proof.dropLast()) || proof.isEmpty)
        #expect(!check(size2 + 1, root2, proof))
      }
    }
  }

  /// A log of 2^40 equal leaves: its complete subtrees are known without any leaf.
  @Test func `A long log is asked for few nodes`() {
    let leaf = Merkle.leafHash([0])
    let levels = (0..<41).reduce(into: [leaf]) { all, _ in all.append(Merkle.nodeHash(all.last!, all.last!)) }
    let size: UInt64 = (1 << 40) + (1 << 20) + 12_345
    let nodes = (0..<41).reversed().filter { size >> UInt64($0) & 1 == 1 }.map { levels[$0] }
    let root = MerkleFrontier(size: size, nodes: nodes)!.root
    for index in [0, 1, 1 << 39, size - 12_346, size - 1] as [UInt64] {
      var asked = 0
      let proof = Merkle.inclusionProof(index: index, size: size) { level, index in
        asked += 1
        #expect((index + 1) << UInt64(level) <= size)
        return levels[level]
      }
      #expect(asked <= 2 * 41 && proof.count <= 41)
      #expect(Merkle.verifyInclusion(index: index, size: size, leaf: leaf, proof: proof, root: root), "\(index)")
    }
    for size1 in [1, 1 << 40, (1 << 40) + 1, size - 1] as [UInt64] {
      var asked = 0
      let proof = Merkle.consistencyProof(from: size1, to: size) { level, _ in
        asked += 1
        return levels[level]
      }
      let nodes1 = (0..<41).reversed().filter { size1 >> UInt64($0) & 1 == 1 }.map { levels[$0] }
      let root1 = MerkleFrontier(size: size1, nodes: nodes1)!.root
      #expect(asked <= 2 * 41)
      #expect(
        Merkle.verifyConsistency(from: size1, root1: root1, to: size, root2: root, proof: proof), "\(size1)")
    }
  }

  @Test func `The caller's error comes through`() {
    struct Gone: Error {}
    #expect(throws: Gone.self) {
      try Merkle.inclusionProof(index: 0, size: 2) { (_: UInt64) throws(Gone) -> Digest in throw Gone() }
    }
    #expect(Merkle.completeRoot(level: 3, index: 2) { Self.leaves[Int($0)] } == Self.definedRoot(Self.leaves[16..<24]))
  }
}
