import Seams
import SeriesCodec
import TwinCore

/// The sealed bodies of one UTC day, in one file; DayFileFormat.swift has its layout.
///
/// Keys are in memory, bodies on the disk. Threading: one thread at a time; calls block on the disk.
final class DayFile {
  enum Form: UInt8, Sendable {
    /// Bodies are added.
    case open = 1
    /// Complete, with an index.
    case closed = 2
  }

  /// A body in the file.
  struct Entry: Sendable, Equatable {
    var key: BodyKey
    /// Of the body's first byte.
    var offset: Int64
    /// CRC-32C of the body.
    var checksum: UInt32
  }

  /// Appended bytes are held until they are flushed; beyond this `append` flushes first.
  private static let unflushedMax = 4 << 20
  private static let copySize: Int64 = 1 << 20

  let path: String
  let form: Form
  /// Days since 1970-01-01; nil where the file's header cannot be read.
  let day: Int64?
  /// Torn bytes at the end: cut off by the writer, passed over by a reader.
  private(set) var cutBytes: Int64 = 0

  private let files: any FileStore
  private let file: any OpenFile
  private let isWriter: Bool
  private var index = DayFileIndex()
  /// Behind the last body.
  private var end: Int64 = 0
  /// What stands behind the bytes that are flushed.
  private var unflushed: [UInt8] = []
  /// A flush failed: what it should have brought to the disk is written again.
  private var needsRewrite = false
  /// The file's name is not flushed yet.
  private var isNew = false

  /// Opens an existing file for reading, of either form, also beside its writer. `store.corrupt` when nothing of it can
  /// be read; `bad` gets what else cannot.
  init(
    files: any FileStore, reading path: String, patience: Patience = .readsAround, bad: (BadBody) -> Void
  ) throws(StoreError) {
    (self.files, self.path, isWriter) = (files, path, false)
    file = try filing { () throws(FileFault) in try files.open(path, .read) }
    let size = try Self.size(of: file)
    let head = try Self.head(of: file, patience)
    let header = try DayFileHeader(head, path: path)
    (day, form) = (header?.day, header?.form ?? .open)
    if form == .closed, let entries = try Self.indexed(file, size: size, patience) {
      (index, end) = (DayFileIndex(entries), size)
      return
    }
    let found = try Self.scan(file, size: size, patience)
    if header == nil, found.entries.isEmpty, !FileHead.isBlank(head) {
      throw StoreError(.corrupt, "\(path): neither its header nor any body can be read")
    }
    if header == nil, !Self.isUnflushed(head, found) { bad(badBody("its header does not match its checksum")) }
    if form == .closed { bad(badBody("its index does not match its checksum")) }
    // What was never flushed is no loss: nobody was told that it is there.
    for place in found.damages where form == .closed || place < found.flushed {
      bad(badBody("no body where one should begin", at: place))
    }
    (index, end) = (DayFileIndex(found.entries), found.end)
    if form == .open { cutBytes = max(0, size - found.end) }
  }

  /// Opens or makes an open file for appending. What was not flushed when it was closed is checked, cut off from the
  /// first torn body on, and flushed: on return all of `entries` are durable.
  ///
  /// Throws `store.io` where it insists on what the device does not give, before anything is cut.
  ///
  /// A file of which nothing can be read is set aside as `path` + ".bad". Throws `store.newer_version`, and
  /// `store.corrupt` for a closed file or one of another day.
  init(
    files: any FileStore, appending path: String, day: Int64, patience: Patience = .insists, bad: (BadBody) -> Void
  ) throws(StoreError) {
    (self.files, self.path, self.day, form, isWriter) = (files, path, day, .open, true)
    var file = try filing { () throws(FileFault) in try files.open(path, .create) }
    let head = try Self.head(of: file, patience)
    let header = try DayFileHeader(head, path: path)
    if let header, header != DayFileHeader(day: day, form: .open) {
      throw StoreError(
        .corrupt, "\(path) is of day \(header.day), form \(header.form), where day \(day) is to be added to")
    }
    let size = try Self.size(of: file)
    var found = try Self.scan(file, size: size, patience)
    if header == nil, found.entries.isEmpty {
      // What the device does not give is not blank.
      let isGiven = try filing { [file] () throws(FileFault) in try file.gives(0..<size, patience) }
      if !FileHead.isBlank(head) || !isGiven {
        bad(BadBody(row: "data/\(Self.name(path))", reason: "nothing of it can be read; it is set aside"))
        file = try filing { () throws(FileFault) in
          try files.rename(path, to: path + ".bad")
          return try files.open(path, .create)
        }
      }
      self.file = file
      (unflushed, isNew) = (DayFileHeader(day: day, form: .open).bytes, true)
      try filing { () throws(FileFault) in
        try file.truncate(to: 0)
        try file.write(unflushed, at: 0)
      }
      end = Int64(FileHead.size)
      return
    }
    self.file = file
    // Nor is it cut off: what is added comes behind it.
    let tail = found.flushed..<max(size, found.flushed)
    let isWhole = try filing { () throws(FileFault) in try file.gives(tail, patience) }
    if isWhole { try Self.cutTorn(&found, file, patience) } else { found.end = max(size, found.end) }
    if header == nil, !Self.isUnflushed(head, found) { bad(badBody("its header does not match its checksum")) }
    for place in found.damages { bad(badBody("no body where one should begin", at: place)) }
    (index, end, cutBytes) = (DayFileIndex(found.entries), found.end, size - found.end)
    try filing { () throws(FileFault) in
      if size > end { try file.truncate(to: end) }
      if header == nil { try file.write(DayFileHeader(day: day, form: .open).bytes, at: 0) }
      if isWhole { try Self.rewrite(file, found.flushed..<end) }
      try file.sync()
      try files.syncDirectory(Self.directory(of: path))
    }
  }

  /// In order of appending.
  var entries: [Entry] { index.entries }
  /// Of the file.
  var bytes: Int64 { end }

  /// Writes a body behind the others; it is durable with the next `sync` that succeeds. `key.length` is the body's.
  @discardableResult
  func append(_ body: [UInt8], _ key: BodyKey) throws(StoreError) -> Entry {
    precondition(isWriter && key.length == body.count && (1...BodyKey.lengthMax).contains(body.count))
    if unflushed.count > Self.unflushedMax { try sync() }
    let checksum = Checksum.crc32c(body)
    let header = BodyHeader(key: key, unflushed: Int64(unflushed.count), checksum: checksum).bytes(at: end)
    let record = header + body
    do throws(FileFault) {
      try file.write(record, at: end)
    } catch {
      // Best effort: what is left behind the end is written over, or cut off at the next start.
      try? file.truncate(to: end)
      throw StoreError(error)
    }
    let entry = Entry(key: key, offset: end + Int64(header.count), checksum: checksum)
    unflushed += record
    end += Int64(record.count)
    index.append(entry)
    return entry
  }

  /// Makes what was appended durable. When it throws nothing is lost: the next one writes the bytes again, for the
  /// system may have forgotten them.
  func sync() throws(StoreError) {
    guard !unflushed.isEmpty else { return }
    do throws(FileFault) {
      if needsRewrite { try file.write(unflushed, at: end - Int64(unflushed.count)) }
      needsRewrite = true
      try file.sync()
      if isNew { try files.syncDirectory(Self.directory(of: path)) }
    } catch {
      throw StoreError(error)
    }
    (unflushed, needsRewrite, isNew) = ([], false, false)
  }

  /// The body's bytes. `store.corrupt` when they do not match the checksum; every other body stays readable.
  func read(_ entry: Entry) throws(StoreError) -> [UInt8] {
    let flushed = end - Int64(unflushed.count)
    if entry.offset >= flushed {
      // After a flush that failed the system may have forgotten them.
      let start = Int(entry.offset - flushed)
      return Array(unflushed[start..<start + entry.key.length])
    }
    let body = try filing { () throws(FileFault) in try file.readPatiently(entry.key.length, at: entry.offset) }
    guard body.count == entry.key.length, Checksum.crc32c(body) == entry.checksum else {
      throw StoreError(.corrupt, "\(path): the body at \(entry.offset) does not match its checksum")
    }
    return body
  }

  /// As `read`, compared with the key's hash too.
  func read(_ entry: Entry, hash: Hash) throws(StoreError) -> [UInt8] {
    let body = try read(entry)
    guard hash(body) == entry.key.hash else {
      throw StoreError(.corrupt, "\(path): the body at \(entry.offset) does not match its hash \(entry.key.hash.short)")
    }
    return body
  }

  /// Bodies that meet a range of effective time, by their least effective time, then in order of appending.
  func entries(_ kind: BodyKind, group: Int32, effective: ClosedRange<Int64>) -> [Entry] {
    index.entries(kind, group: group, effective: effective)
  }

  /// Bodies that meet a range of ticks, by their first tick, then in order of appending.
  func entries(_ kind: BodyKind, group: Int32, ticks: ClosedRange<Int64>) -> [Entry] {
    index.entries(kind, group: group, ticks: ticks)
  }

  /// Which groups have bodies of a kind, rising.
  func groups(_ kind: BodyKind) -> [Int32] { index.groups(kind) }
}

// Opening.
extension DayFile {
  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

  private func badBody(_ reason: String, at place: Int64? = nil) -> BadBody {
    BadBody(row: "data/\(Self.name(path))" + (place.map { " at \($0)" } ?? ""), reason: reason)
  }

  private static func size(of file: any OpenFile) throws(StoreError) -> Int64 {
    try filing { () throws(FileFault) in try file.size }
  }

  private static func head(of file: any OpenFile, _ patience: Patience) throws(StoreError) -> [UInt8] {
    try filing { () throws(FileFault) in try file.read(FileHead.size, at: 0, patience) }
  }

  /// Whether the power went before the file's first flush: its bodies may have reached the device without its header.
  private static func isUnflushed(_ head: [UInt8], _ found: DayFileScan.Found) -> Bool {
    FileHead.isBlank(head) && found.flushed == 0
  }

  private static func scan(
    _ file: any OpenFile, size: Int64, _ patience: Patience
  ) throws(StoreError) -> DayFileScan.Found {
    var scan = DayFileScan(file, size: size, patience)
    return try scan.run()
  }

  /// The entries of a closed file; nil when its trailer or its index is damaged.
  private static func indexed(
    _ file: any OpenFile, size: Int64, _ patience: Patience
  ) throws(StoreError) -> [Entry]? {
    let trailerOffset = size - Int64(DayFileTrailer.size)
    guard trailerOffset >= 0 else { return nil }
    let (trailer, index) = try filing { () throws(FileFault) -> (DayFileTrailer?, [UInt8]) in
      let bytes = try file.read(DayFileTrailer.size, at: trailerOffset, patience)
      guard let trailer = DayFileTrailer(bytes, fileSize: size) else { return (nil, []) }
      return (trailer, try file.read(trailer.indexLength, at: trailer.indexOffset, patience))
    }
    guard let trailer, index.count == trailer.indexLength, Checksum.crc32c(index) == trailer.checksum else {
      return nil
    }
    return try? DayFileIndexBlock.read(index, trailer)
  }

  /// Takes back what is not whole among the bytes that were not flushed when the file was closed.
  private static func cutTorn(
    _ found: inout DayFileScan.Found, _ file: any OpenFile, _ patience: Patience
  ) throws(StoreError) {
    var cut = found.damages.first { $0 >= found.flushed }
    for (entry, header) in zip(found.entries, found.headers) where header >= found.flushed && header < cut ?? .max {
      let body = try filing { () throws(FileFault) in try file.read(entry.key.length, at: entry.offset, patience) }
      if body.count != entry.key.length || Checksum.crc32c(body) != entry.checksum {
        cut = header
        break
      }
    }
    guard let cut else { return }
    let kept = found.headers.prefix { $0 < cut }.count
    found.entries.removeSubrange(kept...)
    found.headers.removeSubrange(kept...)
    found.damages.removeAll { $0 >= cut }
    found.end = cut
  }

  /// Writes bytes of the file again. The flush of an earlier process may have failed, which leaves pages that look
  /// written and are not.
  private static func rewrite(_ file: any OpenFile, _ range: Range<Int64>) throws(FileFault) {
    var place = range.lowerBound
    while place < range.upperBound {
      let piece = try file.read(Int(min(copySize, range.upperBound - place)), at: place)
      guard !piece.isEmpty else { return }
      try file.write(piece, at: place)
      place += Int64(piece.count)
    }
  }
}
