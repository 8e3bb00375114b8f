import Sodium
import Testing
import TwinCore

@testable import Provenance

func entry(_ sequence: UInt64, kind: LogKind = .decision, body: [UInt8] = [1, 2, 3]) -> LogEntry {
  LogEntry(
    sequence: sequence, kind: kind, wall: 1_700_000_000_000 + Int64(sequence % 1000),
    uptime: 1000 + Int64(sequence % 1000),
    boot: Array(0..<16), bodyDigest: Sodium.blake2b256(body), bodyLength: UInt32(body.count), keyEpoch: 1)
}

@Suite struct `An entry has one form` {
  @Test func `The layout is as written down`() throws {
    let digest = hex(Sodium.blake2b256([1, 2, 3]).bytes)
    let expected =
      "a8" + "0005" + "010a" + "021b0000018bcfe56805" + "031903ed" + "0450000102030405060708090a0b0c0d0e0f"
      + "055820\(digest)"
      + "0603" + "0701"
    #expect(hex(entry(5).bytes) == expected)
    #expect(try LogEntry(entry(5).bytes) == entry(5))
    #expect(entry(5).leafHash == Merkle.leafHash(bytes(expected)))
  }

  @Test func `The widest values fit`() throws {
    var wide = entry(.max, kind: LogKind(rawValue: .max))
    (wide.wall, wide.uptime, wide.bodyLength, wide.keyEpoch) = (.min, .min, .max, .max)
    #expect(wide.bytes.count == LogEntry.bytesMax)
    #expect(try LogEntry(wide.bytes) == wide)
  }

  @Test(arguments: [
    ("a field missing", "0701", ""), ("a field more", "0701", "070108f6"), ("a short boot", "0450", "044f"),
    ("a kind above 16 bits", "010a", "011a00010000"), ("a length above 32 bits", "0603", "061b0000000100000000"),
    ("a negative sequence", "0005", "0020"), ("text for a kind", "010a", "016161"), ("a null", "0603", "06f6"),
  ]) func `Anything else is refused`(_ what: String, _ old: String, _ new: String) {
    var text = hex(entry(5).bytes).replacing(old, with: new, maxReplacements: 1)
    if what == "a field missing" { text = "a7" + text.dropFirst(2) }
    if what == "a field more" { text = "a9" + text.dropFirst(2) }
    let code = outcome { () throws(ProvenanceFault) in _ = try LogEntry(bytes(text)) }
    #expect(code == "provenance.message_malformed", "\(what)")
  }

  @Test func `Streams, epochs and sites have names`() {
    #expect(LogStream.allCases.map(\.name) == ["audit", "control", "model", "features", "debug"])
    #expect(LogStream.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
    #expect(LogStream.allCases.allSatisfy { LogStream(name: $0.name) == $0 })
    #expect(LogStream(name: "Audit") == nil && LogStream.audit < .debug)
    #expect(LogEpoch() != LogEpoch())
    #expect(LogEpoch(bytes: Array(0..<16))?.hex == "000102030405060708090a0b0c0d0e0f")
    #expect(LogEpoch(bytes: Array(0..<15)) == nil)
  }
}

@Suite struct `A head follows its entries` {
  @Test func `Chain and root are as defined`() {
    var head = LogHead(epoch: LogEpoch(bytes: Array(0..<16))!, stream: .audit)
    #expect(head.next == 0 && head.chain == .zero && head.root == Merkle.emptyRoot)
    var chain = [UInt8](repeating: 0, count: 32)
    var leaves: [Digest] = []
    for sequence in 0..<20 {
      let data = entry(UInt64(sequence)).bytes
      let leaf = Sodium.sha256([0] + data)
      leaves.append(leaf)
      chain = Sodium.sha256([2] + chain + leaf.bytes).bytes
      head.append(data)
      #expect(head.next == UInt64(sequence + 1))
      #expect(head.chain.bytes == chain)
      #expect(head.root == `Proofs made are proofs that hold`.definedRoot(leaves[...]))
    }
    let kept = LogHead(epoch: head.epoch, stream: .audit, chain: head.chain, frontier: head.frontier)
    #expect(kept == head)
  }
}

@Suite struct `A site's name is its certificate's` {
  @Test(arguments: [
    ("acme.lyon-01", true), ("a.b", true), ("0.-", true), ("acme", false), ("", false), (".", false), ("acme.", false),
    (".lyon", false), ("acme.lyon.01", false), ("Acme.lyon", false), ("acme.lyön", false), ("acme.lyon/01", false),
    ("acme.+", false), ("acme.#", false), ("acme.lyon\n", false), ("ac me.lyon", false), ("acme\u{212a}.x", false),
    (String(repeating: "a", count: 24) + "." + String(repeating: "b", count: 36), true),
    (String(repeating: "a", count: 25) + ".b", false), ("a." + String(repeating: "b", count: 37), false),
  ]) func names(_ text: String, _ isAllowed: Bool) {
    let name = SiteName(text)
    #expect((name != nil) == isAllowed)
    if let name { #expect(name.description == text && name.description.utf8.count <= 64) }
  }
}
