import CSodium
public import TwinCore

/// The library as a whole: its start, hashes and random bytes. Any thread.
public enum Sodium {
  /// Whether libsodium has started; the first use starts it, once. False where the machine gives no random bytes.
  ///
  /// A program checks it once at start; everything else here traps without it.
  public static let ready: Bool = sodium_init() >= 0

  /// Of the linked library.
  public static var version: String { unsafe String(cString: sodium_version_string()) }

  /// BLAKE2b with 32 bytes of output, unkeyed (RFC 7693).
  public static func blake2b256(_ bytes: [UInt8]) -> Digest {
    var hash = Blake2b()
    hash.update(bytes)
    return hash.finish()
  }

  /// BLAKE2b with 32 bytes of output, keyed: a message authentication code (RFC 7693 §2.9). `key` has 16 to 64 bytes.
  public static func blake2b256(_ bytes: [UInt8], key: [UInt8]) -> Digest {
    start()
    precondition((16...64).contains(key.count), "a BLAKE2b key has 16 to 64 bytes")
    let hash = unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      precondition(
        unsafe crypto_generichash(output.baseAddress!, 32, bytes, UInt64(bytes.count), key, key.count) == 0)
      count = 32
    }
    return Digest(bytes: hash)!
  }

  /// SHA-256 (FIPS 180-4), where another protocol asks for it.
  public static func sha256(_ bytes: [UInt8]) -> Digest {
    start()
    return sha256 { state in unsafe crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count)) }
  }

  /// SHA-256 over one byte that separates domains, then `bytes`.
  public static func sha256(domain: UInt8, _ bytes: [UInt8]) -> Digest {
    start()
    return sha256 { state in
      unsafe crypto_hash_sha256_update(&state, [domain], 1)
      unsafe crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
    }
  }

  /// SHA-256 over one byte that separates domains, then both digests.
  public static func sha256(domain: UInt8, _ left: Digest, _ right: Digest) -> Digest {
    start()
    return sha256 { state in
      unsafe crypto_hash_sha256_update(&state, [domain], 1)
      for digest in [left, right] {
        // The words are little-endian by definition; on such machines this is the identity.
        var words = digest.words
        for lane in 0..<4 { words[lane] = words[lane].littleEndian }
        unsafe withUnsafeBytes(of: words) { raw in
          _ = unsafe crypto_hash_sha256_update(&state, raw.baseAddress!.assumingMemoryBound(to: UInt8.self), 32)
        }
      }
    }
  }

  private static func sha256(_ feed: (inout crypto_hash_sha256_state) -> Void) -> Digest {
    var state = crypto_hash_sha256_state()
    unsafe crypto_hash_sha256_init(&state)
    feed(&state)
    let hash = unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      unsafe crypto_hash_sha256_final(&state, output.baseAddress!)
      count = 32
    }
    return Digest(bytes: hash)!
  }

  /// BLAKE2b with 16 bytes of output, unkeyed: for identifiers that are hints, not proofs.
  public static func blake2b128(_ bytes: [UInt8]) -> [UInt8] {
    start()
    return unsafe [UInt8](unsafeUninitializedCapacity: 16) { output, count in
      // It fails only for a length out of its range.
      precondition(unsafe crypto_generichash(output.baseAddress!, 16, bytes, UInt64(bytes.count), nil, 0) == 0)
      count = 16
    }
  }

  /// Bytes from the system's generator.
  public static func randomBytes(_ count: Int) -> [UInt8] {
    start()
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
      if count > 0 { unsafe randombytes_buf(output.baseAddress!, count) }
      initialized = count
    }
  }

  /// Overwrites with zeros in a way that no optimiser removes. Copies made earlier are not reached.
  public static func wipe(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { raw in
      if let base = raw.baseAddress { unsafe sodium_memzero(base, raw.count) }
    }
  }

  static func start() {
    precondition(ready, "libsodium could not start: no random bytes on this machine; check Sodium.ready first")
  }
}

/// BLAKE2b-256 over bytes that come in pieces (RFC 7693, unkeyed).
@safe public struct Blake2b: ~Copyable, @unchecked Sendable {
  // Sendable because the state has one owner.
  private let state: UnsafeMutableRawPointer

  public init() {
    Sodium.start()
    // The state asks for 64-byte alignment, which is why Swift sees its type as opaque only.
    unsafe state = .allocate(byteCount: crypto_generichash_statebytes(), alignment: 64)
    precondition(unsafe crypto_generichash_init(OpaquePointer(state), nil, 0, 32) == 0)
  }

  deinit { unsafe state.deallocate() }

  public mutating func update(_ bytes: [UInt8]) {
    precondition(unsafe crypto_generichash_update(OpaquePointer(state), bytes, UInt64(bytes.count)) == 0)
  }

  public consuming func finish() -> Digest {
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
      precondition(unsafe crypto_generichash_final(OpaquePointer(state), output.baseAddress!, 32) == 0)
      count = 32
    }
    return Digest(bytes: bytes)!
  }
}

/// Signatures over edwards25519 (RFC 8032, pure, not prehashed).
public enum Ed25519 {
  public static let seedBytes = 32
  public static let signatureBytes = 64

  /// 32 bytes; nothing is checked but the length until a signature is.
  public struct PublicKey: Hashable, Sendable {
    public let bytes: [UInt8]

    public init?(bytes: [UInt8]) {
      guard bytes.count == 32 else { return nil }
      self.bytes = bytes
    }
  }

  /// Whether `signature` (64 bytes) of `message` was made with the secret half of `key`.
  ///
  /// False too for other lengths, for keys of small order and for signatures in a second encoding, so that nobody can
  /// make another valid signature out of a seen one.
  public static func verify(_ signature: [UInt8], of message: [UInt8], by key: PublicKey) -> Bool {
    Sodium.start()
    guard signature.count == signatureBytes else { return false }
    return unsafe crypto_sign_verify_detached(signature, message, UInt64(message.count), key.bytes) == 0
  }

  /// A secret key in locked, guarded memory that is zeroed before it is released. It cannot be copied, hence not
  /// printed.
  public struct SecretKey: ~Copyable, Sendable {
    private let memory: GuardedMemory
    public let publicKey: PublicKey

    /// A fresh key.
    public init() {
      var seed = Sodium.randomBytes(Ed25519.seedBytes)
      self.init(seed: seed)!
      Sodium.wipe(&seed)
    }

    /// The key of a 32-byte seed (RFC 8032 §5.1.5); nil for another length. Wiping the caller's copy is the caller's
    /// part.
    public init?(seed: [UInt8]) {
      guard seed.count == Ed25519.seedBytes else { return nil }
      let memory = GuardedMemory(count: crypto_sign_secretkeybytes())
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
        precondition(unsafe crypto_sign_seed_keypair(output.baseAddress!, memory.base, seed) == 0)
        count = 32
      }
      self.memory = memory
      publicKey = PublicKey(bytes: bytes)!
    }

    /// 64 bytes; the same message always gives the same signature.
    public borrowing func sign(_ message: [UInt8]) -> [UInt8] {
      unsafe [UInt8](unsafeUninitializedCapacity: Ed25519.signatureBytes) { output, count in
        precondition(
          unsafe crypto_sign_detached(output.baseAddress!, nil, message, UInt64(message.count), memory.base) == 0)
        count = Ed25519.signatureBytes
      }
    }

    /// Lends the 32-byte seed, for writing it to a file; the loan is wiped afterwards.
    public borrowing func withSeed<Result>(_ body: (borrowing [UInt8]) -> Result) -> Result {
      // libsodium keeps the seed in the first half of the secret key.
      memory.withCopy(count: Ed25519.seedBytes, body)
    }
  }
}

/// Keys that agree on a secret over curve25519 (RFC 7748); used for sealed boxes.
public enum X25519 {
  public static let keyBytes = 32

  /// Nil for other than 32 bytes, and for points of small order, with which every agreement gives the same secret.
  public struct PublicKey: Hashable, Sendable {
    public let bytes: [UInt8]

    public init?(bytes: [UInt8]) {
      guard bytes.count == X25519.keyBytes else { return nil }
      Sodium.start()
      // Any scalar shows a small order: clamping makes it a multiple of eight, and libsodium refuses the zero result.
      let scalar = [UInt8](repeating: 1, count: X25519.keyBytes)
      var isSound = false
      _ = unsafe [UInt8](unsafeUninitializedCapacity: X25519.keyBytes) { output, count in
        isSound = unsafe crypto_scalarmult(output.baseAddress!, scalar, bytes) == 0
        count = 0
      }
      guard isSound else { return nil }
      self.bytes = bytes
    }
  }

  /// A secret key in guarded memory, as `Ed25519.SecretKey`.
  public struct SecretKey: ~Copyable, Sendable {
    let memory: GuardedMemory
    public let publicKey: PublicKey

    /// A fresh key.
    public init() {
      var seed = Sodium.randomBytes(X25519.keyBytes)
      self.init(seed: seed)!
      Sodium.wipe(&seed)
    }

    /// The key whose 32 bytes (RFC 7748 §5, clamped when used) are `seed`; nil for another length.
    public init?(seed: [UInt8]) {
      guard seed.count == X25519.keyBytes else { return nil }
      let memory = GuardedMemory(count: X25519.keyBytes)
      unsafe memory.base.update(from: seed, count: X25519.keyBytes)
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: X25519.keyBytes) { output, count in
        precondition(unsafe crypto_scalarmult_base(output.baseAddress!, memory.base) == 0)
        count = X25519.keyBytes
      }
      self.memory = memory
      publicKey = PublicKey(bytes: bytes)!
    }

    /// Lends the 32 bytes, for writing them to a file; the loan is wiped afterwards.
    public borrowing func withSeed<Result>(_ body: (borrowing [UInt8]) -> Result) -> Result {
      memory.withCopy(count: X25519.keyBytes, body)
    }
  }
}

/// Messages that the holder of one key can read; they say nothing about who wrote them (libsodium's `crypto_box_seal`:
/// X25519, BLAKE2b, XSalsa20-Poly1305).
public enum SealedBox {
  /// What sealing adds.
  public static let overheadBytes = 48

  public static func seal(_ message: [UInt8], to key: X25519.PublicKey) -> [UInt8] {
    Sodium.start()
    let total = message.count + overheadBytes
    return unsafe [UInt8](unsafeUninitializedCapacity: total) { output, count in
      // It fails only for keys of small order, of which `PublicKey` has none.
      precondition(unsafe crypto_box_seal(output.baseAddress!, message, UInt64(message.count), key.bytes) == 0)
      count = total
    }
  }

  /// Nil when the box was sealed to another key or changed since.
  public static func open(_ box: [UInt8], by key: borrowing X25519.SecretKey) -> [UInt8]? {
    guard box.count >= overheadBytes else { return nil }
    let publicKey = key.publicKey.bytes
    var isOpened = false
    let message = unsafe [UInt8](unsafeUninitializedCapacity: box.count - overheadBytes + 1) { output, count in
      isOpened =
        unsafe crypto_box_seal_open(output.baseAddress!, box, UInt64(box.count), publicKey, key.memory.base) == 0
      count = isOpened ? box.count - overheadBytes : 0
    }
    return isOpened ? message : nil
  }
}

/// Authenticated encryption whose nonces are long enough to be drawn at random (draft-irtf-cfrg-xchacha-03).
public enum XChaCha20Poly1305 {
  public static let keyBytes = 32
  public static let nonceBytes = 24
  /// What sealing adds: the tag, at the end.
  public static let overheadBytes = 16

  /// `additional` is authenticated, not carried. A nonce serves one message of a key.
  public static func seal(
    _ message: [UInt8], key: [UInt8], nonce: [UInt8], additional: [UInt8] = []
  ) -> [UInt8] {
    Sodium.start()
    precondition(key.count == keyBytes && nonce.count == nonceBytes, "a key has 32 bytes, a nonce 24")
    let total = message.count + overheadBytes
    return unsafe [UInt8](unsafeUninitializedCapacity: total) { output, count in
      let status = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
        output.baseAddress!, nil, message, UInt64(message.count), additional, UInt64(additional.count), nil, nonce, key)
      precondition(status == 0)
      count = total
    }
  }

  /// Nil when any of the four is not what was sealed.
  public static func open(
    _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], additional: [UInt8] = []
  ) -> [UInt8]? {
    Sodium.start()
    precondition(key.count == keyBytes && nonce.count == nonceBytes, "a key has 32 bytes, a nonce 24")
    guard sealed.count >= overheadBytes else { return nil }
    var isOpened = false
    let message = unsafe [UInt8](unsafeUninitializedCapacity: sealed.count - overheadBytes + 1) { output, count in
      let status = unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
        output.baseAddress!, nil, nil, sealed, UInt64(sealed.count), additional, UInt64(additional.count), nonce, key)
      isOpened = status == 0
      count = isOpened ? sealed.count - overheadBytes : 0
    }
    return isOpened ? message : nil
  }
}

/// Memory for a secret: locked, between guard pages, zeroed before it is released.
///
/// Internal although only this file uses it: a release build inlines it into other rooms, and then fails to link
/// against a private type.
@safe struct GuardedMemory: ~Copyable, @unchecked Sendable {
  // Sendable because the memory is written by the owner's `init` alone and has one owner.
  let base: UnsafeMutablePointer<UInt8>
  private let count: Int

  init(count: Int) {
    Sodium.start()
    // Null only where the system refuses a few pages.
    guard let block = unsafe sodium_malloc(count) else { preconditionFailure("no memory for a secret key") }
    unsafe base = block.bindMemory(to: UInt8.self, capacity: count)
    self.count = count
  }

  deinit {
    unsafe sodium_memzero(base, count)
    unsafe sodium_free(base)
  }

  borrowing func withCopy<Result>(count: Int, _ body: (borrowing [UInt8]) -> Result) -> Result {
    var copy = unsafe Array(UnsafeBufferPointer(start: base, count: count))
    defer { Sodium.wipe(&copy) }
    return body(copy)
  }
}
