// The body of a row of `ticks`: consecutive ticks, before sealing.
//
//   byte     format, 1
//   varint   ticks, 1 to ticksMax
//   then for each tick
//     varint   number minus the one before (0 before the first)
//     zigzag   instant, nanoseconds, minus the one before
//     zigzag   uptime, nanoseconds, minus the one before
//     zigzag   boot minus the one before
//     zigzag   first frame minus the end of the frames before (0 before the first)
//     varint   frames carried
//     byte     1: must be kept, 0: may be dropped
//     varint   length of what follows
//     bytes    the tick's own canonical bytes
//
// All differences wrap at 64 bits. Invariant: numbers rise.

import TwinCore

enum TickBody {
  static let format: UInt8 = 1
  static let ticksMax = 1024
  /// A row is closed when it holds this many bytes, though more ticks wait.
  static let bytesTarget = 256 * 1024

  static func encode(_ ticks: ArraySlice<TickRecord>) -> [UInt8] {
    var writer = ByteWriter()
    writer.bytes.append(format)
    writer.varint(UInt64(ticks.count))
    var (number, instant, uptime, boot, end): (Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0)
    for tick in ticks {
      writer.varint(UInt64(bitPattern: tick.number &- number))
      writer.zigzag(tick.instant.nanoseconds &- instant)
      writer.zigzag(tick.uptime.nanoseconds &- uptime)
      writer.zigzag(tick.boot &- boot)
      writer.zigzag(tick.frames.lowerBound &- end)
      writer.varint(UInt64(bitPattern: tick.frames.upperBound &- tick.frames.lowerBound))
      writer.bytes.append(tick.mustBeKept ? 1 : 0)
      writer.varint(UInt64(tick.bytes.count))
      writer.bytes.append(contentsOf: tick.bytes)
      (number, instant, uptime) = (tick.number, tick.instant.nanoseconds, tick.uptime.nanoseconds)
      (boot, end) = (tick.boot, tick.frames.upperBound)
    }
    return writer.bytes
  }

  static func decode(_ body: [UInt8]) throws(BodyFault) -> [TickRecord] {
    var reader = ByteReader(body)
    let format = try reader.byte()
    guard format == Self.format else { throw BodyFault("format \(format)") }
    let count = try reader.count(max: ticksMax)
    var ticks: [TickRecord] = []
    ticks.reserveCapacity(count)
    var (number, instant, uptime, boot, end): (Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0)
    for _ in 0..<count {
      let next = number &+ Int64(bitPattern: try reader.varint())
      guard ticks.isEmpty || next > number else { throw BodyFault("tick number that does not rise") }
      number = next
      instant &+= try reader.zigzag()
      uptime &+= try reader.zigzag()
      boot &+= try reader.zigzag()
      let first = end &+ (try reader.zigzag())
      end = first &+ Int64(bitPattern: try reader.varint())
      guard first <= end else { throw BodyFault("frames of tick \(number) end before they begin") }
      let mustBeKept = try reader.byte()
      guard mustBeKept <= 1 else { throw BodyFault("mark \(mustBeKept) of tick \(number)") }
      let bytes = try reader.bytes(try reader.count(max: reader.remaining))
      ticks.append(
        TickRecord(
          number: number, instant: Instant(nanoseconds: instant), uptime: Uptime(nanoseconds: uptime), boot: boot,
          frames: first..<end, mustBeKept: mustBeKept == 1, bytes: bytes))
    }
    guard reader.remaining == 0 else { throw BodyFault("\(reader.remaining) bytes too many") }
    return ticks
  }
}
