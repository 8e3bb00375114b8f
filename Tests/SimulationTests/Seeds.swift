import Glibc

/// Which seeds a test goes through. `TWIND_SEED` names one, to run a failure again; otherwise they are new each time.
enum Seeds {
  /// `make test-long` sets TWIND_TEST_LONG.
  static let isLong = unsafe getenv("TWIND_TEST_LONG") != nil

  static let isReplay = unsafe getenv("TWIND_SEED") != nil

  static func list(short: Int, long: Int) -> [UInt64] {
    if let text = unsafe getenv("TWIND_SEED"), let seed = UInt64(unsafe String(cString: text)) { return [seed] }
    let first = UInt64.random(in: 0...UInt64(Int64.max / 2))
    return (0..<UInt64(isLong ? long : short)).map { first + $0 }
  }
}
