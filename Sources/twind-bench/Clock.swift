import Glibc

/// Time of two kinds; on a machine that others use too, CPU time is the one to compare.
struct Spent {
  var wallSeconds: Double
  var cpuSeconds: Double

  /// Of the process and of the world since a start.
  static func by(_ work: () throws -> Void) rethrows -> Spent {
    let (wall, cpu) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
    try work()
    return Spent(wallSeconds: seconds(CLOCK_MONOTONIC) - wall, cpuSeconds: seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu)
  }

  /// The quickest of some rounds in each kind: what disturbs a round only ever adds.
  static func leastOf(_ rounds: Int, _ work: () throws -> Void) rethrows -> Spent {
    var least = Spent(wallSeconds: .infinity, cpuSeconds: .infinity)
    for _ in 0..<rounds {
      let spent = try by(work)
      least.wallSeconds = min(least.wallSeconds, spent.wallSeconds)
      least.cpuSeconds = min(least.cpuSeconds, spent.cpuSeconds)
    }
    return least
  }

  /// Since some moment; only differences mean anything.
  static var now: Spent { Spent(wallSeconds: seconds(CLOCK_MONOTONIC), cpuSeconds: seconds(CLOCK_PROCESS_CPUTIME_ID)) }

  static func - (a: Spent, b: Spent) -> Spent {
    Spent(wallSeconds: a.wallSeconds - b.wallSeconds, cpuSeconds: a.cpuSeconds - b.cpuSeconds)
  }

  static func += (sum: inout Spent, more: Spent) {
    sum.wallSeconds += more.wallSeconds
    sum.cpuSeconds += more.cpuSeconds
  }

  /// Until `now.wallSeconds` is that much; not at all when it is past.
  static func sleep(until wallSeconds: Double) {
    let left = wallSeconds - now.wallSeconds
    if left > 0 { usleep(UInt32(left * 1e6)) }
  }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    // The clock exists, and the address is that of a local variable.
    unsafe clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
