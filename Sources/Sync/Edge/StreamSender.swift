import Provenance
import TwinCore

/// What one stream has on the way and what to send next. It goes back to `acked` when nothing is heard.
struct StreamSender {
  /// A batch that was sent and not acknowledged.
  struct Flight {
    let first: UInt64
    let end: UInt64
    let bytes: Int
    let sentAt: Uptime
    let isRepeat: Bool
  }

  let stream: LogStream
  /// Whether the foundation answered the birth of this session: before, nobody knows where to go on.
  var isKnown = false
  /// The newest fencing term heard in this stream.
  var term: UInt64 = 0
  /// Below it the foundation has everything.
  private(set) var acked: UInt64 = 0
  /// The next sequence to send.
  private(set) var sent: UInt64 = 0
  /// The end of what was ever sent.
  private(set) var highest: UInt64 = 0
  private(set) var flights: [Flight] = []
  /// The size of the head that was last signed for the foundation.
  var headSigned: UInt64 = 0
  /// A range that the foundation asked for; goes out before everything else.
  var repair: Range<UInt64>?
  var repairedAt: Uptime?
  /// Since when something waits to be sent for the first time.
  var waitingSince: Uptime?
  private(set) var failures = 0
  private(set) var deadline: Uptime?
  /// Batches that may be on the way: one after a time-out, doubling with progress.
  private var allowance = SyncLimits.windowBatchesMax
  /// Since when acknowledgements are missing.
  private(set) var unansweredSince: Uptime?

  init(_ stream: LogStream) { self.stream = stream }

  var isBulk: Bool { stream > .control }
  var bytesInFlight: Int { flights.reduce(0) { $0 + $1.bytes } }
  /// What was asked for goes out beside the window: it is one batch a time-out, and everything may wait for it.
  var hasRoom: Bool { flights.count < allowance || repair != nil }

  /// A new session: what was on the way is lost, and so is the knowledge of the other end.
  mutating func restart() {
    isKnown = false
    flights = []
    (repair, deadline) = (nil, nil)
    // A broken connection is no answer.
    if highest == acked { unansweredSince = nil }
    sent = acked
    failures = 0
    allowance = SyncLimits.windowBatchesMax
  }

  /// The other end stands at `next`, backwards too.
  mutating func place(at next: UInt64) {
    (acked, sent) = (next, next)
    highest = max(highest, next)
    flights = []
    (repair, deadline, unansweredSince) = (nil, nil, nil)
    (failures, allowance) = (0, SyncLimits.windowBatchesMax)
  }

  mutating func noteSent(_ flight: Flight, timeout: Int64) {
    flights.append(flight)
    highest = max(highest, flight.end)
    if let range = repair, flight.first == range.lowerBound {
      repair = flight.end < range.upperBound ? flight.end..<range.upperBound : nil
    } else {
      sent = max(sent, flight.end)
    }
    if deadline == nil { deadline = flight.sentAt.advanced(byNanoseconds: timeout) }
    if unansweredSince == nil { unansweredSince = flight.sentAt }
  }

  /// Moves forward to `next`; answers the flight whose round trip it measures, if it measures one.
  mutating func acknowledge(_ next: UInt64, at now: Uptime, timeout: (Int) -> Int64) -> Flight? {
    guard next > acked else { return nil }
    acked = next
    sent = max(sent, next)
    highest = max(highest, next)
    let covered = flights.filter { $0.end <= next }
    // Which of two equal batches an ack answers cannot be known: patience stays as it is until one that was sent once
    // is answered (P. Karn and C. Partridge, "Improving round-trip time estimates", 1987).
    let measured = covered.contains(where: \.isRepeat) ? nil : covered.last
    flights.removeAll { $0.end <= next }
    if let range = repair { repair = range.upperBound <= next ? nil : max(next, range.lowerBound)..<range.upperBound }
    if measured != nil { failures = 0 }
    allowance = min(SyncLimits.windowBatchesMax, allowance * 2)
    deadline = flights.isEmpty ? nil : now.advanced(byNanoseconds: timeout(failures))
    unansweredSince = flights.isEmpty ? nil : now
    return measured
  }

  /// Whether it was time to go back.
  mutating func goBack(at now: Uptime, timeout: (Int) -> Int64) -> Bool {
    guard let deadline, now >= deadline else { return false }
    failures += 1
    sent = acked
    flights = []
    allowance = 1
    self.deadline = now.advanced(byNanoseconds: timeout(failures))
    return true
  }

  /// Whether the next batch repeats something.
  func isRepeat(_ first: UInt64) -> Bool { first < highest }
}
