import DeltaLog
import Provenance
import Seams
import Simulation
import Sodium
import Testing
import TwinCore

@Suite struct `An audit bundle` {
  private static let trustBytes: [[UInt8]] = [[1, 2, 3], [4]]
  private static func cosigner() -> Ed25519.SecretKey { Ed25519.SecretKey(seed: [UInt8](repeating: 3, count: 32))! }

  private static func prove(_ items: [[UInt8]]) throws -> AuditBundle.Trust {
    struct Unproven: Error {}
    guard items == trustBytes else { throw Unproven() }
    return AuditBundle.Trust(
      site: testSite, siteKeys: [testKey().publicKey], cosigners: [("ingest.f1", cosigner().publicKey)])
  }

  /// Two epochs, checkpoints with and without a cosignature, gaps, bodies that are dropped.
  private static func history(_ place: Place, entries: Int = 4) throws -> DeltaLog {
    let log = try place.open { $0.bodyDigest == Sodium.blake2b256([1]) ? nil : [2] }
    try log.add(.audit, entries, bytes: 20)
    try log.add(.model, entries, bytes: 20)
    for number in 1..<3 as Range<UInt8> {
      try log.add([LogDraft(.features, .featureSegment, .reference(Sodium.blake2b256([number]), length: 1))])
    }
    _ = try log.records(.features, from: 0, maxCount: 9, maxBytes: 9999)
    let note = try log.checkpoint(.audit, by: testKey())
    let line = try Checkpoint.cosign(note, name: "ingest.f1", by: cosigner(), at: 1_800_000_000)
    try log.acknowledge(.audit, safe: 2, cosignature: note + line)
    try log.add(.audit, 1)
    try log.newEpoch()
    try log.add(.control, entries, bytes: 20)
    for stream in [LogStream.audit, .control] { try log.checkpoint(stream, by: testKey()) }
    return log
  }

  private static func bytes(_ log: DeltaLog, trust: [[UInt8]] = trustBytes) throws -> [UInt8] {
    let disk = SimulatedDisk(seed: 1, capacity: 64 << 20)
    let file = try disk.open("/bundle", .create)
    try log.export(to: file, trust: trust)
    return try file.read(Int(file.size), at: 0)
  }

  /// With the trust items and without.
  private static func twoExports(_ place: Place) throws -> ([UInt8], [UInt8]) {
    let log = try history(place)
    return (try bytes(log), try bytes(log, trust: []))
  }

  private static func verify(_ bytes: [UInt8]) throws -> AuditReport {
    try AuditBundle.verify(BytesFile(bytes), prove: prove)
  }

  @Test func `tells what is in it, how far it is signed, and what was dropped`() throws {
    let place = Place()
    let log = try Self.history(place)
    let report = try Self.verify(try Self.bytes(log))
    #expect(report.problem == nil)
    #expect(report.site == testSite && report.epochs.map(\.isClosed) == [true, false])
    #expect(report.epochs[1].previous == report.epochs[0].epoch && report.epochs[1].epoch == log.epoch)
    let streams = report.epochs[0].streams
    #expect(streams.map(\.stream) == [.audit, .model, .features])
    // The opening, four, the gap, and one after the checkpoint.
    #expect(streams[0].next == 7 && streams[0].signed == 6 && streams[0].cosigned == 6)
    #expect(streams[1].signed == 0 && streams[1].next == 4)
    #expect(streams[2].gaps == [0..<1] && streams[2].redacted == [])
    #expect(report.epochs[1].streams.map(\.signed) == [1, 4])
    #expect(report.entries == 18)
  }

  @Test func `shows one flipped bit at every byte, and names the entry that it lies in`() throws {
    let place = Place()
    let bytes = try Self.bytes(try Self.history(place, entries: 2))
    #expect(try Self.verify(bytes).problem == nil)
    let places = try Self.entries(bytes)
    var random = SeededRandom(seed: Seeds.list(short: 1, long: 1)[0])
    for index in bytes.indices {
      for bit in Seeds.isLong ? Array(0..<8) : [random.below(8)] {
        var bent = bytes
        bent[index] ^= 1 << UInt8(bit)
        let problem = try Self.verify(bent).problem
        guard let problem else {
          Issue.record("byte \(index), bit \(bit): not found")
          continue
        }
        guard let (epoch, stream, sequence) = places[index] else { continue }
        #expect(
          problem.epoch == epoch && problem.stream == stream && problem.sequence == sequence,
          "byte \(index), bit \(bit) of \(stream) \(sequence): \(problem)")
      }
    }
    #expect(places.contains { $0 == nil } && places.contains { $0 != nil })
  }

  /// Which entry each byte belongs to, by the layout of the file.
  private static func entries(_ bytes: [UInt8]) throws -> [(LogEpoch, LogStream, UInt64)?] {
    var places: [(LogEpoch, LogStream, UInt64)?] = bytes.map { _ in nil }
    var (offset, epoch, stream) = (14, LogEpoch(), LogStream.audit)
    while offset < bytes.count {
      let length = bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
      let record = Array(bytes[offset + 4..<offset + 4 + length])
      var fields = try CBORItem.decode(record, limits: CBORLimits(bytes: 1 << 20)).fields("record")
      switch try fields.unsigned(0) {
      case 3: epoch = LogEpoch(bytes: try fields.bytes(1))!
      case 4: stream = LogStream(rawValue: UInt8(try fields.unsigned(1)))!
      case 5:
        let entry = try LogEntry(try fields.bytes(1))
        for index in offset..<offset + 4 + length { places[index] = (epoch, stream, entry.sequence) }
      default: break
      }
      offset += 4 + length
    }
    return places
  }

  @Test func `cut off anywhere, or with bytes after its end, is not whole`() throws {
    let place = Place()
    let bytes = try Self.bytes(try Self.history(place, entries: 2))
    for count in 0..<bytes.count { #expect(try Self.verify(Array(bytes[..<count])).problem != nil, "\(count)") }
    #expect(try Self.verify(bytes + [0]).problem?.what == "bytes after the end")
  }

  /// A forger makes the frame, the chain and the end fit again: only signatures are left to stop them.
  @Test func `rewritten with a new digest, is caught by its checkpoints`() throws {
    let place = Place()
    let key = Ed25519.SecretKey()
    let (bytes, untrusted) = try Self.twoExports(place)
    // Another site key is as good as none.
    let other = try AuditBundle.verify(BytesFile(bytes)) { _ in
      AuditBundle.Trust(site: testSite, siteKeys: [key.publicKey])
    }
    #expect(other.problem?.what == "a checkpoint that no known key has signed")
    let foreign = try AuditBundle.verify(BytesFile(bytes)) { _ in
      AuditBundle.Trust(site: SiteName("acme.other")!, siteKeys: [testKey().publicKey])
    }
    #expect(foreign.problem?.what.contains("another site") == true)
    let unproven = try Self.verify(untrusted)
    #expect(unproven.problem?.what.contains("prove no keys") == true)
    // The log itself rewritten in place, chain and all.
    try Rewriter(place).rewrite("control", sequence: 1, epoch: 2)
    let report = try Self.verify(try Self.bytes(try place.open()))
    #expect(report.problem?.stream == .control && report.problem?.sequence == nil)
    #expect(report.problem?.what == "the entries below 4 are not those of their checkpoint")
  }

  @Test func `of a log whose beginning is gone still proves what is left`() throws {
    let place = Place()
    let log = try place.open(limits: DeltaLogLimits(bytesMax: 1 << 20))
    try log.add(.debug, 600, bytes: 200)
    try log.checkpoint(.debug, by: testKey())
    while log.head(.debug).firstKept == 0 { try log.add(.debug, 100, bytes: 2000) }
    try log.checkpoint(.debug, by: testKey())
    let report = try Self.verify(try Self.bytes(log))
    #expect(report.problem == nil)
    let stream = try #require(report.epochs.first?.streams.last)
    #expect(stream.stream == .debug && stream.first > 0 && stream.signed == stream.next && stream.redacted == [])
    #expect(stream.gaps.first?.lowerBound == 0)
  }

  /// Bytes bent in many ways: whatever comes, the verifier comes back.
  @Test func `bent at random is never taken for whole`() throws {
    let place = Place()
    let bytes = try Self.bytes(try Self.history(place, entries: 2))
    for seed in Seeds.list(short: 150, long: 20_000) {
      var random = SeededRandom(seed: seed)
      var bent = bytes
      for _ in 0..<1 + random.below(4) {
        let index = random.below(bent.count)
        switch random.below(5) {
        case 0: bent[index] = UInt8(truncatingIfNeeded: random.next())
        case 1: bent.remove(at: index)
        case 2: bent.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
        case 3: bent.replaceSubrange(index..<min(bent.count, index + 4), with: [0xff, 0xff, 0xff, 0xff])
        default:
          bent.insert(
            contentsOf: bent[index..<min(bent.count, index + random.below(200))], at: random.below(bent.count))
        }
      }
      let report = try Self.verify(bent)
      #expect((report.problem == nil) == (bent == bytes), "TWIND_SEED=\(seed)")
    }
    for seed in Seeds.list(short: 50, long: 5000) {
      var random = SeededRandom(seed: seed)
      #expect(try Self.verify(Array("twind audit 1\n".utf8) + random.bytes(random.below(400))).problem != nil)
    }
  }
}

/// Bytes as a file that is only read.
final class BytesFile: OpenFile {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var size: Int64 { Int64(bytes.count) }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    let rest = bytes.dropFirst(Int(offset)).prefix(buffer.count)
    unsafe buffer.copyBytes(from: rest)
    return rest.count
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {}
  func truncate(to size: Int64) throws(FileFault) {}
  func sync() throws(FileFault) {}
}

/// Bundles put together by somebody who knows the layout: frame and digest fit.
@Suite struct `A bundle that is made by hand` {
  private static let epoch = LogEpoch()

  private static func file(_ records: [CBORItem]) -> [UInt8] {
    var bytes = Array("twind audit 1\n".utf8)
    for record in records {
      let item = record.encoded
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: item.count >> (24 - 8 * $0)) } + item
    }
    let end = CBORItem.map(
      (0, .unsigned(7)), (1, .unsigned(UInt64(records.count))), (2, .digest(Sodium.blake2b256(bytes)))
    ).encoded
    return bytes + [0, 0, 0, UInt8(end.count)] + end
  }

  private static let header = CBORItem.map((0, .unsigned(1)), (1, .text("acme.lyon-01")), (2, .unsigned(5)))
  private static let opening = CBORItem.map((0, .unsigned(3)), (1, .bytes(epoch.bytes)), (3, .unsigned(9)))

  private static func stream(_ stream: LogStream, first: UInt64 = 0, nodes: [CBORItem] = [], next: UInt64) -> CBORItem {
    .map(
      (0, .unsigned(4)), (1, .unsigned(UInt64(stream.rawValue))), (2, .unsigned(first)), (3, .digest(.zero)),
      (4, .array(nodes)), (5, .unsigned(next)))
  }

  private static func entry(kind: LogKind = .epochOpened, sequence: UInt64 = 0, body: [UInt8]?) -> CBORItem {
    let kept = body ?? []
    let entry = LogEntry(
      sequence: sequence, kind: kind, wall: 9, uptime: 1, boot: testBoot, bodyDigest: Sodium.blake2b256(kept),
      bodyLength: UInt32(kept.count), keyEpoch: 1)
    let chain = LogHead.chain(.zero, leafHash: entry.leafHash)
    return .map((0, .unsigned(5)), (1, .bytes(entry.bytes)), (2, .digest(chain)), (3, body.map { .bytes($0) }))
  }

  private static let linkless = EpochLink.body(of: nil)

  @Test(
    arguments: [
      ([header], nil),
      ([], "the header is not the first record"),
      ([header, header], "the header is not the first record"),
      ([header, opening], "an epoch without its audit stream"),
      ([header, opening, stream(.audit, next: 1), entry(body: linkless)], nil),
      ([header, opening, stream(.audit, next: 2), entry(body: linkless)], "missing: audit goes on to 2"),
      ([header, opening, stream(.audit, next: 1), entry(body: nil)], "an entry about the log itself has no body"),
      (
        [header, opening, stream(.audit, next: 1), entry(kind: .decision, body: [1])],
        "an epoch opens with its first audit entry and no other"
      ),
      ([header, opening, stream(.audit, next: 1), entry(body: [0xa1])], "record"),
      ([header, opening, opening], "an epoch without its audit stream"),
      ([header, opening, stream(.audit, next: 1), entry(body: linkless), opening], "an epoch that was here before"),
      ([header, opening, stream(.audit, first: 256, next: 256)], "a stream that cannot be"),
      ([header, opening, stream(.audit, first: 255, next: 256)], "a stream that cannot be"),
      ([header, opening, stream(.audit, next: .max)], "a stream that cannot be"),
      ([header, stream(.audit, next: 1)], "a stream before any epoch"),
      ([header, opening, entry(body: linkless)], "an entry where none is expected"),
      ([header, .map((0, .unsigned(6)), (1, .text("x")))], "a checkpoint outside of any stream"),
      (
        [header, opening, stream(.audit, next: 1), entry(body: linkless), entry(body: linkless)], "an entry where none"
      ),
      ([header, .map((0, .unsigned(99)))], "a record of unknown kind 99"),
      ([header, .map((0, .unsigned(2)), (1, .bytes([1])), (5, .null))], "record.5: not a field"),
    ] as [([CBORItem], String?)]) func `is judged by what it says`(records: [CBORItem], what: String?) throws
  {
    let report = try AuditBundle.verify(BytesFile(Self.file(records))) { _ in
      AuditBundle.Trust(site: testSite, siteKeys: [testKey().publicKey])
    }
    if let what {
      #expect(report.problem?.what.hasPrefix(what) == true || what == "record" && report.problem != nil, "\(report)")
    } else {
      #expect(report.problem == nil)
    }
  }
}
