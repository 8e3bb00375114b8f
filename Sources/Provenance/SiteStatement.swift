// What a foundation says of a site's keys, in an envelope signed by an ingest key:
//
//     {0: site text, 1: [signing key bytes(32), …], 2: foundation text, 3: said at, ms since 1970}

public import Sodium
public import TwinCore

/// A foundation's word for the keys that a site has signed with: with the roots it proves them to anybody.
public struct SiteStatement: Equatable, Sendable {
  public static let type = "application/vnd.twind.site.v1+cbor"
  public static let bytesMax = 16 << 10
  public static let keysMax = 64

  public let site: SiteName
  public let keys: [Ed25519.PublicKey]
  /// Under this name its ingest keys cosign.
  public let foundation: String
  /// Milliseconds since 1970.
  public let at: Int64

  public init(site: SiteName, keys: [Ed25519.PublicKey], foundation: String, at: Int64) {
    precondition(keys.count <= Self.keysMax, "\(keys.count) keys of a site")
    (self.site, self.keys, self.foundation, self.at) = (site, keys, foundation, at)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(site.description)), (1, .array(keys.map { .bytes($0.bytes) })), (2, .text(foundation)),
      (3, .integer(at))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("site statement")
    let text = try fields.text(0, max: 64)
    guard let site = SiteName(text) else { throw .messageMalformed("site statement", "\(text) is no site") }
    self.site = site
    var keys: [Ed25519.PublicKey] = []
    for item in try fields.array(1, max: Self.keysMax) {
      keys.append(Ed25519.PublicKey(bytes: try item.asBytes(count: 32, "site statement"))!)
    }
    self.keys = keys
    foundation = try fields.text(2, max: 64)
    at = try fields.integer(3)
    try fields.finish()
  }
}

/// What a bundle carries to prove a site's keys: the roots, the first one first, then one `SiteStatement`.
public struct ProvenSite: Equatable, Sendable {
  public let statement: SiteStatement
  /// Keys of the newest root that cosign under the foundation's name.
  public let ingest: [Ed25519.PublicKey]
  public let rootVersion: UInt64

  /// Believes only the root whose payload has the fingerprint, and what follows from it. Expired roots count: what they
  /// signed in their time stays signed. Faults: `provenance.root_unknown` and those of reading and verifying.
  public init(_ items: [[UInt8]], root fingerprint: Digest) throws(ProvenanceFault) {
    guard let first = items.first, let last = items.last, items.count >= 2 else {
      throw .messageMalformed("trust", "\(items.count) items, wanted roots and a statement")
    }
    let envelope = try RootMetadata.envelope(first)
    guard RootMetadata.fingerprint(payload: envelope.payload) == fingerprint else {
      throw ProvenanceFault(
        .rootUnknown, path: "trust", "the bundle begins with another root than the one given",
        remedy: "give the fingerprint of this fleet's first root: twinctl keys show")
    }
    var root = try RootMetadata(payload: envelope.payload)
    try envelope.verify(by: root.keys(.root), threshold: root.threshold(.root))
    for bytes in items.dropFirst().dropLast() {
      let next = try RootMetadata.envelope(bytes)
      let read = try RootMetadata(payload: next.payload)
      guard read.version == root.version + 1 else {
        throw .messageMalformed("trust", "root \(read.version) after root \(root.version)")
      }
      try OperatorKeys.check(next, of: read, after: root)
      root = read
    }
    let signed = try SignedEnvelope(last, max: SiteStatement.bytesMax)
    guard signed.type == SiteStatement.type else {
      throw .messageMalformed("trust", "a statement of type \(signed.type)")
    }
    ingest = root.keys(.ingest)
    try signed.verify(by: ingest)
    statement = try SiteStatement(payload: signed.payload)
    rootVersion = root.version
  }
}
