/// Takes the rows of one column in and lays them down page by page; knows one row group at a time.
///
/// Everything that is no text is kept as a 64-bit pattern until its page is full: integers widened, doubles by their
/// bits, booleans 0 or 1. Texts are numbers into a table.
final class ColumnChunk {
  /// A batch of fewer rows gives no mark: each may cost 30 bytes.
  private static let markedRowsMin = 512
  private static let pauseMax = 63

  let column: ParquetColumn
  private let codec: PageCodec

  // The page that is being filled.
  private var rows = 0
  private var words: [Int64] = []
  /// Per row 1 where there is a value; kept for nullable columns alone.
  private var defined: [UInt32] = []
  private var marks: [Int] = []
  private var textBytes = 0

  // The chunk.
  private var pages: [UInt8] = []
  private var sizes = PageSizes()
  private var values: Int64 = 0
  private var encodings: Set<EncodingCode> = []
  private var statistics = ChunkStatistics()
  private var table = WordTable()
  private var texts = TextTable()
  private var usesDictionary: Bool
  /// Whether the row group began with a dictionary.
  private var isTrying: Bool
  /// Row groups to go without a dictionary after it was wasted, and how many of them are left.
  private var pause = 0
  private var pausesLeft = 0
  /// What of the table the pages use; the rest came with a page that was laid down otherwise.
  private var committed = 0
  /// Texts of the dictionary when later pages no longer use it.
  private var committedTexts: [[UInt8]] = []

  init(_ column: ParquetColumn, _ codec: PageCodec) {
    (self.column, self.codec) = (column, codec)
    usesDictionary = column.encoding == .dictionary
    isTrying = usesDictionary
  }

  /// Bytes of the pages that are done.
  var bytes: Int { pages.count }

  /// Rows that `ColumnBatch.check` let pass.
  func append(_ batch: ColumnBatch, _ range: Range<Int>) throws(ParquetFault) {
    if range.count >= Self.markedRowsMin, usesDictionary { marks.append(words.count) }
    var row = range.lowerBound
    while row < range.upperBound {
      let end = min(range.upperBound, row + codec.pageRows - rows)
      if column.isText {
        row = takeTexts(batch, row..<end)
      } else {
        takeWords(batch, row..<end)
        row = end
      }
      if rows == codec.pageRows || textBytes >= codec.pageTextBytes { try endPage() }
    }
  }

  private func takeWords(_ batch: ColumnBatch, _ range: Range<Int>) {
    rows += range.count
    if case .repeated(.null, _) = batch.values {
      defined.append(contentsOf: repeatElement(0, count: range.count))
      return
    }
    if column.isNullable {
      if batch.nulls.isEmpty {
        defined.append(contentsOf: repeatElement(1, count: range.count))
      } else {
        for row in range { defined.append(batch.nulls[row] ? 0 : 1) }
      }
    }
    let first = words.count
    switch batch.values {
    case .booleans(let values): for value in values[range] { words.append(value ? 1 : 0) }
    case .int32s(let values): for value in values[range] { words.append(Int64(value)) }
    case .int64s(let values): words.append(contentsOf: values[range])
    case .doubles(let values): for value in values[range] { words.append(Int64(bitPattern: value.bitPattern)) }
    case .repeated(let scalar, _): words.append(contentsOf: repeatElement(Self.word(scalar), count: range.count))
    case .strings, .names: preconditionFailure("texts are taken elsewhere")
    }
    guard !batch.nulls.isEmpty else { return }
    var kept = first
    for (offset, row) in range.enumerated() where !batch.nulls[row] {
      words[kept] = words[first + offset]
      kept += 1
    }
    words.removeLast(words.count - kept)
  }

  private static func word(_ scalar: ColumnBatch.Scalar) -> Int64 {
    switch scalar {
    case .boolean(let value): value ? 1 : 0
    case .integer(let value): value
    case .double(let value): Int64(bitPattern: value.bitPattern)
    case .null, .string: preconditionFailure("\(scalar) is no word")
    }
  }

  /// Until the page is full; the first row that was not taken.
  private func takeTexts(_ batch: ColumnBatch, _ range: Range<Int>) -> Int {
    switch batch.values {
    case .repeated(.null, _):
      rows += range.count
      defined.append(contentsOf: repeatElement(0, count: range.count))
      return range.upperBound
    case .repeated(.string(let text), _) where batch.nulls.isEmpty: return take(text, range)
    case .repeated(.string(let text), _): return take(batch, range) { _ in self.number(of: text) }
    case .strings(let texts): return take(batch, range) { self.number(of: texts[$0]) }
    case .names(let codes, let names):
      var numbers = [Int](repeating: -1, count: names.count)
      return take(batch, range) { row in
        let code = Int(codes[row])
        if numbers[code] < 0 { numbers[code] = self.number(of: names[code]) }
        return numbers[code]
      }
    default: preconditionFailure("\(column.name) takes texts")
    }
  }

  private func take(_ batch: ColumnBatch, _ range: Range<Int>, _ number: (Int) -> Int) -> Int {
    for row in range {
      rows += 1
      let isThere = batch.nulls.isEmpty || !batch.nulls[row]
      if column.isNullable { defined.append(isThere ? 1 : 0) }
      guard isThere else { continue }
      let place = number(row)
      words.append(Int64(place))
      if !usesDictionary { textBytes += texts.values[place].count }
      if textBytes >= codec.pageTextBytes { return row + 1 }
    }
    return range.upperBound
  }

  /// The same text in every row.
  private func take(_ text: String, _ range: Range<Int>) -> Int {
    let place = number(of: text)
    var count = range.count
    if !usesDictionary {
      let length = max(1, texts.values[place].count)
      count = min(count, max(1, (codec.pageTextBytes - textBytes + length - 1) / length))
      textBytes += count * length
    }
    rows += count
    words.append(contentsOf: repeatElement(Int64(place), count: count))
    if column.isNullable { defined.append(contentsOf: repeatElement(1, count: count)) }
    return range.lowerBound + count
  }

  private func number(of text: String) -> Int {
    let (known, bytes) = (texts.values.count, texts.bytes)
    let number = texts.number(of: text)
    if number == known {
      statistics.include(text: texts.values[number])
      if usesDictionary { textBytes += texts.bytes - bytes }
    }
    return number
  }

  private func endPage() throws(ParquetFault) {
    guard rows > 0 else { return }
    var body: [UInt8] = []
    if column.isNullable {
      let levels = HybridRuns.encode(defined, width: 1)
      body.append(littleEndian: UInt32(levels.count))
      body += levels
      statistics.count(nulls: rows - words.count)
    }
    if column.kind == .double {
      statistics.include(doubles: words)
    } else if !column.isText {
      statistics.include(integers: words)
    }
    let encoding = encodeValues(to: &body)
    pages += try codec.page(body, .data, values: rows, encoding: encoding, sizes: &sizes)
    encodings.insert(encoding)
    values += Int64(rows)
    rows = 0
    textBytes = 0
    words.removeAll(keepingCapacity: true)
    defined.removeAll(keepingCapacity: true)
    marks.removeAll(keepingCapacity: true)
    if column.isText, !usesDictionary { texts = TextTable() }
  }

  private func encodeValues(to body: inout [UInt8]) -> EncodingCode {
    // Nothing but nulls: no dictionary for it, which may have no page of its own.
    if usesDictionary, words.isEmpty { return .plain }
    if usesDictionary {
      if let indices = column.isText ? textIndices() : wordIndices() {
        let width = max(1, Int.bitWidth - max(committed - 1, 0).leadingZeroBitCount)
        body.append(UInt8(width))
        body += HybridRuns.encode(indices, width: width, marks: marks)
        return .rleDictionary
      }
      usesDictionary = false
      if column.isText { committedTexts = Array(texts.values[..<committed]) }
    }
    switch column.encoding {
    case .runs:
      let runs = HybridRuns.encode(words.map { UInt32($0) }, width: 1)
      body.append(littleEndian: UInt32(runs.count))
      body += runs
      return .rle
    case .dictionary where column.isInteger, .delta:
      body += DeltaPacking.encode(words, width: column.width)
      return .deltaBinaryPacked
    case .plain, .dictionary:
      plain(words, to: &body)
      return .plain
    }
  }

  /// nil when the dictionary would become too large.
  private func wordIndices() -> [UInt32]? {
    var indices: [UInt32] = []
    indices.reserveCapacity(words.count)
    var last: (word: Int64, number: UInt32)?
    for word in words {
      if let last, last.word == word {
        indices.append(last.number)
        continue
      }
      guard let number = table.number(of: word, limit: codec.dictionaryValuesMax) else { return nil }
      last = (word, number)
      indices.append(number)
    }
    committed = table.values.count
    return indices
  }

  private func textIndices() -> [UInt32]? {
    guard texts.values.count <= codec.dictionaryValuesMax, texts.bytes <= codec.dictionaryTextBytesMax else {
      return nil
    }
    committed = texts.values.count
    return words.map { UInt32($0) }
  }

  /// Value after value, little-endian; booleans as bits; texts with their length before them, 4 bytes.
  private func plain(_ words: [Int64], to body: inout [UInt8]) {
    switch (column.kind, column.width) {
    case (.boolean, _):
      var packer = BitPacker()
      for word in words { packer.append(UInt64(word), width: 1, to: &body) }
      packer.flush(to: &body)
    case (_, 4): for word in words { body.append(littleEndian: Int32(truncatingIfNeeded: word)) }
    case (_, 8): for word in words { body.append(littleEndian: word) }
    default: for word in words { Self.plain(texts.values[Int(word)], to: &body) }
    }
  }

  private static func plain(_ text: [UInt8], to body: inout [UInt8]) {
    body.append(littleEndian: UInt32(text.count))
    body += text
  }

  /// The chunk as it stands in the file, with `begin` as its offset there; the next row group begins.
  func finish(at begin: Int64) throws(ParquetFault) -> (bytes: [[UInt8]], metadata: ChunkMetadata) {
    try endPage()
    var dictionary: [UInt8] = []
    if committed > 0 {
      var body: [UInt8] = []
      if column.isText {
        for text in usesDictionary ? texts.values : committedTexts { Self.plain(text, to: &body) }
      } else {
        plain(Array(table.values[..<committed]), to: &body)
      }
      dictionary = try codec.page(body, .dictionary, values: committed, encoding: .plain, sizes: &sizes)
      encodings.insert(.plain)
    }
    encodings.insert(.rle)
    let metadata = ChunkMetadata(
      column: column, values: values, sizes: sizes, encodings: encodings, statistics: statistics,
      begin: begin, dictionaryBytes: Int64(dictionary.count))
    let bytes = [dictionary, pages]
    // Where hardly a value came twice the dictionary cost more than it saved: row groups go without for a while, longer
    // each time that it happens again.
    if isTrying {
      let wasWasted = !usesDictionary || Int64(committed) * 2 > max(values, 512)
      pause = wasWasted ? min(2 * pause + 1, Self.pauseMax) : 0
      pausesLeft = pause
    } else if pausesLeft > 0 {
      pausesLeft -= 1
    }
    reset(usingDictionary: column.encoding == .dictionary && pausesLeft == 0)
    return (bytes, metadata)
  }

  private func reset(usingDictionary: Bool) {
    pages.removeAll(keepingCapacity: true)
    (sizes, values, encodings, statistics) = (PageSizes(), 0, [], ChunkStatistics())
    (table, texts, committed, committedTexts) = (WordTable(), TextTable(), 0, [])
    (usesDictionary, isTrying) = (usingDictionary, usingDictionary)
  }
}
