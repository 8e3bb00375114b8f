import Provenance
import Sodium
import Sync
import Testing
import TwinCore

/// One of each message, and the ways to read them.
enum WireSamples {
  static let log = LogName(site: .a, epoch: .test(1), stream: .control)
  static let mark = SitePresence.Mark(epoch: .test(1), session: 4, serial: 9)

  static var batch: Batch {
    let memory = MemoryLog(site: .a, epoch: .test(1), boot: Array(repeating: 2, count: 16))
    for size in [0, 5, 300] { memory.append(.control, Array(repeating: 7, count: size)) }
    let stream = memory.streams[1]
    return Batch(
      log: log, first: 0, chainBefore: .zero, chainAfter: stream.points[3].chain, root: stream.points[3].frontier.root,
      entries: stream.entries, bodies: [stream.bodies[0], nil, stream.bodies[2]])
  }

  static var birth: Birth {
    let resume = LogHead(
      epoch: .test(1), stream: .audit, chain: .zero, frontier: MerkleFrontier(size: 5, nodes: [.zero, .zero])!)
    let heads = [
      Birth.StreamHead(stream: .audit, firstKept: 5, next: 9, chain: .zero, root: .zero, resume: resume),
      Birth.StreamHead(stream: .debug, firstKept: 0, next: 2, chain: .zero, root: .zero, resume: nil),
    ]
    let status = SiteStatus(
      boot: Array(repeating: 2, count: 16), software: .zero,
      versions: MetadataVersions(root: 1, timestamp: 2, snapshot: 3, revocations: 4), isClockTrusted: true,
      previousEpoch: .test(9), foundationCheckpoint: "x", capabilities: ["zstd"], keyEpoch: 3)
    return Birth(
      site: .a, mark: mark, status: status, streams: heads, directedNext: 3, intervalMs: 60_000, wallMs: -5,
      challenge: [1, 2, 3])
  }

  static var heartbeat: Heartbeat {
    Heartbeat(
      site: .a, mark: mark, boot: Array(repeating: 2, count: 16),
      progress: (0..<5).map { .init(next: $0 + 9, sent: $0 + 8, acked: $0, safe: 0) }, mode: 2,
      isClockTrusted: false, directedNext: 7, intervalMs: 60_000, wallMs: 1_800_000_000_000, heads: ["h"])
  }

  static var manifest: ArtefactManifest { MemoryShelf.manifest(of: Array(repeating: 1, count: 200_000)) }

  static var all: [any WireMessage] {
    [
      batch, birth, heartbeat, DeathHint(site: .a, session: 3, boot: Array(repeating: 1, count: 16)),
      Ack(
        log: log, next: 9, safe: 4, chainAtNext: .zero, creditBytes: 65536, term: 2, at: 5, receipt: "r", session: 1),
      Nack(log: log, range: 4..<9, term: 1, at: 5),
      Command(site: .a, order: .rebirth(challenge: [1, 2]), term: 1, at: 2),
      Command(site: .a, order: .newEpoch(closing: .test(1), boot: Array(repeating: 1, count: 16)), term: 1, at: 2),
      Command(site: .a, order: .limits(intervalMs: 5000, bulkBytesPerSecond: nil), term: 1, at: 2),
      DirectedEntry(site: .a, sequence: 4, kind: .rolloutState, body: [1, 2], at: 7), manifest,
      ConsistencyRequest(site: .a, sizes: LogSpan(from: 3, to: 9)!, nonce: .max),
      ConsistencyAnswer(site: .a, sizes: LogSpan(from: 3, to: 9)!, nonce: 7, proof: [.zero]),
      ArtefactRequest(site: .a, digest: .zero, ranges: [0..<3, 7..<8]),
      ArtefactChunk(site: .a, digest: .zero, index: 3, bytes: [1], proof: [.zero]),
    ]
  }

  static func read(_ message: some WireMessage, _ payload: [UInt8]) -> (any WireMessage)? {
    try? type(of: message).init(payload: payload)
  }
}

@Suite("Messages are read strictly")
struct WireTests {
  /// The payload with one more field at its end.
  static func grown(_ payload: [UInt8]) throws -> [UInt8] {
    guard case .map(var entries) = try CBORItem.decode(payload) else { return [] }
    entries.append(CBORMapEntry(key: 200, value: .bool(true)))
    return CBORItem.map(entries).encoded
  }

  @Test("each message is read back as it was")
  func roundTrip() {
    for message in WireSamples.all {
      #expect(WireSamples.read(message, message.payload)?.payload == message.payload, "\(type(of: message))")
      #expect(type(of: message).type.hasPrefix("application/vnd.twind."))
    }
  }

  @Test("what carries authority has no unknown fields; what reports may have")
  func unknownFields() throws {
    for message in WireSamples.all {
      let isReport = message is Batch || message is Birth || message is Heartbeat || message is DeathHint
      let back = WireSamples.read(message, try Self.grown(message.payload))
      #expect((back != nil) == isReport, "\(type(of: message))")
    }
  }

  /// Rewrites one field of a batch.
  private func batch(_ key: UInt64, _ value: CBORItem) throws -> [UInt8] {
    guard case .map(var entries) = try CBORItem.decode(WireSamples.batch.payload) else { return [] }
    let index = entries.firstIndex { $0.key == key }!
    entries[index].value = value
    return CBORItem.map(entries).encoded
  }

  @Test("row 26: a batch that claims too much is refused before anything is unpacked")
  func bomb() throws {
    for (key, value, place) in [
      (10, CBORItem.unsigned(1 << 30), "batch.10"), (10, .unsigned(200_000), "batch.10"),
      (9, .unsigned(1), "batch.9"), (4, .unsigned(513), "batch.4"), (4, .unsigned(0), "batch.4"),
      (4, .unsigned(2), "batch.7"), (7, .unsigned(4), "batch.7"), (3, .unsigned(UInt64.max), "batch.7"),
      (10, .unsigned(1), "batch.10"), (2, .unsigned(5), "batch.2"), (0, .text("acme"), "batch.0"),
    ] as [(UInt64, CBORItem, String)] {
      let payload = try batch(key, value)
      let fault = #expect(throws: ProvenanceFault.self) { try Batch(payload: payload) }
      #expect(fault?.path == place, "\(key): \(fault?.message ?? "")")
    }
    #expect(throws: Never.self) { try Batch(payload: WireSamples.batch.payload) }
  }

  @Test(
    "row 31: traps of CBOR are refused",
    arguments: [
      ("duplicate keys", [0xA2, 0x00, 0x01, 0x00, 0x01]), ("indefinite map", [0xBF, 0x00, 0x01, 0xFF]),
      ("descending keys", [0xA2, 0x01, 0x01, 0x00, 0x01]), ("long integer", [0xA1, 0x18, 0x00, 0x01]),
      ("trailing byte", [0xA0, 0x00]), ("a tag", [0xC0, 0xA0]),
      ("huge map", [0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]),
      ("huge bytes", [0xA1, 0x00, 0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]), ("nothing", []),
      ("depth", Array(repeating: 0x81, count: 10_000)),
    ] as [(String, [UInt8])])
  func traps(_ name: String, _ bytes: [UInt8]) {
    for message in WireSamples.all { #expect(WireSamples.read(message, bytes) == nil, "\(name)") }
  }

  @Test("no sequence of bytes brings a reader down, and what is read is what would be written")
  func fuzz() {
    let samples = WireSamples.all
    for seed in TestEnvironment.seeds(1, long: 8) {
      let random = SeededGenerator(seed)
      for round in 0..<TestEnvironment.fuzzRounds {
        let sample = samples[random.below(samples.count)]
        var payload = sample.payload
        for _ in 0...random.below(4) { Self.mutate(&payload, random) }
        guard let back = WireSamples.read(sample, payload) else { continue }
        // Reports may have had fields that are not written again.
        if !(back is Batch || back is Birth || back is Heartbeat || back is DeathHint) {
          #expect(back.payload == payload, "seed \(seed) round \(round) \(type(of: sample))")
        }
      }
    }
  }

  static func mutate(_ bytes: inout [UInt8], _ random: SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let index = random.below(bytes.count)
    switch random.below(6) {
    case 0: bytes[index] ^= 1 << UInt8(random.below(8))
    case 1: bytes[index] = UInt8(random.below(256))
    case 2: bytes.remove(at: index)
    case 3: bytes.insert(UInt8(random.below(256)), at: index)
    case 4: bytes.removeLast(random.below(bytes.count))
    default:
      let end = min(bytes.count, index + 1 + random.below(16))
      bytes.insert(contentsOf: bytes[index..<end], at: random.below(bytes.count))
    }
  }
}
