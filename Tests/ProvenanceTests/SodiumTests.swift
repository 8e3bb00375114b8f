import Sodium
import Testing
import TwinCore

@Suite struct `libsodium answers as the standards say` {
  /// RFC 8032 §7.1, tests 1 to 3.
  struct Vector: Sendable {
    let seed: String
    let key: String
    let message: String
    let signature: String
  }

  static let vectors = [
    Vector(
      seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
      signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        + "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    Vector(
      seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
      signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    Vector(
      seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", message: "af82",
      signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
  ]

  @Test func `The library starts`() { #expect(Sodium.ready) }

  @Test(arguments: vectors) func ed25519(_ vector: Vector) {
    let key = Ed25519.SecretKey(seed: bytes(vector.seed))!
    let message = bytes(vector.message)
    let publicKey = key.publicKey
    let signature = key.sign(message)
    #expect(publicKey.bytes == bytes(vector.key))
    #expect(signature == bytes(vector.signature))
    #expect(Ed25519.verify(signature, of: message, by: publicKey))
    #expect(!Ed25519.verify(signature, of: message + [0], by: publicKey))
    #expect(!Ed25519.verify(Array(signature.dropLast()), of: message, by: publicKey))
    #expect(!Ed25519.verify([], of: message, by: publicKey))
    for bit in 0..<512 {
      #expect(!Ed25519.verify(flipped(signature, bit), of: message, by: publicKey), "bit \(bit)")
    }
  }

  @Test func `A key of small order verifies nothing`() {
    // The neutral element, its signature R = neutral, S = 0 satisfies the equation for every message.
    let neutral: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)
    let signature = neutral + [UInt8](repeating: 0, count: 32)
    #expect(!Ed25519.verify(signature, of: [1, 2, 3], by: Ed25519.PublicKey(bytes: neutral)!))
  }

  @Test func `The seed comes back, wrong lengths do not`() {
    let seed = bytes(Self.vectors[0].seed)
    let key = Ed25519.SecretKey(seed: seed)!
    let isSame = key.withSeed { lent in lent.elementsEqual(seed) }
    #expect(isSame)
    let isShortRefused = Ed25519.SecretKey(seed: Array(seed.dropLast())) == nil
    #expect(isShortRefused)
    #expect(Ed25519.PublicKey(bytes: seed + [0]) == nil)
  }

  @Test func `Fresh keys and random bytes differ`() {
    let first = Ed25519.SecretKey().publicKey
    let second = Ed25519.SecretKey().publicKey
    #expect(first != second)
    #expect(Sodium.randomBytes(32) != Sodium.randomBytes(32))
    #expect(Sodium.randomBytes(0).isEmpty)
    #expect(Sodium.randomBytes(5).count == 5)
  }

  /// Expected values from CPython's hashlib.blake2b(digest_size=32), an implementation of its own.
  static let hashes: [([UInt8], String)] = [
    ([], "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
    (Array("abc".utf8), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
    (Array(0...255), "39a7eb9fedc19aabc83425c6755dd90e6f9d0c804964a1f4aaeea3b9fb599835"),
    ([UInt8](repeating: 97, count: 1000), "e00b0ddbf1e2cdaf5c898e1a5e8826ea3a2c339bcf2a478da2e5fca9ff126672"),
  ]

  @Test(arguments: hashes) func blake2b256(_ message: [UInt8], _ expected: String) {
    #expect(Sodium.blake2b256(message).hex == expected)
    for size in [1, 3, 64, 128, 129] {
      var hash = Blake2b()
      for start in stride(from: 0, to: message.count, by: size) {
        hash.update(Array(message[start..<min(start + size, message.count)]))
      }
      let digest = hash.finish()
      #expect(digest.hex == expected, "in pieces of \(size)")
    }
  }

  @Test func `Wiping leaves zeros`() {
    var secret: [UInt8] = [1, 2, 3]
    Sodium.wipe(&secret)
    #expect(secret == [0, 0, 0])
    var nothing: [UInt8] = []
    Sodium.wipe(&nothing)
    #expect(nothing.isEmpty)
  }
}
