import FeatureStore
import Glibc
import TwinCore

/// A site's directory that goes with the test.
final class Site {
  let path: String

  init() {
    var template = Array("/tmp/twind-store-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for name in ["site.db", "site.db-wal", "site.db-shm", "site.lock", "acks", "copy.db"] {
      _ = unsafe unlink("\(path)/\(name)")
    }
    _ = unsafe rmdir(path)
  }

  func open(_ limits: StoreLimits = StoreLimits()) throws(StoreError) -> SiteStore {
    try SiteStore(directory: path, limits: limits)
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed everywhere.
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

extension FrameLayout {
  /// Points `gG.0`, `gG.1`, … with the given scales.
  static func test(group: Int32 = 0, scales: [Double] = [0.1, 0, 1]) -> FrameLayout {
    FrameLayout(
      group: group, points: scales.indices.map { "g\(group).\($0)" }, scales: scales,
      units: scales.map { _ in "Cel" }, variances: scales.map { _ in 0.01 }, provenance: scales.map { _ in "test" })
  }
}

extension Frame {
  static func test(
    group: Int32 = 0, sequence: Int64 = 0, at second: Int64, observed: Int64? = nil, values: [Double],
    qualities: [Quality]? = nil
  ) -> Frame {
    Frame(
      group: group, sequence: sequence, effective: .second(second), observed: .second(observed ?? second),
      uptime: Uptime(nanoseconds: second * 1_000_000_000), values: values,
      qualities: qualities ?? values.map { _ in .good })
  }

  /// The same in everything that the store promises: bit for bit where there is a value.
  func isStoredAs(_ other: Frame) -> Bool {
    group == other.group && sequence == other.sequence && effective == other.effective && observed == other.observed
      && uptime == other.uptime && qualities == other.qualities && values.count == other.values.count
      && values.indices.allSatisfy {
        qualities[$0].hasValue ? values[$0].bitPattern == other.values[$0].bitPattern : other.values[$0].isNaN
      }
  }
}

extension Instant {
  static func second(_ number: Int64) -> Instant { Instant(nanoseconds: number * 1_000_000_000) }
}

extension TickRecord {
  static func test(
    _ number: Int64, frames: Range<Int64> = 0..<0, mustBeKept: Bool = false, bytes: [UInt8] = [1, 2, 3]
  ) -> TickRecord {
    TickRecord(
      number: number, instant: .second(number), uptime: Uptime(nanoseconds: number), boot: 1, frames: frames,
      mustBeKept: mustBeKept, bytes: bytes)
  }
}

extension DecisionEntry {
  static func test(_ number: Int64, point: String = "g0.0") -> DecisionEntry {
    DecisionEntry(
      id: "d\(number)", tick: number, instant: .second(number), kind: "proposal", point: point,
      bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 20))
  }
}

/// Every tick of a store with its frames.
func log(_ store: SiteStore, from first: Int64 = .min, through last: Int64? = nil) throws -> [(TickRecord, [Frame])] {
  let cursor = try store.ticks(from: first, through: last)
  var found: [(TickRecord, [Frame])] = []
  while let next = try cursor.next() { found.append((next.tick, next.frames)) }
  return found
}

/// The error of a call into the store; nil when it has none.
func fault(_ body: () throws(StoreError) -> Void) -> StoreError? {
  do throws(StoreError) { try body() } catch { return error }
  return nil
}
