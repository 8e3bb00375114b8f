// A body's key, as it stands in record headers and indexes of day files:
//
//   byte     kind: 1 frames, 2 ticks, 3 rollups, 4 lapse (Lapse.swift)
//   byte     tier
//   zigzag   group
//   zigzag   layout version
//   zigzag   least effective time, nanoseconds since 1970
//   varint   greatest effective time minus the least, modulo 2^64
//   zigzag   first tick
//   varint   last tick minus the first, modulo 2^64
//   varint   rows, at most 2^31 - 1
//   varint   length of the body in bytes, 1 to lengthMax
//   32       BLAKE2b-256 of the body
//
// varint and zigzag as in SeriesCodec's Bytes.swift. From 2 + 8 + 32 = 42 to 2 + 5 + 5 × 10 + 5 + 4 + 32 = 98 bytes;
// about 65 in use. Invariants: least ≤ greatest, first ≤ last.

import SeriesCodec
import TwinCore

/// What a body holds.
enum BodyKind: UInt8, Sendable, CaseIterable {
  case frames = 1
  case ticks = 2
  case rollup = 3
  /// Where values were that are not kept any more; in closed files.
  case lapse = 4
}

/// What is told about a body without reading it.
struct BodyKey: Sendable, Equatable {
  static let lengthMax = 64 << 20
  /// Of the bytes that `write` makes.
  static let encodedMin = 42
  static let encodedMax = 98

  var kind: BodyKind
  /// 0 where the kind has none; likewise `layout`.
  var group: Int32
  var layout: Int64
  /// Nanoseconds since 1970; both ends count.
  var effectiveMin: Int64
  var effectiveMax: Int64
  var tickFirst: Int64
  var tickLast: Int64
  var rows: Int
  /// `Tier.rawValue` of the packing; 0 where the kind has none.
  var tier: UInt8
  /// Of the body's bytes.
  var hash: Digest
  /// In bytes.
  var length: Int

  init(
    kind: BodyKind, group: Int32, layout: Int64, effective: ClosedRange<Int64>, ticks: ClosedRange<Int64>, rows: Int,
    tier: UInt8, hash: Digest, length: Int
  ) {
    (self.kind, self.group, self.layout) = (kind, group, layout)
    (effectiveMin, effectiveMax) = (effective.lowerBound, effective.upperBound)
    (tickFirst, tickLast) = (ticks.lowerBound, ticks.upperBound)
    (self.rows, self.tier, self.hash, self.length) = (rows, tier, hash, length)
  }

  func write(into writer: inout ByteWriter) {
    writer.byte(kind.rawValue)
    writer.byte(tier)
    writer.zigzag(Int64(group))
    writer.zigzag(layout)
    writer.zigzag(effectiveMin)
    writer.varint(UInt64(bitPattern: effectiveMax &- effectiveMin))
    writer.zigzag(tickFirst)
    writer.varint(UInt64(bitPattern: tickLast &- tickFirst))
    writer.varint(UInt64(rows))
    writer.varint(UInt64(length))
    writer.append(hash.bytes)
  }

  init(from reader: inout ByteReader) throws(CodecFault) {
    let code = try reader.byte()
    guard let kind = BodyKind(rawValue: code) else { throw CodecFault("kind of body \(code)") }
    let tier = try reader.byte()
    let number = try reader.zigzag()
    guard let group = Int32(exactly: number) else { throw CodecFault("group \(number)") }
    let layout = try reader.zigzag()
    let effectiveMin = try reader.zigzag()
    let effectiveMax = effectiveMin &+ Int64(bitPattern: try reader.varint())
    let tickFirst = try reader.zigzag()
    let tickLast = tickFirst &+ Int64(bitPattern: try reader.varint())
    guard effectiveMin <= effectiveMax, tickFirst <= tickLast else { throw CodecFault("a range that ends early") }
    let rows = try reader.count(max: Int(Int32.max))
    let length = try reader.count(max: Self.lengthMax)
    guard length > 0 else { throw CodecFault("an empty body") }
    guard let hash = Digest(bytes: try reader.bytes(32)) else { throw CodecFault("hash") }
    self.init(
      kind: kind, group: group, layout: layout, effective: effectiveMin...effectiveMax, ticks: tickFirst...tickLast,
      rows: rows, tier: tier, hash: hash, length: length)
  }
}
