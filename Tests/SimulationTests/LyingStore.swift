import Seams
import Simulation

/// A disk whose syncs of some paths do nothing: what is tested over it must be found broken, or the test sees nothing.
struct LyingStore: FileStore {
  let disk: SimulatedDisk
  let lies: @Sendable (String) -> Bool

  init(_ disk: SimulatedDisk, about lies: @escaping @Sendable (String) -> Bool) {
    (self.disk, self.lies) = (disk, lies)
  }

  func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile {
    let file = try disk.open(path, access)
    return lies(path) ? LyingFile(file) : file
  }
  func names(in directory: String) throws(FileFault) -> [String] { try disk.names(in: directory) }
  func makeDirectory(_ path: String) throws(FileFault) { try disk.makeDirectory(path) }
  func rename(_ path: String, to target: String) throws(FileFault) { try disk.rename(path, to: target) }
  func remove(_ path: String) throws(FileFault) { try disk.remove(path) }
  func syncDirectory(_ path: String) throws(FileFault) {
    if !lies(path) { try disk.syncDirectory(path) }
  }
  func freeBytes(at path: String) throws(FileFault) -> Int64 { try disk.freeBytes(at: path) }
}

private final class LyingFile: OpenFile {
  private let file: any OpenFile

  init(_ file: any OpenFile) { self.file = file }

  var size: Int64 { get throws(FileFault) { try file.size } }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    try unsafe file.read(into: buffer, at: offset)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {
    try unsafe file.write(bytes, at: offset)
  }
  func truncate(to size: Int64) throws(FileFault) { try file.truncate(to: size) }
  func sync() throws(FileFault) {}
}
