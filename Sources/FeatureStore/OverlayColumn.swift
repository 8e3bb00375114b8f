// A column of n whole numbers in an overlay, n known from elsewhere:
//
//   byte     order of the differences, 0 to 2, in the two high bits; k, 0 to 62, in the low six
//   varint   divisor; 0: every residual is 0, and no bits follow
//   zigzag…  min(n, order) start values: the first number, then the first difference
//   varint   bytes of the bits
//   bits     per residual, z = zigzag(residual ÷ divisor): z >> k as so many ones and a zero, then the low k bits of z;
//            where z >> k is 24 or more, 24 ones and then the 64 bits of z (order: SeriesCodec/Bits.swift)
//
// Differences wrap at 64 bits. Source of the code: R. F. Rice, "Some practical universal noiseless coding techniques",
// JPL 79-22 (1979).

import SeriesCodec

enum OverlayColumn {
  private static let escape: UInt64 = 24
  private static let ordersMax = 3

  static func encode(_ values: [Int64], into writer: inout ByteWriter) {
    var best: Plan?
    var differences = values
    for order in 0..<min(ordersMax, max(1, values.count)) {
      if order > 0 { difference(&differences, from: order) }
      let plan = Plan(differences, order: order)
      if best.map({ plan.bits < $0.bits }) ?? true { best = plan }
    }
    guard let best else { return }
    writer.byte(UInt8(best.order) << 6 | UInt8(best.k))
    writer.varint(UInt64(best.divisor))
    for start in best.values.prefix(best.order) { writer.zigzag(start) }
    guard best.divisor > 0 else { return }
    var bits = BitWriter()
    for value in best.values.dropFirst(best.order) {
      let z = ByteWriter.zigzag(value / best.divisor)
      let quotient = z >> UInt64(best.k)
      if quotient >= escape {
        bits.put((1 << escape) - 1, width: Int(escape))
        bits.put(z, width: 64)
      } else {
        bits.put((1 << quotient) - 1, width: Int(quotient) + 1)
        bits.put(z, width: best.k)
      }
    }
    let packed = bits.finish()
    writer.varint(UInt64(packed.count))
    writer.append(packed)
  }

  static func decode(_ count: Int, from reader: inout ByteReader) throws(CodecFault) -> [Int64] {
    let head = try reader.byte()
    let (order, k) = (Int(head >> 6), Int(head & 63))
    guard order < ordersMax, k <= 62 else { throw CodecFault("order \(order), k \(k) of a column") }
    let divisor = try reader.varint()
    guard divisor <= UInt64(Int64.max) else { throw CodecFault("divisor \(divisor) of a column") }
    var values: [Int64] = []
    values.reserveCapacity(count)
    for _ in 0..<min(count, order) { values.append(try reader.zigzag()) }
    if divisor == 0 {
      values.append(contentsOf: repeatElement(0, count: count - values.count))
    } else {
      var bits = BitReader(try reader.bytes(try reader.count(max: reader.remaining)))
      try bits.takeRice(count - values.count, parameter: k, escape: Int(escape)) { z in
        values.append(ByteReader.signed(z) &* Int64(divisor))
      }
    }
    var span = values.mutableSpan
    for order in stride(from: order, to: 0, by: -1) where span.count > order {
      for index in order..<span.count { span[index] &+= span[index - 1] }
    }
    return values
  }

  /// Turns the differences of one order less into those of `order`, whose starts stay at the front.
  private static func difference(_ values: inout [Int64], from order: Int) {
    for index in stride(from: values.count - 1, through: order, by: -1) { values[index] &-= values[index - 1] }
  }

  /// A way to code the numbers, and what it costs.
  private struct Plan {
    var values: [Int64]
    var order: Int
    var divisor: Int64
    var k = 0
    var bits: Int

    init(_ values: [Int64], order: Int) {
      (self.values, self.order) = (values, order)
      let residuals = values.dropFirst(order)
      let common = residuals.reduce(UInt64(0)) { Self.divisor($0, $1.magnitude) }
      divisor = common > UInt64(Int64.max) ? 1 : Int64(common)
      var starts = ByteWriter()
      for start in values.prefix(order) { starts.zigzag(start) }
      bits = 8 * starts.bytes.count
      guard divisor > 0 else { return }
      // The best k lies near the logarithm of the mean.
      let sum = residuals.reduce(0.0) { $0 + Double(ByteWriter.zigzag($1 / divisor)) }
      let near = Int((sum / Double(max(1, residuals.count))).binade.exponent)
      var cheapest = Int.max
      for candidate in max(0, min(62, near - 2))...max(0, min(62, near + 2)) {
        var cost = 0
        for residual in residuals {
          let quotient = ByteWriter.zigzag(residual / divisor) >> UInt64(candidate)
          cost += quotient >= escape ? Int(escape) + 64 : Int(quotient) + 1 + candidate
          if cost >= cheapest { break }
        }
        if cost < cheapest { (cheapest, k) = (cost, candidate) }
      }
      bits += cheapest
    }

    /// The greatest common divisor; 0 only of 0 and 0.
    private static func divisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
      var (a, b) = (a, b)
      while b != 0 { (a, b) = (b, a % b) }
      return a
    }
  }
}
