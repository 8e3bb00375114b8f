// A signed message, strict CBOR (see CBORItem.swift):
//
//     [1, type: text, payload: bytes, [[key id: bytes(16), signature: bytes(64)], … 1 to 16]]
//
// `type` is 1 to 128 bytes of printable ASCII without spaces and says what the payload is. A signature is Ed25519 over
// the pre-authentication encoding of DSSE v1 (github.com/secure-systems-lab/dsse): "DSSEv1" SP length(type) SP type SP
// length(payload) SP payload, lengths in decimal. The key id is BLAKE2b-128 over 0x01 and the public key: a hint that
// finds the key, never a proof. No key id stands twice.

public import Sodium

/// A payload as received, and who claims to have signed it.
public struct SignedEnvelope: Equatable, Sendable {
  public struct Signature: Equatable, Sendable {
    /// 16 bytes, see `KeyID`.
    public let keyID: [UInt8]
    /// 64 bytes.
    public let bytes: [UInt8]
  }

  public static let signaturesMax = 16
  public static let typeBytesMax = 128
  /// The envelope's own bytes beside type and payload, at most.
  public static let overheadBytesMax = 24 + signaturesMax * 84

  public let type: String
  /// As received: what is verified is this, and what is read afterwards must be this too.
  public let payload: [UInt8]
  public private(set) var signatures: [Signature]

  /// Takes the bytes apart and believes none of them; `max` bounds the whole.
  public init(_ bytes: [UInt8], max: Int) throws(ProvenanceFault) {
    let items = try CBORItem.decode(bytes, limits: CBORLimits(bytes: max, depth: 3, items: 64)).asArray(
      max: 4, "envelope")
    guard items.count == 4 else { throw .messageMalformed("envelope", "\(items.count) items, wanted 4") }
    let version = try items[0].asUnsigned("envelope.version")
    guard version == 1 else { throw .messageMalformed("envelope.version", "\(version), wanted 1") }
    type = try items[1].asText(max: Self.typeBytesMax, "envelope.type")
    guard Self.isAllowed(type: type) else {
      throw .messageMalformed("envelope.type", "\(type.debugDescription), wanted printable ASCII without spaces")
    }
    payload = try items[2].asBytes("envelope.payload")
    signatures = []
    let rows = try items[3].asArray(max: Self.signaturesMax, "envelope.signatures")
    guard !rows.isEmpty else { throw .messageMalformed("envelope.signatures", "no signature") }
    for row in rows {
      let pair = try row.asArray(max: 2, "envelope.signature")
      guard pair.count == 2 else { throw .messageMalformed("envelope.signature", "not a key id and a signature") }
      let keyID = try pair[0].asBytes(count: KeyID.bytesCount, "envelope.signature.key")
      guard !signatures.contains(where: { $0.keyID == keyID }) else {
        throw .messageMalformed("envelope.signatures", "a key id twice")
      }
      let bytes = try pair[1].asBytes(count: Ed25519.signatureBytes, "envelope.signature.bytes")
      signatures.append(Signature(keyID: keyID, bytes: bytes))
    }
  }

  private init(type: String, payload: [UInt8], signatures: [Signature]) {
    precondition(Self.isAllowed(type: type), "\(type.debugDescription) is no payload type")
    (self.type, self.payload, self.signatures) = (type, payload, signatures)
  }

  /// The bytes of an envelope with one signature.
  public static func seal(type: String, payload: [UInt8], by key: borrowing Ed25519.SecretKey) -> [UInt8] {
    SignedEnvelope(type: type, payload: payload, signatures: []).adding(signature: key).bytes
  }

  /// With one more signature; one by the same key stands already for it. Traps beyond `signaturesMax`.
  public func adding(signature key: borrowing Ed25519.SecretKey) -> SignedEnvelope {
    let keyID = KeyID.bytes(of: key.publicKey)
    var copy = self
    copy.signatures.removeAll { $0.keyID == keyID }
    precondition(copy.signatures.count < Self.signaturesMax, "an envelope has at most 16 signatures")
    let signature = key.sign(Self.preAuthentication(type: type, payload: payload))
    copy.signatures.append(Signature(keyID: keyID, bytes: signature))
    return copy
  }

  public var bytes: [UInt8] {
    let rows = signatures.map { CBORItem.array([.bytes($0.keyID), .bytes($0.bytes)]) }
    return CBORItem.array([.unsigned(1), .text(type), .bytes(payload), .array(rows)]).encoded
  }

  /// Returns when at least `threshold` different keys of `keys` signed this payload as this type.
  ///
  /// A key given twice counts once; signatures by other keys are passed over. Faults: `provenance.signer_unknown`,
  /// `provenance.signature_wrong`, `provenance.threshold_missed`.
  public func verify(by keys: [Ed25519.PublicKey], threshold: Int = 1) throws(ProvenanceFault) {
    precondition(threshold >= 1, "a threshold below 1 would accept anything")
    let message = Self.preAuthentication(type: type, payload: payload)
    var (right, wrong) = (0, 0)
    for (index, key) in keys.enumerated() where !keys[..<index].contains(key) {
      let keyID = KeyID.bytes(of: key)
      guard let signature = signatures.first(where: { $0.keyID == keyID }) else { continue }
      if Ed25519.verify(signature.bytes, of: message, by: key) { right += 1 } else { wrong += 1 }
      if right == threshold { return }
    }
    if wrong > 0 {
      throw ProvenanceFault(
        .signatureWrong, path: type, "\(wrong) wrong signature(s) under known keys of \(type), \(right) right",
        remedy: "drop it; if it comes again, look for who changes messages on the way")
    }
    guard right > 0 else {
      let signer = KeyID(bytes: signatures[0].keyID).map(\.hex) ?? ""
      throw ProvenanceFault(
        .signerUnknown, path: type, "\(type) is signed by key \(signer), which may not sign it",
        remedy: "check whether the sender was enrolled, or its keys were rotated or revoked")
    }
    throw ProvenanceFault(
      .thresholdMissed, path: type, "\(type) has signatures by \(right) of the keys, wanted \(threshold)",
      remedy: "have more of the key holders sign it")
  }

  /// What a signature covers.
  public static func preAuthentication(type: String, payload: [UInt8]) -> [UInt8] {
    let head = "DSSEv1 \(type.utf8.count) \(type) \(payload.count) "
    var message: [UInt8] = []
    message.reserveCapacity(head.utf8.count + payload.count)
    message += head.utf8
    message += payload
    return message
  }

  private static func isAllowed(type: String) -> Bool {
    (1...typeBytesMax).contains(type.utf8.count) && type.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }
}

extension KeyID {
  public static let bytesCount = 16

  /// The 16 bytes whose hexadecimal digits are the id of `key`.
  public static func bytes(of key: Ed25519.PublicKey) -> [UInt8] { Sodium.blake2b128([0x01] + key.bytes) }

  /// Nil for other than 16 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Self.bytesCount else { return nil }
    self.init(hex: Hex.text(bytes))
  }
}

/// Lower-case hexadecimal digits.
enum Hex {
  static func text(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
