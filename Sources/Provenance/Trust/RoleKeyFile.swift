// Secret key file, one line ended by a line feed, mode 0600:
//
//     twind-secret-1 ROLE SEED KEYID
//
// SEED is the 32-byte Ed25519 seed (RFC 8032 §5.1.5) in base 64; ROLE is a name of `TrustRole`, KEYID as in `keys.pub`.

import Sodium

/// One key file as text; the caller wipes what it got.
enum RoleKeyFile {
  static let bytesMax = 256

  static func name(_ role: String) -> String { "\(role).secret" }

  static func encode(_ role: String, _ key: borrowing Ed25519.SecretKey) -> [UInt8] {
    var content: [UInt8] = []
    // Room for all at once: growing would leave copies of a secret behind.
    content.reserveCapacity(bytesMax)
    content += Array("twind-secret-1 \(role) ".utf8)
    key.withSeed { seed in
      var digits = Base64.encode(seed)
      content += digits
      Sodium.wipe(&digits)
    }
    content += Array(" \(KeyID(key.publicKey))\n".utf8)
    return content
  }

  static func decode(
    _ content: [UInt8], _ role: String, shown: String
  ) throws(ProvenanceFault) -> Ed25519.SecretKey {
    let fields = content.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == 4, fields[0].elementsEqual("twind-secret-1".utf8), content.last == UInt8(ascii: "\n") else {
      throw fault(shown, "a key file is one line, \"twind-secret-1 ROLE SEED KEYID\"")
    }
    guard fields[1].elementsEqual(role.utf8) else {
      throw fault(shown, "the key in it is for another role, wanted \(role)")
    }
    var seed = Base64.decode(fields[2]) ?? []
    defer { Sodium.wipe(&seed) }
    guard let key = Ed25519.SecretKey(seed: seed) else { throw fault(shown, "the seed is not 32 bytes in base 64") }
    guard fields[3].dropLast().elementsEqual(KeyID(key.publicKey).hex.utf8) else {
      throw fault(shown, "the key id does not belong to the seed")
    }
    return key
  }

  /// Reads the file of `role` in a directory. Faults: `provenance.key_missing`, `key_exposed`, `key_malformed`.
  static func read(_ role: String, in path: String) throws(ProvenanceFault) -> Ed25519.SecretKey {
    let name = name(role)
    let shown = "\(path)/\(name)"
    let directory = try Descriptor.directory(path)
    guard directory.holds(name) else {
      throw ProvenanceFault(
        .keyMissing, path: shown, "there is no \(role) key in \(path)", remedy: "name the directory that holds \(name)")
    }
    var content = try directory.readSecret(name, bytesMax: bytesMax, shown: shown)
    defer { Sodium.wipe(&content) }
    return try decode(content, role, shown: shown)
  }

  private static func fault(_ shown: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .keyMalformed, path: shown, "\(shown): \(problem)", remedy: "restore the file from where the keys were made")
  }
}
