import Glibc
public import Sodium

/// The keys of a single operator: one file for each role in one directory, best on a stick that stays away from the
/// site.
public enum KeySet {
  public static let publicFile = "keys.pub"

  public static func secretFile(_ role: Role) -> String { RoleKeyFile.name(role.rawValue) }

  /// Makes one key for every role in `directory` (made too, mode 0700, if its parent exists) and returns the public
  /// part.
  ///
  /// Overwrites nothing: `provenance.key_exists` if any of the files is there. `keys.pub` is written last, so that it
  /// stands for a complete set; after a failure the files of this call are removed.
  @discardableResult
  public static func initialise(_ path: String) throws(ProvenanceFault) -> KeyRing {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("create", path) }
    let directory = try Descriptor.directory(path)
    for name in Role.allCases.map(secretFile) + [publicFile] where directory.holds(name) {
      throw .keyExists("\(path)/\(name)")
    }
    var entries: [KeyRing.Entry] = []
    var made: [String] = []
    do throws(ProvenanceFault) {
      for role in Role.allCases {
        let key = Ed25519.SecretKey()
        var content = RoleKeyFile.encode(role.rawValue, key)
        defer { Sodium.wipe(&content) }
        let name = secretFile(role)
        try directory.place(name, content, mode: 0o600, replacing: false, shown: "\(path)/\(name)")
        made.append(name)
        entries.append(KeyRing.Entry(role: role, key: key.publicKey))
      }
      let ring = KeyRing(entries)!
      try directory.place(publicFile, ring.text, mode: 0o644, replacing: false, shown: "\(path)/\(publicFile)")
      return ring
    } catch {
      for name in made { directory.remove(name) }
      throw error
    }
  }

  /// Reads the secret key of `role`.
  ///
  /// Faults: `provenance.key_missing`; `key_exposed` if group or others have any right to the file; `key_malformed`.
  public static func secretKey(_ role: Role, in path: String) throws(ProvenanceFault) -> Ed25519.SecretKey {
    try RoleKeyFile.read(role.rawValue, in: path)
  }
}
