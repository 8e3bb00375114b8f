import Seams

/// The reserved area: a file of zeros that holds blocks of the volume for entries that must not be lost. It is given
/// back from its end when space runs out, and filled again when there is plenty.
///
/// A file system that overwrites in place holds what was promised; one that compresses or copies on write does not.
final class LogReserve {
  private let path: String
  private let files: any FileStore
  private let bytesMax: Int64
  private(set) var bytes: Int64 = 0

  init(path: String, files: any FileStore, bytesMax: Int64) {
    (self.path, self.files, self.bytesMax) = (path, files, bytesMax)
    bytes = (try? files.open(path, .create).size) ?? 0
    // A smaller budget than before.
    if bytes > bytesMax { shrink(to: bytesMax) }
  }

  /// Gives the blocks beyond `size` back; false when there were none.
  @discardableResult
  func shrink(to size: Int64) -> Bool {
    guard size < bytes, let file = try? files.open(path, .write) else { return false }
    let wanted = max(0, size)
    do { try file.truncate(to: wanted) } catch { return false }
    bytes = wanted
    return true
  }

  /// Takes what is missing to `size`, as long as the volume has twice the whole reserve left. What cannot be had now is
  /// tried again later.
  func fill(to size: Int64) {
    guard bytes < size, let free = try? files.freeBytes(at: path), free > 2 * bytesMax,
      let file = try? files.open(path, .create)
    else { return }
    let piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes < size {
      let count = Int(min(Int64(piece.count), size - bytes))
      do { try file.write(count == piece.count ? piece : Array(piece[..<count]), at: bytes) } catch { return }
      bytes += Int64(count)
    }
    // Without it the blocks may not be there yet; then the reserve is smaller, and nothing else is.
    try? file.sync()
  }
}
