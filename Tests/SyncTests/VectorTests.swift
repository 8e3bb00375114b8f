import FoundationEssentials
import Glibc
import Provenance
import Sodium
import Sync
import Testing
import TwinCore

/// `docs/vectors/sync.json`: payloads of the exchange about the foundation's own log, written with
/// `TWIND_UPDATE_GOLDEN=1` and compared otherwise.
@Suite("The published payloads are what the code gives")
struct SyncVectorTests {
  struct File: Codable, Equatable {
    var leaves: [String]
    var origin: String
    var note: String
    var ingestSeed: String
    var payloads: [Payload]
  }

  struct Payload: Codable, Equatable {
    var type: String
    var says: String
    var bytes: String
  }

  static let path =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    + "/docs/vectors/sync.json"

  static func file() throws -> File {
    let leaves: [[UInt8]] = (0..<7).map { [UInt8($0), 0xAA] }
    let ledger = MemoryLedger()
    ledger.leaves = leaves
    let ingest = KeyBox(1)
    let checkpoint = Checkpoint(
      origin: Checkpoint.origin(fleet: "acme"), size: 7, root: MemoryLedger.root(leaves))
    let sizes = LogSpan(from: 3, to: 7)!
    let request = ConsistencyRequest(site: .a, sizes: sizes, nonce: 0x0102_0304_0506_0708)
    let proof = try #require(try ledger.foundationProof(sizes))
    #expect(
      Merkle.verifyConsistency(
        from: 3, root1: MemoryLedger.root(leaves.prefix(3)), to: 7, root2: checkpoint.root, proof: proof))
    let answer = ConsistencyAnswer(site: .a, sizes: sizes, nonce: request.nonce, proof: proof)
    let order = DirectedEntry(
      site: .a, sequence: 4, kind: .keysOrdered, body: KeyOrder(keyEpoch: 2).body, at: 1_800_000_000_000)
    let head = Checkpoint(
      origin: "twind/acme.a/audit/" + String(repeating: "01", count: 16), size: 7, root: checkpoint.root)
    let heartbeat = Heartbeat(
      site: .a, mark: .init(epoch: .test(1), session: 3, serial: 9), boot: Array(repeating: 2, count: 16),
      progress: LogStream.allCases.map { .init(next: $0 == .audit ? 7 : 0, sent: 7, acked: 7, safe: 0) }, mode: 0,
      isClockTrusted: true, directedNext: 4, intervalMs: 60_000, wallMs: 1_800_000_000_000, heads: [ingest.sign(head)])
    return File(
      leaves: leaves.map(Self.hex), origin: checkpoint.origin, note: ingest.sign(checkpoint),
      ingestSeed: Self.hex(Array(repeating: 1, count: 32)),
      payloads: [
        Payload(
          type: ConsistencyRequest.type, says: "site acme.a asks for the proof from 3 to 7",
          bytes: Self.hex(request.payload)),
        Payload(type: ConsistencyAnswer.type, says: "the proof, over `leaves`", bytes: Self.hex(answer.payload)),
        Payload(
          type: DirectedEntry.type, says: "the keys of epoch 2 are to be replaced", bytes: Self.hex(order.payload)),
        Payload(
          type: Heartbeat.type, says: "with the audit stream's head, signed with `ingest_seed` here",
          bytes: Self.hex(heartbeat.payload)),
      ])
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test func same() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let made = Array(try encoder.encode(try Self.file())) + [0x0A]
    if unsafe getenv("TWIND_UPDATE_GOLDEN") != nil { try Data(made).write(to: URL(filePath: Self.path)) }
    #expect(Array(try Data(contentsOf: URL(filePath: Self.path))) == made, "TWIND_UPDATE_GOLDEN=1 writes it anew")
  }
}
