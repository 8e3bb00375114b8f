import Glibc
public import Sodium
public import TwinCore

/// A change of the root: keys in and out, thresholds, a new end.
public struct RootChange: Equatable, Sendable {
  public var adding: [TrustKey]
  public var removing: Set<KeyID>
  /// The roles whose threshold changes; 0 takes the threshold of a role without keys away.
  public var thresholds: [TrustRole: Int]
  public var expires: Instant
  public var logRestart: LogRestart?

  public init(
    adding: [TrustKey] = [], removing: Set<KeyID> = [], thresholds: [TrustRole: Int] = [:], expires: Instant,
    logRestart: LogRestart? = nil
  ) {
    (self.adding, self.removing, self.thresholds) = (adding, removing, thresholds)
    (self.expires, self.logRestart) = (expires, logRestart)
  }
}

extension RootMetadata {
  /// The next version, unsigned. Fault: `provenance.document_malformed` when it could not stand.
  public func successor(_ change: RootChange) throws(ProvenanceFault) -> RootMetadata {
    var thresholds = thresholds.merging(change.thresholds) { $1 }
    thresholds = thresholds.filter { $0.value != 0 }
    let unknown = change.removing.subtracting(keys.map(\.id))
    guard unknown.isEmpty else {
      throw .document(Self.title, "key \(unknown.map(\.hex).sorted()[0]) is not in root \(version)")
    }
    let kept = keys.filter { !change.removing.contains($0.id) }
    return try RootMetadata(
      header: DocumentHeader(fleet: fleet, version: version + 1, expires: change.expires), keys: kept + change.adding,
      thresholds: thresholds, logRestart: change.logRestart)
  }
}

/// The keys of a fleet as files: one operator's in one directory, or each holder's in a directory of their own.
///
/// The format is that of `KeySet`, whose directory this extends. Blocks.
public enum OperatorKeys {
  /// The roles of a foundation that one operator runs; witnesses are others' machines and make their own.
  public static let roles: [TrustRole] = [.root, .safety, .targets, .rollout, .snapshot, .timestamp, .ingest]

  public static func rootFile(_ version: UInt64) -> String { "\(version).root" }

  /// Makes every role's key in `directory`, with threshold 1, and the fleet's first root, `1.root`.
  ///
  /// Where `KeySet.initialise` was there before, its root, targets and safety keys stay and are the fleet's: packs that
  /// they sealed stay good. Overwrites nothing: `provenance.key_exists`. After a failure the files of this call are
  /// removed.
  @discardableResult
  public static func initialise(
    _ path: String, fleet: String, expires: Instant
  ) throws(ProvenanceFault) -> (root: RootMetadata, envelope: [UInt8]) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("create", path) }
    let directory = try Descriptor.directory(path)
    let added = roles.filter { $0.ringRole == nil }
    for name in added.map({ RoleKeyFile.name($0.name) }) + [rootFile(1)] where directory.holds(name) {
      throw .keyExists("\(path)/\(name)")
    }
    var made: [String] = []
    if !directory.holds(KeySet.publicFile) {
      try KeySet.initialise(path)
      made = Role.allCases.map(KeySet.secretFile) + [KeySet.publicFile]
    }
    do throws(ProvenanceFault) {
      for role in added {
        try make(role, in: directory, path)
        made.append(RoleKeyFile.name(role.name))
      }
      var keys: [TrustKey] = []
      for role in roles { keys.append(TrustKey(role, try secretKey(role, in: path).publicKey)) }
      let root = try RootMetadata(
        header: DocumentHeader(fleet: fleet, version: 1, expires: expires), keys: keys,
        thresholds: Dictionary(uniqueKeysWithValues: roles.map { ($0, 1) }))
      let envelope = root.sealed(by: try secretKey(.root, in: path))
      let shown = "\(path)/\(rootFile(1))"
      try directory.place(rootFile(1), envelope, mode: 0o644, replacing: false, shown: shown)
      return (root, envelope)
    } catch {
      for name in made { directory.remove(name) }
      throw error
    }
  }

  /// Makes one key of `role` in `directory` (made too): for a holder, or for a key that is to replace another.
  public static func makeKey(
    _ role: TrustRole, in path: String, name: String? = nil
  ) throws(ProvenanceFault) -> TrustKey {
    precondition((role == .witness) == (name != nil), "a witness has a name, others have none")
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("create", path) }
    let key = try make(role, in: try Descriptor.directory(path), path)
    return TrustKey(role, key, name: name)
  }

  /// Reads the secret key of `role`. Faults: `provenance.key_missing`, `key_exposed`, `key_malformed`.
  public static func secretKey(_ role: TrustRole, in path: String) throws(ProvenanceFault) -> Ed25519.SecretKey {
    try RoleKeyFile.read(role.name, in: path)
  }

  /// Adds the signature of the `role` key in `directory` to an envelope: what a holder does in a ceremony.
  public static func sign(
    _ envelope: SignedEnvelope, _ role: TrustRole, in path: String
  ) throws(ProvenanceFault) -> SignedEnvelope {
    envelope.adding(signature: try secretKey(role, in: path))
  }

  /// The next root in an envelope with the signatures of the root keys in `signers`, old and new holders'.
  ///
  /// Complete or nothing: `provenance.threshold_missed` or `signer_unknown` when the keys of the root before or of the
  /// next one do not reach their threshold. For a ceremony in several places, pass the envelope round with `sign`.
  public static func rotateRoot(
    _ current: [UInt8], _ change: RootChange, signers: [String]
  ) throws(ProvenanceFault) -> [UInt8] {
    precondition(!signers.isEmpty && signers.count <= SignedEnvelope.signaturesMax, "1 to 16 signers")
    let root = try RootMetadata(payload: try RootMetadata.envelope(current).payload)
    let next = try root.successor(change)
    let first = next.sealed(by: try secretKey(.root, in: signers[0]))
    var envelope = try RootMetadata.envelope(first)
    for signer in signers.dropFirst() { envelope = try sign(envelope, .root, in: signer) }
    try check(envelope, of: next, after: root)
    return envelope.bytes
  }

  /// Whether a signed root follows `root`: what every site will check, to be run before it is published.
  public static func check(
    _ envelope: SignedEnvelope, of next: RootMetadata, after root: RootMetadata
  ) throws(ProvenanceFault) {
    try envelope.verify(by: root.keys(.root), threshold: root.threshold(.root))
    try envelope.verify(by: next.keys(.root), threshold: next.threshold(.root))
  }

  @discardableResult
  private static func make(
    _ role: TrustRole, in directory: borrowing Descriptor, _ path: String
  ) throws(ProvenanceFault) -> Ed25519.PublicKey {
    let key = Ed25519.SecretKey()
    var content = RoleKeyFile.encode(role.name, key)
    defer { Sodium.wipe(&content) }
    let name = RoleKeyFile.name(role.name)
    try directory.place(name, content, mode: 0o600, replacing: false, shown: "\(path)/\(name)")
    return key.publicKey
  }
}
