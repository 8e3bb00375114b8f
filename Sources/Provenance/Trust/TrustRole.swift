public import Sodium

/// What a key of the fleet may sign. The first three are the roles of `keys.pub` (`Role`), under the same names.
public enum TrustRole: UInt8, Sendable, CaseIterable, Comparable {
  /// The key list, the thresholds and the next root. Offline.
  case root = 0
  /// Safety envelopes. Offline; nothing that an online key signs changes or relaxes one.
  case safety = 1
  /// Artefacts and packs that may be installed at all, and their lowest versions. Offline.
  case targets = 2
  /// Which site gets which of the signed artefacts. Online.
  case rollout = 3
  /// The versions of all other metadata, and the revocations. Online.
  case snapshot = 4
  /// The newest snapshot, the foundation's checkpoint and its time. Online.
  case timestamp = 5
  /// Acknowledgements and cosignatures of the sites' logs. Online.
  case ingest = 6
  /// Cosignatures of the foundation's checkpoints, on machines of others.
  case witness = 7

  public var name: String {
    switch self {
    case .root: "root"
    case .safety: "safety"
    case .targets: "targets"
    case .rollout: "rollout"
    case .snapshot: "snapshot"
    case .timestamp: "timestamp"
    case .ingest: "ingest"
    case .witness: "witness"
    }
  }

  public init?(name: some StringProtocol) {
    guard let role = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = role
  }

  /// The role in `keys.pub`, for the three that a site without a fleet knows too.
  public var ringRole: Role? {
    switch self {
    case .root: .root
    case .safety: .safety
    case .targets: .targets
    case .rollout, .snapshot, .timestamp, .ingest, .witness: nil
    }
  }

  /// Whether a root without a key of this role means nothing.
  public var isRequired: Bool { self != .ingest && self != .witness }

  /// Five of an offline role fit a 3-of-5 and, three roles together, `KeyRing.entriesMax`.
  public var keysMax: Int { ringRole == nil ? 16 : 5 }

  public static func < (a: TrustRole, b: TrustRole) -> Bool { a.rawValue < b.rawValue }
}

/// A public key with its algorithm and its one role.
public struct TrustKey: Hashable, Sendable {
  /// The only algorithm that counts today; keys of others are carried along for clients that know them.
  public static let ed25519: UInt64 = 1
  /// Room for an ML-DSA-87 key.
  public static let bytesMax = 2_592
  static let nameBytesMax = 64

  public let algorithm: UInt64
  public let role: TrustRole
  public let bytes: [UInt8]
  /// A witness's name in its cosignatures (C2SP signed-note); nil for the other roles.
  public let name: String?

  public init(_ role: TrustRole, _ key: Ed25519.PublicKey, name: String? = nil) {
    (algorithm, self.role, bytes, self.name) = (Self.ed25519, role, key.bytes, name)
  }

  init(algorithm: UInt64, role: TrustRole, bytes: [UInt8], name: String?) {
    (self.algorithm, self.role, self.bytes, self.name) = (algorithm, role, bytes, name)
  }

  /// Nil where this build cannot check the algorithm's signatures: such a key counts for no threshold.
  public var key: Ed25519.PublicKey? { algorithm == Self.ed25519 ? Ed25519.PublicKey(bytes: bytes) : nil }

  /// As in `keys.pub` for Ed25519: the algorithm's number is the byte before the key.
  public var id: KeyID {
    KeyID(bytes: Sodium.blake2b128([UInt8(truncatingIfNeeded: algorithm)] + bytes))!
  }

  /// The order in which a document lists keys: one list has one form.
  static func precedes(_ a: TrustKey, _ b: TrustKey) -> Bool {
    a.role == b.role ? a.bytes.lexicographicallyPrecedes(b.bytes) : a.role < b.role
  }

  var isWellFormed: Bool {
    (1...255).contains(algorithm) && (1...Self.bytesMax).contains(bytes.count)
      && (algorithm != Self.ed25519 || bytes.count == 32)
      && (role == .witness ? name.map(Self.isName) ?? false : name == nil)
  }

  /// A key name of C2SP signed-note, further held to what fits a line of a report: printable, no space, no plus.
  static func isName(_ name: String) -> Bool {
    (1...nameBytesMax).contains(name.utf8.count)
      && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "+") }
  }
}
