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
  @safe public struct SecretKey: ~Copyable, @unchecked Sendable {
    // Sendable because the memory is written in `init` alone and has one owner.
    private let memory: UnsafeMutablePointer<UInt8>
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
      Sodium.start()
      // Null only where the system refuses a few pages.
      guard let block = unsafe sodium_malloc(crypto_sign_secretkeybytes()) else {
        preconditionFailure("no memory for a secret key")
      }
      let secret = unsafe block.bindMemory(to: UInt8.self, capacity: crypto_sign_secretkeybytes())
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 32) { output, count in
        precondition(unsafe crypto_sign_seed_keypair(output.baseAddress!, secret, seed) == 0)
        count = 32
      }
      unsafe memory = secret
      publicKey = PublicKey(bytes: bytes)!
    }

    deinit {
      unsafe sodium_memzero(memory, crypto_sign_secretkeybytes())
      unsafe sodium_free(memory)
    }

    /// 64 bytes; the same message always gives the same signature.
    public borrowing func sign(_ message: [UInt8]) -> [UInt8] {
      unsafe [UInt8](unsafeUninitializedCapacity: Ed25519.signatureBytes) { output, count in
        precondition(
          unsafe crypto_sign_detached(output.baseAddress!, nil, message, UInt64(message.count), memory) == 0)
        count = Ed25519.signatureBytes
      }
    }

    /// Lends the 32-byte seed, for writing it to a file; the loan is wiped afterwards.
    public borrowing func withSeed<Result>(_ body: (borrowing [UInt8]) -> Result) -> Result {
      // libsodium keeps the seed in the first half of the secret key.
      var seed = unsafe Array(UnsafeBufferPointer(start: memory, count: Ed25519.seedBytes))
      defer { Sodium.wipe(&seed) }
      return body(seed)
    }
  }
}
