import Glibc
import Seams

/// What the kernel says of this process, and of files.
enum ProcessFacts {
  /// Bytes for which this process caused writing to a device.
  static var deviceBytes: Int64 { number("/proc/self/io", "write_bytes:") }

  /// Anonymous memory that is resident, bytes: heap and stacks, no program text and no page cache.
  static var anonymousBytes: Int64 { 1024 * number("/proc/self/status", "RssAnon:") }

  /// Whether lines for people, which begin with #, are wanted beside the figures.
  static var isVerbose: Bool { unsafe getenv("TWIND_BENCH_VERBOSE") != nil }

  private static func number(_ path: String, _ key: String) -> Int64 {
    let files = SystemFileStore()
    guard let bytes = try? files.open(path, .read).read(1 << 14, at: 0) else { return 0 }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix(key) {
      return Int64(line.dropFirst(key.count).split(whereSeparator: { $0 == " " || $0 == "\t" })[0]) ?? 0
    }
    return 0
  }

  /// Bytes of the files in a folder whose names end so.
  static func bytes(in folder: String, suffix: String) throws -> Int64 {
    let files = SystemFileStore()
    return try files.names(in: folder).filter { $0.hasSuffix(suffix) }.reduce(0) { sum, name in
      sum + (try files.open("\(folder)/\(name)", .read).size)
    }
  }

  static func makeFolder(_ path: String) throws { try SystemFileStore().makeDirectory(path) }
}
