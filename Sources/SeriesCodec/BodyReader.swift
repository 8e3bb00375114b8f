internal import TwinCore

/// A body whose head, directory and checksums are good; its payloads are unpacked when asked for.
public struct BodyReader: Sendable {
  private let bytes: [UInt8]
  private let head: BodyHead
  private let forms: [ValueForm]
  private let entries: [DirectoryEntry]
  private let payloads: [Range<Int>]
  private let timesRange: Range<Int>
  private let patterns: QualityPatterns

  public var group: Int32 { head.group }
  public var layout: Int64 { head.layout }
  public var rows: Int { head.rows }
  public var columns: Int { head.columns }
  public var tier: Tier { head.tier }
  /// Nanoseconds since 1970.
  public var effectiveMin: Int64 { head.effectiveMin }
  public var effectiveMax: Int64 { head.effectiveMax }
  public var tickFirst: Int64 { head.tickFirst }
  public var tickLast: Int64 { head.tickLast }
  /// Every effective time is a multiple of as many nanoseconds.
  public var unit: Int64 { head.unit }

  /// Refuses a body that is damaged, or whose columns are not of these forms.
  ///
  /// `isChecked`: all bytes were compared with a checksum just now, so that those inside need not be.
  public init(_ bytes: [UInt8], forms: [ValueForm], isChecked: Bool = false) throws(CodecFault) {
    (self.bytes, self.forms) = (bytes, forms)
    var reader = ByteReader(bytes)
    head = try BodyHead(from: &reader)
    guard head.columns == forms.count else {
      throw CodecFault("\(head.columns) columns where the layout has \(forms.count)")
    }
    let timesLength = try reader.count(max: bytes.count)
    let timesChecksum = try reader.word()
    let patternCount = try reader.count(max: head.columns)
    var (patternsLength, patternsChecksum): (Int, UInt32) = (0, 0)
    if patternCount > 0 {
      patternsLength = try reader.count(max: bytes.count)
      patternsChecksum = try reader.word()
    }
    var entries: [DirectoryEntry] = []
    entries.reserveCapacity(forms.count)
    for form in forms { entries.append(try DirectoryEntry(from: &reader, form: form, patterns: patternCount)) }
    let directoryEnd = reader.offset
    let directorySum = try reader.word()
    guard isChecked || directorySum == Checksum.crc32c(bytes[..<directoryEnd]) else {
      throw CodecFault("directory's checksum")
    }
    func payload(_ length: Int, _ checksum: UInt32) throws(CodecFault) -> Range<Int> {
      let slice = try reader.slice(length)
      guard isChecked || length == 0 || Checksum.crc32c(slice) == checksum else {
        throw CodecFault("a payload's checksum")
      }
      return slice.indices
    }
    timesRange = try payload(timesLength, timesChecksum)
    let patternsRange = try payload(patternsLength, patternsChecksum)
    var payloads: [Range<Int>] = []
    payloads.reserveCapacity(entries.count)
    for entry in entries { payloads.append(try payload(entry.payloadLength, entry.checksum)) }
    guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
    patterns = try QualityPatterns(bytes, in: patternsRange, number: patternCount, rows: head.rows)
    (self.entries, self.payloads) = (entries, payloads)
    for index in entries.indices { _ = try summary(index) }
  }

  /// One entry a column.
  public var directory: [ColumnSummary] {
    entries.indices.map { index in
      guard let summary = try? summary(index) else { preconditionFailure("a summary that was good when it was read") }
      return summary
    }
  }

  private func summary(_ index: Int) throws(CodecFault) -> ColumnSummary {
    let pattern = entries[index].pattern.map { patterns.patterns[$0] }
    return try entries[index].columnSummary(rows: rows, count: pattern?.count ?? rows, bad: pattern?.bad ?? 0)
  }

  /// Rows of a column that have a value.
  private func count(_ index: Int) -> Int { entries[index].pattern.map { patterns.patterns[$0].count } ?? rows }

  /// One entry a row in each array: nanoseconds since 1970, tick, nanoseconds of effective minus uptime.
  public func times() throws(CodecFault) -> (effective: [Int64], ticks: [Int64], leads: [Int64]) {
    var decoder = try TimesCodec(bytes, in: timesRange, rows: rows)
    try resolve(&decoder.times, &decoder.ticks)
    return (decoder.times, decoder.ticks, try decoder.leads())
  }

  /// As `times`, without the leads.
  public func instants() throws(CodecFault) -> (effective: [Int64], ticks: [Int64]) {
    var decoder = try TimesCodec(bytes, in: timesRange, rows: rows)
    try resolve(&decoder.times, &decoder.ticks)
    return (decoder.times, decoder.ticks)
  }

  /// Turns units after the least into nanoseconds, and ticks after the first into ticks.
  private func resolve(_ times: inout [Int64], _ ticks: inout [Int64]) throws(CodecFault) {
    let (unit, least) = (head.unit, head.effectiveMin / head.unit)
    let span = UInt64(bitPattern: head.effectiveMax / head.unit &- least)
    var (reachesLeast, reachesGreatest, isInside, isRising) = (false, false, true, true)
    var lastTick = head.tickFirst
    var timeSpan = times.mutableSpan
    var tickSpan = ticks.mutableSpan
    for row in 0..<rows {
      // In bounds: both have an element a row.
      let time = unsafe UInt64(bitPattern: timeSpan[unchecked: row])
      let tick = unsafe tickSpan[unchecked: row] &+ head.tickFirst
      if time > span { isInside = false }
      if time == 0 { reachesLeast = true }
      if time == span { reachesGreatest = true }
      if tick < lastTick { isRising = false }
      lastTick = tick
      unsafe timeSpan[unchecked: row] = (least &+ Int64(bitPattern: time)) &* unit
      unsafe tickSpan[unchecked: row] = tick
    }
    guard isInside else { throw CodecFault("time outside the head's") }
    guard isRising else { throw CodecFault("ticks that fall") }
    guard reachesLeast, reachesGreatest, lastTick == head.tickLast else {
      throw CodecFault("times that are not the head's")
    }
  }

  /// The rows of the column at `index`, which must be one of the body's.
  public func column(_ index: Int) throws(CodecFault) -> Column {
    precondition((0..<columns).contains(index), "a column of the body")
    var known: [Int: [Int64]] = [:]
    return try column(index, known: &known)
  }

  /// Rows 0 to `end` − 1 of the column at `index`, 1 or more, without their measures: what lies behind them is not
  /// unpacked.
  public func column(_ index: Int, through end: Int) throws(CodecFault) -> Column {
    precondition((0..<columns).contains(index) && (1...rows).contains(end), "rows of a column of the body")
    let entry = entries[index]
    var column = Column(form: forms[index], counts: [])
    let valued = try qualities(of: index, into: &column.qualities)
    var reader = ByteReader(bytes, in: payloads[index])
    if entry.hasExceptions { column.exceptions = try UnpackedColumn.exceptions(&reader, rows: rows, valued) }
    if entry.hasMeasures { try UnpackedColumn.skipMeasures(&reader, rows: rows) }
    if end < rows {
      column.qualities = Array(column.qualities.prefix(end))
      column.exceptions.removeAll { $0.row >= end }
    }
    let stream = reader.offset..<payloads[index].upperBound
    let wanted = valued.map { $0[..<end].count { $0 } } ?? end
    let numbers = try wanted > 0 ? firstNumbers(index, wanted, stream: stream, valued) : []
    column.counts = try UnpackedColumn.counts(
      numbers, base: entry.base, entry.form, valued.map { Array($0[..<end]) }, exceptions: &column.exceptions,
      rows: end)
    return column
  }

  /// Number − base of the first `wanted` rows that have a value.
  private func firstNumbers(
    _ index: Int, _ wanted: Int, stream range: Range<Int>, _ valued: [Bool]?
  ) throws(CodecFault) -> [Int64] {
    let stream = try IntegerStream(bytes, in: range, columns: columns)
    var known: [Int: [Int64]] = [:]
    var references = ColdReferences()
    for reference in stream.references {
      if valued == nil, let ends = entries[reference].span, count(reference) == rows {
        let numbers = try plainNumbers(reference, wanted, known: &known).numbers
        references.append(numbers, from: ends.least, to: ends.greatest)
      } else {
        // What a reference tells begins at the least of all its rows that are told.
        let (numbers, itsValued) = try plainNumbers(reference, known: &known)
        references.append(References.aligned(numbers, itsValued, to: valued))
      }
    }
    return try stream.values(wanted, of: count(index), references)
  }

  /// Everything that was packed.
  public func block() throws(CodecFault) -> Block {
    let times = try times()
    var known: [Int: [Int64]] = [:]
    var list: [Column] = []
    list.reserveCapacity(columns)
    for index in 0..<columns { list.append(try column(index, known: &known)) }
    return Block(
      group: group, layout: layout, effective: times.effective, ticks: times.ticks, leads: times.leads, columns: list)
  }

  private func column(_ index: Int, known: inout [Int: [Int64]]) throws(CodecFault) -> Column {
    let entry = entries[index]
    var column = Column(form: forms[index], counts: [])
    let valued = try qualities(of: index, into: &column.qualities)
    var reader = ByteReader(bytes, in: payloads[index])
    if entry.hasExceptions { column.exceptions = try UnpackedColumn.exceptions(&reader, rows: rows, valued) }
    if entry.hasMeasures { column.measures = try UnpackedColumn.measures(&reader, bytes: bytes, rows: rows) }
    let numbers = try numbers(index, stream: reader.offset..<payloads[index].upperBound, valued, known: &known)
    column.counts = try UnpackedColumn.counts(
      numbers, base: entry.base, entry.form, valued, exceptions: &column.exceptions, rows: rows)
    return column
  }

  /// Gives which rows have a value; nil: all.
  private func qualities(of index: Int, into qualities: inout [UInt8]) throws(CodecFault) -> [Bool]? {
    guard let pattern = entries[index].pattern else { return nil }
    qualities = try patterns.qualities(pattern)
    return flags(qualities)
  }

  private func flags(_ qualities: [UInt8]) -> [Bool]? {
    guard qualities.contains(where: { $0 > Quality.suspect.rawValue }) else { return nil }
    return qualities.map { $0 <= Quality.suspect.rawValue }
  }

  /// Number − base of the rows that have a value.
  private func numbers(
    _ index: Int, stream range: Range<Int>, _ valued: [Bool]?, known: inout [Int: [Int64]]
  ) throws(CodecFault) -> [Int64] {
    if let numbers = known[index] { return numbers }
    let count = count(index)
    let stream = try IntegerStream(bytes, in: range, columns: columns)
    guard count > 0 else {
      guard range.isEmpty else { throw CodecFault("numbers of no row") }
      return []
    }
    var references = ColdReferences()
    for reference in stream.references {
      let (numbers, itsValued) = try plainNumbers(reference, known: &known)
      references.append(References.aligned(numbers, itsValued, to: valued))
    }
    return try stream.values(count, of: count, references)
  }

  /// The numbers of a column that another one leans on, and so itself must lean on none; the first `wanted` that it
  /// has, nil: all.
  private func plainNumbers(
    _ index: Int, _ wanted: Int? = nil, known: inout [Int: [Int64]]
  ) throws(CodecFault) -> (numbers: [Int64], valued: [Bool]?) {
    let entry = entries[index]
    let valued = try entry.pattern.flatMap { (pattern) throws(CodecFault) in flags(try patterns.qualities(pattern)) }
    if let numbers = known[index] { return (numbers, valued) }
    var reader = ByteReader(bytes, in: payloads[index])
    if entry.hasExceptions { _ = try UnpackedColumn.exceptions(&reader, rows: rows, valued) }
    if entry.hasMeasures { try UnpackedColumn.skipMeasures(&reader, rows: rows) }
    let stream = try IntegerStream(bytes, in: reader.offset..<payloads[index].upperBound, columns: columns)
    guard stream.references.isEmpty else { throw CodecFault("reference to a column that has references") }
    let count = count(index)
    let numbers = count > 0 ? try stream.values(min(wanted ?? count, count), of: count) : []
    known[index] = numbers
    return (numbers, valued)
  }
}
