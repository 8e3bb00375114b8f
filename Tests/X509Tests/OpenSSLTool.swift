import Glibc
import Testing

/// The `openssl` command as a second opinion, over files in a folder of its own.
final class OpenSSLTool {
  let folder: String

  init() throws {
    var template = Array("/tmp/x509.XXXXXX".utf8CString)
    try #require(unsafe mkdtemp(&template) != nil)
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = unsafe system("rm -rf '\(folder)'") }

  func write(_ bytes: [UInt8], _ name: String) throws {
    let file = unsafe fopen("\(folder)/\(name)", "w")
    let stream = try unsafe #require(file)
    let count = unsafe fwrite(bytes, 1, bytes.count, stream)
    try #require(unsafe fclose(stream) == 0 && count == bytes.count)
  }

  func read(_ name: String) throws -> [UInt8] { Array(try run("cat \(name)").output.utf8) }

  /// Runs one shell command in the folder; both of its streams come back.
  @discardableResult
  func run(_ command: String) throws -> (status: Int32, output: String) {
    let pipe = unsafe popen("cd '\(folder)' && { \(command); } 2>&1", "r")
    let stream = try unsafe #require(pipe)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = unsafe fread(&chunk, 1, chunk.count, stream), count > 0 { bytes += chunk.prefix(count) }
    let status = unsafe pclose(stream)
    return (status, String(decoding: bytes, as: UTF8.self))
  }
}

/// splitmix64, so that a failing seed is enough to see the failure again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
