// A file of the hot log, `log/<number, 16 hexadecimal digits>.twl`, little endian:
//
//   offset  bytes  content
//   0       8      magic "twindlog"
//   8       4      version, 1
//   12      4      CRC-32C of bytes 0..<12, then of 16..<32
//   16      8      commit number of the first record; a record of this number in an earlier file counts no more
//   24      8      number of the first tick, 0 when none was known
//   32      …      records, HotLogRecord.swift, each at a multiple of 8
//
// The first 32 bytes are the same in every version. Files are read in the order of their names: the number is that of
// the first tick, or one above the last file's where that is not above it.
//
// Invariants: commit numbers rise from record to record, within a file by 1; the first record of a file is a key
// record; record n + 1 is written only after n was flushed, so that only the last record of the log can be unfinished.
// A file whose flush failed gets no more records: the one that was not flushed is the first of the next file.

import Seams
import SeriesCodec
import TwinCore

/// The first 32 bytes of a file of the log or of a day: magic, version, checksum, and two numbers of its own.
enum FileHead {
  static let size = 32
  private static let version: UInt32 = 1

  static func bytes(_ magic: String, _ first: UInt64, _ second: UInt64) -> [UInt8] {
    var head = ByteWriter(reserving: size)
    head.append(Array(magic.utf8))
    head.word(version)
    var rest = ByteWriter()
    rest.raw(first)
    rest.raw(second)
    head.word(Checksum.crc32c(rest.bytes, continuing: Checksum.crc32c(head.bytes)))
    head.append(rest.bytes)
    return head.bytes
  }

  /// The two numbers; nil when the head is not whole. Throws `store.newer_version`.
  static func read(_ bytes: [UInt8], _ magic: String, path: String) throws(StoreError) -> (UInt64, UInt64)? {
    guard bytes.count == size, bytes.starts(with: magic.utf8) else { return nil }
    let sum = Checksum.crc32c(bytes[16...], continuing: Checksum.crc32c(bytes[..<12]))
    var (head, rest) = (ByteReader(bytes, in: 8..<16), ByteReader(bytes, in: 16..<size))
    guard let found = try? head.word(), (try? head.word()) == sum else { return nil }
    guard found <= version else {
      throw StoreError(.newerVersion, "\(path) has version \(found), this twind knows up to \(version)")
    }
    guard found == version, let first = try? rest.raw(), let second = try? rest.raw() else { return nil }
    return (first, second)
  }

  /// Made, and never flushed.
  static func isBlank(_ bytes: [UInt8]) -> Bool { bytes.count < size || bytes.allSatisfy { $0 == 0 } }
}

/// The first bytes of a file of the log.
struct LogFileHeader: Equatable {
  private static let magic = "twindlog"

  var firstCommit: Int64
  var firstTick: Int64

  var bytes: [UInt8] {
    FileHead.bytes(Self.magic, UInt64(bitPattern: firstCommit), UInt64(bitPattern: firstTick))
  }

  init(firstCommit: Int64, firstTick: Int64) { (self.firstCommit, self.firstTick) = (firstCommit, firstTick) }

  /// nil when it is not whole. Throws `store.newer_version`.
  init?(_ bytes: [UInt8], path: String) throws(StoreError) {
    guard let (commit, tick) = try FileHead.read(bytes, Self.magic, path: path) else { return nil }
    self.init(firstCommit: Int64(bitPattern: commit), firstTick: Int64(bitPattern: tick))
  }
}

/// A file of the log in its directory.
struct LogFile {
  /// That in its name.
  let number: Int64
  let path: String
  var header: LogFileHeader?
  var size: Int64 = 0
  /// Of the last record that counts; nil where there is none.
  var lastCommit: Int64?

  static func name(_ number: Int64) -> String {
    let digits = String(UInt64(bitPattern: number), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits + ".twl"
  }

  /// nil for names of other things.
  static func number(_ name: String) -> Int64? {
    guard name.hasSuffix(".twl"), let number = Int64(name.dropLast(4), radix: 16), self.name(number) == name else {
      return nil
    }
    return number
  }

  /// The files in `directory`, by number, with their headers. Throws `store.newer_version`.
  static func all(
    _ files: any FileStore, in directory: String, _ patience: Patience = .readsAround
  ) throws(StoreError) -> [LogFile] {
    var found: [LogFile] = []
    for number in try filing({ () throws(FileFault) in try files.names(in: directory) }).compactMap(Self.number) {
      var file = LogFile(number: number, path: directory + "/" + name(number))
      guard let open = try file.open(files) else { continue }
      let (size, head) = try filing { () throws(FileFault) in
        (try open.size, try open.read(FileHead.size, at: 0, patience))
      }
      file.size = size
      file.header = try LogFileHeader(head, path: file.path)
      found.append(file)
    }
    return found.sorted { $0.number < $1.number }
  }

  /// nil when it was removed since it was listed.
  func open(_ files: any FileStore) throws(StoreError) -> (any OpenFile)? {
    do throws(FileFault) {
      return try files.open(path, .read)
    } catch {
      if error.kind == .notFound { return nil }
      throw StoreError(error)
    }
  }
}

extension Checksum {
  /// The sum of a header that is good at one place of a file only: of its bytes, then of the place as 8 bytes.
  static func crc32c(_ header: ArraySlice<UInt8>, at offset: Int64) -> UInt32 {
    var place = ByteWriter()
    place.raw(UInt64(bitPattern: offset))
    return crc32c(place.bytes, continuing: crc32c(header))
  }
}

/// What is done where the device does not give bytes.
enum Patience: Sendable {
  /// The read is tried again, and then fails: for whoever cuts files by what he read.
  case insists
  /// Zeros stand for them.
  case readsAround
}

extension OpenFile {
  func read(_ count: Int, at offset: Int64, _ patience: Patience) throws(FileFault) -> [UInt8] {
    guard patience == .insists else { return try readPatiently(count, at: offset) }
    do throws(FileFault) { return try read(count, at: offset) } catch {
      guard error.kind == .io else { throw error }
      return try read(count, at: offset)
    }
  }

  /// Whether the device gives all of a range. Where that is insisted on, throws what it says instead.
  func gives(_ range: Range<Int64>, _ patience: Patience) throws(FileFault) -> Bool {
    let pieceSize: Int64 = 1 << 20
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Int(pieceSize)) {
      let count = Int(min(pieceSize, range.upperBound - start))
      do throws(FileFault) {
        _ = try read(count, at: start, .insists)
      } catch {
        guard patience == .readsAround else { throw error }
        return false
      }
    }
    return true
  }

  /// As `read`, with zeros where the device cannot give the bytes any more.
  func readPatiently(_ count: Int, at offset: Int64) throws(FileFault) -> [UInt8] {
    do throws(FileFault) {
      return try read(count, at: offset)
    } catch {
      guard error.kind == .io else { throw error }
    }
    let count = Int(min(Int64(count), max(0, try size - offset)))
    var bytes = [UInt8](repeating: 0, count: count)
    let pieceSize = 4096
    for start in stride(from: 0, to: count, by: pieceSize) {
      let size = min(pieceSize, count - start)
      guard let piece = try? read(size, at: offset + Int64(start)), piece.count == size else { continue }
      bytes.replaceSubrange(start..<start + size, with: piece)
    }
    return bytes
  }
}

extension StoreError {
  init(_ fault: FileFault) {
    let kind: Kind =
      switch fault.kind {
      case .full: .diskFull
      case .io: .io
      case .notFound: .notFound
      case .notPermitted: .readOnly
      case .failed: .failed
      }
    self.init(kind, fault.message)
  }
}

/// Runs calls into the files, with their faults told as the store's.
func filing<Result>(_ body: () throws(FileFault) -> Result) throws(StoreError) -> Result {
  do throws(FileFault) { return try body() } catch { throw StoreError(error) }
}
