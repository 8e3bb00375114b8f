import Sodium
import Testing
import TwinCore

@Suite struct `Signatures are judged as public vectors say` {
  @Test func wycheproof() throws {
    let lines = try vectorLines("ed25519-wycheproof.txt")
    #expect(lines.count == 151)
    for line in lines {
      let key = try #require(Ed25519.PublicKey(bytes: field(line[2])))
      #expect(
        Ed25519.verify(field(line[4]), of: field(line[3]), by: key) == (line[1] == "valid"), "case \(line[0])")
    }
    #expect(lines.count { $0[1] == "valid" } == 88)
  }

  /// Points of small order and second encodings are refused, points with a small component that still satisfy the
  /// equation are not: what libsodium does, pinned, so that a change of it is seen.
  @Test func `Points at the edges`() throws {
    let lines = try vectorLines("ed25519-cctv.txt")
    let points = lines.filter { $0[0] == "point" }.map { bytes($0[1]) }
    let cases = lines.filter { $0[0] != "point" }
    #expect(cases.count == 914)
    var acceptedFlags: [String: Int] = [:]
    for line in cases {
      let key = try #require(Ed25519.PublicKey(bytes: points[Int(line[1])!]))
      let signature = points[Int(line[2])!] + bytes(line[3])
      let message = Array((line[4] == "-" ? "ed25519vectors" : "ed25519vectors \(line[4])").utf8)
      guard Ed25519.verify(signature, of: message, by: key) else { continue }
      acceptedFlags[line[5], default: 0] += 1
    }
    #expect(acceptedFlags.values.reduce(0, +) == 43)
    #expect(acceptedFlags["-"] == 1)
    #expect(acceptedFlags.keys.allSatisfy { Set($0).isDisjoint(with: "ranmZk") }, "\(acceptedFlags)")
  }

  @Test func `The cases on which libraries differ`() throws {
    let accepted = try vectorLines("ed25519-speccheck.txt").enumerated().filter { _, line in
      Ed25519.verify(bytes(line[2]), of: bytes(line[1]), by: Ed25519.PublicKey(bytes: bytes(line[0]))!)
    }
    #expect(accepted.map(\.offset) == [3])
  }
}

@Suite struct `Hashes agree with other implementations` {
  /// FIPS 180-4's examples.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ]) func sha256(_ text: String, _ expected: String) {
    #expect(Sodium.sha256(Array(text.utf8)).hex == expected)
  }

  @Test func `A domain and two digests are hashed as their bytes one after the other`() {
    let (a, b) = (Sodium.sha256([1]), Sodium.sha256([2]))
    #expect(Sodium.sha256(domain: 7, a, b) == Sodium.sha256([7] + a.bytes + b.bytes))
    #expect(Sodium.sha256(domain: 7, a, b) != Sodium.sha256(domain: 7, b, a))
    #expect(Sodium.sha256(domain: 7, [1, 2, 3]) == Sodium.sha256([7, 1, 2, 3]))
    #expect(Sodium.sha256(domain: 7, []) == Sodium.sha256([7]))
  }

  /// Expected values from CPython's hashlib.blake2b(key=…, digest_size=32).
  @Test func `Keyed BLAKE2b`() {
    #expect(
      Sodium.blake2b256(Array("abc".utf8), key: Array(0..<32)).hex
        == "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f")
    #expect(
      Sodium.blake2b256([], key: Array(0..<64)).hex
        == "2fa9fbd9be36437de204e139e97d402bce68c828f43391608c891b5faed8a98a")
  }
}

@Suite struct `Boxes open for their key alone` {
  /// RFC 7748 §6.1.
  static let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"

  @Test func x25519() {
    let key = X25519.SecretKey(seed: bytes(Self.alice))!
    let publicKey = key.publicKey
    #expect(hex(publicKey.bytes) == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    let seed = key.withSeed { hex(copy $0) }
    #expect(seed == Self.alice)
    let isShortRefused = X25519.SecretKey(seed: [1, 2, 3]) == nil
    #expect(isShortRefused)
    #expect(X25519.PublicKey(bytes: publicKey.bytes + [0]) == nil)
  }

  /// Orders 1, 2, 4 and 8, and second encodings of them (RFC 7748 §6.1 asks for the zero check).
  @Test(arguments: [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ]) func `A key of small order is none`(_ point: String) {
    #expect(X25519.PublicKey(bytes: bytes(point)) == nil)
  }

  @Test(arguments: [0, 1, 31, 1000]) func `A sealed box opens once unchanged`(_ count: Int) {
    let key = X25519.SecretKey()
    let message = Sodium.randomBytes(count)
    let box = SealedBox.seal(message, to: key.publicKey)
    #expect(box.count == count + SealedBox.overheadBytes)
    let opened = SealedBox.open(box, by: key)
    #expect(opened == message)
    for bit in 0..<min(box.count, 64) * 8 {
      let damaged = SealedBox.open(flipped(box, bit), by: key)
      #expect(damaged == nil, "bit \(bit)")
    }
    let other = SealedBox.open(box, by: X25519.SecretKey())
    #expect(other == nil)
    let short = SealedBox.open(Array(box.prefix(47)), by: key)
    #expect(short == nil)
    #expect(SealedBox.seal(message, to: key.publicKey) != box)
  }

  /// draft-arciszewski-xchacha-02 A.3.1.
  @Test func xChaCha20Poly1305() {
    let key = [UInt8](0x80...0x9f)
    let nonce = [UInt8](0x40...0x57)
    let additional = bytes("50515253c0c1c2c3c4c5c6c7")
    let text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen"
    let message = Array("\(text) would be it.".utf8)
    let sealed = bytes(
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
        + "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c6"
        + "8b13b52ec0875924c1c7987947deafd8780acf49")
    #expect(XChaCha20Poly1305.seal(message, key: key, nonce: nonce, additional: additional) == sealed)
    #expect(XChaCha20Poly1305.open(sealed, key: key, nonce: nonce, additional: additional) == message)
    for bit in 0..<sealed.count * 8 {
      #expect(XChaCha20Poly1305.open(flipped(sealed, bit), key: key, nonce: nonce, additional: additional) == nil)
    }
    #expect(XChaCha20Poly1305.open(sealed, key: key, nonce: nonce) == nil)
    #expect(XChaCha20Poly1305.open(sealed, key: flipped(key, 0), nonce: nonce, additional: additional) == nil)
    #expect(XChaCha20Poly1305.open(sealed, key: key, nonce: flipped(nonce, 190), additional: additional) == nil)
    #expect(XChaCha20Poly1305.open([1, 2, 3], key: key, nonce: nonce) == nil)
    let empty = XChaCha20Poly1305.seal([], key: key, nonce: nonce)
    #expect(empty.count == 16 && XChaCha20Poly1305.open(empty, key: key, nonce: nonce) == [])
  }
}
