// `keys.pub`, text of one line for each key, fields apart by one space, every line ended by a line feed:
//
//     twind-key-1 ROLE PUBLIC KEYID
//
// ROLE is root, targets or safety; PUBLIC the 32 bytes in base 64; KEYID 32 lower-case hexadecimal digits. Empty lines
// and lines that begin with # say nothing. One key has one role: no key appears twice.

public import Sodium

/// What a key may sign: the key list, packs, or safety envelopes.
public enum Role: String, Sendable, CaseIterable {
  case root
  case targets
  case safety
}

/// Names a public key: BLAKE2b-128 over 0x01 and the key. A hint for finding the key, never a proof.
public struct KeyID: Hashable, Sendable, CustomStringConvertible {
  /// 32 lower-case hexadecimal digits.
  public let hex: String

  public init(_ key: Ed25519.PublicKey) {
    hex = Sodium.blake2b128([0x01] + key.bytes).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  public init?(hex: String) {
    guard hex.utf8.count == 32, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
      return nil
    }
    self.hex = hex
  }

  public var description: String { hex }
}

/// The public keys that a gateway trusts, each for one role.
public struct KeyRing: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    public let role: Role
    public let key: Ed25519.PublicKey
    public let id: KeyID

    public init(role: Role, key: Ed25519.PublicKey) {
      (self.role, self.key, id) = (role, key, KeyID(key))
    }
  }

  /// Room for every role's old and new keys, and no more.
  public static let entriesMax = 16
  public static let bytesMax = 16 << 10

  public let entries: [Entry]

  /// Nil when a key appears twice or there are more than `entriesMax`.
  public init?(_ entries: [Entry]) {
    guard entries.count <= Self.entriesMax, Set(entries.map(\.id)).count == entries.count else { return nil }
    self.entries = entries
  }

  /// Reads the text of `keys.pub`; `file` is the name for errors. Fault: `provenance.ring_malformed`.
  public init(text: [UInt8], file: String = KeySet.publicFile) throws(ProvenanceFault) {
    func fault(_ line: Int, _ problem: String) -> ProvenanceFault {
      ProvenanceFault(
        .ringMalformed, path: file, "\(file):\(line): \(problem)",
        remedy: "copy \(KeySet.publicFile) again from where the keys were made")
    }
    guard text.count <= Self.bytesMax else { throw fault(1, "more than \(Self.bytesMax) bytes") }
    var entries: [Entry] = []
    for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard let first = line.first, first != UInt8(ascii: "#") else { continue }
      let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard fields.count == 4, String(decoding: fields[0], as: UTF8.self) == "twind-key-1" else {
        throw fault(index + 1, "a key line is \"twind-key-1 ROLE PUBLIC KEYID\"")
      }
      guard let role = Role(rawValue: String(decoding: fields[1], as: UTF8.self)) else {
        throw fault(index + 1, "the role is none of root, targets, safety")
      }
      guard let bytes = Base64.decode(fields[2]), let key = Ed25519.PublicKey(bytes: bytes) else {
        throw fault(index + 1, "the key is not 32 bytes in base 64")
      }
      let entry = Entry(role: role, key: key)
      guard entry.id.hex == String(decoding: fields[3], as: UTF8.self) else {
        throw fault(index + 1, "the key id does not belong to the key")
      }
      guard !entries.contains(where: { $0.id == entry.id }) else {
        throw fault(index + 1, "key \(entry.id) appears twice; one key has one role")
      }
      entries.append(entry)
      guard entries.count <= Self.entriesMax else { throw fault(index + 1, "more than \(Self.entriesMax) keys") }
    }
    guard !entries.isEmpty else { throw fault(1, "no key") }
    self.entries = entries
  }

  /// Reads a `keys.pub` file.
  public static func read(_ path: String) throws(ProvenanceFault) -> KeyRing {
    let (directory, name) = split(path)
    let content = try Descriptor.directory(directory).openEntry(name, shown: path)
      .readAll(bytesMax: bytesMax, shown: path)
    return try KeyRing(text: content, file: path)
  }

  /// The text of `keys.pub`.
  public var text: [UInt8] {
    entries.flatMap { entry in
      Array("twind-key-1 \(entry.role.rawValue) ".utf8) + Base64.encode(entry.key.bytes) + Array(" \(entry.id)\n".utf8)
    }
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let directory = path[..<slash]
    return (directory.isEmpty ? "/" : String(directory), String(path[path.index(after: slash)...]))
  }
}
