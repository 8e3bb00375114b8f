import Glibc
public import TwinCore

/// Small files of the system and of configurations.
public enum SystemFiles {
  /// The whole file; nil when it cannot be read or is larger than `max` bytes.
  public static func bytes(_ path: String, max: Int) -> [UInt8]? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return nil }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
      guard bytes.count <= max else { return nil }
    }
  }

  /// The rules of a time zone by its name in the tz database, from the system's own files; nil for a name that has
  /// none.
  public static func timeZone(_ name: String) -> TimeZoneRules? {
    let isName = name.utf8.allSatisfy {
      (97...122).contains($0 | 32) || (48...57).contains($0) || "+-_/".utf8.contains($0)
    }
    guard isName, !name.hasPrefix("/"), name.utf8.count <= 64,
      let bytes = bytes("/usr/share/zoneinfo/\(name)", max: 1 << 20)
    else { return nil }
    return try? TimeZoneRules(tzif: bytes, name: name)
  }

  /// The number of a group: a number as it stands, or a name in /etc/group. Nil when there is none.
  public static func group(_ name: String) -> UInt32? {
    if let number = UInt32(name) { return number }
    guard let text = bytes("/etc/group", max: 1 << 20) else { return nil }
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      if fields.count >= 3, fields[0] == name { return UInt32(fields[2]) }
    }
    return nil
  }
}
