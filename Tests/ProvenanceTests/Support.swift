import Glibc
import Sodium
import Testing

@testable import Provenance

func bytes(_ hex: String) -> [UInt8] {
  let digits = Array(hex.utf8)
  return stride(from: 0, to: digits.count, by: 2).map {
    UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
  }
}

func flipped(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
  var bytes = bytes
  bytes[bit / 8] ^= 1 << UInt8(bit % 8)
  return bytes
}

func key(_ byte: UInt8) -> Ed25519.SecretKey {
  Ed25519.SecretKey(seed: [UInt8](repeating: byte, count: 32))!
}

/// Keys 1 (targets), 2 (safety) and 3 (root), known to every gateway of these tests.
func ring() -> KeyRing {
  KeyRing([
    .init(role: .targets, key: key(1).publicKey), .init(role: .safety, key: key(2).publicKey),
    .init(role: .root, key: key(3).publicKey),
  ])!
}

func file(_ path: String, _ text: String) -> PackFile { PackFile(path: path, bytes: Array(text.utf8)) }

let unsealed = [
  file("envelopes.yaml", "envelopes: {}\n"), file("profiles/acme.yaml", "profile: acme\n"),
  file("site.yaml", "pack: 1\nversion: 15\n"),
]

/// The pack above with both seals for lyon-01, version 15.
func sealedPack() throws -> [PackFile] {
  unsealed + [
    try PackSigner.sealPack(unsealed, site: "lyon-01", version: 15, targets: key(1)),
    try PackSigner.sealEnvelopes(unsealed, site: "lyon-01", version: 15, safety: key(2)),
  ]
}

extension [PackFile] {
  subscript(path: String) -> [UInt8] {
    get { first { $0.path == path }!.bytes }
    set { self = map { $0.path == path ? PackFile(path: path, bytes: newValue) : $0 } }
  }
}

/// `code path` of each problem, or what else the judgement is.
func verdict(_ files: [PackFile], keys: KeyRing = ring(), site: String = "lyon-01") -> [String] {
  switch PackTrust.check(files, keys: keys, site: site) {
  case .signed: ["signed"]
  case .unsigned(let reasons): reasons.map { "unsigned: \($0)" }
  case .broken(let problems): problems.map { "\($0.code.dropFirst("provenance.".count)) \($0.path)" }
  }
}

/// A directory of its own for one test, removed with what is in it.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/twind-provenance-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit { remove(path) }

  private func remove(_ path: String) {
    guard path.hasPrefix("/tmp/twind-provenance-") else { return }
    if let directory = unsafe opendir(path) {
      while let entry = unsafe readdir(directory) {
        let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
        let name = unsafe String(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
        guard name != ".", name != ".." else { continue }
        let child = "\(path)/\(name)"
        if unsafe unlink(child) != 0 { remove(child) }
      }
      unsafe closedir(directory)
    }
    _ = unsafe rmdir(path)
  }

  func makeDirectory(_ name: String) { #expect(unsafe mkdir("\(path)/\(name)", 0o755) == 0) }

  func link(_ name: String, to target: String) { #expect(unsafe symlink(target, "\(path)/\(name)") == 0) }

  func write(_ name: String, _ content: [UInt8], mode: mode_t = 0o644) {
    let number = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    #expect(number >= 0)
    var done = 0
    while done < content.count {
      done += unsafe content.withUnsafeBytes {
        unsafe Glibc.write(number, $0.baseAddress! + done, content.count - done)
      }
    }
    close(number)
  }

  func read(_ name: String) throws -> [UInt8] {
    let directory = try Descriptor.directory(path)
    return try directory.openEntry(name, shown: name).readAll(bytesMax: 1 << 24, shown: name)
  }

  func mode(_ name: String) -> mode_t {
    var status = stat()
    #expect(unsafe lstat("\(path)/\(name)", &status) == 0)
    return status.st_mode & 0o7777
  }

  func names() throws -> [String] { try Descriptor.directory(path).names(max: 100, shown: path) }
}

/// `code` of the fault that `body` throws, or "accepted".
func outcome(_ body: () throws(ProvenanceFault) -> Void) -> String {
  do throws(ProvenanceFault) {
    try body()
    return "accepted"
  } catch {
    return error.code
  }
}
