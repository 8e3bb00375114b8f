// The root, after the first three fields of every document (see TrustDocument.swift):
//
//     3: keys        array of {0: role, 1: algorithm, 2: public bytes, 3: witness's name (role 7 only)},
//                    ascending by role, then by bytes; no public bytes twice
//     4: thresholds  map role → count, one entry for each role that has keys
//     5: log restart {0: number, 1: size, 2: root hash}, absent at most times
//
// Roles and algorithms are numbers of `TrustRole` and `TrustKey`.

public import Sodium
public import TwinCore

/// The checkpoint from which the foundation's log goes on after it lost entries; only a root can state it.
public struct LogRestart: Equatable, Sendable {
  /// Rises with each restart, so that one counts once.
  public let number: UInt64
  public let size: UInt64
  public let root: Digest

  public init(number: UInt64, size: UInt64, root: Digest) {
    (self.number, self.size, self.root) = (number, size, root)
  }
}

/// Who may sign what in this fleet. The next one is signed by this one's root keys and its own.
public struct RootMetadata: TrustDocument {
  public static let type = "application/vnd.twind.root.v1+cbor"
  public static let title = "root"
  public static let bytesMax = 128 << 10

  public let header: DocumentHeader
  public let keys: [TrustKey]
  public let thresholds: [TrustRole: Int]
  public let logRestart: LogRestart?

  /// Sorts the keys. Fault: `provenance.document_malformed`.
  public init(
    header: DocumentHeader, keys: [TrustKey], thresholds: [TrustRole: Int], logRestart: LogRestart? = nil
  ) throws(ProvenanceFault) {
    self.header = header
    self.keys = keys.sorted(by: TrustKey.precedes)
    self.thresholds = thresholds
    self.logRestart = logRestart
    try check()
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload, limits: .document).fields(Self.title)
    header = try DocumentHeader(&fields)
    var keys: [TrustKey] = []
    for item in try fields.array(3, max: TrustRole.allCases.count * 16) {
      keys.append(try TrustKey(item))
    }
    var thresholds: [TrustRole: Int] = [:]
    guard case .map(let entries) = try fields.item(4) else { throw .document(Self.title, "thresholds are no map") }
    for entry in entries {
      guard let role = UInt8(exactly: entry.key).flatMap(TrustRole.init(rawValue:)) else {
        throw .document(Self.title, "role \(entry.key) is not known")
      }
      thresholds[role] = Int(clamping: try entry.value.asUnsigned())
    }
    (self.keys, self.thresholds) = (keys, thresholds)
    logRestart = try fields.itemIfPresent(5).map(LogRestart.init)
    try fields.finish()
    try check()
  }

  public var payload: [UInt8] {
    let counts = thresholds.sorted { $0.key < $1.key }.map {
      CBORMapEntry(key: UInt64($0.key.rawValue), value: .unsigned(UInt64($0.value)))
    }
    return CBORItem.map(
      (0, .text(fleet)), (1, .unsigned(version)), (2, .integer(expires.nanoseconds)),
      (3, .array(keys.map(\.item))), (4, .map(counts)), (5, logRestart?.item)
    ).encoded
  }

  /// The keys of `role` that this build can check.
  public func keys(_ role: TrustRole) -> [Ed25519.PublicKey] {
    keys.filter { $0.role == role }.compactMap(\.key)
  }

  /// How many keys of `role` must sign; 0 where the role is not used.
  public func threshold(_ role: TrustRole) -> Int { thresholds[role] ?? 0 }

  /// How many of the witnesses cosigned the note.
  public func witnesses(of note: String) -> Int {
    keys.count { key in
      guard key.role == .witness, let name = key.name, let publicKey = key.key else { return false }
      return (try? Checkpoint.verifyCosignature(of: note, name: name, key: publicKey)) != nil
    }
  }

  /// What a pack's seals are checked against: the root, targets and safety keys.
  public var keyRing: KeyRing {
    let entries = keys.compactMap { key -> KeyRing.Entry? in
      guard let role = key.role.ringRole, let bytes = key.key else { return nil }
      return KeyRing.Entry(role: role, key: bytes)
    }
    return KeyRing(entries)!
  }

  /// The SHA-256 over a root's payload by which a site is told its first root.
  public static func fingerprint(payload: [UInt8]) -> Digest { Sodium.sha256(payload) }

  /// Whether the keys that `old` gave `role` can no longer reach the threshold here.
  ///
  /// Then no document that they alone signed is accepted any more, and a floor that they may have raised can fall.
  func strands(_ role: TrustRole, of old: RootMetadata) -> Bool {
    Self.strands(Set(old.keys(role)), threshold: threshold(role), keys: keys(role))
  }

  static func strands(_ old: Set<Ed25519.PublicKey>, threshold: Int, keys: [Ed25519.PublicKey]) -> Bool {
    old.intersection(keys).count < threshold
  }

  private func check() throws(ProvenanceFault) {
    try header.check(Self.title)
    guard keys.allSatisfy(\.isWellFormed) else { throw .document(Self.title, "a key has a wrong length or name") }
    guard zip(keys, keys.dropFirst()).allSatisfy(TrustKey.precedes), Set(keys.map(\.bytes)).count == keys.count else {
      throw .document(Self.title, "the keys are out of order or one appears twice; one key has one role")
    }
    guard Set(keys.compactMap(\.name)).count == keys.count(where: { $0.name != nil }) else {
      throw .document(Self.title, "two witnesses have one name")
    }
    for role in TrustRole.allCases {
      let count = keys.count { $0.role == role }
      let usable = keys(role).count
      guard count <= role.keysMax else {
        throw .document(Self.title, "\(count) \(role.name) keys, at most \(role.keysMax)")
      }
      guard let threshold = thresholds[role] else {
        guard count == 0, !role.isRequired else {
          throw .document(Self.title, "no threshold for \(role.name)")
        }
        continue
      }
      guard threshold >= 1, threshold <= usable else {
        throw .document(Self.title, "\(role.name) wants \(threshold) of \(usable) usable keys")
      }
    }
  }
}

extension TrustKey {
  init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("root key")
    let number = try fields.unsigned(0)
    guard let role = UInt8(exactly: number).flatMap(TrustRole.init(rawValue:)) else {
      throw .document("root", "role \(number) is not known")
    }
    self.role = role
    algorithm = try fields.unsigned(1)
    bytes = try fields.bytes(2, max: Self.bytesMax)
    name = try fields.textIfPresent(3, max: Self.nameBytesMax)
    try fields.finish()
  }

  var item: CBORItem {
    .map(
      (0, .unsigned(UInt64(role.rawValue))), (1, .unsigned(algorithm)), (2, .bytes(bytes)),
      (3, name.map { .text($0) }))
  }
}

extension LogRestart {
  init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("log restart")
    (number, size, root) = (try fields.unsigned(0), try fields.unsigned(1), try fields.digest(2))
    try fields.finish()
  }

  var item: CBORItem { .map((0, .unsigned(number)), (1, .unsigned(size)), (2, .digest(root))) }
}
