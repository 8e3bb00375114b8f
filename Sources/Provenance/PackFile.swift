import Glibc

/// One file of a pack as it was read: what is verified and what is parsed are these same bytes.
public struct PackFile: Equatable, Sendable {
  /// Relative to the pack, components apart by `/`; see `isAllowed(path:)`.
  public let path: String
  public let bytes: [UInt8]

  public static let bytesMax = 16 << 20
  public static let pathBytesMax = 255
  public static let depthMax = 8

  public init(path: String, bytes: [UInt8]) {
    (self.path, self.bytes) = (path, bytes)
  }

  /// Whether a path can be in a manifest: printable ASCII without space and backslash, no empty, `.` or `..` component,
  /// hence never absolute, at most `pathBytesMax` bytes and `depthMax` components.
  public static func isAllowed(path: String) -> Bool {
    let components = path.split(separator: "/", omittingEmptySubsequences: false)
    return path.utf8.count <= pathBytesMax && components.count <= depthMax
      && components.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
      && path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }
  }

  /// Writes a seal (`pack.sig`, `envelopes.sig`) into a pack, by a temporary file, a flush and a rename; replaces an
  /// older one.
  public func write(into directory: String) throws(ProvenanceFault) {
    guard Self.isAllowed(path: path), !path.utf8.contains(UInt8(ascii: "/")) else { throw .pathRefused(path) }
    try Descriptor.directory(directory).place(
      path, bytes, mode: 0o644, replacing: true, shown: "\(directory)/\(path)")
  }
}

/// Reads a pack's files from a directory, each once.
public enum PackReader {
  public static let filesMax = 1_000
  /// All files together: what a gateway can hold in memory beside its work.
  public static let bytesMax = 64 << 20

  /// Every file below `directory`, sorted by path in byte order.
  ///
  /// Links are refused even where they stay inside, and so are pipes, sockets and devices; only the link that
  /// `directory` itself may be is followed. A `.git` directory at the top is passed over: nothing of it is verified,
  /// and nothing of it returned. Faults name the path inside the pack: `path_refused`, `not_a_file`, `file_too_large`,
  /// `too_many_files`, `io`. Blocks.
  public static func read(_ directory: String) throws(ProvenanceFault) -> [PackFile] {
    var walk = Walk()
    try walk.enter(try Descriptor.directory(directory), prefix: "", shown: directory)
    return walk.files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private struct Walk {
    var files: [PackFile] = []
    var directories = 0
    var bytes = 0

    mutating func enter(_ directory: borrowing Descriptor, prefix: String, shown: String) throws(ProvenanceFault) {
      for name in try directory.names(max: filesMax + 1, shown: shown) {
        if prefix.isEmpty && name == ".git" { continue }
        let path = prefix + name
        guard PackFile.isAllowed(path: path) else { throw .pathRefused(path) }
        let entry = try directory.openEntry(name, shown: path)
        switch try entry.status(shown: path).st_mode & S_IFMT {
        case S_IFDIR:
          directories += 1
          guard directories <= filesMax else { throw tooMany(path) }
          // Bounded: `isAllowed` limits the number of components.
          try enter(entry, prefix: path + "/", shown: path)
        case S_IFREG:
          guard files.count < filesMax else { throw tooMany(path) }
          let content = try entry.readAll(bytesMax: PackFile.bytesMax, shown: path)
          bytes += content.count
          guard bytes <= bytesMax else {
            throw ProvenanceFault(
              .fileTooLarge, path: path, "the pack has more than \(bytesMax) bytes in all",
              remedy: "keep only pack files in the directory")
          }
          files.append(PackFile(path: path, bytes: content))
        default:
          throw ProvenanceFault(
            .notAFile, path: path, "\(path) is neither a file nor a directory", remedy: "remove it from the pack")
        }
      }
    }

    private func tooMany(_ path: String) -> ProvenanceFault {
      ProvenanceFault(
        .tooManyFiles, path: path, "the pack has more than \(filesMax) files or directories",
        remedy: "keep only pack files in the directory")
    }
  }
}

extension ProvenanceFault {
  static func pathRefused(_ path: String) -> ProvenanceFault {
    ProvenanceFault(
      .pathRefused, path: path, "the path \(path.debugDescription) cannot be in a pack",
      remedy: "use letters, digits and . _ - in names, at most \(PackFile.depthMax) levels deep")
  }
}
