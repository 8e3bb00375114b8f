// A cold column: whole numbers v[0] … v[n−1] of 64 bits, n known from outside, coded by an adaptive model; R (0 to 3)
// reference columns r[j][0 … n−1] that the reader has already. Sums and products wrap at 64 bits; >> of a signed number
// rounds down; log2 size |x| = bits of |x|, 0 for 0. Numbers in the head are varint and zigzag as Bytes.swift says.
//
//   no bytes   n = 0
//   byte       form: 0 raw, 1 constant, 2 plain, 3 tracked, 4 explained
//   raw        n × 8 bytes, little endian; nothing behind them
//   constant   zigzag value of all rows; nothing behind it
//   2, 3, 4    zigzag least; varint step; varint span; byte start class b, 0 to 30; below,
//              u = (v − least) / step, 0 ≤ u ≤ span, is coded
//   2 plain    byte order, 0 to 2; decisions
//   3 tracked  span < 2^36; byte gains, an index into the table; decisions
//   4 explained  as tracked, and behind the gains R zigzag coefficients c[j]; decisions
//
// PREDICTION of u[i] is a whole number w and a rest f, −32,768 ≤ f < 32,768, in 65,536ths; the residual is u[i] − w.
//   plain      f = 0; w = 0 (order 0), u[i−1] (1), 2u[i−1] − u[i−2] (2); what lies before row 0 is 0, and u[−1] = u[0]
//   tracked    level L, trend T, spread S, age a begin as 0, 0, 65,536, 0. e[i] = Σ c[j] × s[j][i], 0 without
//              coefficients, where s[j] = r[j] − min r[j], or 0 if max r[j] − min r[j] ≥ 2^32.
//              y = L + T + e[i] clamped to 0 … span × 65,536; w = (y + 32,768) >> 16; f = y − 65,536w. Then with
//              d = 65,536u − e − L − T, z = min(|d|, 2^54), level gain g, trend gain h and jump J of the table:
//              if a = 0, or J > 0 and z > J × S: L = 65,536u − e, a = 1
//              else a += 1; G = max(g, 256 / a) while a < 256, then g; L += T + (d × G >> 8); T += (d × h >> 12)
//              in both cases S = max(S + ((min(z, 4S) − S) >> 5), 4096)
//   gains      index: g, h, J.  0: 256, 0, 0   1: 128, 0, 0   2: 64, 0, 6   3: 48, 0, 0   4: 16, 0, 6   5: 8, 0, 6
//              6: 90, 8, 0   7: 90, 0, 0   8: 256, 4096, 0   9: 0, 0, 0   10: 4, 0, 0   11: 32, 0, 0
//
// DECISIONS. If f < 0, the residual's sign is turned. Its class k is its log2 size, 0 to 64. History before row 0 is 0.
//   1  bit "k > b", node b
//      1: then bits "k > j", j = b + 1, b + 2 …, node min(j, 31), up to the first 0 or j = 63
//      0: then bits "k < j", j = b, b − 1 … 1, node 31 + j, up to the first 0
//   2  if k > 0: bit "is negative", node 64 + min(k, 15)
//   3  if k > 1: the bits of the size behind its leading one, from the top; the first two (at most) are digits, node
//      4 × min(k − 2, 23) + the bits read so far (1, then 2 or 3); the others even bits, all at once
//   Then, from the residual x turned back, m = min(|x|, 2^40) × 256: fast += (m − fast) >> 3; slow += (m − slow) >> 6.
// Contexts of a bit in 1 and 2 (each has its own 80 states, one a node):
//   A  20 × min(k of the row before, 9) + 2 × min(k two rows before, 9) + t; t = 1 if either f < 0 or the residual of
//      the row before was negative, but not both
//   B  8 × min(H(fast), 39) + min(|f| >> 12, 7); H(m): q = m >> 4; q if q < 2, else 2p + bit p − 1 of q, where p is
//      its log2 size − 1
//   C  span < 64: u[i−1] (0 in row 0); else min(H(slow), 63)
//   D  (R > 0) code of columns 0 and 1;  E (R > 0) code of columns 1 and 2. The code of columns p and q in row i > 0:
//      16 × min(log2 size of s[p][i] − s[p][i−1], 15) + the same of q, but bit 0 replaced: 1 if the change of p is
//      negative; bit 0 flipped if f < 0. Column q = p where there is no q; 0 but for the flip in row 0 or without p
// Contexts of a digit (96 states each): F  H(fast) − 2k clamped to −4 … 3;  G  span < 64: C; else min(|f| >> 12, 7)
//
// A STATE is a probability of a one p (22 bits) and a count q (10 bits), first 2^21 and 0. After a bit:
//   p += ((goal − p) × floor(131,072 / (2q + 3))) >> 16, goal 0 or 2^22 − 1; q += 1 while q < 255.
// MIXING (1 and 2). Each node has a weight for each context, first 20,000 without references, 13,000 with. Logits
//   x = round(256 ln(z / (1 − z))), z = (floor(p / 1024) + ½) / 4096. M = (Σ weight × x) >> 16 within −2,816 … 2,815.
//   P = round(65,536 / (1 + e^(−M / 256))), at most 65,535. After the bit each weight +=
//   (x × (65,536 bit − P) × 20 + 2^19) >> 20, kept to 32 bits.
// A digit is not mixed: P = floor(p of F / 128) + floor(p of G / 128) within 32 … 65,504.
//
// THE CODER narrows an interval: low = 0, range = 2^48. Bit of probability P: bound = (range >> 16) × P; a one: range =
// bound; a zero: low += bound, range −= bound. Even bits in parts of at most 16 from the top: range >>= part's length;
// low += range × part. After each bit or part, while range < 2^32: out go two bytes, bits 47 … 32 of low (a bit 48 is
// carried into the bytes before), range and low move up by 16 bits. The number coded is any in the last interval, its
// trailing zero bytes left out: a reader puts zeros behind the last byte. It starts with 6 bytes in hand.
//
// Invariants: a writer's u never leaves 0 … span, a reader that meets one that does has damaged bytes. No other bytes,
// however bent, are told from right ones here: the payload's CRC does that.

/// Codes columns of whole numbers for the cold tier: small before fast.
enum ColdCoder {
  /// Tracked values have 16 fractional bits and room for the gains' products.
  static let trackedSpan: UInt64 = 1 << 36

  private enum Form: UInt8 {
    case raw = 0
    case constant, plain, tracked, explained
  }

  static func encode(_ values: [Int64], references: [[Int64]]) -> [UInt8] {
    precondition(references.count <= ColdReferences.countMax, "at most three references")
    precondition(references.allSatisfy { $0.count == values.count }, "a reference has the column's rows")
    guard let least = values.min(), let most = values.max() else { return [] }
    var writer = ByteWriter()
    if least == most {
      writer.byte(Form.constant.rawValue)
      writer.zigzag(least)
      return writer.bytes
    }
    let step = greatestStep(values, from: least)
    let offsets = values.map { UInt64(bitPattern: $0 &- least) }.map { step == 1 ? $0 : $0 / step }
    let span = UInt64(bitPattern: most &- least) / step
    let known = ColdReferences(references)
    let (plan, start) = ColdSearch(offsets, span: span, references: known).plan()
    write(plan, &writer, least: least, step: step, span: span, start: start)
    var coder = RangeEncoder(behind: writer.bytes)
    _ = run(plan, rows: values.count, span: span, start: start, references: known, known: offsets, &coder)
    let coded = coder.finish()
    guard coded.count > 1 + 8 * values.count else { return coded }
    writer.bytes = [Form.raw.rawValue]
    for value in values { writer.raw(UInt64(bitPattern: value)) }
    return writer.bytes
  }

  static func decode(_ bytes: ArraySlice<UInt8>, rows: Int, references: [[Int64]]) throws(CodecFault) -> [Int64] {
    precondition(references.allSatisfy { $0.count == rows }, "a reference has the column's rows")
    let bytes = Array(bytes)
    return try decode(bytes, in: bytes.indices, rows: rows, wanted: rows, ColdReferences(references))
  }

  /// The first `wanted` of the rows.
  static func decode(
    _ bytes: [UInt8], in range: Range<Int>, rows: Int, wanted: Int, _ references: ColdReferences
  ) throws(CodecFault) -> [Int64] {
    precondition(references.columns.count <= ColdReferences.countMax, "at most three references")
    precondition(wanted <= rows, "as many rows as there are")
    precondition(references.columns.allSatisfy { $0.count >= wanted }, "a reference has the column's rows")
    guard rows > 0 else {
      guard range.isEmpty else { throw CodecFault("\(range.count) bytes for no row") }
      return []
    }
    var reader = ByteReader(bytes, in: range)
    let code = try reader.byte()
    guard let form = Form(rawValue: code) else { throw CodecFault("form \(code) of a cold column") }
    switch form {
    case .raw:
      guard reader.remaining / 8 == rows, reader.remaining % 8 == 0 else {
        throw CodecFault("\(reader.remaining) bytes for \(rows) raw values")
      }
      var values: [Int64] = []
      values.reserveCapacity(wanted)
      for _ in 0..<wanted { values.append(Int64(bitPattern: try reader.raw())) }
      return values
    case .constant:
      let value = try reader.zigzag()
      guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes behind a constant") }
      return [Int64](repeating: value, count: wanted)
    case .plain, .tracked, .explained:
      let least = try reader.zigzag()
      let step = try reader.varint()
      let span = try reader.varint()
      let start = try reader.byte()
      guard start <= 30 else { throw CodecFault("start \(start) of the classes") }
      let plan = try plan(form, span: span, references: references.columns.count, &reader)
      var coder = RangeDecoder(bytes, in: reader.offset..<range.upperBound)
      guard
        let offsets = run(plan, rows: wanted, span: span, start: Int(start), references: references, known: [], &coder)
      else {
        throw CodecFault("a value beyond its column's span")
      }
      return offsets.map { least &+ Int64(bitPattern: $0 &* step) }
    }
  }

  private static func write(
    _ plan: ColdPlan, _ writer: inout ByteWriter, least: Int64, step: UInt64, span: UInt64, start: Int
  ) {
    func begin(_ form: Form) {
      writer.byte(form.rawValue)
      writer.zigzag(least)
      writer.varint(step)
      writer.varint(span)
      writer.byte(UInt8(start))
    }
    switch plan {
    case .track(let gains, let coefficients):
      begin(coefficients.isEmpty ? .tracked : .explained)
      writer.byte(UInt8(gains))
      for coefficient in coefficients { writer.zigzag(coefficient) }
    case .plain(let order):
      begin(.plain)
      writer.byte(UInt8(order))
    }
  }

  private static func plan(
    _ form: Form, span: UInt64, references: Int, _ reader: inout ByteReader
  ) throws(CodecFault) -> ColdPlan {
    switch form {
    case .plain:
      let order = try reader.byte()
      guard order <= 2 else { throw CodecFault("order \(order) of a prediction") }
      return .plain(order: Int(order))
    default:
      guard span < trackedSpan else { throw CodecFault("span \(span) of a tracked column") }
      let gains = try reader.byte()
      guard Int(gains) < ColdPlan.gains.count else { throw CodecFault("gains \(gains)") }
      var coefficients: [Int64] = []
      if form == .explained { for _ in 0..<references { coefficients.append(try reader.zigzag()) } }
      return .track(gains: Int(gains), coefficients: coefficients)
    }
  }

  private static func run<Coder: DecisionCoder>(
    _ plan: ColdPlan, rows: Int, span: UInt64, start: Int, references: ColdReferences, known: [UInt64],
    _ coder: inout Coder
  ) -> [UInt64]? {
    switch plan {
    case .track(let gains, let coefficients):
      let explained = references.explained(coefficients, rows: rows)
      return walk(
        TrackPredictor(ColdPlan.gains[gains], span: span, explained: explained), rows, span, start, references, known,
        &coder)
    case .plain(let order): return walk(PlainPredictor(order: order), rows, span, start, references, known, &coder)
    }
  }

  /// Every row's residual through the model; the values, nil when one lies beyond the span.
  private static func walk<Predictor: ColdPredictor, Coder: DecisionCoder>(
    _ fresh: Predictor, _ rows: Int, _ span: UInt64, _ start: Int, _ references: ColdReferences, _ known: [UInt64],
    _ coder: inout Coder
  ) -> [UInt64]? {
    references.columns.isEmpty
      ? walk(fresh, AloneKind.self, rows, span, start, references, known, &coder)
      : walk(fresh, LeaningKind.self, rows, span, start, references, known, &coder)
  }

  private static func walk<Predictor: ColdPredictor, Kind: ColdModelKind, Coder: DecisionCoder>(
    _ fresh: Predictor, _ kind: Kind.Type, _ rows: Int, _ span: UInt64, _ start: Int, _ references: ColdReferences,
    _ known: [UInt64], _ coder: inout Coder
  ) -> [UInt64]? {
    var predictor = fresh
    var model = ColdModel<Kind>(span: span, start: start)
    var stateArray = model.states
    var weightArray = model.weights
    var states = stateArray.mutableSpan
    var weights = weightArray.mutableSpan
    let first = references.codes(0, 1, rows: rows)
    let second = references.codes(1, 2, rows: rows)
    var values = [UInt64](repeating: 0, count: rows)
    var context = ColdModel<Kind>.Row()
    for row in 0..<rows {
      let (whole, rest) = predictor.predict(row)
      context.isBelow = rest < 0
      context.distance = Int(min(rest.magnitude >> 12, 7))
      let turn = context.isBelow ? 1 : 0
      if Kind.hasReferences { (context.first, context.second) = (Int(first[row]) ^ turn, Int(second[row]) ^ turn) }
      let residual = known.isEmpty ? 0 : Int64(bitPattern: known[row] &- whole)
      let value = whole &+ UInt64(bitPattern: model.residual(residual, context, &coder, &states, &weights))
      guard value <= span else { return nil }
      values[row] = value
      predictor.update(row, value)
      context.previous = value
    }
    return values
  }

  private static func greatestStep(_ values: [Int64], from least: Int64) -> UInt64 {
    var step: UInt64 = 0
    for value in values where step != 1 {
      var (a, b) = (step, UInt64(bitPattern: value &- least))
      while b != 0 { (a, b) = (b, a % b) }
      step = a
    }
    return step
  }
}
