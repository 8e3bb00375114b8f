import Glibc
import Testing

@testable import Parquet

/// Tests/Peers/read_parquet.py over files that the writer made.
struct ParquetReader {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  /// Lines of its output.
  static func read(_ kind: String, _ files: [[UInt8]]) throws -> [String] {
    let folder = try Scratch()
    var paths: [String] = []
    for (number, bytes) in files.enumerated() {
      paths.append("\(folder.path)/\(number).parquet")
      try folder.write(bytes, to: paths[number])
    }
    let python = unsafe getenv("TWIND_TEST_PYTHON").map { unsafe String(cString: $0) } ?? root + "/.venv/bin/python"
    let output = folder.path + "/out"
    let words = [python, root + "/Tests/Peers/read_parquet.py", kind] + paths
    let status = try run(words, output: output)
    let text = try folder.read(output)
    try #require(status == 0, "\(kind) does not read the file: \(text.suffix(2000))")
    return text.split(separator: "\n").map(String.init)
  }

  private static func run(_ words: [String], output: String) throws -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let started = unsafe posix_spawn(&process, words[0], &actions, nil, &arguments, unsafe environ)
    try #require(started == 0, "cannot start \(words[0]): make the test venv, or set TWIND_TEST_PYTHON")
    var status: Int32 = 0
    try #require(unsafe waitpid(process, &status, 0) == process)
    return status
  }
}

/// A folder of its own, removed at the end.
final class Scratch {
  let path: String

  init() throws {
    var name = Array("/tmp/twind-parquet-XXXXXX".utf8CString)
    path = try #require(unsafe mkdtemp(&name).map { unsafe String(cString: $0) })
  }

  deinit {
    guard let entries = unsafe opendir(path) else { return }
    while let entry = unsafe readdir(entries) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { _ = unsafe unlink(path + "/" + name) }
    }
    _ = unsafe closedir(entries)
    _ = unsafe rmdir(path)
  }

  func write(_ bytes: [UInt8], to path: String) throws {
    let file = try unsafe #require(unsafe fopen(path, "w"))
    defer { _ = unsafe fclose(file) }
    try #require(unsafe fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }

  func read(_ path: String) throws -> String {
    let file = try unsafe #require(unsafe fopen(path, "r"))
    defer { _ = unsafe fclose(file) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe fread(&block, 1, block.count, file)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += block[..<count]
    }
  }
}

/// Rows as the test knows them, in the cells of read_parquet.py.
enum Cells {
  static func rows(_ batches: [[ColumnBatch]], _ columns: [ParquetColumn], scaledBy factors: [Int64]) -> [String] {
    batches.flatMap { batch in
      (0..<(batch.first?.count ?? 0)).map { row in
        let cells = batch.indices.map { cell(batch[$0], row, columns[$0], factors[$0]) }
        return "[" + cells.joined(separator: ",") + "]"
      }
    }
  }

  private static func cell(_ batch: ColumnBatch, _ row: Int, _ column: ParquetColumn, _ factor: Int64) -> String {
    if !batch.nulls.isEmpty, batch.nulls[row] { return "null" }
    switch batch.values {
    case .booleans(let values): return values[row] ? "\"b1\"" : "\"b0\""
    case .int32s(let values): return "\"i\(Int64(values[row]) * factor)\""
    case .int64s(let values): return "\"i\(values[row] * factor)\""
    case .doubles(let values): return "\"d\(hex(values[row].bitPattern.bigEndianBytes))\""
    case .strings(let values): return "\"t\(hex(Array(values[row].utf8)))\""
    case .names(let codes, let names): return "\"t\(hex(Array(names[Int(codes[row])].utf8)))\""
    case .repeated(.null, _): return "null"
    case .repeated(.boolean(let value), _): return value ? "\"b1\"" : "\"b0\""
    case .repeated(.integer(let value), _): return "\"i\(value * factor)\""
    case .repeated(.double(let value), _): return "\"d\(hex(value.bitPattern.bigEndianBytes))\""
    case .repeated(.string(let value), _): return "\"t\(hex(Array(value.utf8)))\""
    }
  }

  static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

extension UInt64 {
  var bigEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> UInt64(56 - 8 * $0)) } }
}

/// The whole file in memory.
func parquet(
  _ columns: [ParquetColumn], _ batches: [[ColumnBatch]], _ options: ParquetOptions = ParquetOptions()
) throws -> [UInt8] {
  var bytes: [UInt8] = []
  let writer = try ParquetWriter(columns: columns, options: options) { bytes += $0 }
  for batch in batches { try writer.append(batch) }
  try writer.finish()
  #expect(writer.progress.bytes == Int64(bytes.count))
  return bytes
}

/// SplitMix64 (Steele, Lea, Flood 2014): a failing seed is enough to see the failure again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
