import Synchronization
import TwinCore

/// Answers to writes that carried an `Idempotency-Key`, so that a repeated write is answered and not done again.
///
/// Holds the newest `entriesMax` for `seconds`; the oldest answer goes first.
final class IdempotencyCache: Sendable {
  static let entriesMax = 256
  static let seconds: Int64 = 600
  static let keyBytesMax = 128

  struct Key: Hashable {
    var uid: UInt32
    var method: String
    var path: String
    var key: String
  }

  enum Found: Equatable {
    /// Do it, then `finish`.
    case new
    case answered(Response)
    /// The first one is still being done.
    case running
    /// The key came with another body before.
    case reused
  }

  private struct Entry {
    var body: UInt64
    var response: Response?
    var at: Uptime
  }

  private let entries = Mutex<[Key: Entry]>([:])

  func begin(_ key: Key, body: [UInt8], at now: Uptime) -> Found {
    let digest = Self.digest(body)
    return entries.withLock { entries in
      entries = entries.filter { now.nanoseconds(since: $1.at) < Self.seconds * 1_000_000_000 }
      if let entry = entries[key] {
        guard entry.body == digest else { return .reused }
        return entry.response.map(Found.answered) ?? .running
      }
      if entries.count >= Self.entriesMax, let oldest = entries.min(by: { $0.value.at < $1.value.at }) {
        entries.removeValue(forKey: oldest.key)
      }
      entries[key] = Entry(body: digest, response: nil, at: now)
      return .new
    }
  }

  /// Keeps the answer; an answer that invites to try again is not kept, so that the same key may.
  func finish(_ key: Key, _ response: Response) {
    entries.withLock { entries in
      if response.status >= 500 || response.status == 408 || response.status == 429 {
        entries.removeValue(forKey: key)
      } else {
        entries[key]?.response = response
      }
    }
  }

  /// FNV-1a, 64 bit: tells bodies of one honest client apart, no more.
  private static func digest(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
