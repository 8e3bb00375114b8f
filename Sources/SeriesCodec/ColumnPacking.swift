// A column's payload:
//
//   exceptions, where the entry has some: varint number; for each varint rows since the last one (the first: since row
//            −1), 1 or more; raw bit pattern
//   measures, where the entry has some: byte, bit j set if list j is given (variances, confidences, provenances,
//   stamps);
//            for each given one zigzag first value; varint bytes of the stream; stream of value − first value, n rows
//   stream   number − base of the rows that have a value, to the end of the payload
//
// Streams are those of IntegerStream.swift; only the last may have references.

internal import TwinCore

/// A column as whole numbers, ready to be packed.
struct PackedColumn {
  var entry: DirectoryEntry
  /// Number − base of the rows that have a value.
  let numbers: [Int64]
  /// Rows with a value; nil: all.
  let valued: [Bool]?
  /// Exceptions and measures.
  private let front: [UInt8]
  var stream: [UInt8]

  var payload: [UInt8] { front + stream }

  init(_ column: Column, rows: Int, qualities: inout QualityWriter, tier: Tier) {
    precondition(column.counts.count == rows, "a column has one count a row")
    precondition(column.qualities.isEmpty || column.qualities.count == rows, "a column has one quality a row, or none")
    var pattern: Int?
    if !column.qualities.isEmpty { pattern = qualities.number(of: column.qualities) }
    valued = Self.valued(column.qualities)
    var counts = column.counts
    if let valued { counts = counts.indices.compactMap { valued[$0] ? counts[$0] : nil } }
    var (form, exceptions) = (NumberForm(column.form), column.exceptions)
    if case .double = column.form {
      precondition(exceptions.isEmpty, "exceptions are of decimal columns")
      (form, counts, exceptions) = Self.decimals(counts, valued)
    }
    entry = DirectoryEntry(form: form)
    entry.pattern = pattern
    entry.base = counts.first ?? 0
    let base = entry.base
    for index in counts.indices { counts[index] &-= base }
    entry.summary = Self.summary(counts, base: base, form: form, exceptions, valued)
    (entry.hasExceptions, entry.hasMeasures) = (!exceptions.isEmpty, column.measures != nil)
    var writer = ByteWriter()
    Self.write(exceptions, rows: rows, to: &writer)
    if let measures = column.measures { Self.write(measures, rows: rows, tier: tier, to: &writer) }
    (numbers, front) = (counts, writer.bytes)
    stream = counts.isEmpty ? [] : IntegerCodec.encode(counts, tier: tier)
  }

  private static func valued(_ qualities: [UInt8]) -> [Bool]? {
    guard qualities.contains(where: { $0 > Quality.suspect.rawValue }) else { return nil }
    return qualities.map { $0 <= Quality.suspect.rawValue }
  }

  /// The numbers of a column of bit patterns, and the rows that have none; the patterns again where they are shorter.
  private static func decimals(
    _ patterns: [Int64], _ valued: [Bool]?
  ) -> (form: NumberForm, numbers: [Int64], exceptions: [Column.Exception]) {
    let step = DoubleStep.search(patterns)
    guard step != .none else { return (NumberForm(.double), patterns, []) }
    var numbers = patterns
    var odd: [Int] = []
    var last: Int64 = 0
    for index in patterns.indices {
      if let number = step.number(Double(bitPattern: UInt64(bitPattern: patterns[index]))) {
        last = number
      } else {
        odd.append(index)
      }
      numbers[index] = last
    }
    guard odd.count <= patterns.count / 8 else { return (NumberForm(.double), patterns, []) }
    // The first row's number is the base: better a true one than 0.
    if let first = patterns.indices.first(where: { !odd.prefix(32).contains($0) }), first > 0 {
      for index in 0..<first { numbers[index] = numbers[first] }
    }
    let rows = valued.map { flags in flags.indices.filter { flags[$0] } }
    let exceptions = odd.map {
      Column.Exception(row: Int32(rows?[$0] ?? $0), bits: UInt64(bitPattern: patterns[$0]))
    }
    return (NumberForm(.double, step: step), numbers, exceptions)
  }
}

extension PackedColumn {
  private static func summary(
    _ numbers: [Int64], base: Int64, form: NumberForm, _ exceptions: [Column.Exception], _ valued: [Bool]?
  ) -> NumberSummary? {
    guard !numbers.isEmpty else { return nil }
    var (least, greatest, sum): (Int64, Int64, Int64) = (0, 0, 0)
    for number in numbers {
      (least, greatest) = (min(least, number), max(greatest, number))
      sum &+= number
    }
    let (product, over) = base.multipliedReportingOverflow(by: Int64(numbers.count))
    // Within these, neither the sum nor a number can have wrapped.
    let isExact =
      least > -(1 << 46) && greatest < 1 << 46 && !over && !product.addingReportingOverflow(sum).overflow
      && !base.addingReportingOverflow(least).overflow && !base.addingReportingOverflow(greatest).overflow
    if exceptions.isEmpty, form.isMonotone, isExact {
      if least == 0, greatest == 0 { return .constant }
      return .numbers(last: numbers[numbers.count - 1], least: least, greatest: greatest, sum: sum)
    }
    if exceptions.isEmpty, form.isBitPattern, numbers.allSatisfy({ $0 == 0 }) { return .constant }
    return doubles(numbers, base: base, form: form, exceptions, valued)
  }

  private static func doubles(
    _ numbers: [Int64], base: Int64, form: NumberForm, _ exceptions: [Column.Exception], _ valued: [Bool]?
  ) -> NumberSummary {
    var values = numbers.map { form.value(base &+ $0) }
    if !exceptions.isEmpty {
      var ranks: [Int] = []
      if let valued {
        var rank = 0
        ranks = valued.map { has in
          defer { rank += has ? 1 : 0 }
          return rank
        }
      }
      for exception in exceptions {
        let row = Int(exception.row)
        values[ranks.isEmpty ? row : ranks[row]] = Double(bitPattern: exception.bits)
      }
    }
    var (least, greatest, sum) = (Double.nan, Double.nan, 0.0)
    for value in values where !value.isNaN {
      least = least.isNaN ? value : min(least, value)
      greatest = greatest.isNaN ? value : max(greatest, value)
      sum += value
    }
    return .doubles(min: least, max: greatest, first: values[0], last: values[values.count - 1], sum: sum)
  }

  private static func write(_ exceptions: [Column.Exception], rows: Int, to writer: inout ByteWriter) {
    guard !exceptions.isEmpty else { return }
    writer.varint(UInt64(exceptions.count))
    var last: Int32 = -1
    for exception in exceptions {
      precondition(exception.row > last && exception.row < rows, "the rows of exceptions rise")
      writer.varint(UInt64(exception.row - last))
      writer.raw(exception.bits)
      last = exception.row
    }
  }

  private static func write(_ measures: Measures, rows: Int, tier: Tier, to writer: inout ByteWriter) {
    let lists: [[Int64]] = [
      measures.variances.map { Int64($0) }, measures.confidences.map { Int64($0) },
      measures.provenances.map { Int64($0) }, measures.stamps.map { Int64($0) },
    ]
    writer.byte(lists.indices.reduce(0) { $0 | (lists[$1].isEmpty ? 0 : 1 << UInt8($1)) })
    for list in lists where !list.isEmpty {
      precondition(list.count == rows, "a measure has one entry a row, or none")
      let stream = IntegerCodec.encode(list.map { $0 - list[0] }, tier: tier)
      writer.zigzag(list[0])
      writer.varint(UInt64(stream.count))
      writer.append(stream)
    }
  }
}
