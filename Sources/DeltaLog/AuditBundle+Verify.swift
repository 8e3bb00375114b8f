public import Seams
import Sodium
import TwinCore

extension AuditBundle {
  /// Reads a bundle from its beginning to its end, whatever its length, holding one record at a time.
  ///
  /// `prove` is given the trust items in order, and gives the keys that they prove; it throws where they prove none.
  /// What is wrong with the bundle is in the report; only a file that cannot be read throws.
  public static func verify(
    _ file: any OpenFile, prove: ([[UInt8]]) throws -> Trust
  ) throws(FileFault) -> AuditReport {
    var input = BundleInput(file)
    var audit = BundleAudit()
    do throws(BundleStop) {
      try input.magic()
      while !audit.isEnded {
        audit.offset = input.offset
        try audit.take(try input.record(), prove: prove)
      }
      audit.offset = input.offset
      try input.end()
    } catch {
      switch error {
      case .file(let fault): throw fault
      case .problem(let what, let place): audit.note(what, place)
      }
    }
    return audit.report
  }
}

/// Why reading ends early.
enum BundleStop: Error {
  case file(FileFault)
  case problem(String, BundlePlace)

  /// A problem at the entry that comes next.
  static func problem(_ what: String) -> BundleStop { .problem(what, .entry) }
}

/// Where a problem is.
enum BundlePlace {
  /// In the entry that comes next; in none where the stream is complete.
  case entry
  case stream
  case file
}

/// The frame: records by their lengths.
private struct BundleInput {
  private static let chunkBytes = 256 << 10
  private let file: any OpenFile
  private var buffer: [UInt8] = []
  private var start = 0
  /// Of the byte that comes next.
  private(set) var offset: Int64 = 0

  init(_ file: any OpenFile) { self.file = file }

  mutating func magic() throws(BundleStop) {
    guard try take(AuditBundle.magic.count) == AuditBundle.magic else {
      throw .problem("this is no audit bundle of version 1", .file)
    }
  }

  /// A record with its length.
  mutating func record() throws(BundleStop) -> [UInt8] {
    let head = try take(4)
    guard head.count == 4 else { throw .problem("the file ends here, without its end") }
    let length = head.reduce(0) { $0 << 8 | Int($1) }
    guard (1...AuditBundle.recordBytesMax).contains(length) else {
      throw .problem("a record of \(length) bytes, wanted 1 to \(AuditBundle.recordBytesMax)")
    }
    let bytes = try take(length)
    guard bytes.count == length else {
      throw .problem("a record of \(length) bytes, of which the file has \(bytes.count)")
    }
    return head + bytes
  }

  mutating func end() throws(BundleStop) {
    guard try take(1).isEmpty else { throw .problem("bytes after the end", .file) }
  }

  /// Fewer only at the end of the file.
  private mutating func take(_ count: Int) throws(BundleStop) -> [UInt8] {
    while buffer.count - start < count {
      let place = offset + Int64(buffer.count - start)
      let more: [UInt8]
      do throws(FileFault) { more = try file.read(Self.chunkBytes, at: place) } catch { throw .file(error) }
      if more.isEmpty { break }
      buffer.removeFirst(start)
      start = 0
      buffer += more
    }
    let bytes = Array(buffer[start..<min(buffer.count, start + count)])
    start += bytes.count
    offset += Int64(bytes.count)
    return bytes
  }
}
