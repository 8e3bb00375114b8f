import Seams
import StatusAPI

/// A file that is there as a whole or not at all: written beside its place, flushed, then put there.
enum WholeFile {
  /// `body` gives the bytes in their order. What was at `path` stays when it throws.
  static func write<Result>(
    _ path: String, _ body: (_ append: @escaping ([UInt8]) throws -> Void) throws -> Result
  ) throws -> Result {
    let files = SystemFileStore()
    let part = "\(path).part"
    do {
      try files.remove(part)
      let file = try files.open(part, .create)
      var offset: Int64 = 0
      let result = try body { bytes in
        try file.write(bytes, at: offset)
        offset += Int64(bytes.count)
      }
      try file.sync()
      try files.rename(part, to: path)
      return result
    } catch {
      try? files.remove(part)
      throw error
    }
  }

  static func write(_ path: String, _ bytes: [UInt8]) throws(APIProblem) {
    do {
      try write(path) { append in try append(bytes) }
    } catch let fault as FileFault {
      throw .input(fault)
    } catch {
      throw .input(FileFault(.failed, path: path, "\(error)"))
    }
  }
}
