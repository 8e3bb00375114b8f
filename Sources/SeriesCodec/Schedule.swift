// The times of a body's rows, as its times payload. Times t are in units of 10^e ns after the least effective time
// (both in the head); n rows.
//
//   varint   t[0]
//   varint   period P; 0: none, then k[i] = i and P below is 0
//   if P > 0
//     varint m, then m times: varint rows since the last one (the first: since row 0), 1 or more; zigzag step of k
//            k[0] = 0; in each other row k rises by 1
//   varint   bytes of the next stream
//   stream   t[i] − t[0] − k[i] × P
//   zigzag   ticks per step of k, S
//   varint   bytes of the next stream
//   stream   tick[i] − tick[0] − k[i] × S
//   zigzag   lead[0]
//   stream   lead[i] − lead[0], to the end of the payload
//
// Streams are those of IntegerStream.swift, without references.

/// Packs the three times of the rows, and unpacks them: the leads when they are asked for.
struct TimesCodec {
  private let bytes: [UInt8]
  private let rows: Int
  private var reader: ByteReader
  /// In units after the least, as bit patterns of unsigned numbers.
  var times: [Int64]
  /// Less the first.
  var ticks: [Int64]

  /// `times` are in units after the least one, and cannot overflow.
  static func encode(_ times: [UInt64], ticks: [Int64], leads: [Int64], tier: Tier) -> [UInt8] {
    let offsets = times.map { Int64(bitPattern: $0 &- times[0]) }
    var writer = ByteWriter()
    writer.varint(times[0])
    let found = times.max()! < 1 << 62 ? Schedule.find(offsets) : nil
    var timed = ByteWriter()
    if let found {
      timed.varint(UInt64(found.period))
      found.packSteps(into: &timed)
      append(IntegerCodec.encode(found.residuals(offsets), tier: tier), to: &timed)
    }
    var steps = found?.steps
    // A timetable that is kept well is not worth a second try.
    if found?.isStrict != true {
      var plain = ByteWriter()
      plain.varint(0)
      append(IntegerCodec.encode(offsets, tier: tier), to: &plain)
      if found == nil || plain.bytes.count <= timed.bytes.count { (timed, steps) = (plain, nil) }
    }
    writer.append(timed.bytes)
    encode(ticks, against: steps ?? (0..<times.count).map { Int64($0) }, tier: tier, into: &writer)
    writer.zigzag(leads[0])
    writer.append(IntegerCodec.encode(leads.map { $0 &- leads[0] }, tier: tier))
    return writer.bytes
  }

  private static func append(_ stream: [UInt8], to writer: inout ByteWriter) {
    writer.varint(UInt64(stream.count))
    writer.append(stream)
  }

  private static func encode(_ ticks: [Int64], against steps: [Int64], tier: Tier, into writer: inout ByteWriter) {
    // The ticks of most steps, told from the middle of a few.
    var rates: [Int64] = []
    for row in stride(from: 1, to: ticks.count, by: max(1, ticks.count / 31)) where steps[row] - steps[row - 1] == 1 {
      rates.append(ticks[row] &- ticks[row - 1])
    }
    rates.sort()
    let rate = rates.isEmpty ? 0 : rates[rates.count / 2]
    let residuals = ticks.indices.map { ticks[$0] &- ticks[0] &- steps[$0] &* rate }
    writer.zigzag(rate)
    append(IntegerCodec.encode(residuals, tier: tier), to: &writer)
  }

  /// Unpacks times and ticks.
  init(_ bytes: [UInt8], in range: Range<Int>, rows: Int) throws(CodecFault) {
    (self.bytes, self.rows) = (bytes, rows)
    var reader = ByteReader(bytes, in: range)
    let first = Int64(bitPattern: try reader.varint())
    let period = Int64(bitPattern: try reader.varint())
    let steps = period == 0 ? [Int64](0..<Int64(rows)) : try Schedule.readSteps(rows: rows, from: &reader)
    times = try Self.stream(bytes, length: try reader.count(max: reader.remaining), rows: rows, from: &reader)
    Self.add(steps, times: period, and: first, to: &times)
    let rate = try reader.zigzag()
    ticks = try Self.stream(bytes, length: try reader.count(max: reader.remaining), rows: rows, from: &reader)
    Self.add(steps, times: rate, and: 0, to: &ticks)
    self.reader = reader
  }

  func leads() throws(CodecFault) -> [Int64] {
    var reader = reader
    let lead = try reader.zigzag()
    var leads = try Self.stream(bytes, length: reader.remaining, rows: rows, from: &reader)
    for row in leads.indices { leads[row] &+= lead }
    return leads
  }

  private static func add(_ steps: [Int64], times factor: Int64, and constant: Int64, to rows: inout [Int64]) {
    let known = steps.span
    var span = rows.mutableSpan
    precondition(known.count == span.count, "a step a row")
    for row in span.indices {
      // In bounds: as many steps as rows.
      unsafe span[unchecked: row] &+= known[unchecked: row] &* factor &+ constant
    }
  }

  private static func stream(
    _ bytes: [UInt8], length: Int, rows: Int, from reader: inout ByteReader
  ) throws(CodecFault) -> [Int64] {
    let slice = try reader.slice(length)
    return try IntegerStream(bytes, in: slice.indices, columns: 0).values(rows, of: rows)
  }
}

/// The timetable that a group's polls keep: row i was due at `steps[i]` periods after the first.
struct Schedule {
  let period: Int64
  let steps: [Int64]
  /// Whether few rows are out of line, and rows keep close to their time.
  let isStrict: Bool

  /// Each step out of line takes bytes of its own; more of them than this share of the rows are no timetable.
  private static let irregularShare = 8
  /// A period is taken for a multiple of at most this.
  private static let roundUnitMax: Int64 = 1_000_000_000_000

  /// nil where the rows keep none.
  static func find(_ offsets: [Int64]) -> Schedule? {
    let rows = offsets.count
    guard rows >= 3 else { return nil }
    var sample: [Int64] = []
    for row in stride(from: 1, to: rows, by: max(1, rows / 127)) { sample.append(offsets[row] - offsets[row - 1]) }
    sample.sort()
    let usual = sample[sample.count / 2]
    guard usual > 0 else { return nil }
    // What the clock of the polls loses or gains against the times' shows in the whole length.
    var steps: Int64 = 0
    var spread = 0.0
    for row in 1..<rows {
      let difference = offsets[row] - offsets[row - 1]
      let step = Self.nearest(difference, usual)
      steps += step
      spread += Double((difference - step * usual).magnitude) / Double(rows)
    }
    guard steps > 0 else { return nil }
    let exact = Self.nearest(offsets[rows - 1], steps)
    // The roundest number that the jitter allows.
    var period = exact
    var unit: Int64 = 10
    while unit <= min(exact, Self.roundUnitMax) {
      let round = Self.nearest(exact, unit) * unit
      if Double((round - exact).magnitude) <= 8 * spread / Double(steps) + 1 { period = round }
      unit *= 10
    }
    guard period > 0 else { return nil }
    return Schedule(offsets, period: period)
  }

  private init?(_ offsets: [Int64], period: Int64) {
    self.period = period
    var steps: [Int64] = [0]
    steps.reserveCapacity(offsets.count)
    var (irregular, drift): (Int, Int64) = (0, 0)
    var wander = 0.0
    for row in 1..<offsets.count {
      // Slow drift against the timetable is followed, so that it makes no steps.
      let step = Self.nearest(offsets[row] - offsets[row - 1] + drift, period)
      let next = steps[row - 1] + step
      let late = offsets[row] - next * period
      let lateBefore = offsets[row - 1] - steps[row - 1] * period
      drift = (drift + late - lateBefore) / 2
      wander += Double((late - lateBefore).magnitude) / Double(offsets.count)
      if step != 1 { irregular += 1 }
      steps.append(next)
    }
    guard irregular <= offsets.count / Self.irregularShare else { return nil }
    self.steps = steps
    isStrict = irregular <= offsets.count / 64 && wander < Double(period) / 8
  }

  func residuals(_ offsets: [Int64]) -> [Int64] { offsets.indices.map { offsets[$0] - steps[$0] * period } }

  func packSteps(into writer: inout ByteWriter) {
    let irregular = (1..<steps.count).filter { steps[$0] - steps[$0 - 1] != 1 }
    writer.varint(UInt64(irregular.count))
    var last = 0
    for row in irregular {
      writer.varint(UInt64(row - last))
      writer.zigzag(steps[row] - steps[row - 1])
      last = row
    }
  }

  static func readSteps(rows: Int, from reader: inout ByteReader) throws(CodecFault) -> [Int64] {
    var steps = [Int64](repeating: 1, count: rows)
    steps[0] = 0
    var row = 0
    for _ in 0..<(try reader.count(max: rows - 1)) {
      let gap = try reader.count(max: rows - 1 - row)
      guard gap > 0 else { throw CodecFault("two steps in one row") }
      row += gap
      steps[row] = try reader.zigzag()
    }
    var span = steps.mutableSpan
    var sum: Int64 = 0
    for row in span.indices {
      sum &+= span[row]
      span[row] = sum
    }
    return steps
  }

  /// The whole number nearest to the quotient; `divisor` is positive.
  private static func nearest(_ dividend: Int64, _ divisor: Int64) -> Int64 {
    let doubled = dividend + (dividend < 0 ? -divisor / 2 : divisor / 2)
    return doubled / divisor
  }
}
