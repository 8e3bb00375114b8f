import Seams
import SeriesCodec
import TwinCore

@testable import FeatureStore

/// A day's file in a folder of its own.
struct DayBed {
  static let day: Int64 = 20_000

  let folder = ScratchFolder()
  let files = PlannedFiles()

  var open: String { folder.path + "/" + Self.openName }
  var closed: String { folder.path + "/" + Self.closedName }
  static let openName = "2024-10-04.tws"
  static let closedName = "2024-10-04.twc"

  func appending(_ bad: (BadBody) -> Void = { _ in }) throws(StoreError) -> DayFile {
    try DayFile(files: files, appending: open, day: Self.day, bad: bad)
  }

  func reading(_ path: String? = nil, _ bad: (BadBody) -> Void = { _ in }) throws(StoreError) -> DayFile {
    try DayFile(files: files, reading: path ?? open, bad: bad)
  }

  /// Appends bodies `numbers` of `size` bytes.
  @discardableResult
  func append(_ numbers: Range<Int>, size: Int = 100, to file: DayFile) throws(StoreError) -> [DayFile.Entry] {
    var entries: [DayFile.Entry] = []
    for number in numbers { entries.append(try file.append(Self.body(number, size), Self.key(number, size))) }
    return entries
  }

  /// Writes bodies `numbers` as a closed day.
  func close(_ numbers: Range<Int>, size: Int = 100) throws(StoreError) {
    let writer = try ClosedDayWriter(files: files, path: closed, day: Self.day)
    for number in numbers { try writer.append(Self.body(number, size), Self.key(number, size)) }
    try writer.finish()
  }

  static func body(_ number: Int, _ size: Int = 100) -> [UInt8] {
    var random = Seeded(UInt64(number))
    return (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  /// Body n: groups take turns, ten minutes each.
  static func key(_ number: Int, _ size: Int = 100) -> BodyKey {
    let start = day * 86_400_000_000_000 + Int64(number / 4) * 600_000_000_000
    let tick = Int64(1_000_000 + number / 4 * 600)
    return BodyKey(
      kind: .frames, group: Int32(number % 4), layout: 3, effective: start...start + 599_000_000_000,
      ticks: tick...tick + 599, rows: 600, tier: 1, hash: hash(body(number, size)), length: size)
  }

  /// No cryptographic one: enough to tell bodies apart.
  static let hash: Hash = { bytes in
    let sum = Checksum.crc32c(bytes)
    return Digest(bytes: (0..<32).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * ($0 % 4))) }) ?? .zero
  }

  private static let known = Dictionary(uniqueKeysWithValues: (0..<100).map { (key($0).hash, $0) })

  /// Which of the bodies a file has, read and compared.
  static func numbers(_ file: DayFile) -> [Int] {
    file.entries.compactMap { entry in
      guard let bytes = try? file.read(entry, hash: hash), let number = known[entry.key.hash] else { return nil }
      return key(number) == entry.key && body(number) == bytes ? number : nil
    }
  }
}
