import Seams
import SeriesCodec
import TwinCore

/// Reads a whole log, without writing.
struct LogReplay {
  struct Summary: Sendable, Equatable {
    /// Given to the caller.
    var records = 0
    /// Unfinished or superseded records, none of which was ever acknowledged.
    var cutRecords = 0
    var cutBytes: Int64 = 0
    /// In records that could be read, of histories that could not.
    var framesLost = 0
  }

  /// A file and what is good in it.
  struct Found {
    var file: LogFile
    /// Where its last good record begins and ends; both 0 where there is none.
    var last: Int64 = 0
    var end: Int64 = 0
    /// Made, and never flushed: no header and no record.
    var isBlank = false
  }

  private var reader: LogBodyReader
  private let patience: Patience
  private(set) var summary = Summary()
  private(set) var lastCommit: Int64 = 0

  init(layouts: [Int64: FrameLayout], _ patience: Patience = .readsAround) {
    (reader, self.patience) = (LogBodyReader(layouts: layouts), patience)
  }

  /// Gives the files in order. Throws what `body` throws.
  mutating func run(
    _ files: any FileStore, _ directory: String, _ body: (LogRecord) throws(StoreError) -> Void, bad: (BadBody) -> Void
  ) throws(StoreError) -> [Found] {
    // All headers first: a newer version is refused before anything else happens.
    let all = try LogFile.all(files, in: directory, patience)
    var bounds: [Int64] = []
    var bound = Int64.max
    for file in all.reversed() {
      bounds.append(bound)
      if let first = try firstCommit(file, files) { bound = min(bound, first) }
    }
    var found: [Found] = []
    for (file, bound) in zip(all, bounds.reversed()) {
      guard let open = try file.open(files) else { continue }
      found.append(try replay(file, open, before: bound, body, bad: bad))
    }
    return found
  }

  private func firstCommit(_ file: LogFile, _ files: any FileStore) throws(StoreError) -> Int64? {
    if let header = file.header { return header.firstCommit }
    guard let open = try file.open(files) else { return nil }
    var scan = LogScan(open, size: file.size, patience)
    return try scan.next()?.header.commit
  }

  /// Records from `bound` on were written again into a later file.
  private mutating func replay(
    _ file: LogFile, _ open: any OpenFile, before bound: Int64, _ body: (LogRecord) throws(StoreError) -> Void,
    bad: (BadBody) -> Void
  ) throws(StoreError) -> Found {
    var found = Found(file: file)
    var scan = LogScan(open, size: file.size, patience)
    let name = "log/" + LogFile.name(file.number)
    reader.reset()
    while let record = try scan.next() {
      guard record.header.commit < bound else {
        cut(file.size - record.offset)
        return found
      }
      if found.end == 0, file.header == nil {
        bad(BadBody(row: name, reason: "its header does not match its checksum"))
      }
      report(scan.damage, before: record, in: name, bad: bad)
      (found.last, found.end) = (record.offset, record.offset + Int64(record.header.recordSize))
      found.file.lastCommit = record.header.commit
      try give(record, scan.window, in: name, body, bad: bad)
    }
    let end = found.end == 0 && file.header != nil ? Int64(FileHead.size) : found.end
    if found.end == 0, file.header == nil {
      let head = try filing { () throws(FileFault) in try open.read(FileHead.size, at: 0, patience) }
      // What the device does not give is not blank.
      let isGiven = try filing { () throws(FileFault) in try open.gives(0..<file.size, patience) }
      found.isBlank = FileHead.isBlank(head) && isGiven
      if !found.isBlank { bad(BadBody(row: name, reason: "neither its header nor any record can be read")) }
    }
    if file.size > end { cut(file.size - end) }
    return found
  }

  private mutating func cut(_ bytes: Int64) {
    summary.cutRecords += 1
    summary.cutBytes += bytes
  }

  /// Tells of bad bytes in front of a good record, and of commits that are missing.
  private mutating func report(
    _ damage: LogScan.Damage?, before record: LogScan.Record, in name: String, bad: (BadBody) -> Void
  ) {
    let expected = lastCommit + 1
    let isGap = lastCommit > 0 && record.header.commit > expected
    guard damage != nil || isGap else { return }
    reader.reset()
    var reasons: [String] = []
    if let damage { reasons.append(damage.count > 1 ? "\(damage.reason), \(damage.count) bad places" : damage.reason) }
    if isGap { reasons.append("commits \(expected) to \(record.header.commit - 1) are missing") }
    bad(BadBody(row: "\(name) at \(damage?.offset ?? record.offset)", reason: reasons.joined(separator: "; ")))
  }

  private mutating func give(
    _ record: LogScan.Record, _ bytes: [UInt8], in name: String, _ body: (LogRecord) throws(StoreError) -> Void,
    bad: (BadBody) -> Void
  ) throws(StoreError) {
    let commit = record.header.commit
    let row = "\(name) commit \(commit)"
    guard commit > lastCommit else {
      reader.reset()
      return bad(BadBody(row: row, reason: "stands behind commit \(lastCommit)"))
    }
    lastCommit = commit
    if record.header.isKey { reader.reset() }
    var lost: (frames: Int, reason: String)?
    let content: LogRecord
    do throws(CodecFault) {
      content = try reader.read(bytes, in: record.body, commit: commit) { lost = ($0, $1) }
    } catch {
      reader.reset()
      return bad(BadBody(row: row, reason: error.reason))
    }
    if let (frames, reason) = lost {
      summary.framesLost += frames
      bad(BadBody(row: row, reason: "\(frames) frames are lost: \(reason)"))
    }
    summary.records += 1
    try body(content)
  }
}
