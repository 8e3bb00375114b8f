import TwinCore

/// Allows bursts up to its capacity and its rate in the long run.
struct TokenBucket {
  let capacity: Int64
  /// Tokens a second.
  let rate: Int64
  private var level: Int64
  private var filledAt: Uptime?

  init(capacity: Int64, rate: Int64) {
    precondition(capacity > 0 && rate > 0, "a bucket that never gives")
    (self.capacity, self.rate, level) = (capacity, rate, capacity)
  }

  /// One token every `interval`, `capacity` at once.
  init(capacity: Int64, every interval: Duration) {
    // In thousandths, so that rates below one a second are whole numbers.
    self.init(capacity: capacity * 1000, rate: max(1, 1_000_000_000_000 / interval.wholeNanoseconds))
  }

  /// A token of a bucket made with an interval.
  static let one: Int64 = 1000

  /// Takes `count` if they are there.
  mutating func take(_ count: Int64, at now: Uptime) -> Bool {
    fill(now)
    guard level >= count else { return false }
    level -= count
    return true
  }

  /// Takes `count` whatever is there: what went out has gone out. Later ones wait the longer.
  mutating func spend(_ count: Int64, at now: Uptime) {
    fill(now)
    level -= count
  }

  /// When something is in the bucket again; nil if something is now.
  mutating func readyAt(_ now: Uptime) -> Uptime? {
    fill(now)
    guard level <= 0 else { return nil }
    return now.advanced(byNanoseconds: (1 - level) * 1_000_000_000 / rate + 1)
  }

  private mutating func fill(_ now: Uptime) {
    guard let last = filledAt else {
      filledAt = now
      return
    }
    // Bounded, so that the product below cannot overflow; a bucket is full long before.
    let elapsed = min(max(0, now.nanoseconds(since: last)), 1_000_000_000_000)
    let gained = (elapsed / 1_000_000) * rate / 1000
    guard gained > 0 else { return }
    level = min(capacity, level + gained)
    // The part of a token that was not counted yet stays on the clock.
    filledAt = elapsed == 1_000_000_000_000 ? now : last.advanced(byNanoseconds: gained * 1_000_000_000 / rate)
  }
}

extension Uptime {
  func after(_ span: Duration) -> Uptime { advanced(byNanoseconds: span.wholeNanoseconds) }
}
