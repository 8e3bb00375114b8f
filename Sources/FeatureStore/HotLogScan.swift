import Seams
import SeriesCodec
import TwinCore

/// Goes through the records of one file of the log by their headers and checksums.
struct LogScan {
  struct Record {
    var header: LogRecordHeader
    var offset: Int64
    /// Of the body in `window`.
    var body: Range<Int>
  }

  /// What stands where no record could be read, and a record behind it could.
  struct Damage {
    var offset: Int64
    var reason: String
    /// Bad records; their number where headers are bad is not known.
    var count = 1
  }

  /// One read of the file holds many records.
  private static let windowSize: Int64 = 256 * 1024
  private let file: any OpenFile
  private let size: Int64
  private let patience: Patience
  /// The bytes of the file from `windowStart`.
  private(set) var window: [UInt8] = []
  private var windowStart: Int64 = 0
  /// Of the next record.
  private var offset: Int64
  private var lastCommit: Int64?
  /// Behind the last good record.
  private(set) var end: Int64
  /// Before the good record that was given last.
  private(set) var damage: Damage?
  /// Behind the last good record: an unfinished record, or garbage.
  private(set) var rest: Damage?

  /// Begins behind the header.
  init(_ file: any OpenFile, size: Int64, _ patience: Patience = .readsAround) {
    (self.file, self.size, self.patience) = (file, size, patience)
    (offset, end) = (Int64(FileHead.size), Int64(FileHead.size))
  }

  /// The next good record; nil behind the last.
  mutating func next() throws(StoreError) -> Record? {
    damage = nil
    while let header = try seek() {
      let bodyStart = offset + Int64(LogRecordHeader.size)
      guard offset + Int64(header.recordSize) <= size, try load(offset, header.recordSize) else {
        note("an unfinished record")
        return nil
      }
      let start = Int(bodyStart - windowStart)
      let body = start..<start + header.length
      guard Checksum.crc32c(window[body]) == header.checksum else {
        note("commit \(header.commit) does not match its checksum")
        offset += Int64(header.recordSize)
        continue
      }
      if let lastCommit, header.commit <= lastCommit {
        note("commit \(header.commit) after commit \(lastCommit)")
        offset += Int64(header.recordSize)
        continue
      }
      let record = Record(header: header, offset: offset, body: body)
      offset += Int64(header.recordSize)
      (end, lastCommit, damage, rest) = (offset, header.commit, rest, nil)
      return record
    }
    return nil
  }

  private mutating func note(_ reason: String) {
    if rest == nil { rest = Damage(offset: offset, reason: reason) } else { rest?.count += 1 }
  }

  /// The next good header at or behind `offset`, which becomes its place; nil at the end of the file.
  private mutating func seek() throws(StoreError) -> LogRecordHeader? {
    guard offset < size else { return nil }
    if try load(offset, LogRecordHeader.size) {
      if let header = LogRecordHeader(window, at: Int(offset - windowStart), offset: offset) { return header }
    }
    note("no record where one should begin")
    while try load(offset, LogRecordHeader.size) {
      var index = Int(offset - windowStart)
      while index + LogRecordHeader.size <= window.count {
        let place = windowStart + Int64(index)
        if window[index] == LogRecordHeader.magicFirst, let header = LogRecordHeader(window, at: index, offset: place) {
          offset = place
          return header
        }
        index += LogRecordHeader.alignment
      }
      offset = windowStart + Int64(index)
    }
    return nil
  }

  /// Makes the window hold `count` bytes from `place`; false when the file does not have them.
  private mutating func load(_ place: Int64, _ count: Int) throws(StoreError) -> Bool {
    if place >= windowStart, place + Int64(count) <= windowStart + Int64(window.count) { return true }
    guard place + Int64(count) <= size else { return false }
    let wanted = Int(min(max(Int64(count), Self.windowSize), size - place))
    window = try filing { () throws(FileFault) in try file.read(wanted, at: place, patience) }
    windowStart = place
    return window.count >= count
  }
}
