// `learner.key`, one line ended by a line feed, mode 0600:
//
//     twind-learner-1 SEED KEYID
//
// SEED is the 32-byte Ed25519 seed (RFC 8032 §5.1.5) in base 64; KEYID as in `keys.pub`.

public import Sodium

/// The key with which a site's learner signs what it trained. It is made on the site, never leaves it, and speaks for
/// nothing but candidates: a pack or an envelope signed with it is signed by nobody.
public enum LearnerKey {
  public static let file = "learner.key"
  static let secretBytesMax = 256
  private static let header = "twind-learner-1"

  /// The key in `directory`; nil where there is none.
  ///
  /// Faults: `provenance.key_exposed` if group or others have any right to the file; `key_malformed`, `not_a_file`.
  public static func open(directory path: String) throws(ProvenanceFault) -> Ed25519.SecretKey? {
    let directory = try Descriptor.directory(path)
    guard directory.holds(file) else { return nil }
    let shown = "\(path)/\(file)"
    var content = try directory.readSecret(file, bytesMax: secretBytesMax, shown: shown)
    defer { Sodium.wipe(&content) }
    return try decode(content, shown: shown)
  }

  /// Makes one; overwrites nothing. Fault: `provenance.key_exists`.
  public static func make(directory path: String) throws(ProvenanceFault) -> Ed25519.SecretKey {
    let directory = try Descriptor.directory(path)
    let key = Ed25519.SecretKey()
    var content: [UInt8] = []
    // Room for all at once: growing would leave copies of a secret behind.
    content.reserveCapacity(secretBytesMax)
    content += Array("\(header) ".utf8)
    key.withSeed { seed in
      var digits = Base64.encode(seed)
      content += digits
      Sodium.wipe(&digits)
    }
    content += Array(" \(KeyID(key.publicKey))\n".utf8)
    defer { Sodium.wipe(&content) }
    try directory.place(file, content, mode: 0o600, replacing: false, shown: "\(path)/\(file)")
    return key
  }

  private static func decode(_ content: [UInt8], shown: String) throws(ProvenanceFault) -> Ed25519.SecretKey {
    func fault(_ problem: String) -> ProvenanceFault {
      ProvenanceFault(
        .keyMalformed, path: shown, "\(shown): \(problem)",
        remedy: "remove it and restart twind: a new one is made, and candidates of the old one are refused")
    }
    let fields = content.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == 3, fields[0].elementsEqual(header.utf8), content.last == UInt8(ascii: "\n") else {
      throw fault("a key file is one line, \"\(header) SEED KEYID\"")
    }
    var seed = Base64.decode(fields[1]) ?? []
    defer { Sodium.wipe(&seed) }
    guard let key = Ed25519.SecretKey(seed: seed) else { throw fault("the seed is not 32 bytes in base 64") }
    guard fields[2].dropLast().elementsEqual(KeyID(key.publicKey).hex.utf8) else {
      throw fault("the key id does not belong to the seed")
    }
    return key
  }
}
