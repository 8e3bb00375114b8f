import Glibc
import Provenance
import Seams
import TwinCore

/// The packs that a foundation sent, below the state directory: `packs/<version>.twp`, each in one piece.
///
/// The site runs the pack of the highest version: its own folder's, or one of these. What is here was verified before
/// it was kept, and is again at every start.
struct ReceivedPacks {
  static let keptMax = 3
  static let suffix = ".twp"

  let directory: String

  init(state: String) { directory = state + "/packs" }

  /// Versions that are kept, highest first.
  var versions: [Int] {
    let names = (try? SystemFileStore().names(in: directory)) ?? []
    return names.compactMap { $0.hasSuffix(Self.suffix) ? Int($0.dropLast(Self.suffix.count)) : nil }
      .filter { $0 > 0 }.sorted(by: >)
  }

  func files(version: Int) -> [PackFile]? {
    guard let bytes = SystemFiles.bytes(path(version), max: PackArchive.bytesMax) else { return nil }
    return try? PackArchive.decode(bytes)
  }

  /// Keeps an archive, flushed before it has its name; older ones beyond `keptMax` go.
  func keep(_ archive: [UInt8], version: Int) throws(FileFault) {
    let files = SystemFileStore()
    try files.makeDirectory(directory)
    let partial = path(version) + ".part"
    do throws(FileFault) {
      let file = try files.open(partial, .create)
      try file.truncate(to: 0)
      try file.write(archive, at: 0)
      try file.sync()
      try files.rename(partial, to: path(version))
      try files.syncDirectory(directory)
    } catch {
      try? files.remove(partial)
      throw error
    }
    for old in versions.dropFirst(Self.keptMax) { try? files.remove(path(old)) }
  }

  private func path(_ version: Int) -> String { "\(directory)/\(version)\(Self.suffix)" }
}
