// Secret key file, one line ended by a line feed, mode 0600:
//
//     twind-secret-1 ROLE SEED KEYID
//
// SEED is the 32-byte Ed25519 seed (RFC 8032 §5.1.5) in base 64; ROLE and KEYID as in `keys.pub`.

import Glibc
public import Sodium

/// The keys of a single operator: one file for each role in one directory, best on a stick that stays away from the
/// site.
public enum KeySet {
  public static let publicFile = "keys.pub"
  static let secretBytesMax = 256

  public static func secretFile(_ role: Role) -> String { "\(role.rawValue).secret" }

  /// Makes one key for every role in `directory` (made too, mode 0700, if its parent exists) and returns the public
  /// part.
  ///
  /// Overwrites nothing: `provenance.key_exists` if any of the files is there. `keys.pub` is written last, so that it
  /// stands for a complete set; after a failure the files of this call are removed.
  @discardableResult
  public static func initialise(_ path: String) throws(ProvenanceFault) -> KeyRing {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("create", path) }
    let directory = try Descriptor.directory(path)
    for name in Role.allCases.map(secretFile) + [publicFile] where directory.holds(name) {
      throw .keyExists("\(path)/\(name)")
    }
    var entries: [KeyRing.Entry] = []
    var made: [String] = []
    do throws(ProvenanceFault) {
      for role in Role.allCases {
        let key = Ed25519.SecretKey()
        var content = encode(role, key)
        defer { Sodium.wipe(&content) }
        let name = secretFile(role)
        try directory.place(name, content, mode: 0o600, replacing: false, shown: "\(path)/\(name)")
        made.append(name)
        entries.append(KeyRing.Entry(role: role, key: key.publicKey))
      }
      let ring = KeyRing(entries)!
      try directory.place(publicFile, ring.text, mode: 0o644, replacing: false, shown: "\(path)/\(publicFile)")
      return ring
    } catch {
      for name in made { directory.remove(name) }
      throw error
    }
  }

  /// Reads the secret key of `role`.
  ///
  /// Faults: `provenance.key_missing`; `key_exposed` if group or others have any right to the file; `key_malformed`.
  public static func secretKey(_ role: Role, in path: String) throws(ProvenanceFault) -> Ed25519.SecretKey {
    let shown = "\(path)/\(secretFile(role))"
    let directory = try Descriptor.directory(path)
    guard directory.holds(secretFile(role)) else {
      throw ProvenanceFault(
        .keyMissing, path: shown, "there is no \(role.rawValue) key in \(path)",
        remedy: "name the directory that holds \(secretFile(role))")
    }
    var content = try directory.readSecret(secretFile(role), bytesMax: secretBytesMax, shown: shown)
    defer { Sodium.wipe(&content) }
    return try decode(content, role, shown: shown)
  }

  private static func encode(_ role: Role, _ key: borrowing Ed25519.SecretKey) -> [UInt8] {
    var content: [UInt8] = []
    content.reserveCapacity(secretBytesMax)
    content += Array("twind-secret-1 \(role.rawValue) ".utf8)
    key.withSeed { seed in
      var digits = Base64.encode(seed)
      content += digits
      Sodium.wipe(&digits)
    }
    content += Array(" \(KeyID(key.publicKey))\n".utf8)
    return content
  }

  private static func decode(
    _ content: [UInt8], _ role: Role, shown: String
  ) throws(ProvenanceFault) -> Ed25519.SecretKey {
    func fault(_ problem: String) -> ProvenanceFault {
      ProvenanceFault(
        .keyMalformed, path: shown, "\(shown): \(problem)", remedy: "restore the file from where the keys were made")
    }
    let fields = content.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == 4, fields[0].elementsEqual("twind-secret-1".utf8), content.last == UInt8(ascii: "\n") else {
      throw fault("a key file is one line, \"twind-secret-1 ROLE SEED KEYID\"")
    }
    guard fields[1].elementsEqual(role.rawValue.utf8) else {
      throw fault("the key in it is for another role, wanted \(role.rawValue)")
    }
    var seed = Base64.decode(fields[2]) ?? []
    defer { Sodium.wipe(&seed) }
    guard let key = Ed25519.SecretKey(seed: seed) else { throw fault("the seed is not 32 bytes in base 64") }
    guard fields[3].dropLast().elementsEqual(KeyID(key.publicKey).hex.utf8) else {
      throw fault("the key id does not belong to the seed")
    }
    return key
  }
}
