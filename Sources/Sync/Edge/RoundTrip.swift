import TwinCore

/// How long an answer takes on this line, and how long to wait for one (after RFC 6298, whose clock granularity and
/// variance are left out: the commit on the other end varies more).
struct RoundTrip {
  static let timeoutMin = Duration.milliseconds(500)
  static let timeoutMax = Duration.seconds(60)

  private var smoothed: Int64?
  /// The best seen: the line without a queue in it.
  private(set) var least: Int64?

  /// Of a batch that was sent once: the answer to a repeated one may belong to either.
  mutating func note(_ sample: Int64) {
    smoothed = smoothed.map { $0 + (sample - $0) / 8 } ?? sample
    least = min(least ?? sample, sample)
  }

  /// Nanoseconds before a batch goes out again, after `failures` in a row.
  func timeout(failures: Int) -> Int64 {
    let base = max(Self.timeoutMin.wholeNanoseconds, (smoothed ?? 0) * 2)
    return min(Self.timeoutMax.wholeNanoseconds, base << Int64(min(failures, 10)))
  }

  /// How much longer than the line needs.
  func queueing(_ sample: Int64) -> Int64 { sample - (least ?? sample) }
}

/// How much bulk may be on the way so that a fresh audit entry waits behind a second of it, not more.
struct BulkWindow {
  static let bytesMin = 8 << 10
  static let bytesStart = 32 << 10
  /// Of queueing, above which the window shrinks.
  static let delayMax = Duration.seconds(1)

  private(set) var bytes = BulkWindow.bytesStart
  private var shrunkAt: Uptime?

  mutating func note(queueing: Int64, acked: Int, max limit: Int, at now: Uptime, roundTrip: Int64) {
    if queueing > Self.delayMax.wholeNanoseconds {
      shrink(now, roundTrip)
    } else if queueing < Self.delayMax.wholeNanoseconds / 2 {
      bytes = min(limit, bytes + acked)
    }
  }

  /// Once a round trip: the batches already on the way tell nothing new.
  mutating func shrink(_ now: Uptime, _ roundTrip: Int64) {
    if let last = shrunkAt, now.nanoseconds(since: last) < roundTrip { return }
    shrunkAt = now
    bytes = max(Self.bytesMin, bytes / 2)
  }

  /// Bytes of one batch: two of them fill the window.
  var batchBytes: Int { min(SyncLimits.batchBytesTarget, max(Self.bytesMin, bytes / 2)) }
}
