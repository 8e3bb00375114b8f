/// The least and the greatest value of a column chunk and its nulls (parquet.thrift, Statistics).
struct ChunkStatistics {
  /// A text longer than this is left out: a bound that is no value helps few readers and misleads some.
  private static let textBytesMax = 1024

  private(set) var nulls: Int64 = 0
  private var integers: ClosedRange<Int64>?
  private var doubles: ClosedRange<Double>?
  private var texts: (least: [UInt8], greatest: [UInt8])?

  mutating func count(nulls more: Int) { nulls += Int64(more) }

  mutating func include(integers words: [Int64]) {
    guard let first = words.first else { return }
    var (least, greatest) = (integers?.lowerBound ?? first, integers?.upperBound ?? first)
    for word in words {
      least = min(least, word)
      greatest = max(greatest, word)
    }
    integers = least...greatest
  }

  /// NaN has no place in an order and is passed over.
  mutating func include(doubles words: [Int64]) {
    var (least, greatest) = (doubles?.lowerBound ?? .infinity, doubles?.upperBound ?? -.infinity)
    var isThere = doubles != nil
    for word in words {
      let value = Double(bitPattern: UInt64(bitPattern: word))
      if value.isNaN { continue }
      isThere = true
      least = value < least ? value : least
      greatest = value > greatest ? value : greatest
    }
    if isThere { doubles = least...greatest }
  }

  /// Unsigned, byte by byte.
  mutating func include(text: [UInt8]) {
    guard let known = texts else {
      texts = (text, text)
      return
    }
    if text.lexicographicallyPrecedes(known.least) { texts?.least = text }
    if known.greatest.lexicographicallyPrecedes(text) { texts?.greatest = text }
  }

  /// In the plain encoding, byte arrays without their length; nil where there is no value to name.
  func bounds(_ column: ParquetColumn) -> (least: [UInt8], greatest: [UInt8])? {
    switch column.kind {
    case .boolean: return integers.map { ([UInt8($0.lowerBound)], [UInt8($0.upperBound)]) }
    case .double:
      guard let doubles else { return nil }
      // parquet.thrift: a zero stands for both, so the least is -0 and the greatest is +0.
      let least = doubles.lowerBound == 0 ? -0.0 : doubles.lowerBound
      let greatest = doubles.upperBound == 0 ? 0.0 : doubles.upperBound
      return (Self.plain(least.bitPattern), Self.plain(greatest.bitPattern))
    case .string, .enumeration:
      guard let texts, max(texts.least.count, texts.greatest.count) <= Self.textBytesMax else { return nil }
      return texts
    case .int32, .decimal32:
      return integers.map { (Self.plain(Int32($0.lowerBound)), Self.plain(Int32($0.upperBound))) }
    case .int64, .timestamp, .decimal64:
      return integers.map { (Self.plain($0.lowerBound), Self.plain($0.upperBound)) }
    }
  }

  private static func plain(_ word: some FixedWidthInteger) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: word)
    return bytes
  }
}
