import DeltaLog
import Glibc
import Provenance
import SQLite
import Seams
import Simulation
import Sodium
import Synchronization
import TwinCore

/// Which seeds a test goes through. `TWIND_SEED` names one, to run a failure again; otherwise they are new each time.
enum Seeds {
  static let isLong = unsafe getenv("TWIND_TEST_LONG") != nil

  static func list(short: Int, long: Int) -> [UInt64] {
    if let text = unsafe getenv("TWIND_SEED"), let seed = UInt64(unsafe String(cString: text)) { return [seed] }
    let first = UInt64.random(in: 0...UInt64(Int64.max / 2))
    return (0..<UInt64(isLong ? long : short)).map { first + $0 }
  }
}

/// A clock that moves when it is told to.
final class HandClock: SiteClock {
  private let nowNs = Mutex<Int64>(1_800_000_000_000_000_000)

  func advance(seconds: Int64) { nowNs.withLock { $0 += seconds * 1_000_000_000 } }
  var instant: Instant { Instant(nanoseconds: nowNs.withLock { $0 }) }
  var uptime: Uptime { Uptime(nanoseconds: nowNs.withLock { $0 } - 1_700_000_000_000_000_000) }
  var isTrusted: Bool { true }
  func sleep(until deadline: Uptime) async {}
}

/// A directory that goes with the test.
final class Place {
  let path: String
  let clock = HandClock()

  init() {
    var template = Array("/tmp/twind-log-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for name in (try? SystemFileStore().names(in: path)) ?? [] { _ = unsafe unlink("\(path)/\(name)") }
    _ = unsafe rmdir(path)
  }

  var file: String { path + "/sync.db" }

  func open(
    limits: DeltaLogLimits = DeltaLogLimits(bytesMax: 64 << 20), previous: EpochLink? = nil,
    bodySource: @escaping DeltaLog.BodySource = { _ in nil }
  ) throws(DeltaLogFault) -> DeltaLog {
    try DeltaLog(
      file: file, site: testSite, boot: testBoot, keyEpoch: 1, clock: clock, limits: limits, previous: previous,
      bodySource: bodySource)
  }

  func database() throws(SQLiteFault) -> Database { try Database(path: file, access: .readWrite) }
}

let testSite = SiteName("acme.lyon-01")!
let testBoot = [UInt8](repeating: 7, count: 16)
func testKey() -> Ed25519.SecretKey { Ed25519.SecretKey(seed: [UInt8](repeating: 9, count: 32))! }

extension DeltaLog {
  @discardableResult
  func add(_ drafts: [LogDraft], _ clock: some SiteClock = HandClock()) throws(DeltaLogFault) -> [UInt64] {
    try append(drafts, at: clock.instant, uptime: clock.uptime)
  }

  @discardableResult
  func add(_ stream: LogStream, _ count: Int, bytes: Int = 40, seed: UInt64 = 1) throws(DeltaLogFault) -> [UInt64] {
    var random = SeededRandom(seed: seed)
    var sequences: [UInt64] = []
    var left = count
    while left > 0 {
      let drafts = (0..<min(left, 1000)).map { _ in LogDraft(stream, .audit, random.bytes(bytes)) }
      sequences += try add(drafts)
      left -= drafts.count
    }
    return sequences
  }
}

extension SeededRandom {
  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}

/// What a log should hold: every entry and body in a list, asked in the simplest way there is.
struct NaiveLog: Equatable {
  struct Row: Equatable {
    var entry: [UInt8]
    var body: [UInt8]?
  }

  var rows = [[Row]](repeating: [], count: 5)

  func point(_ stream: LogStream, _ size: Int) -> LogPoint {
    var (chain, frontier) = (Digest.zero, MerkleFrontier())
    for row in rows[Int(stream.rawValue)].prefix(size) {
      let leaf = Merkle.leafHash(row.entry)
      chain = LogHead.chain(chain, leafHash: leaf)
      frontier.append(leaf)
    }
    return LogPoint(size: UInt64(size), chain: chain, root: frontier.root)
  }

  static func of(_ log: DeltaLog) throws(DeltaLogFault) -> NaiveLog {
    var naive = NaiveLog()
    for stream in LogStream.allCases {
      let state = log.head(stream)
      guard state.next > state.firstKept else { continue }
      for record in try log.records(stream, from: state.firstKept, maxCount: .max, maxBytes: .max) {
        naive.rows[Int(stream.rawValue)].append(Row(entry: record.entry, body: record.body))
      }
    }
    return naive
  }
}
