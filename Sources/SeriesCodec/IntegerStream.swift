// A stream of whole numbers u[0] = 0, u[1], … u[n−1]; n is known from outside. Arithmetic wraps at 64 bits.
//
//   no bytes    every u is 0
//   byte        codec, + 16 if a divisor follows
//   varint      the divisor, 2 or more: what follows codes u / divisor
//   then for codec
//   1 line      zigzag step; u[i] = i × step
//   2 runs      varint changes, then for each: varint rows since the last change (the first: since row 0), 1 or more;
//               zigzag change. Between changes u stays
//   3 offset    zigzag least; residuals
//   4 delta     zigzag bias; residuals
//   5 curve     residuals
//   6 level     byte order << 7 | shift (0 to 16); byte jump, 0 to 63; residuals
//   7 linear    byte p, 1 to 16; byte shift, 1 to 15; p bytes a[1…p], two's complement; residuals
//   8 cold      varint number of references, 0 to 3; for each the varint index of the column; then what ColdCoder
//               packed
// The residuals (ResidualCodec.swift) are of rows 1…n−1 under the predictor of that name (Predictor.swift).

/// The head of a stream of whole numbers, and how to read the rest.
struct IntegerStream {
  enum Codec: UInt8 {
    case line = 1
    case runs, offset, delta, curve, level, linear, cold
  }

  static let divisorFlag: UInt8 = 16
  static let referencesMax = 3

  private let bytes: [UInt8]
  private let body: Range<Int>
  private let codec: Codec?
  private let divisor: Int64
  /// Columns without which this one cannot be read.
  let references: [Int]

  init(_ bytes: [UInt8], in range: Range<Int>, columns: Int) throws(CodecFault) {
    self.bytes = bytes
    guard !range.isEmpty else {
      (body, codec, divisor, references) = (range, nil, 1, [])
      return
    }
    var reader = ByteReader(bytes, in: range)
    let head = try reader.byte()
    guard let codec = Codec(rawValue: head & ~Self.divisorFlag) else { throw CodecFault("codec \(head)") }
    var divisor: Int64 = 1
    if head & Self.divisorFlag != 0 {
      let value = try reader.varint()
      guard value >= 2, value <= UInt64(Int64.max) else { throw CodecFault("divisor \(value)") }
      divisor = Int64(value)
    }
    var references: [Int] = []
    if codec == .cold {
      for _ in 0..<(try reader.count(max: Self.referencesMax)) {
        guard columns > 0 else { throw CodecFault("reference where there is no column") }
        references.append(try reader.count(max: columns - 1))
      }
    }
    (self.codec, self.divisor, self.references) = (codec, divisor, references)
    body = reader.offset..<range.upperBound
  }

  /// The first `wanted` of the `count` numbers; `references` are those columns' rows, as many at least.
  ///
  /// Whether the bytes are right up to the last one is told only where all numbers are wanted.
  func values(
    _ wanted: Int, of count: Int, _ references: ColdReferences = ColdReferences()
  ) throws(CodecFault) -> [Int64] {
    precondition((1...count).contains(wanted), "a stream has as many numbers as are wanted of it")
    precondition(references.columns.count == self.references.count, "a stream is read with all its references")
    if codec == .cold {
      var rows = try ColdCoder.decode(bytes, in: body, rows: count, wanted: wanted, references)
      if divisor > 1 { Self.multiply(&rows, by: divisor) }
      return rows
    }
    var rows = [Int64](repeating: 0, count: wanted)
    switch codec {
    case nil, .cold: return rows
    case .line: try readLine(into: &rows)
    case .runs: try readRuns(into: &rows, of: count)
    case .offset, .delta, .curve, .level, .linear: try readResiduals(into: &rows, isWhole: wanted == count)
    }
    if divisor > 1 { Self.multiply(&rows, by: divisor) }
    return rows
  }

  private static func multiply(_ rows: inout [Int64], by divisor: Int64) {
    var span = rows.mutableSpan
    for index in span.indices { span[index] &*= divisor }
  }

  private func readLine(into rows: inout [Int64]) throws(CodecFault) {
    var reader = ByteReader(bytes, in: body)
    let step = try reader.zigzag()
    guard reader.remaining == 0 else { throw CodecFault("bytes behind a line") }
    for index in rows.indices { rows[index] = Int64(index) &* step }
  }

  private func readRuns(into rows: inout [Int64], of count: Int) throws(CodecFault) {
    var reader = ByteReader(bytes, in: body)
    var (row, value): (Int, Int64) = (0, 0)
    for _ in 0..<(try reader.count(max: count - 1)) {
      let length = try reader.count(max: count - 1 - row)
      guard length > 0 else { throw CodecFault("empty run") }
      for index in min(row, rows.count)..<min(row + length, rows.count) { rows[index] = value }
      row += length
      value &+= try reader.zigzag()
    }
    guard reader.remaining == 0 else { throw CodecFault("bytes behind the last run") }
    for index in min(row, rows.count)..<rows.count { rows[index] = value }
  }

  private func readResiduals(into rows: inout [Int64], isWhole: Bool) throws(CodecFault) {
    var reader = ByteReader(bytes, in: body)
    let predictor: Predictor
    switch codec {
    case .offset: predictor = .offset(least: try reader.zigzag())
    case .delta: predictor = .delta(bias: try reader.zigzag())
    case .level:
      let (head, jump) = (try reader.byte(), try reader.byte())
      guard head & 0x7F <= Predictor.levelShiftMax, jump < 64 else { throw CodecFault("level \(head), \(jump)") }
      predictor = .level(order: head >> 7, shift: head & 0x7F, jump: jump)
    case .linear:
      let (order, shift) = (try reader.byte(), try reader.byte())
      guard (1...UInt8(LinearFit.orderMax)).contains(order), (1...15).contains(shift) else {
        throw CodecFault("linear predictor of order \(order), shift \(shift)")
      }
      let coefficients = try reader.slice(Int(order)).map { Int64(Int8(bitPattern: $0)) }
      predictor = .linear(coefficients: coefficients, shift: shift)
    default: predictor = .curve
    }
    let packed = try reader.slice(reader.remaining)
    var span = rows.mutableSpan
    try ResidualCodec.decode(unsafe packed.span.bytes, into: &span, isWhole: isWhole)
    predictor.undo(&span)
  }
}
