import Seams
import SeriesCodec
import TwinCore

/// The commits of the last minutes, in files that only grow: what a commit made durable is here first.
///
/// HotLogFiles.swift has the layout of a file, HotLogRecord.swift that of a record. Threading: one thread at a time;
/// calls block on the disk.
final class HotLog {
  static let recordBytesMax = 64 << 20
  /// Commits after which the histories of frames begin anew, so that damage costs a minute at most.
  static let keyInterval = 64
  /// A buffer larger than this is given back after its record.
  private static let bufferKept = 1 << 20

  private let files: any FileStore
  private let directory: String
  /// In order; none gets another record.
  private var closed: [LogFile] = []
  /// The file that is written; nil until the next append makes one.
  private var current: Current?
  /// For the name of the next file.
  private var firstTick: Int64?
  private var lastNumber: Int64 = -1
  private var writer = LogBodyWriter()
  private var sinceKey = 0
  private var needsKey = true
  private var buffer: [UInt8] = []

  private struct Current {
    var file: LogFile
    let open: any OpenFile
    /// Behind the last durable record; 0 while there is not even a header.
    var end: Int64
  }

  /// What opening found.
  let recovery: LogReplay.Summary
  /// Of the last durable record; 0 before the first. The next must be above it.
  private(set) var lastCommit: Int64

  /// Opens the log in `directory` (made where missing, its parent must be there), and gives `body` every record in
  /// order of commit numbers. What cannot be read goes to `bad`; an unfinished last record is cut off. On return all
  /// records that were given are durable.
  ///
  /// `layouts`: those known so far; the ones that records bring are added. Throws `store.newer_version` before it
  /// touches anything, and `store.io` where it insists on what the device does not give; an error of `body` ends the
  /// opening.
  init(
    files: any FileStore, directory: String, layouts: [Int64: FrameLayout], patience: Patience = .readsAround,
    _ body: (LogRecord) throws(StoreError) -> Void, bad: (BadBody) -> Void
  ) throws(StoreError) {
    (self.files, self.directory) = (files, directory)
    try filing { () throws(FileFault) in
      try files.makeDirectory(directory)
      if let slash = directory.lastIndex(of: "/"), slash > directory.startIndex {
        try files.syncDirectory(String(directory[..<slash]))
      }
    }
    var replay = LogReplay(layouts: layouts, patience)
    let found = try replay.run(files, directory, body, bad: bad)
    (recovery, lastCommit) = (replay.summary, replay.lastCommit)
    lastNumber = found.last?.file.number ?? -1
    try resume(found)
  }

  /// As opening, beside a writer in another process: nothing is written, an unfinished end is simply the end.
  @discardableResult
  static func read(
    files: any FileStore, directory: String, layouts: [Int64: FrameLayout],
    _ body: (LogRecord) throws(StoreError) -> Void, bad: (BadBody) -> Void
  ) throws(StoreError) -> LogReplay.Summary {
    var replay = LogReplay(layouts: layouts)
    _ = try replay.run(files, directory, body, bad: bad)
    return replay.summary
  }

  /// Of all files.
  var bytes: Int64 { closed.reduce(fileBytes) { $0 + $1.size } }
  /// Of the file that is written; 0 when the next append begins one.
  var fileBytes: Int64 { current?.end ?? 0 }

  /// One write and one sync. When it throws, nothing of the record counts, and its number is to be used again.
  ///
  /// Numbers rise by 1. `layouts` holds those of all frames. Throws `store.too_big` for a record of more than
  /// `recordBytesMax`, or of more entries than a section may have.
  func append(_ record: LogRecord, layouts: [Int64: FrameLayout]) throws(StoreError) {
    precondition(record.commit > lastCommit, "commit \(record.commit) after commit \(lastCommit)")
    if current == nil { current = try begin(record) }
    guard let open = current?.open, let end = current?.end else { return }
    let isKey = needsKey || end == 0 || sinceKey >= Self.keyInterval
    // Until it is durable the histories tell of frames that are not in the file.
    needsKey = true
    try pack(record, layouts: layouts, isKey: isKey, at: end)
    do throws(FileFault) {
      try open.write(buffer, at: end)
    } catch {
      // Cut off again, so that the next attempt finds the same place; a file that cannot even be cut is left alone.
      if (try? open.truncate(to: end)) == nil { abandon() }
      throw StoreError(error)
    }
    do throws(FileFault) {
      try open.sync()
      if end == 0 { try files.syncDirectory(directory) }
    } catch {
      abandon()
      throw StoreError(error)
    }
    current?.end = end + Int64(buffer.count)
    current?.file.lastCommit = record.commit
    lastCommit = record.commit
    (needsKey, sinceKey) = (false, isKey ? 1 : sinceKey + 1)
    if buffer.capacity > Self.bufferKept { buffer = [] }
  }

  /// Ends the file: the next append begins one that is named by `firstTick`.
  func rotate(firstTick: Int64) {
    self.firstTick = firstTick
    guard let ended = current, ended.end > 0 else { return }
    retire(ended)
  }

  /// Unlinks files whose records are all before `commit`, oldest first; never the one that is written.
  func remove(filesEndingBefore commit: Int64) throws(StoreError) {
    while let oldest = closed.first, (oldest.lastCommit ?? .min) < commit {
      try filing { () throws(FileFault) in
        try files.remove(oldest.path)
        // Before the next one goes, so that a loss of power leaves no gap.
        try files.syncDirectory(directory)
      }
      closed.removeFirst()
    }
  }

  /// Makes what was read durable, and the newest file ready for more.
  private func resume(_ found: [LogReplay.Found]) throws(StoreError) {
    for blank in found where blank.isBlank {
      try filing { () throws(FileFault) in
        try files.remove(blank.file.path)
        // The device may have more of it than the page cache shows: it must not come back.
        try files.syncDirectory(directory)
      }
    }
    let kept = found.filter { !$0.isBlank }
    closed = kept.map(\.file)
    guard let newest = kept.last else { return }
    let isWhole = try filing { () throws(FileFault) -> Bool in
      let open = try files.open(newest.file.path, .read)
      return try open.gives(newest.last..<max(newest.last, newest.file.size), .readsAround)
    }
    // What cannot be read is not cut off either: the file stays as it is, and the next record begins another.
    guard isWhole else { return }
    let open = try filing { () throws(FileFault) in
      let open = try files.open(newest.file.path, .write)
      // A damaged header may hide a header and records alike: such a file is left as it is.
      if newest.file.header != nil, newest.file.size > newest.end { try open.truncate(to: newest.end) }
      // Its flush may have failed in an earlier process, which leaves pages that look written and are not. Written
      // again, they are flushed.
      if newest.end > 0 {
        try open.write(try open.read(Int(newest.end - newest.last), at: newest.last), at: newest.last)
      }
      try open.sync()
      try files.syncDirectory(directory)
      return open
    }
    guard newest.file.header != nil else { return }
    closed.removeLast()
    current = Current(file: newest.file, open: open, end: newest.end)
  }

  private func begin(_ record: LogRecord) throws(StoreError) -> Current {
    let tick = firstTick ?? record.ticks.first?.number ?? 0
    let number = max(tick, lastNumber + 1)
    let path = directory + "/" + LogFile.name(number)
    let open = try filing { () throws(FileFault) in
      let open = try files.open(path, .create)
      try open.truncate(to: 0)
      return open
    }
    (lastNumber, firstTick) = (number, nil)
    return Current(file: LogFile(number: number, path: path), open: open, end: 0)
  }

  /// Leaves the record's bytes in `buffer`, those of the file's header before the first.
  private func pack(
    _ record: LogRecord, layouts: [Int64: FrameLayout], isKey: Bool, at end: Int64
  ) throws(StoreError) {
    buffer.removeAll(keepingCapacity: true)
    if end == 0 {
      buffer += LogFileHeader(firstCommit: record.commit, firstTick: record.ticks.first?.number ?? 0).bytes
    }
    let start = buffer.count
    let bodyStart = start + LogRecordHeader.size
    buffer.append(contentsOf: repeatElement(0, count: LogRecordHeader.size))
    if isKey { writer.reset() }
    try writer.write(record, layouts: layouts, into: &buffer)
    let length = buffer.count - bodyStart
    guard length <= Self.recordBytesMax else {
      throw StoreError(
        .tooBig, "commit \(record.commit) takes \(length) bytes where \(Self.recordBytesMax) may be; split it")
    }
    let header = LogRecordHeader(
      length: length, commit: record.commit, isKey: isKey, checksum: Checksum.crc32c(buffer[bodyStart...]))
    buffer.append(contentsOf: repeatElement(0, count: header.recordSize - LogRecordHeader.size - length))
    buffer.replaceSubrange(start..<bodyStart, with: header.bytes(at: end + Int64(start)))
  }

  /// After a flush that failed nothing can be known of the file any more: it gets no more records.
  private func abandon() {
    guard let failed = current else { return }
    guard failed.end == 0, (try? files.remove(failed.file.path)) != nil else { return retire(failed) }
    current = nil
  }

  private func retire(_ ended: Current) {
    var file = ended.file
    file.size = ended.end
    closed.append(file)
    current = nil
  }
}
