// A column's entry in the directory:
//
//   byte     bits 0–1  form: 0 decimal, 1 double, 2 integer
//            bits 2–3  summary: 0 no row has a value; 1 all have the same; 2 as numbers; 3 as Doubles
//            bit 4     has a pattern of qualities (else all are good)
//            bit 5     has exceptions
//            bit 6     has measures
//   byte     step of doubles (DoubleStep.swift), where the form is double
//   varint   number of the pattern, where there is one
//   zigzag   base: the number of the first row that has a value, where the summary is not 0
//   summary 2: zigzag last − base; varint base − least; varint greatest − base; zigzag sum of (number − base)
//   summary 3: raw least, greatest, first, last, sum, bit patterns; NaN for least and greatest where no value is a
//   number varint   bytes of the payload
//   word     CRC-32C of the payload, where it has any bytes
//
// A number is a decimal column's count, an integer column's value, and of a double column what its step makes of it.

/// How the values of a column come from its numbers.
struct NumberForm: Equatable {
  enum Kind: UInt8 {
    case decimal = 0
    case double, integer
  }

  let kind: Kind
  let step: DoubleStep
  private let scale: Double

  init(_ form: ValueForm, step: DoubleStep = .none) {
    self.step = step
    switch form {
    case .decimal(let scale): (kind, self.scale) = (.decimal, scale)
    case .double: (kind, self.scale) = (.double, 1)
    case .integer: (kind, self.scale) = (.integer, 1)
    }
  }

  var isBitPattern: Bool { kind == .double && step == .none }

  /// Whether the least number is one end of the values and the greatest the other.
  var isMonotone: Bool { !isBitPattern && scale.isFinite }

  @inline(__always)
  func value(_ number: Int64) -> Double {
    switch kind {
    case .decimal: Double(number) * scale
    case .integer: Double(number)
    case .double: step == .none ? Double(bitPattern: UInt64(bitPattern: number)) : step.value(number)
    }
  }
}

/// A column's numbers as a whole; nil where no row has a value.
enum NumberSummary: Equatable {
  case constant
  /// Relative to the base.
  case numbers(last: Int64, least: Int64, greatest: Int64, sum: Int64)
  case doubles(min: Double, max: Double, first: Double, last: Double, sum: Double)

  var code: UInt8 {
    switch self {
    case .constant: 1
    case .numbers: 2
    case .doubles: 3
    }
  }
}

struct DirectoryEntry {
  static let patternFlag: UInt8 = 16
  static let exceptionsFlag: UInt8 = 32
  static let measuresFlag: UInt8 = 64

  var form: NumberForm
  /// Of qualities.
  var pattern: Int?
  var base: Int64 = 0
  var summary: NumberSummary?
  var hasExceptions = false
  var hasMeasures = false
  var payloadLength = 0
  var checksum: UInt32 = 0

  func write(to writer: inout ByteWriter) {
    var flags = form.kind.rawValue | (summary?.code ?? 0) << 2
    if pattern != nil { flags |= Self.patternFlag }
    if hasExceptions { flags |= Self.exceptionsFlag }
    if hasMeasures { flags |= Self.measuresFlag }
    writer.byte(flags)
    if form.kind == .double { writer.byte(form.step.code) }
    if let pattern { writer.varint(UInt64(pattern)) }
    if summary != nil { writer.zigzag(base) }
    switch summary {
    case nil, .constant: break
    case .numbers(let last, let least, let greatest, let sum):
      writer.zigzag(last)
      writer.varint(least.magnitude)
      writer.varint(greatest.magnitude)
      writer.zigzag(sum)
    case .doubles(let min, let max, let first, let last, let sum):
      for value in [min, max, first, last, sum] { writer.raw(value.bitPattern) }
    }
    writer.varint(UInt64(payloadLength))
    if payloadLength > 0 { writer.word(checksum) }
  }

  /// Refuses an entry that is not of `wanted` form.
  init(from reader: inout ByteReader, form wanted: ValueForm, patterns: Int) throws(CodecFault) {
    let flags = try reader.byte()
    guard flags & 3 == NumberForm(wanted).kind.rawValue, flags & 0x80 == 0 else {
      throw CodecFault("column of kind \(flags) where the layout has \(wanted)")
    }
    form = NumberForm(wanted, step: wanted == .double ? try DoubleStep(code: try reader.byte()) : .none)
    if flags & Self.patternFlag != 0 {
      guard patterns > 0 else { throw CodecFault("no pattern of qualities") }
      pattern = try reader.count(max: patterns - 1)
    }
    hasExceptions = flags & Self.exceptionsFlag != 0
    hasMeasures = flags & Self.measuresFlag != 0
    let kind = flags >> 2 & 3
    if kind != 0 { base = try reader.zigzag() }
    switch kind {
    case 1: summary = .constant
    case 2: summary = try Self.numbers(&reader, base: base)
    case 3:
      summary = .doubles(
        min: try Self.double(&reader), max: try Self.double(&reader), first: try Self.double(&reader),
        last: try Self.double(&reader), sum: try Self.double(&reader))
    default: summary = nil
    }
    payloadLength = try reader.count(max: .max)
    if payloadLength > 0 { checksum = try reader.word() }
  }

  init(form: NumberForm) { self.form = form }

  /// From the least to the greatest number − base, where the summary tells them.
  var span: (least: Int64, greatest: Int64)? {
    switch summary {
    case .constant: (0, 0)
    case .numbers(_, let least, let greatest, _): (least, greatest)
    case nil, .doubles: nil
    }
  }

  private static func double(_ reader: inout ByteReader) throws(CodecFault) -> Double {
    Double(bitPattern: try reader.raw())
  }

  private static func numbers(_ reader: inout ByteReader, base: Int64) throws(CodecFault) -> NumberSummary {
    let (last, below, above) = (try reader.zigzag(), try reader.varint(), try reader.varint())
    let sum = try reader.zigzag()
    let limit = UInt64(Int64.max)
    guard below <= limit, above <= limit, !base.subtractingReportingOverflow(Int64(below)).overflow,
      !base.addingReportingOverflow(Int64(above)).overflow, last >= -Int64(below), last <= Int64(above)
    else { throw CodecFault("summary of a column that no column has") }
    return .numbers(last: last, least: -Int64(below), greatest: Int64(above), sum: sum)
  }

  /// `count` rows have a value.
  func columnSummary(rows: Int, count: Int, bad: Int) throws(CodecFault) -> ColumnSummary {
    var told = ColumnSummary(rows: rows, count: count, bad: bad, min: nil, max: nil, first: nil, last: nil, sum: 0)
    guard (summary == nil) == (count == 0) else { throw CodecFault("summary of \(count) values") }
    let first = form.value(base)
    switch summary {
    case nil: break
    case .constant:
      (told.first, told.last) = (first, first)
      guard !first.isNaN else { break }
      (told.min, told.max) = (first, first)
      told.sum = form.isBitPattern ? first * Double(count) : form.value(try total(0, count: count))
    case .numbers(let last, let least, let greatest, let sum):
      let ends = (form.value(base + least), form.value(base + greatest))
      (told.first, told.last) = (first, form.value(base + last))
      (told.min, told.max) = (Swift.min(ends.0, ends.1), Swift.max(ends.0, ends.1))
      told.sum = form.value(try total(sum, count: count))
    case .doubles(let min, let max, let first, let last, let sum):
      (told.first, told.last, told.sum) = (first, last, sum)
      (told.min, told.max) = (min.isNaN ? nil : min, max.isNaN ? nil : max)
    }
    return told
  }

  private func total(_ sum: Int64, count: Int) throws(CodecFault) -> Int64 {
    let (product, over) = base.multipliedReportingOverflow(by: Int64(count))
    let (total, more) = product.addingReportingOverflow(sum)
    guard !over, !more else { throw CodecFault("sum of more than 64 bits") }
    return total
  }
}
