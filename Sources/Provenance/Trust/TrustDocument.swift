// Every document is a map in the strict CBOR of `CBORItem`, in a `SignedEnvelope` of its own type. It begins with
//
//     0: fleet   text, a name of 1 to 64 of a-z 0-9 - _
//     1: version unsigned, 1 to 2^63 - 1
//     2: expires integer, nanoseconds since 1970
//
// and goes on with keys of its own from 3. A key that is not named is refused: these documents give authority.
// Digests of documents and artefacts are BLAKE2b-256 over the bytes as received, the envelope with them.

public import Sodium
public import TwinCore

/// The first three fields of every document.
public struct DocumentHeader: Equatable, Sendable {
  public var fleet: String
  public var version: UInt64
  public var expires: Instant

  /// So that the next version always exists.
  public static let versionMax = UInt64(Int64.max)

  public init(fleet: String, version: UInt64, expires: Instant) {
    (self.fleet, self.version, self.expires) = (fleet, version, expires)
  }

  init(_ fields: inout CBORFields) throws(ProvenanceFault) {
    fleet = try fields.text(0, max: 64)
    version = try fields.unsigned(1)
    expires = try fields.instant(2)
  }

  func check(_ place: String) throws(ProvenanceFault) {
    guard Identifier.isName(fleet) else { throw .document(place, "\(fleet.debugDescription) is no fleet's name") }
    guard version >= 1, version <= Self.versionMax else { throw .document(place, "version \(version) cannot be") }
  }
}

/// A signed statement of the fleet's authority.
public protocol TrustDocument: Equatable, Sendable {
  /// The payload type under the signature.
  static var type: String { get }
  /// For texts.
  static var title: String { get }
  /// The largest envelope that is read.
  static var bytesMax: Int { get }
  var header: DocumentHeader { get }
  /// What is signed.
  var payload: [UInt8] { get }
  /// Reads what was signed. Faults: `provenance.message_malformed`, `document_malformed`.
  init(payload: [UInt8]) throws(ProvenanceFault)
}

extension TrustDocument {
  public var fleet: String { header.fleet }
  public var version: UInt64 { header.version }
  public var expires: Instant { header.expires }

  /// The envelope with one signature; more come by `SignedEnvelope.adding(signature:)`.
  public func sealed(by key: borrowing Ed25519.SecretKey) -> [UInt8] {
    SignedEnvelope.seal(type: Self.type, payload: payload, by: key)
  }

  /// Verifies, and only then reads.
  static func open(_ bytes: [UInt8], by keys: [Ed25519.PublicKey], threshold: Int) throws(ProvenanceFault) -> Self {
    let envelope = try envelope(bytes)
    try envelope.verify(by: keys, threshold: threshold)
    return try Self(payload: envelope.payload)
  }

  /// The envelope by its structure and type alone.
  public static func envelope(_ bytes: [UInt8]) throws(ProvenanceFault) -> SignedEnvelope {
    let envelope = try SignedEnvelope(bytes, max: bytesMax)
    guard envelope.type == type else {
      throw .document(title, "the envelope holds \(envelope.type.prefix(80)), wanted \(type)")
    }
    return envelope
  }
}

extension CBORLimits {
  /// Documents and the trust state: a targets document of a thousand artefacts with its releases.
  static let document = CBORLimits(bytes: 8 << 20, depth: 8, items: 65_536)
}

extension ProvenanceFault {
  /// A document that says something impossible.
  static func document(_ place: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .documentMalformed, path: place, "\(place): \(problem)", remedy: "fetch it again; if it stays so, sign it anew")
  }
}
