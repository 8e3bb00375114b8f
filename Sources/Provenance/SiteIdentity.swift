// `site-N.secret`, N the key epoch in decimal from 1: one line ended by a line feed, mode 0600:
//
//     twind-site-1 N SIGNING SEALING CHECK
//
// SIGNING is the 32-byte Ed25519 seed (RFC 8032 §5.1.5), SEALING the 32-byte X25519 key (RFC 7748 §5), both in base 64;
// CHECK is BLAKE2b-128 over 0x02 and the two public keys in this order, 32 lower-case hexadecimal digits.

import Glibc
public import Sodium

/// A site's own keys, made on its device; the secret halves never leave it.
public struct SiteIdentity: ~Copyable, Sendable {
  static let secretBytesMax = 256
  /// Epochs of one directory; rotation is yearly at most.
  static let filesMax = 256

  /// Signs the log, births and heartbeats.
  public let signing: Ed25519.SecretKey
  /// Opens what was sealed for this site alone.
  public let sealing: X25519.SecretKey
  /// From 1, one more with every rotation.
  public let keyEpoch: UInt32

  public static func secretFile(_ keyEpoch: UInt32) -> String { "site-\(keyEpoch).secret" }

  /// The keys of `keyEpoch`, or of the highest one there; nil if there are none.
  ///
  /// Faults: `provenance.key_exposed` if group or others have any right to the file, `key_malformed`, `not_a_file`.
  public static func open(directory path: String, keyEpoch: UInt32? = nil) throws(ProvenanceFault) -> SiteIdentity? {
    let directory = try Descriptor.directory(path)
    let epochs = try epochs(directory, path)
    guard let epoch = keyEpoch ?? epochs.max(), epochs.contains(epoch) else { return nil }
    let shown = "\(path)/\(secretFile(epoch))"
    var content = try directory.readSecret(secretFile(epoch), bytesMax: secretBytesMax, shown: shown)
    defer { Sodium.wipe(&content) }
    return try SiteIdentity(content, epoch, shown: shown)
  }

  /// Makes new keys in `directory`, which is there already, and flushes them before it returns.
  ///
  /// For a rotation `keyEpoch` is one more than now: the old keys stay, for both must sign. Fault:
  /// `provenance.key_exists`; nothing is ever overwritten.
  public static func make(directory path: String, keyEpoch: UInt32 = 1) throws(ProvenanceFault) -> SiteIdentity {
    precondition(keyEpoch >= 1, "key epochs begin at 1")
    let directory = try Descriptor.directory(path)
    let identity = SiteIdentity(keyEpoch)
    var content = identity.encoded
    defer { Sodium.wipe(&content) }
    let name = secretFile(keyEpoch)
    try directory.place(name, content, mode: 0o600, replacing: false, shown: "\(path)/\(name)")
    return identity
  }

  private init(_ keyEpoch: UInt32) {
    signing = Ed25519.SecretKey()
    sealing = X25519.SecretKey()
    self.keyEpoch = keyEpoch
  }

  private init(_ content: [UInt8], _ keyEpoch: UInt32, shown: String) throws(ProvenanceFault) {
    func fault(_ problem: String) -> ProvenanceFault {
      ProvenanceFault(
        .keyMalformed, path: shown, "\(shown): \(problem)",
        remedy: "restore the file, or enrol the site again with new keys")
    }
    let fields = content.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == 5, fields[0].elementsEqual("twind-site-1".utf8), content.last == UInt8(ascii: "\n") else {
      throw fault("a key file is one line, \"twind-site-1 EPOCH SIGNING SEALING CHECK\"")
    }
    guard fields[1].elementsEqual(String(keyEpoch).utf8) else {
      throw fault("the keys in it are of another epoch, wanted \(keyEpoch)")
    }
    var seed = Base64.decode(fields[2]) ?? []
    defer { Sodium.wipe(&seed) }
    var scalar = Base64.decode(fields[3]) ?? []
    defer { Sodium.wipe(&scalar) }
    guard let signing = Ed25519.SecretKey(seed: seed), let sealing = X25519.SecretKey(seed: scalar) else {
      throw fault("the keys are not 32 bytes each in base 64")
    }
    guard fields[4].dropLast().elementsEqual(Self.check(signing.publicKey, sealing.publicKey).utf8) else {
      throw fault("the check does not belong to the keys")
    }
    self.signing = signing
    self.sealing = sealing
    self.keyEpoch = keyEpoch
  }

  private var encoded: [UInt8] {
    var content: [UInt8] = []
    // Room for all at once: growing would leave copies of a secret behind.
    content.reserveCapacity(Self.secretBytesMax)
    content += Array("twind-site-1 \(keyEpoch) ".utf8)
    signing.withSeed { Self.append($0, to: &content) }
    content.append(UInt8(ascii: " "))
    sealing.withSeed { Self.append($0, to: &content) }
    content += Array(" \(Self.check(signing.publicKey, sealing.publicKey))\n".utf8)
    return content
  }

  private static func check(_ signing: Ed25519.PublicKey, _ sealing: X25519.PublicKey) -> String {
    Hex.text(Sodium.blake2b128([0x02] + signing.bytes + sealing.bytes))
  }

  private static func append(_ secret: [UInt8], to content: inout [UInt8]) {
    var digits = Base64.encode(secret)
    content += digits
    Sodium.wipe(&digits)
  }

  private static func epochs(_ directory: borrowing Descriptor, _ path: String) throws(ProvenanceFault) -> [UInt32] {
    var epochs: [UInt32] = []
    for name in try directory.names(max: filesMax, shown: path) {
      guard name.hasPrefix("site-"), name.hasSuffix(".secret") else { continue }
      let digits = name.dropFirst("site-".count).dropLast(".secret".count)
      guard let epoch = UInt32(digits), epoch >= 1, secretFile(epoch) == name else { continue }
      epochs.append(epoch)
    }
    return epochs
  }
}

extension Descriptor {
  /// The content of a file that its owner alone may open; wiping it is the caller's part.
  func readSecret(_ name: String, bytesMax: Int, shown: String) throws(ProvenanceFault) -> [UInt8] {
    let file = try openEntry(name, shown: shown)
    let status = try file.status(shown: shown)
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ProvenanceFault(.notAFile, path: shown, "\(shown) is not a file", remedy: "put the key file in its place")
    }
    let rights = status.st_mode & 0o777
    guard rights & 0o077 == 0 else {
      throw ProvenanceFault(
        .keyExposed, path: shown, "\(shown) has mode 0\(String(rights, radix: 8)), wanted 0600",
        remedy: "run chmod 600 \(shown); make new keys if others may have read it")
    }
    return try file.readAll(bytesMax: bytesMax, shown: shown)
  }
}
