import Provenance
import TwinCore

/// Batches that wait for the commit, or for the ones before them. Everything here may be lost: sites send again what
/// was not acknowledged.
struct StagingArea {
  struct Staged {
    let batch: AdmittedBatch
    let arrivedAt: Uptime
    var bytes: Int { batch.envelope.count }
  }

  struct Log {
    /// By first sequence; two may begin alike and differ.
    var batches: [Staged] = []
    /// When the range may be asked for again, and how often it was.
    var askAt: Uptime?
    var asked = 0
    var bytes: Int { batches.reduce(0) { $0 + $1.bytes } }
  }

  private(set) var logs: [LogName: Log] = [:]
  private(set) var bytes = 0

  /// In an order that does not depend on hashing.
  var names: [LogName] {
    logs.keys.sorted { ($0.site, $0.stream, $0.epoch.hex) < ($1.site, $1.stream, $1.epoch.hex) }
  }

  /// False where there is no room, or the same bytes wait already. The farthest from the head gives way.
  mutating func insert(_ batch: AdmittedBatch, at now: Uptime) -> Bool {
    var log = logs[batch.log] ?? Log()
    let staged = Staged(batch: batch, arrivedAt: now)
    guard !log.batches.contains(where: { $0.batch.envelope == batch.envelope }) else { return false }
    while log.batches.count >= SyncLimits.stagedBatchesMax || log.bytes + staged.bytes > SyncLimits.stagedBytesMax {
      guard let last = log.batches.last, last.batch.first > batch.first else { return false }
      bytes -= log.batches.removeLast().bytes
    }
    guard bytes + staged.bytes <= SyncLimits.stagedBytesTotalMax else {
      logs[batch.log] = log.batches.isEmpty ? nil : log
      return false
    }
    let place = log.batches.firstIndex { $0.batch.first > batch.first } ?? log.batches.count
    log.batches.insert(staged, at: place)
    bytes += staged.bytes
    logs[batch.log] = log
    return true
  }

  /// Takes out, in order, what reaches from `next` on without a hole.
  mutating func takeRun(_ name: LogName, from next: UInt64, max: Int) -> [Staged] {
    guard var log = logs[name] else { return [] }
    var (run, end) = ([] as [Staged], next)
    while run.count < max, let first = log.batches.first, first.batch.first <= end {
      end = Swift.max(end, first.batch.end)
      bytes -= first.bytes
      run.append(log.batches.removeFirst())
    }
    if !run.isEmpty { (log.askAt, log.asked) = (nil, 0) }
    logs[name] = log.batches.isEmpty ? nil : log
    return run
  }

  /// Notes that the first staged batch does not follow; answers whether it is time to ask for what is missing: when the
  /// hole is older than `patience`, and after each asking at twice the distance.
  mutating func noteHole(_ name: LogName, at now: Uptime, patience: Int64) -> Bool {
    guard var log = logs[name] else { return false }
    defer { logs[name] = log }
    guard let due = log.askAt else {
      log.askAt = now.advanced(byNanoseconds: patience)
      return false
    }
    guard now >= due else { return false }
    log.asked += 1
    log.askAt = now.advanced(byNanoseconds: patience << Int64(min(log.asked, 5)))
    return true
  }

  mutating func remove(_ name: LogName) {
    guard let log = logs.removeValue(forKey: name) else { return }
    bytes -= log.bytes
  }

  var isEmpty: Bool { logs.isEmpty }
}
