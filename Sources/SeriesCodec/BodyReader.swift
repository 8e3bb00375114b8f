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
  /// One entry a column.
  public let directory: [ColumnSummary]

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

  /// Refuses a body that is damaged, or whose columns are not of these forms.
  public init(_ bytes: [UInt8], forms: [ValueForm]) throws(CodecFault) {
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
    for form in forms { entries.append(try DirectoryEntry(from: &reader, form: form, patterns: patternCount)) }
    let directoryEnd = reader.offset
    guard try reader.word() == Checksum.crc32c(bytes[..<directoryEnd]) else { throw CodecFault("directory's checksum") }
    timesRange = try Self.payload(&reader, bytes, timesLength, timesChecksum)
    let patternsRange = try Self.payload(&reader, bytes, patternsLength, patternsChecksum)
    var payloads: [Range<Int>] = []
    for entry in entries { payloads.append(try Self.payload(&reader, bytes, entry.payloadLength, entry.checksum)) }
    guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
    let patterns = try QualityPatterns(bytes, in: patternsRange, number: patternCount, rows: head.rows)
    var directory: [ColumnSummary] = []
    for entry in entries {
      let pattern = entry.pattern.map { patterns.patterns[$0] }
      directory.append(
        try entry.columnSummary(rows: head.rows, count: pattern?.count ?? head.rows, bad: pattern?.bad ?? 0))
    }
    (self.patterns, self.entries, self.payloads, self.directory) = (patterns, entries, payloads, directory)
  }

  private static func payload(
    _ reader: inout ByteReader, _ bytes: [UInt8], _ length: Int, _ checksum: UInt32
  ) throws(CodecFault) -> Range<Int> {
    let slice = try reader.slice(length)
    guard length == 0 || Checksum.crc32c(slice) == checksum else { throw CodecFault("a payload's checksum") }
    return slice.indices
  }

  /// One entry a row in each array: nanoseconds since 1970, tick, nanoseconds of effective minus uptime.
  public func times() throws(CodecFault) -> (effective: [Int64], ticks: [Int64], leads: [Int64]) {
    var (times, ticks, leads) = try TimesCodec.decode(bytes, in: timesRange, rows: rows)
    let (unit, least) = (head.unit, head.effectiveMin / head.unit)
    let span = UInt64(bitPattern: head.effectiveMax / head.unit &- least)
    var (reachesLeast, reachesGreatest) = (false, false)
    var effective = [Int64](repeating: 0, count: rows)
    var lastTick = head.tickFirst
    for row in 0..<rows {
      guard times[row] <= span else { throw CodecFault("time outside the head's") }
      reachesLeast = reachesLeast || times[row] == 0
      reachesGreatest = reachesGreatest || times[row] == span
      effective[row] = (least &+ Int64(bitPattern: times[row])) &* unit
      ticks[row] &+= head.tickFirst
      guard ticks[row] >= lastTick else { throw CodecFault("ticks that fall") }
      lastTick = ticks[row]
    }
    guard reachesLeast, reachesGreatest, lastTick == head.tickLast else {
      throw CodecFault("times that are not the head's")
    }
    times = []
    return (effective, ticks, leads)
  }

  /// The rows of the column at `index`, which must be one of the body's.
  public func column(_ index: Int) throws(CodecFault) -> Column {
    precondition((0..<columns).contains(index), "a column of the body")
    var known: [Int: [Int64]] = [:]
    return try column(index, known: &known)
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
    var valued: [Bool]?
    if let pattern = entry.pattern {
      column.qualities = try patterns.qualities(pattern)
      valued = flags(column.qualities)
    }
    var reader = ByteReader(bytes, in: payloads[index])
    if entry.hasExceptions { column.exceptions = try UnpackedColumn.exceptions(&reader, rows: rows, valued) }
    if entry.hasMeasures { column.measures = try UnpackedColumn.measures(&reader, bytes: bytes, rows: rows) }
    let numbers = try numbers(index, stream: reader.offset..<payloads[index].upperBound, valued, known: &known)
    column.counts = try UnpackedColumn.counts(
      numbers, base: entry.base, entry.form, valued, exceptions: &column.exceptions, rows: rows)
    return column
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
    let count = directory[index].count
    let stream = try IntegerStream(bytes, in: range, columns: columns)
    guard count > 0 else {
      guard range.isEmpty else { throw CodecFault("numbers of no row") }
      return []
    }
    var references: [[Int64]] = []
    for reference in stream.references {
      let (numbers, itsValued) = try plainNumbers(reference, known: &known)
      references.append(References.aligned(numbers, itsValued, to: valued))
    }
    return try stream.values(count: count, references: references)
  }

  /// The numbers of a column that another one leans on, and so itself must lean on none.
  private func plainNumbers(
    _ index: Int, known: inout [Int: [Int64]]
  ) throws(CodecFault) -> (numbers: [Int64], valued: [Bool]?) {
    let entry = entries[index]
    let valued = try entry.pattern.flatMap { (pattern) throws(CodecFault) in flags(try patterns.qualities(pattern)) }
    if let numbers = known[index] { return (numbers, valued) }
    var reader = ByteReader(bytes, in: payloads[index])
    if entry.hasExceptions { _ = try UnpackedColumn.exceptions(&reader, rows: rows, valued) }
    if entry.hasMeasures { try UnpackedColumn.skipMeasures(&reader, rows: rows) }
    let stream = try IntegerStream(bytes, in: reader.offset..<payloads[index].upperBound, columns: columns)
    guard stream.references.isEmpty else { throw CodecFault("reference to a column that has references") }
    let count = directory[index].count
    let numbers = count > 0 ? try stream.values(count: count) : []
    known[index] = numbers
    return (numbers, valued)
  }
}
