// A signed note (c2sp.org/signed-note), UTF-8 without control characters other than line feed:
//
//     text, one or more lines, the last one ended by a line feed
//     an empty line; the last one of the note, for the text may have its own
//     "— " NAME " " SIGNATURE, one line for each signature
//
// NAME has no space and no +. SIGNATURE is base 64 of the key's id, 4 bytes big-endian, and what its algorithm gives:
//
//     0x01  Ed25519 over the text: 64 bytes
//     0x04  a cosignature (c2sp.org/tlog-cosignature): seconds since 1970, 8 bytes big-endian, then Ed25519 over
//           "cosignature/v1\ntime SECONDS\n" and the text: 72 bytes
//
// The id is the first 4 bytes of SHA-256 over NAME, a line feed, the algorithm's byte and the public key. A key as text
// is NAME "+" id in 8 hexadecimal digits "+" base 64 of the algorithm's byte and the public key.

public import Sodium
import TwinCore

/// Who may sign a note: a name, a key and the way it is used.
public struct NoteKey: Hashable, Sendable {
  public enum Algorithm: UInt8, Sendable {
    case ed25519 = 0x01
    case cosignature = 0x04
  }

  public let name: String
  public let algorithm: Algorithm
  public let key: Ed25519.PublicKey

  /// Nil for a name that is empty or has a space or a +.
  public init?(name: String, key: Ed25519.PublicKey, algorithm: Algorithm = .ed25519) {
    guard Self.isAllowed(name: name) else { return nil }
    (self.name, self.algorithm, self.key) = (name, algorithm, key)
  }

  /// Reads a key's text. Fault: `provenance.note_malformed`, for other algorithms too.
  public init(parse text: String) throws(ProvenanceFault) {
    // The last part may itself have a +.
    let parts = text.utf8.split(separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = Base64.decode(parts[2]), let first = bytes.first,
      let algorithm = Algorithm(rawValue: first), let key = Ed25519.PublicKey(bytes: Array(bytes.dropFirst())),
      let made = NoteKey(name: String(Substring(parts[0])), key: key, algorithm: algorithm)
    else { throw .noteMalformed("a key is NAME+ID+BASE64 of an Ed25519 key, got \(text.prefix(200).debugDescription)") }
    self = made
    guard parts[1].elementsEqual(hexID.utf8) else { throw .noteMalformed("the id of key \(name) is not \(hexID)") }
  }

  public var text: String {
    "\(name)+\(hexID)+" + String(decoding: Base64.encode([algorithm.rawValue] + key.bytes), as: UTF8.self)
  }

  /// Finds the key in a note; easily forged, so never a proof.
  public var id: UInt32 {
    let hash = Sodium.sha256(Array(name.utf8) + [0x0a, algorithm.rawValue] + key.bytes)
    return hash.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  private var hexID: String { Hex.text(id.bigEndianBytes) }

  static func isAllowed(name: String) -> Bool {
    !name.isEmpty && !name.unicodeScalars.contains { $0.properties.isWhitespace || $0 == "+" || $0.value < 0x20 }
  }
}

/// A text and who claims to have signed it.
public struct SignedNote: Sendable {
  public struct Signature: Equatable, Sendable {
    public let name: String
    public let keyID: UInt32
    /// Without the key's id.
    public let bytes: [UInt8]
  }

  public static let bytesMax = 64 << 10
  public static let signaturesMax = 64

  /// Ends with a line feed.
  public let text: String
  public let signatures: [Signature]

  /// Takes a note apart and believes none of it. Fault: `provenance.note_malformed`.
  public init(parse note: String) throws(ProvenanceFault) { try self.init(parse: Array(note.utf8)) }

  public init(parse bytes: [UInt8]) throws(ProvenanceFault) {
    guard bytes.count <= Self.bytesMax else {
      throw .noteMalformed("\(bytes.count) bytes, wanted at most \(Self.bytesMax)")
    }
    let feed = UInt8(ascii: "\n")
    guard bytes.allSatisfy({ $0 >= 0x20 || $0 == feed }) else { throw .noteMalformed("a control character") }
    guard bytes.last == feed,
      let gap = bytes.indices.dropLast().last(where: { bytes[$0] == feed && bytes[$0 + 1] == feed })
    else { throw .noteMalformed("no empty line, or no line feed at the end") }
    guard let text = String(validating: bytes[...gap], as: UTF8.self) else { throw .noteMalformed("not UTF-8") }
    let rows = bytes[(gap + 2)...].dropLast().split(separator: feed, omittingEmptySubsequences: false)
    guard rows.count <= Self.signaturesMax else { throw .noteMalformed("more than \(Self.signaturesMax) signatures") }
    var signatures: [Signature] = []
    for row in rows { signatures.append(try Signature(line: row)) }
    (self.text, self.signatures) = (text, signatures)
  }

  init(text: String, signatures: [Signature]) { (self.text, self.signatures) = (text, signatures) }

  public func encode() -> String { signatures.reduce(text + "\n") { $0 + $1.line } }

  /// Returns when the key `name` signed the text.
  ///
  /// Signatures of other keys are passed over; a wrong one of this key is a fault even beside a right one. Faults:
  /// `provenance.signer_unknown`, `provenance.signature_wrong`. Traps on a name that no key can have.
  public func verify(name: String, key: Ed25519.PublicKey) throws(ProvenanceFault) {
    let message = Array(text.utf8)
    try check(NoteKey(name: name, key: key)!) { Ed25519.verify($0, of: message, by: key) }
  }

  /// Calls `isRight` for every signature of `key`; there must be one, and all must be right.
  func check(_ key: NoteKey, _ isRight: ([UInt8]) -> Bool) throws(ProvenanceFault) {
    let id = key.id
    let own = signatures.filter { $0.keyID == id && $0.name.utf8.elementsEqual(key.name.utf8) }
    guard !own.isEmpty else {
      throw ProvenanceFault(
        .signerUnknown, path: key.name, "the note has no signature by \(key.text)",
        remedy: "check the key, and whether the note is of the log that was asked for")
    }
    guard own.allSatisfy({ isRight($0.bytes) }) else {
      throw ProvenanceFault(
        .signatureWrong, path: key.name, "the note or its signature by \(key.name) was changed after signing",
        remedy: "fetch the note again; keep this one if it comes again")
    }
  }
}

extension SignedNote.Signature {
  /// With the line feed.
  var line: String {
    "— \(name) \(String(decoding: Base64.encode(keyID.bigEndianBytes + bytes), as: UTF8.self))\n"
  }

  fileprivate init(line: ArraySlice<UInt8>) throws(ProvenanceFault) {
    let dash = Array("— ".utf8)
    let parts = line.dropFirst(dash.count).split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard line.starts(with: dash), parts.count == 2, let name = String(validating: parts[0], as: UTF8.self),
      NoteKey.isAllowed(name: name), let content = Base64.decode(parts[1]), content.count > 4
    else { throw .noteMalformed("a signature line is not \"— NAME BASE64\"") }
    (self.name, bytes) = (name, Array(content.dropFirst(4)))
    keyID = content.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }
}

extension FixedWidthInteger {
  var bigEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self(Self.bitWidth - 8 - 8 * $0)) }
  }
}

extension ProvenanceFault {
  static func noteMalformed(_ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .noteMalformed, path: "note", "the signed note cannot be read: \(problem)",
      remedy: "fetch it again; it must come byte for byte as it was signed")
  }
}
