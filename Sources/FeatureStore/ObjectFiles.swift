// Contents that are too large for site.db: blob/<first two hexadecimal digits>/<all 64>, the content and nothing else.

import Seams
import Sodium
import TwinCore

/// The files of a site's large contents, by hash. A file has its name once it is whole and on the device.
struct ObjectFiles {
  let files: any FileStore
  /// The site's.
  let directory: String

  private func folder(_ hash: Digest) -> String { "\(directory)/blob/\(hash.hex.prefix(2))" }
  func path(_ hash: Digest) -> String { "\(folder(hash))/\(hash.hex)" }

  /// Keeps a content: durable when it returns. A file that is there already and whole is flushed only: whoever wrote it
  /// may have been stopped before its name was on the device.
  func write(_ bytes: [UInt8], _ hash: Digest) throws(StoreError) {
    let target = path(hash)
    let isThere = (try? read(hash, size: bytes.count)) != nil
    try filing { () throws(FileFault) in
      if isThere {
        try files.open(target, .write).sync()
        return try syncFolders(hash)
      }
      for folder in ["\(directory)/blob", folder(hash)] { try files.makeDirectory(folder) }
      let temporary = target + ".tmp"
      let file = try files.open(temporary, .create)
      try file.truncate(to: 0)
      try file.write(bytes, at: 0)
      try file.sync()
      try files.rename(temporary, to: target)
      try syncFolders(hash)
    }
  }

  private func syncFolders(_ hash: Digest) throws(FileFault) {
    for folder in [folder(hash), "\(directory)/blob", directory] { try files.syncDirectory(folder) }
  }

  /// The content; nil where the file is not what its name says, or is gone.
  func read(_ hash: Digest, size: Int) throws(StoreError) -> [UInt8]? {
    let bytes: [UInt8]
    do throws(FileFault) {
      let file = try files.open(path(hash), .read)
      guard try file.size == Int64(size) else { return nil }
      bytes = try file.read(size, at: 0)
    } catch {
      guard error.kind == .notFound else { return try filing { () throws(FileFault) in throw error } }
      return nil
    }
    return Sodium.blake2b256(bytes) == hash ? bytes : nil
  }
}
