import Seams
import SeriesCodec
import TwinCore

/// Writes the closed form of a day: bodies go to a temporary file, which takes the name once it is complete.
///
/// Threading: one thread at a time; calls block on the disk.
final class ClosedDayWriter {
  static let suffix = ".tmp"

  private let files: any FileStore
  private let path: String
  private let temporary: String
  /// nil once it is finished or cancelled.
  private var file: (any OpenFile)?
  private var entries: [DayFile.Entry] = []
  /// Behind the last body.
  private var end: Int64

  /// Makes `path` + `suffix`, replacing what an interrupted one left behind.
  init(files: any FileStore, path: String, day: Int64) throws(StoreError) {
    (self.files, self.path, temporary) = (files, path, path + Self.suffix)
    let header = DayFileHeader(day: day, form: .closed).bytes
    end = Int64(header.count)
    do throws(FileFault) {
      let file = try files.open(temporary, .create)
      self.file = file
      try file.truncate(to: 0)
      try file.write(header, at: 0)
    } catch {
      cancel()
      throw StoreError(error)
    }
  }

  deinit { cancel() }

  /// Bodies in the order in which they are to be listed.
  func append(_ body: [UInt8], _ key: BodyKey) throws(StoreError) {
    precondition(key.length == body.count && (1...BodyKey.lengthMax).contains(body.count))
    guard let file else { preconditionFailure("a closed day that is finished") }
    let checksum = Checksum.crc32c(body)
    let header = BodyHeader(key: key, unflushed: 0, checksum: checksum).bytes(at: end)
    try filing { () throws(FileFault) in try file.write(header + body, at: end) }
    entries.append(DayFile.Entry(key: key, offset: end + Int64(header.count), checksum: checksum))
    end += Int64(header.count + body.count)
  }

  /// Index, trailer, sync, rename, sync of the directory; then the file can be opened for reading. When it throws the
  /// file under `path` may be the old or the new one; both are whole.
  func finish() throws(StoreError) {
    guard let file else { preconditionFailure("a closed day that is finished") }
    defer { cancel() }
    let index = DayFileIndexBlock.bytes(entries)
    let trailer = DayFileTrailer(of: index, count: entries.count, at: end)
    try filing { () throws(FileFault) in
      try file.write(index + trailer.bytes, at: end)
      try file.sync()
      try files.rename(temporary, to: path)
      self.file = nil
      try files.syncDirectory(DayFile.directory(of: path))
    }
  }

  /// Removes the temporary file.
  func cancel() {
    guard file != nil else { return }
    file = nil
    try? files.remove(temporary)
  }
}
