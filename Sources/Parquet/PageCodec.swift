/// What a chunk's pages have in common, and how a page becomes bytes.
struct PageCodec {
  /// nil leaves pages as they are.
  let zstd: ZstdFrames?
  let pageRows: Int
  /// Of texts in one page, before compression; a page ends with the text that reaches it.
  let pageTextBytes: Int
  let dictionaryValuesMax: Int
  let dictionaryTextBytesMax: Int

  /// `PageHeader` and body of a page (parquet.thrift). Adds what the page counts before and after compression.
  func page(
    _ body: [UInt8], _ kind: PageKind, values: Int, encoding: EncodingCode, sizes: inout PageSizes
  ) throws(ParquetFault) -> [UInt8] {
    let stored = try zstd?.compress(body) ?? body
    guard let length = Int32(exactly: body.count), let storedLength = Int32(exactly: stored.count) else {
      throw ParquetFault(.tooLarge, "a page of \(body.count) bytes, at most \(Int32.max)")
    }
    let header = CompactThrift.structure { header in
      header.i32(1, kind.rawValue)
      header.i32(2, length)
      header.i32(3, storedLength)
      header.i32(4, Int32(bitPattern: PageChecksum.crc32(stored)))
      switch kind {
      case .data:
        header.structure(5) { data in
          data.i32(1, Int32(values))
          data.i32(2, encoding.rawValue)
          data.i32(3, EncodingCode.rle.rawValue)
          data.i32(4, EncodingCode.rle.rawValue)
        }
      case .dictionary:
        header.structure(7) { dictionary in
          dictionary.i32(1, Int32(values))
          dictionary.i32(2, encoding.rawValue)
          dictionary.boolean(3, false)
        }
      }
    }
    sizes.plain += Int64(header.count + body.count)
    sizes.stored += Int64(header.count + stored.count)
    return header + stored
  }
}

struct PageSizes: Equatable {
  var plain: Int64 = 0
  var stored: Int64 = 0
}

/// parquet.thrift, PageType.
enum PageKind: Int32 {
  case data = 0
  case dictionary = 2
}

/// parquet.thrift, Encoding.
enum EncodingCode: Int32, CaseIterable {
  case plain = 0
  case rle = 3
  case deltaBinaryPacked = 5
  case rleDictionary = 8
}
