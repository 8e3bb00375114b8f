// A file (parquet-format README, "File format"; parquet.thrift): every integer little-endian
//
//   offset     bytes  content
//   0          4      "PAR1"
//   4          -      row group after row group, in each the column chunks in the order of the schema: the dictionary
//                     page, if any, then the data pages; a page is a PageHeader in compact thrift, then its body
//   -          n      FileMetaData in compact thrift
//   end - 8    4      n
//   end - 4    4      "PAR1"

/// Where a column chunk is and what it holds.
struct ChunkMetadata {
  var column: ParquetColumn
  var values: Int64
  var sizes: PageSizes
  var encodings: Set<EncodingCode>
  var statistics: ChunkStatistics
  var begin: Int64
  /// Of the dictionary page with its header; 0 without one.
  var dictionaryBytes: Int64
}

struct RowGroupMetadata {
  var rows: Int64
  var begin: Int64
  var chunks: [ChunkMetadata]
}

struct FileMetadata {
  static let magic: [UInt8] = Array("PAR1".utf8)
  /// Of the thrift definition; 2 since pages may be delta coded.
  private static let version: Int32 = 2

  var columns: [ParquetColumn]
  var options: ParquetOptions
  var groups: [RowGroupMetadata] = []

  /// The last thing in the file.
  var footer: [UInt8] {
    var bytes = CompactThrift.structure { file in
      file.i32(1, Self.version)
      file.structures(2, [nil] + columns.map(Optional.some)) { element, column in
        if let column { Self.schema(column, &element) } else { self.root(&element) }
      }
      file.i64(3, groups.reduce(0) { $0 + $1.rows })
      file.structures(4, Array(groups.enumerated())) { self.group($1.element, number: $1.offset, &$0) }
      if !options.metadata.isEmpty {
        file.structures(5, options.metadata) { pair, entry in
          pair.string(1, entry.key)
          pair.string(2, entry.value)
        }
      }
      file.string(6, options.createdBy)
      // Every column is ordered as its type says; without this readers pass over the statistics.
      file.structures(7, columns) { order, _ in order.structure(1) { _ in } }
    }
    let length = UInt32(bytes.count)
    bytes.append(littleEndian: length)
    return bytes + Self.magic
  }

  private func root(_ element: inout CompactThrift) {
    element.string(4, "twind")
    element.i32(5, Int32(columns.count))
  }

  /// parquet.thrift, SchemaElement, with the logical type and, for readers from before it, the converted one.
  private static func schema(_ column: ParquetColumn, _ element: inout CompactThrift) {
    element.i32(1, column.physicalType)
    element.i32(3, column.isNullable ? 1 : 0)
    element.string(4, column.name)
    switch column.kind {
    case .boolean, .int32, .int64, .double: break
    case .string:
      element.i32(6, 0)
      element.structure(10) { $0.structure(1) { _ in } }
    case .enumeration:
      element.i32(6, 4)
      element.structure(10) { $0.structure(4) { _ in } }
    case .decimal32(let precision, let scale), .decimal64(let precision, let scale):
      element.i32(6, 5)
      element.i32(7, Int32(scale))
      element.i32(8, Int32(precision))
      element.structure(10) { logical in
        logical.structure(5) { decimal in
          decimal.i32(1, Int32(scale))
          decimal.i32(2, Int32(precision))
        }
      }
    case .timestamp(let unit):
      if unit != .nanoseconds { element.i32(6, unit == .milliseconds ? 9 : 10) }
      element.structure(10) { logical in
        logical.structure(8) { timestamp in
          timestamp.boolean(1, true)
          timestamp.structure(2) { $0.structure(unit.identifier) { _ in } }
        }
      }
    }
  }

  private func group(_ group: RowGroupMetadata, number: Int, _ element: inout CompactThrift) {
    element.structures(1, group.chunks) { column, chunk in
      column.i64(2, 0)
      column.structure(3) { self.chunk(chunk, &$0) }
    }
    element.i64(2, group.chunks.reduce(0) { $0 + $1.sizes.plain })
    element.i64(3, group.rows)
    let sorting = options.sortedBy.compactMap { name in columns.firstIndex { $0.name == name } }
    if !sorting.isEmpty {
      element.structures(4, sorting) { column, index in
        column.i32(1, Int32(index))
        column.boolean(2, false)
        column.boolean(3, false)
      }
    }
    element.i64(5, group.begin)
    element.i64(6, group.chunks.reduce(0) { $0 + $1.sizes.stored })
    element.i16(7, Int16(number))
  }

  /// parquet.thrift, ColumnMetaData.
  private func chunk(_ chunk: ChunkMetadata, _ element: inout CompactThrift) {
    element.i32(1, chunk.column.physicalType)
    element.i32s(2, chunk.encodings.map(\.rawValue).sorted())
    element.strings(3, [chunk.column.name])
    element.i32(4, options.compression.code)
    element.i64(5, chunk.values)
    element.i64(6, chunk.sizes.plain)
    element.i64(7, chunk.sizes.stored)
    element.i64(9, chunk.begin + chunk.dictionaryBytes)
    if chunk.dictionaryBytes > 0 { element.i64(11, chunk.begin) }
    element.structure(12) { statistics in
      statistics.i64(3, chunk.statistics.nulls)
      guard let bounds = chunk.statistics.bounds(chunk.column) else { return }
      statistics.binary(5, bounds.greatest)
      statistics.binary(6, bounds.least)
      statistics.boolean(7, true)
      statistics.boolean(8, true)
    }
  }
}

extension ParquetColumn {
  /// parquet.thrift, Type.
  fileprivate var physicalType: Int32 {
    switch kind {
    case .boolean: 0
    case .int32, .decimal32: 1
    case .int64, .decimal64, .timestamp: 2
    case .double: 5
    case .string, .enumeration: 6
    }
  }
}

extension ParquetColumn.TimeUnit {
  /// The field of parquet.thrift's union TimeUnit.
  fileprivate var identifier: Int16 {
    switch self {
    case .milliseconds: 1
    case .microseconds: 2
    case .nanoseconds: 3
    }
  }
}
