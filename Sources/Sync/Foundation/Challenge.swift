// Bytes of a challenge, which a site echoes without looking into it:
//
//     0 .. 8    milliseconds since 1970, by the worker that made it, big-endian
//     8 .. 48   next of the five streams in their order, as the ledger had them then, 8 bytes each, big-endian
//     48 .. 64  the first 16 bytes of BLAKE2b-256(key ‖ site ‖ 0x00 ‖ epoch ‖ bytes 0 to 48)

import Provenance
import Sodium
import TwinCore

/// A question that carries what its asker knew, so that any worker understands the answer and none has to remember.
///
/// A birth that echoes it was made after it. Hence it cannot truthfully report fewer entries than were stored then.
struct Challenge: Equatable {
  static let lifeMax = Duration.seconds(600)

  let atMs: Int64
  let next: [UInt64]

  init(atMs: Int64, next: [UInt64]) {
    precondition(next.count == LogStream.allCases.count, "\(next.count) streams")
    (self.atMs, self.next) = (atMs, next)
  }

  /// Nil unless it was made with `key` for that site and epoch, not too long ago.
  init?(_ bytes: [UInt8], site: SiteName, epoch: LogEpoch, key: [UInt8], at now: Instant) {
    guard bytes.count == 64 else { return nil }
    let numbers = (0..<6).map { Self.number(bytes[($0 * 8)..<($0 * 8 + 8)]) }
    self.init(atMs: Int64(bitPattern: numbers[0]), next: Array(numbers[1...]))
    let age = now.milliseconds.saturatingSubtract(atMs)
    // Clocks of workers may differ by a little.
    guard age > -60_000, age < Self.lifeMax.wholeNanoseconds / 1_000_000 else { return nil }
    guard Self.isEqual(encoded(site: site, epoch: epoch, key: key), bytes) else { return nil }
  }

  func encoded(site: SiteName, epoch: LogEpoch, key: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for number in [UInt64(bitPattern: atMs)] + next {
      for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: number >> shift))
      }
    }
    let mac = Sodium.blake2b256(key + Array(site.description.utf8) + [0] + epoch.bytes + bytes)
    return bytes + mac.bytes.prefix(16)
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

  /// In a time that does not tell where they differ.
  private static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
