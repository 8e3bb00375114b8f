// Secret key file of any role, the format of KeySet.swift with the names of `TrustRole`:
//
//     twind-secret-1 ROLE SEED KEYID

import Sodium

/// One key file as text; the caller wipes what it got.
enum RoleKeyFile {
  static func name(_ role: TrustRole) -> String { "\(role.name).secret" }

  static func encode(_ role: TrustRole, _ key: borrowing Ed25519.SecretKey) -> [UInt8] {
    var content: [UInt8] = []
    // Room for all at once: growing would leave copies of a secret behind.
    content.reserveCapacity(KeySet.secretBytesMax)
    content += Array("twind-secret-1 \(role.name) ".utf8)
    key.withSeed { seed in
      var digits = Base64.encode(seed)
      content += digits
      Sodium.wipe(&digits)
    }
    content += Array(" \(KeyID(key.publicKey))\n".utf8)
    return content
  }

  static func decode(
    _ content: [UInt8], _ role: TrustRole, shown: String
  ) throws(ProvenanceFault) -> Ed25519.SecretKey {
    let fields = content.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == 4, fields[0].elementsEqual("twind-secret-1".utf8), fields[1].elementsEqual(role.name.utf8),
      content.last == UInt8(ascii: "\n")
    else { throw fault(shown, "not \"twind-secret-1 \(role.name) SEED KEYID\"") }
    var seed = Base64.decode(fields[2]) ?? []
    defer { Sodium.wipe(&seed) }
    guard let key = Ed25519.SecretKey(seed: seed) else { throw fault(shown, "the seed is not 32 bytes in base 64") }
    guard fields[3].dropLast().elementsEqual(KeyID(key.publicKey).hex.utf8) else {
      throw fault(shown, "the key id does not belong to the seed")
    }
    return key
  }

  private static func fault(_ shown: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .keyMalformed, path: shown, "\(shown): \(problem)", remedy: "restore the file from where the keys were made")
  }
}
