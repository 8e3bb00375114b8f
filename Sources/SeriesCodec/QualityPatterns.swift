// The distinct lists of qualities of a body; a poll that fails fails for all columns of its group, so there are few.
//
//   per pattern: varint length << 3 | quality, again and again until the lengths add up to the rows

internal import TwinCore

/// Collects the lists and packs each once.
struct QualityWriter {
  private var known: [[UInt8]: Int] = [:]
  private var writer = ByteWriter()

  var count: Int { known.count }
  var bytes: [UInt8] { writer.bytes }

  /// The number of the pattern.
  mutating func number(of qualities: [UInt8]) -> Int {
    if let number = known[qualities] { return number }
    var start = 0
    while start < qualities.count {
      precondition(Quality(rawValue: qualities[start]) != nil, "a quality is one of the known ones")
      var end = start + 1
      while end < qualities.count, qualities[end] == qualities[start] { end += 1 }
      writer.varint(UInt64(end - start) << 3 | UInt64(qualities[start]))
      start = end
    }
    known[qualities] = known.count
    return known.count - 1
  }
}

/// The lists, checked; a list is unpacked when asked for.
struct QualityPatterns {
  struct Pattern {
    fileprivate var start: Int
    /// Rows with a value.
    fileprivate(set) var count = 0
    /// Rows that are not good.
    fileprivate(set) var bad = 0
  }

  private let bytes: [UInt8]
  private let range: Range<Int>
  private let rows: Int
  private(set) var patterns: [Pattern] = []

  init(_ bytes: [UInt8], in range: Range<Int>, number: Int, rows: Int) throws(CodecFault) {
    (self.bytes, self.range, self.rows) = (bytes, range, rows)
    var reader = ByteReader(bytes, in: range)
    for _ in 0..<number {
      var pattern = Pattern(start: reader.offset)
      var row = 0
      while row < rows {
        let (length, quality) = try Self.run(&reader, rowsLeft: rows - row)
        if quality.hasValue { pattern.count += length }
        if quality != .good { pattern.bad += length }
        row += length
      }
      patterns.append(pattern)
    }
    guard reader.remaining == 0 else { throw CodecFault("bytes behind the last quality") }
  }

  private static func run(
    _ reader: inout ByteReader, rowsLeft: Int
  ) throws(CodecFault) -> (length: Int, quality: Quality) {
    let token = try reader.varint()
    guard token >> 3 > 0, token >> 3 <= UInt64(rowsLeft), let quality = Quality(rawValue: UInt8(token & 7)) else {
      throw CodecFault("run of qualities \(token)")
    }
    return (Int(token >> 3), quality)
  }

  /// One quality a row.
  func qualities(_ number: Int) throws(CodecFault) -> [UInt8] {
    var reader = ByteReader(bytes, in: patterns[number].start..<range.upperBound)
    var qualities: [UInt8] = []
    qualities.reserveCapacity(rows)
    while qualities.count < rows {
      let (length, quality) = try Self.run(&reader, rowsLeft: rows - qualities.count)
      qualities.append(contentsOf: repeatElement(quality.rawValue, count: length))
    }
    return qualities
  }
}
