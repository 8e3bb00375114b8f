/// How a file is laid out; the defaults suit samples sorted by point and time.
public struct ParquetOptions: Sendable, Equatable {
  public enum Compression: Sendable, Equatable {
    case uncompressed
    /// libzstd's level, 1 to 19.
    case zstd(level: Int32)

    /// parquet.thrift, CompressionCodec.
    var code: Int32 {
      switch self {
      case .uncompressed: 0
      case .zstd: 6
      }
    }
  }

  public struct Entry: Sendable, Equatable {
    public var key: String
    public var value: String
    public init(key: String, value: String) { (self.key, self.value) = (key, value) }
  }

  public var compression = Compression.zstd(level: 3)
  /// Rows at which a row group ends.
  public var groupRows = 1 << 20
  /// Compressed bytes at which a row group ends before that: they are held in memory until it does.
  public var groupBytes = 16 << 20
  /// Rows of a page. A column holds 8 bytes for each in memory, and the compressor sees no further.
  public var pageRows = 1 << 17
  /// Distinct values of a column in a row group beyond which its dictionary gives way.
  public var dictionaryValuesMax = 1 << 18
  /// Names of columns by which the rows rise, most significant first. A promise to readers, not checked.
  public var sortedBy: [String] = []
  /// Keys and values of the file, in this order.
  public var metadata: [Entry] = []
  /// `NAME version TEXT (build TEXT)` by convention.
  public var createdBy = "twind"

  public init() {}

  fileprivate var problem: String? {
    if case .zstd(let level) = compression, !ZstdFrames.levels.contains(level) {
      return "zstd level \(level), wanted is 1 to 19"
    }
    guard (1...1 << 27).contains(groupRows), (1...1 << 20).contains(pageRows), (1...1 << 30).contains(groupBytes),
      (1...1 << 24).contains(dictionaryValuesMax)
    else {
      return "row groups of \(groupRows) rows and \(groupBytes) bytes, pages of \(pageRows) rows, dictionaries of "
        + "\(dictionaryValuesMax) values: out of range"
    }
    return nil
  }
}

/// How far a file has come.
public struct ParquetProgress: Sendable, Equatable {
  public var rows: Int64
  /// Given to the sink so far.
  public var bytes: Int64
  public var groups: Int
}

/// Writes one Parquet file (parquet-format 2.x, data pages of version 1 with checksums), front to back.
///
/// Memory is bounded by one row group as compressed and one page of each column as it came. What is written depends on
/// the rows, their batches and the options alone. Not thread-safe; any one thread.
public final class ParquetWriter {
  public static let columnsMax = 1024
  private static let groupsMax = Int(Int16.max)
  /// Rows of a batch that go into the columns at once: between two such pieces a row group may end.
  private static let pieceRows = 1 << 16

  public private(set) var progress = ParquetProgress(rows: 0, bytes: 0, groups: 0)

  private let sink: ([UInt8]) throws -> Void
  private let onProgress: (ParquetProgress) -> Void
  private let options: ParquetOptions
  private let chunks: [ColumnChunk]
  private var metadata: FileMetadata
  private var groupRows = 0
  private var isOpen = true

  /// Gives the file's first bytes to `sink`, which must take all bytes in the order of the calls; no call has fewer
  /// than one byte. `onProgress` is called after each row group.
  public init(
    columns: [ParquetColumn], options: ParquetOptions = ParquetOptions(),
    onProgress: @escaping (ParquetProgress) -> Void = { _ in }, sink: @escaping ([UInt8]) throws -> Void
  ) throws(ParquetFault) {
    try Self.check(columns, options)
    var zstd: ZstdFrames?
    if case .zstd(let level) = options.compression { zstd = try ZstdFrames(level: level) }
    let codec = PageCodec(
      zstd: zstd, pageRows: min(options.pageRows, options.groupRows), pageTextBytes: 1 << 20,
      dictionaryValuesMax: options.dictionaryValuesMax, dictionaryTextBytesMax: 1 << 21)
    (self.sink, self.onProgress, self.options) = (sink, onProgress, options)
    chunks = columns.map { ColumnChunk($0, codec) }
    metadata = FileMetadata(columns: columns, options: options)
    try give(FileMetadata.magic)
  }

  /// Rows, one batch for each column, all of the same length. All of them are taken, or none and the fault names the
  /// first that cannot be. After a fault of the sink nothing more can be written.
  public func append(_ batches: [ColumnBatch]) throws(ParquetFault) {
    guard isOpen else { throw ParquetFault(.closed, "the file takes no more rows") }
    guard batches.count == chunks.count, let rows = batches.first?.count else {
      throw ParquetFault(.batch, "\(batches.count) columns given, \(chunks.count) wanted")
    }
    for (batch, chunk) in zip(batches, chunks) {
      guard batch.count == rows else {
        throw ParquetFault(.batch, "column \(chunk.column.name) has \(batch.count) rows, the first one \(rows)")
      }
      try batch.check(for: chunk.column)
    }
    isOpen = false
    var row = 0
    while row < rows {
      let end = min(rows, row + Self.pieceRows, row + options.groupRows - groupRows)
      for (batch, chunk) in zip(batches, chunks) { try chunk.append(batch, row..<end) }
      groupRows += end - row
      row = end
      let bytes = chunks.reduce(0) { $0 + $1.bytes }
      if groupRows == options.groupRows || bytes >= options.groupBytes { try writeGroup() }
    }
    isOpen = true
  }

  /// Ends the row group, also one without rows, before it is full.
  public func endGroup() throws(ParquetFault) {
    guard isOpen else { throw ParquetFault(.closed, "the file takes no more row groups") }
    isOpen = false
    try writeGroup()
    isOpen = true
  }

  /// Writes what is left and the footer; the file is complete. A file without rows is a file.
  @discardableResult
  public func finish() throws(ParquetFault) -> ParquetProgress {
    guard isOpen else { throw ParquetFault(.closed, "the file cannot be finished again") }
    isOpen = false
    if groupRows > 0 { try writeGroup() }
    try give(metadata.footer)
    return progress
  }

  private func writeGroup() throws(ParquetFault) {
    guard metadata.groups.count < Self.groupsMax else {
      throw ParquetFault(.tooLarge, "\(Self.groupsMax) row groups are as many as a file may have")
    }
    let begin = progress.bytes
    var written: [ChunkMetadata] = []
    for chunk in chunks {
      let (bytes, metadata) = try chunk.finish(at: progress.bytes)
      for piece in bytes where !piece.isEmpty { try give(piece) }
      written.append(metadata)
    }
    metadata.groups.append(RowGroupMetadata(rows: Int64(groupRows), begin: begin, chunks: written))
    progress.rows += Int64(groupRows)
    progress.groups += 1
    groupRows = 0
    onProgress(progress)
  }

  private func give(_ bytes: [UInt8]) throws(ParquetFault) {
    do {
      try sink(bytes)
    } catch {
      throw ParquetFault(.sink, "writing \(bytes.count) bytes at \(progress.bytes): \(error)")
    }
    progress.bytes += Int64(bytes.count)
  }

  private static func check(_ columns: [ParquetColumn], _ options: ParquetOptions) throws(ParquetFault) {
    guard (1...columnsMax).contains(columns.count) else {
      throw ParquetFault(.schema, "\(columns.count) columns, wanted are 1 to \(columnsMax)")
    }
    var names: Set<[UInt8]> = []
    for column in columns {
      if let problem = column.problem { throw ParquetFault(.schema, problem) }
      guard names.insert(Array(column.name.utf8)).inserted else {
        throw ParquetFault(.schema, "two columns are named \(column.name)")
      }
    }
    for name in options.sortedBy where !columns.contains(where: { $0.name == name }) {
      throw ParquetFault(.schema, "sorted by \(name), which is no column")
    }
    if let problem = options.problem { throw ParquetFault(.schema, problem) }
  }
}
