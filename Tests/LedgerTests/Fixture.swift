import Glibc
import Ledger
import PostgreSQLServer
import Provenance
import Seams
import Sodium
import Sync
import Synchronization
import Testing
import TwinCore

/// Which database a test runs on: all that a ledger promises holds on both.
enum Backend: String, CaseIterable, CustomTestStringConvertible, Sendable {
  case file
  case server

  var testDescription: String { rawValue }
}

final class TestClock: SiteClock {
  private let now = Mutex(Instant(nanoseconds: 1_790_000_000_000_000_000))

  var instant: Instant { now.withLock { $0 } }
  var uptime: Uptime { Uptime(nanoseconds: instant.nanoseconds) }
  var isTrusted: Bool { true }
  func sleep(until deadline: Uptime) async {}

  func advance(_ span: Duration) {
    now.withLock { $0 = $0.advanced(byNanoseconds: span.wholeNanoseconds) }
  }
}

/// A place for one test's ledger, gone with it.
final class TestStore: @unchecked Sendable {
  // @unchecked: set once.
  private static let serial = Atomic<Int>(0)

  let directory: String
  let place: LedgerPlace
  let clock = TestClock()

  init(_ backend: Backend, server: PostgreSQLServer? = nil) throws {
    var template = Array("/tmp/twind-ledger-XXXXXX".utf8CString)
    directory = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
    switch backend {
    case .file: place = .file(directory + "/ledger.db")
    case .server:
      let number = Self.serial.add(1, ordering: .relaxed).newValue
      place = .server(try (server ?? PostgreSQLServer.shared.get()).schema("t\(getpid())_\(number)"))
    }
  }

  deinit { unsafe _ = system("rm -rf \(directory)") }

  func open(_ policy: SafePolicy = .onCommit) throws -> Ledger { try Ledger(place, policy: policy, clock: clock) }

  /// Gives every worker a ledger: a file has one connection, a server as many as there are workers.
  func workers(_ count: Int, first: Ledger) throws -> [Ledger] {
    switch place {
    case .file: return Array(repeating: first, count: count)
    case .server: return try (0..<count).map { $0 == 0 ? first : try open() }
    }
  }
}

/// Runs bodies on threads of their own and waits for all; the first fault of any.
func onThreads(_ bodies: [@Sendable () throws -> Void]) throws {
  final class Box: Sendable {
    let body: @Sendable () throws -> Void
    let fault = Mutex<(any Error)?>(nil)
    init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
  }
  let boxes = bodies.map(Box.init)
  var threads: [pthread_t] = []
  for box in boxes {
    var thread = pthread_t()
    let started = unsafe pthread_create(
      &thread, nil,
      { raw in
        let box = unsafe Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue()
        do { try box.body() } catch { box.fault.withLock { $0 = error } }
        return nil
      }, Unmanaged.passRetained(box).toOpaque())
    try #require(started == 0)
    threads.append(thread)
  }
  for thread in threads { _ = pthread_join(thread, nil) }
  for box in boxes { if let fault = box.fault.withLock({ $0 }) { throw fault } }
}

/// SplitMix64.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// A site's log as a test makes it: every entry follows from its sequence and the salt.
struct SiteLog: Sendable {
  let name: LogName
  var salt: UInt8 = 0
  private(set) var entries: [AdmittedBatch.Entry] = []
  /// The head before each entry, and after the last.
  private(set) var heads: [LogHead]

  init(_ name: LogName, salt: UInt8 = 0) {
    (self.name, self.salt) = (name, salt)
    heads = [LogHead(epoch: name.epoch, stream: name.stream)]
  }

  init(_ site: SiteName, _ epoch: LogEpoch, _ stream: LogStream = .audit) {
    self.init(LogName(site: site, epoch: epoch, stream: stream))
  }

  var next: UInt64 { UInt64(entries.count) }

  mutating func grow(_ count: Int, bodyBytes: Int = 40) {
    for _ in 0..<count {
      let sequence = next
      let body = (0..<bodyBytes).map { UInt8(truncatingIfNeeded: sequence &* 31 &+ UInt64($0)) ^ salt }
      let entry = LogEntry(
        sequence: sequence, kind: sequence % 3 == 0 ? .decision : .audit, wall: 1_790_000_000_000 + Int64(sequence),
        uptime: Int64(sequence), boot: Array(repeating: salt, count: 16), bodyDigest: Sodium.blake2b256(body),
        bodyLength: UInt32(body.count), keyEpoch: 1)
      let bytes = entry.bytes
      let leaf = Merkle.leafHash(bytes)
      entries.append(
        AdmittedBatch.Entry(sequence: sequence, kind: entry.kind, bytes: bytes, leafHash: leaf, body: body))
      var head = heads[heads.count - 1]
      head.append(leafHash: leaf)
      heads.append(head)
    }
  }

  func batch(_ range: Range<UInt64>) -> AdmittedBatch {
    let (low, high) = (Int(range.lowerBound), Int(range.upperBound))
    return AdmittedBatch(
      log: name, entries: Array(entries[low..<high]), chainBefore: heads[low].chain, chainAfter: heads[high].chain,
      root: heads[high].root, envelope: [1, 2, 3, salt])
  }

  func checkpoint(_ size: UInt64) -> KeptCheckpoint {
    KeptCheckpoint(log: name, size: size, root: heads[Int(size)].root, note: "checkpoint of \(size)\n")
  }

  /// A copy that goes another way from `sequence` on.
  func branch(at sequence: UInt64) -> SiteLog {
    var other = self
    other.entries.removeLast(entries.count - Int(sequence))
    other.heads.removeLast(heads.count - Int(sequence) - 1)
    other.salt = salt ^ 0x5A
    return other
  }
}

extension SiteName {
  init(number: Int) { self.init("acme.site-\(number)")! }
}

extension Ledger {
  /// Enrols by a token of its own; answers the first epoch.
  @discardableResult
  func enrol(_ site: SiteName, epoch: LogEpoch = LogEpoch()) throws -> LogEpoch {
    let name = "token-\(site)-\(epoch.hex.prefix(4))"
    try add(
      EnrolmentGrant(
        name: name, key: [1], tenant: site.tenant, site: site.site,
        expires: Instant(nanoseconds: 1_790_000_000_000_000_000).advanced(byNanoseconds: 86_400_000_000_000)))
    _ = try enrol(.test(site, epoch), token: name)
    return epoch
  }

  /// All entries of a log as they are stored.
  func all(_ log: LogName) throws -> [StoredEntry] {
    var found: [StoredEntry] = []
    while true {
      let page = try entries(of: log, from: found.last.map { $0.sequence + 1 } ?? 0)
      if page.isEmpty { return found }
      found += page
    }
  }
}

extension SiteEnrolment {
  static func test(_ site: SiteName, _ epoch: LogEpoch = LogEpoch()) -> SiteEnrolment {
    let key = SiteKey(
      keyEpoch: 1, signing: Ed25519.PublicKey(bytes: Array(repeating: 7, count: 32))!,
      sealing: Array(repeating: 9, count: 32))
    return SiteEnrolment(
      site: site, key: key, epoch: epoch, evidence: [4, 5],
      leaf: FoundationLeaf(.enrolment, site: site, bytes: Array("enrol \(site)".utf8)))
  }
}

/// Expects a fault by its code.
func expectFault(
  _ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("no fault, wanted \(code)", sourceLocation: sourceLocation)
  } catch {
    let said = (error as? any Fault)?.code ?? "\(error)"
    #expect(said == code, "\(error)", sourceLocation: sourceLocation)
  }
}
