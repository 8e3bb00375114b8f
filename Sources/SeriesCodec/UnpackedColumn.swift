/// Unpacks what ColumnPacking.swift packs.
enum UnpackedColumn {
  static func exceptions(
    _ reader: inout ByteReader, rows: Int, _ valued: [Bool]?
  ) throws(CodecFault) -> [Column.Exception] {
    var exceptions: [Column.Exception] = []
    var row = -1
    for _ in 0..<(try reader.count(max: rows)) {
      let gap = try reader.count(max: rows - 1 - row)
      row += gap
      guard gap > 0, valued?[row] ?? true else { throw CodecFault("exception in row \(row)") }
      exceptions.append(Column.Exception(row: Int32(row), bits: try reader.raw()))
    }
    return exceptions
  }

  static func measures(_ reader: inout ByteReader, bytes: [UInt8], rows: Int) throws(CodecFault) -> Measures {
    let given = try reader.byte()
    guard given < 16 else { throw CodecFault("measures \(given)") }
    var measures = Measures()
    if given & 1 != 0 { measures.variances = try narrow(try list(&reader, bytes, rows)) }
    if given & 2 != 0 { measures.confidences = try narrow(try list(&reader, bytes, rows)) }
    if given & 4 != 0 { measures.provenances = try narrow(try list(&reader, bytes, rows)) }
    if given & 8 != 0 { measures.stamps = try narrow(try list(&reader, bytes, rows)) }
    return measures
  }

  static func skipMeasures(_ reader: inout ByteReader, rows: Int) throws(CodecFault) {
    for _ in 0..<(try reader.byte()).nonzeroBitCount {
      _ = try reader.zigzag()
      _ = try reader.slice(try reader.count(max: reader.remaining))
    }
  }

  private static func list(_ reader: inout ByteReader, _ bytes: [UInt8], _ rows: Int) throws(CodecFault) -> [Int64] {
    let base = try reader.zigzag()
    let slice = try reader.slice(try reader.count(max: reader.remaining))
    var values = try IntegerStream(bytes, in: slice.indices, columns: 0).values(rows, of: rows)
    for row in values.indices { values[row] &+= base }
    return values
  }

  private static func narrow<Number: FixedWidthInteger>(_ values: [Int64]) throws(CodecFault) -> [Number] {
    var narrow: [Number] = []
    narrow.reserveCapacity(values.count)
    for value in values {
      guard let number = Number(exactly: value) else { throw CodecFault("measure \(value)") }
      narrow.append(number)
    }
    return narrow
  }

  /// The counts of all rows; takes the exceptions of a column of doubles into them.
  static func counts(
    _ numbers: consuming [Int64], base: Int64, _ form: NumberForm, _ valued: [Bool]?,
    exceptions: inout [Column.Exception], rows: Int
  ) throws(CodecFault) -> [Int64] {
    var counts = numbers
    var span = counts.mutableSpan
    if form.kind == .double, form.step != .none {
      let step = form.step
      for index in span.indices { span[index] = Int64(bitPattern: step.value(base &+ span[index]).bitPattern) }
    } else if base != 0 {
      for index in span.indices { span[index] &+= base }
    }
    if let valued {
      var spread = [Int64](repeating: 0, count: rows)
      var rank = 0
      for row in 0..<rows where valued[row] {
        spread[row] = counts[rank]
        rank += 1
      }
      counts = spread
    }
    guard form.kind == .double else { return counts }
    for exception in exceptions { counts[Int(exception.row)] = Int64(bitPattern: exception.bits) }
    exceptions = []
    return counts
  }
}
