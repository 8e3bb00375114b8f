import Seams
import SeriesCodec
import TwinCore

/// Hops through a day file from header to header; bodies are not read.
struct DayFileScan {
  /// What is in the file.
  struct Found {
    var entries: [DayFile.Entry] = []
    /// Where the header of each entry begins.
    var headers: [Int64] = []
    /// Places without a header, each with one behind it.
    var damages: [Int64] = []
    /// Behind the last body.
    var end = Int64(FileHead.size)
    /// What was flushed, as the headers tell.
    var flushed: Int64 = 0
  }

  private static let hopSize = 8192
  /// Where headers are looked for, not only hopped to.
  private static let searchSize = 64 * 1024
  private let file: any OpenFile
  private let size: Int64
  private let patience: Patience
  private var window: [UInt8] = []
  private var windowStart: Int64 = 0

  init(_ file: any OpenFile, size: Int64, _ patience: Patience) {
    (self.file, self.size, self.patience) = (file, size, patience)
  }

  mutating func run() throws(StoreError) -> Found {
    var found = Found()
    var offset = Int64(FileHead.size)
    while offset < size {
      let next: Int64?
      if try header(at: offset, Self.hopSize) == nil { next = try search(from: offset + 1) } else { next = offset }
      guard let next, let (header, length) = try header(at: next, Self.hopSize) else { break }
      let body = next + Int64(length)
      guard body + Int64(header.key.length) <= size else { break }
      if next > offset { found.damages.append(offset) }
      found.entries.append(DayFile.Entry(key: header.key, offset: body, checksum: header.checksum))
      found.headers.append(next)
      found.flushed = max(found.flushed, next - header.unflushed)
      offset = body + Int64(header.key.length)
      found.end = offset
    }
    return found
  }

  /// The next place with a whole header.
  private mutating func search(from start: Int64) throws(StoreError) -> Int64? {
    var offset = start
    let magic = BodyHeader.magic[0]
    while offset < size {
      try load(offset, BodyHeader.sizeMax, Self.searchSize)
      let first = Int(offset - windowStart)
      // Headers that the window may cut off are looked at in the next one.
      let isLast = windowStart + Int64(window.count) >= size
      let last = isLast ? window.count : window.count - BodyHeader.sizeMax + 1
      guard first < last else { return nil }
      for index in first..<last where window[index] == magic {
        let place = windowStart + Int64(index)
        if BodyHeader.read(window, at: index, offset: place) != nil { return place }
      }
      offset = windowStart + Int64(last)
    }
    return nil
  }

  private mutating func header(at offset: Int64, _ readSize: Int) throws(StoreError) -> (BodyHeader, Int)? {
    try load(offset, BodyHeader.sizeMax, readSize)
    let start = Int(offset - windowStart)
    guard start < window.count else { return nil }
    return BodyHeader.read(window, at: start, offset: offset)
  }

  /// Makes the window begin at or before `offset` and hold `count` bytes from there, if the file has them.
  private mutating func load(_ offset: Int64, _ count: Int, _ readSize: Int) throws(StoreError) {
    let end = min(offset + Int64(count), size)
    if offset >= windowStart, end <= windowStart + Int64(window.count) { return }
    let wanted = Int(min(Int64(max(count, readSize)), size - offset))
    window = try filing { () throws(FileFault) in try file.read(wanted, at: offset, patience) }
    windowStart = offset
  }
}
