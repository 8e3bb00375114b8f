// A body of ticks:
//
//   varint   length of the block
//   block    a body of SeriesCodec, group -1, layout 0, a row a tick: effective = the tick's instant, ticks = its
//            number, leads = instant − uptime; columns, all whole numbers:
//              0  boot
//              1  first frame minus the end of the frames of the row before (0 before the first)
//              2  frames carried
//              3  bit 0: must be kept; bit 1: its frames have an order of their own
//              4  bytes of the tick behind the block
//   bytes    of each tick, one behind the other: where bit 1 is set, the order as varints, one for each frame; then the
//            tick's own canonical bytes
//
// The frames of a tick are told by their group and then by their effective time, later arrivals last; so they come back
// without their sequence being kept. Where frames of one group did not come in order of effective time (the clock was
// set back between two polls), the order says for each frame, told so, its place among the frames of the tick.
//
// Differences wrap at 64 bits. Invariant: numbers rise.

import SeriesCodec
import TwinCore

/// Ticks out of a body. The bytes of each are cut out when its record is asked for.
struct TickBody {
  static let group: Int32 = -1
  /// Ticks in one body of an open day, and in one of a closed day.
  static let ticksMax = 4096
  static let coldTicksMax = 8192
  /// A body is closed when the ticks' own bytes are as many, though more ticks wait.
  static let bytesTarget = 1 << 20

  private static let forms = [ValueForm](repeating: .integer, count: 5)

  let numbers: [Int64]
  let instants: [Int64]
  private let leads: [Int64]
  private let columns: [[Int64]]
  private let firsts: [Int64]
  private let ends: [Int]
  private let bytes: [UInt8]
  /// By row, and where the tick's own bytes begin then.
  private let orders: [Int: (order: [Int], start: Int)]

  var count: Int { numbers.count }

  init(_ body: [UInt8]) throws(CodecFault) {
    var reader = ByteReader(body)
    let length = try reader.count(max: reader.remaining)
    let start = reader.offset
    guard length <= reader.remaining else { throw CodecFault("ends early") }
    let block = try BodyReader(Array(body[start..<start + length]), forms: Self.forms).block()
    (numbers, instants, leads) = (block.ticks, block.effective, block.leads)
    columns = block.columns.map(\.counts)
    guard zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw CodecFault("tick number that does not rise")
    }
    var (firsts, ends): ([Int64], [Int]) = ([], [])
    var orders: [Int: (order: [Int], start: Int)] = [:]
    var (end, offset): (Int64, Int) = (0, start + length)
    for row in numbers.indices {
      let first = end &+ columns[1][row]
      let (next, overflow) = first.addingReportingOverflow(columns[2][row])
      guard columns[2][row] >= 0, !overflow else { throw CodecFault("frames of a tick end before they begin") }
      guard columns[4][row] >= 0, columns[4][row] <= Int64(body.count - offset), columns[3][row] >> 2 == 0 else {
        throw CodecFault("bytes of tick \(numbers[row])")
      }
      end = next
      if columns[3][row] & 2 != 0 {
        orders[row] = try Self.order(columns[2][row], body, offset..<offset + Int(columns[4][row]))
      }
      offset += Int(columns[4][row])
      firsts.append(first)
      ends.append(offset)
    }
    guard offset == body.count else { throw CodecFault("\(body.count - offset) bytes too many") }
    (self.firsts, self.ends, bytes, self.orders) = (firsts, ends, body, orders)
  }

  private static func order(
    _ frames: Int64, _ body: [UInt8], _ range: Range<Int>
  ) throws(CodecFault) -> (order: [Int], start: Int) {
    guard frames <= Int64(range.count) else { throw CodecFault("an order of \(frames) frames") }
    var reader = ByteReader(body, in: range)
    var order: [Int] = []
    for _ in 0..<Int(frames) { order.append(try reader.count(max: Int(frames) - 1)) }
    guard Set(order).count == order.count else { throw CodecFault("an order with a place twice") }
    return (order, reader.offset)
  }

  /// The place of each frame; nil where they are told in their order.
  func order(_ row: Int) -> [Int]? { orders[row]?.order }

  func record(_ row: Int) -> TickRecord {
    TickRecord(
      number: numbers[row], instant: Instant(nanoseconds: instants[row]),
      uptime: Uptime(nanoseconds: instants[row] &- leads[row]), boot: columns[0][row],
      frames: firsts[row]..<firsts[row] + columns[2][row], mustBeKept: columns[3][row] & 1 == 1,
      bytes: Array(bytes[(orders[row]?.start ?? ends[row] - Int(columns[4][row]))..<ends[row]]))
  }

  /// `orders` by the tick's number.
  static func encode(_ ticks: ArraySlice<TickRecord>, orders: [Int64: [Int]] = [:], tier: Tier) -> [UInt8] {
    let parts = ticks.map { tick in
      guard let order = orders[tick.number] else { return tick.bytes }
      var writer = ByteWriter()
      for place in order { writer.varint(UInt64(place)) }
      return writer.bytes + tick.bytes
    }
    var firsts: [Int64] = []
    var end: Int64 = 0
    for tick in ticks {
      firsts.append(tick.frames.lowerBound &- end)
      end = tick.frames.upperBound
    }
    let columns = [
      ticks.map(\.boot), firsts, ticks.map { $0.frames.upperBound &- $0.frames.lowerBound },
      ticks.map { ($0.mustBeKept ? 1 : 0) | (orders[$0.number] == nil ? 0 : 2) }, parts.map { Int64($0.count) },
    ]
    let block = Block(
      group: group, layout: 0, effective: ticks.map(\.instant.nanoseconds), ticks: ticks.map(\.number),
      leads: ticks.map { $0.instant.nanoseconds &- $0.uptime.nanoseconds },
      columns: columns.map { Column(form: .integer, counts: $0) })
    let packed = BodyCodec.encode(block, tier: tier)
    var writer = ByteWriter(reserving: packed.count + 10 + parts.reduce(0) { $0 + $1.count })
    writer.varint(UInt64(packed.count))
    writer.append(packed)
    for part in parts { writer.append(part) }
    return writer.bytes
  }

  /// What is to be kept of the order in which a tick's frames came; nil where it goes without saying.
  static func order(of frames: ArraySlice<LaidFrame>) -> [Int]? {
    func key(_ laid: LaidFrame) -> (Int32, Instant) { (laid.frame.group, laid.frame.effective) }
    guard !zip(frames, frames.dropFirst()).allSatisfy({ key($0) <= key($1) }) else { return nil }
    return frames.indices.sorted {
      (key(frames[$0]).0, key(frames[$0]).1, $0) < (key(frames[$1]).0, key(frames[$1]).1, $1)
    }
    .map { $0 - frames.startIndex }
  }
}
