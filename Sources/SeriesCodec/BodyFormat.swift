// A body: the rows of one `Block`, packed. docs/series-format.md tells the same for a reader in another language.
//
// Numbers are varint, zigzag, word and raw as Bytes.swift says. A CRC is the CRC-32C of the bytes named. Sums,
// differences and products of numbers wrap at 64 bits.
//
//   head
//     byte     format << 4 | tier; format 1; tier 1 hot, 2 cold
//     zigzag   group
//     zigzag   layout version
//     varint   rows n, 1 to 65,536
//     varint   columns c, 0 to 4,096
//     byte     e, 0 to 9: times are in units of 10^e ns
//     zigzag   least effective time, units since 1970
//     varint   greatest effective time − least
//     zigzag   first tick
//     varint   last tick − first
//     varint   bytes of the times payload, at least 1
//     word     its CRC
//     varint   number of patterns of qualities p, at most c; then, where p > 0:
//     varint   bytes of the patterns payload
//     word     its CRC
//   directory
//     c entries, see Directory.swift
//   word       CRC of head and directory
//   payloads, one behind the other, to the end of the body
//     times    see Schedule.swift
//     patterns see QualityPatterns.swift, where p > 0
//     columns  in order, see ColumnPacking.swift; those without bytes are left out
//
// Invariants: ticks never fall; a row comes back bit for bit; the count of a row without value comes back as 0. The two
// tiers differ only in which stream codecs (IntegerStream.swift) the writer tries; a reader need not care. A column
// that a stream refers to refers to none itself, so nothing is read in a circle and three columns are the most that one
// needs.

enum BodyFormat {
  static let version: UInt8 = 1
  static let unitExponentMax: UInt8 = 9
  static let powersOfTen: [Int64] = (0...9).map { (0..<$0).reduce(1) { power, _ in power * 10 } }
}

/// What a body says of itself before its directory.
struct BodyHead: Sendable {
  var tier: Tier
  var group: Int32
  var layout: Int64
  var rows: Int
  var columns: Int
  var unitExponent: UInt8
  var effectiveMin: Int64
  var effectiveMax: Int64
  var tickFirst: Int64
  var tickLast: Int64

  /// Nanoseconds.
  var unit: Int64 { BodyFormat.powersOfTen[Int(unitExponent)] }

  init(_ block: Block, tier: Tier) {
    (self.tier, group, layout) = (tier, block.group, block.layout)
    (rows, columns) = (block.effective.count, block.columns.count)
    var (least, greatest) = (Int64.max, Int64.min)
    var exponent = Int(BodyFormat.unitExponentMax)
    for time in block.effective {
      (least, greatest) = (min(least, time), max(greatest, time))
      while time % BodyFormat.powersOfTen[exponent] != 0 { exponent -= 1 }
    }
    (effectiveMin, effectiveMax, unitExponent) = (least, greatest, UInt8(exponent))
    (tickFirst, tickLast) = (block.ticks[0], block.ticks[rows - 1])
  }

  func write(to writer: inout ByteWriter) {
    writer.byte(BodyFormat.version << 4 | tier.rawValue)
    writer.zigzag(Int64(group))
    writer.zigzag(layout)
    writer.varint(UInt64(rows))
    writer.varint(UInt64(columns))
    writer.byte(unitExponent)
    writer.zigzag(effectiveMin / unit)
    writer.varint(UInt64(bitPattern: effectiveMax / unit &- effectiveMin / unit))
    writer.zigzag(tickFirst)
    writer.varint(UInt64(bitPattern: tickLast &- tickFirst))
  }

  init(from reader: inout ByteReader) throws(CodecFault) {
    let format = try reader.byte()
    guard format >> 4 == BodyFormat.version, let tier = Tier(rawValue: format & 15) else {
      throw CodecFault("format \(format >> 4), tier \(format & 15)")
    }
    self.tier = tier
    guard let group = Int32(exactly: try reader.zigzag()) else { throw CodecFault("group of more than 32 bits") }
    self.group = group
    layout = try reader.zigzag()
    rows = try reader.count(max: Block.rowsMax)
    guard rows > 0 else { throw CodecFault("no rows") }
    columns = try reader.count(max: Block.columnsMax)
    unitExponent = try reader.byte()
    guard unitExponent <= BodyFormat.unitExponentMax else { throw CodecFault("unit 10^\(unitExponent) ns") }
    let unit = BodyFormat.powersOfTen[Int(unitExponent)]
    let least = try reader.zigzag()
    let greatest = Int64(bitPattern: UInt64(bitPattern: least) &+ (try reader.varint()))
    guard greatest >= least, !least.multipliedReportingOverflow(by: unit).overflow,
      !greatest.multipliedReportingOverflow(by: unit).overflow
    else { throw CodecFault("times beyond 64 bits") }
    (effectiveMin, effectiveMax) = (least * unit, greatest * unit)
    tickFirst = try reader.zigzag()
    tickLast = Int64(bitPattern: UInt64(bitPattern: tickFirst) &+ (try reader.varint()))
    guard tickLast >= tickFirst else { throw CodecFault("ticks that fall") }
  }
}
