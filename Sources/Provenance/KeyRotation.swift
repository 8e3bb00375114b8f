// The body of an entry of kind keyRotated, in the audit stream, strict CBOR:
//
//     {0: new key epoch, 1: new signing key bytes(32), 2: new sealing key bytes(32), 3: proof bytes(64)}
//
// The proof is the new key's signature over the pre-authentication encoding (see SignedEnvelope.swift) of the type
// "application/vnd.twind.rotation.v1+cbor" and
//
//     {0: site text, 1: old signing key bytes(32), 2: new key epoch, 3: new signing key, 4: new sealing key}
//
// The entry itself stands in a batch that the old key signed: so both have signed.

public import Sodium

/// A site's word, under its old key and its new one, that the new one follows.
public struct KeyRotation: Equatable, Sendable {
  static let type = "application/vnd.twind.rotation.v1+cbor"

  public let keyEpoch: UInt32
  public let signing: Ed25519.PublicKey
  /// X25519.
  public let sealing: [UInt8]

  /// The body that says so.
  public static func body(
    of site: SiteName, old: Ed25519.PublicKey, new: borrowing SiteIdentity
  ) -> [UInt8] {
    let (signing, sealing) = (new.signing.publicKey, new.sealing.publicKey.bytes)
    let statement = statement(site, old, new.keyEpoch, signing, sealing)
    return CBORItem.map(
      (0, .unsigned(UInt64(new.keyEpoch))), (1, .bytes(signing.bytes)), (2, .bytes(sealing)),
      (3, .bytes(new.signing.sign(statement)))
    ).encoded
  }

  /// Read and checked against the keys that the site has had. Faults: `provenance.message_malformed`,
  /// `signature_wrong`.
  public init(body: [UInt8], of site: SiteName, known keys: [Ed25519.PublicKey]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("key rotation")
    let (epoch, key) = (try fields.number(0, as: UInt32.self), try fields.bytes(1, count: 32))
    let (sealing, proof) = (try fields.bytes(2, count: 32), try fields.bytes(3, count: Ed25519.signatureBytes))
    try fields.finish()
    let signing = Ed25519.PublicKey(bytes: key)!
    (keyEpoch, self.signing, self.sealing) = (epoch, signing, sealing)
    let isProven = keys.contains { old in
      Ed25519.verify(proof, of: Self.statement(site, old, epoch, signing, sealing), by: signing)
    }
    guard isProven else {
      throw ProvenanceFault(
        .signatureWrong, path: "key rotation", "the new key of \(site) does not say itself that it follows the old one",
        remedy: "keep the entry as evidence, and look who has the site's keys")
    }
  }

  private static func statement(
    _ site: SiteName, _ old: Ed25519.PublicKey, _ epoch: UInt32, _ signing: Ed25519.PublicKey, _ sealing: [UInt8]
  ) -> [UInt8] {
    let payload = CBORItem.map(
      (0, .text(site.description)), (1, .bytes(old.bytes)), (2, .unsigned(UInt64(epoch))), (3, .bytes(signing.bytes)),
      (4, .bytes(sealing))
    ).encoded
    return SignedEnvelope.preAuthentication(type: type, payload: payload)
  }
}
