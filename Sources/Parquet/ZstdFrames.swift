import CZstd

/// libzstd's compressor with its working memory, reused from page to page (codec ZSTD: RFC 8878, one frame a page).
@safe final class ZstdFrames {
  static let levels: ClosedRange<Int32> = 1...19

  private let context: OpaquePointer
  private let level: Int32

  init(level: Int32) throws(ParquetFault) {
    guard let context = unsafe ZSTD_createCCtx() else {
      throw ParquetFault(.compression, "libzstd has no memory for a compressor")
    }
    unsafe self.context = context
    self.level = level
  }

  deinit { unsafe ZSTD_freeCCtx(context) }

  func compress(_ bytes: [UInt8]) throws(ParquetFault) -> [UInt8] {
    let bound = ZSTD_compressBound(bytes.count)
    var result = 0
    let frame = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
      unsafe result = ZSTD_compressCCtx(context, output.baseAddress, bound, bytes, bytes.count, level)
      count = ZSTD_isError(result) == 0 ? result : 0
    }
    guard ZSTD_isError(result) == 0 else {
      throw ParquetFault(
        .compression, "\(bytes.count) bytes: \(unsafe String(cString: ZSTD_getErrorName(result)))")
    }
    return frame
  }
}
