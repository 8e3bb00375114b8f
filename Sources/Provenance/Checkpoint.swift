// A checkpoint (c2sp.org/tlog-checkpoint): the text of a signed note, every line ended by a line feed:
//
//     ORIGIN       which log; not empty
//     SIZE         entries, decimal without leading zeros
//     ROOT         32 bytes in base 64
//     extensions   lines that are not empty; twind writes none
//
// The origin of a site's log is "twind/" TENANT.SITE "/" stream "/" epoch in 32 hexadecimal digits, of the
// foundation's own "twind/" FLEET "/foundation".

public import Sodium
public import TwinCore

/// Two sizes of one log, the second not below the first.
public struct LogSpan: Hashable, Sendable {
  public let from: UInt64
  public let to: UInt64

  /// Nil for a span that goes back.
  public init?(from: UInt64, to: UInt64) {
    guard from <= to else { return nil }
    (self.from, self.to) = (from, to)
  }
}

/// What a log says of itself at one size.
public struct Checkpoint: Equatable, Sendable {
  public static let extensionsMax = 16

  public let origin: String
  public let size: UInt64
  public let root: Digest
  public let extensions: [String]

  /// Traps on an origin that is empty or has a line break.
  public init(origin: String, size: UInt64, root: Digest) {
    precondition(Self.isLine(origin), "\(origin.debugDescription) is no origin")
    (self.origin, self.size, self.root, extensions) = (origin, size, root, [])
  }

  /// Reads a note's text. Fault: `provenance.note_malformed`.
  public init(body: String) throws(ProvenanceFault) {
    let feed = UInt8(ascii: "\n")
    let lines = body.utf8.split(separator: feed, maxSplits: 4 + Self.extensionsMax, omittingEmptySubsequences: false)
      .map { String(Substring($0)) }
    guard lines.count >= 4, lines.count <= 4 + Self.extensionsMax, lines.last == "" else {
      throw .noteMalformed("a checkpoint has 3 to \(3 + Self.extensionsMax) lines, each ended by a line feed")
    }
    guard lines.dropLast().allSatisfy(Self.isLine) else { throw .noteMalformed("an empty line in a checkpoint") }
    guard let size = UInt64(lines[1]), String(size).utf8.elementsEqual(lines[1].utf8) else {
      throw .noteMalformed("the size \(lines[1].prefix(40).debugDescription) is no decimal number")
    }
    guard let bytes = Base64.decode(lines[2].utf8), let root = Digest(bytes: bytes) else {
      throw .noteMalformed("the root is not 32 bytes in base 64")
    }
    (origin, self.size, self.root, extensions) = (lines[0], size, root, Array(lines[3...].dropLast()))
  }

  public var body: String {
    let digits = String(decoding: Base64.encode(root.bytes), as: UTF8.self)
    return ([origin, String(size), digits] + extensions).map { $0 + "\n" }.joined()
  }

  public static func origin(site: SiteName, stream: LogStream, epoch: LogEpoch) -> String {
    "twind/\(site)/\(stream.name)/\(epoch.hex)"
  }

  /// The origin of a fleet's own log.
  public static func origin(fleet: String) -> String { "twind/\(fleet)/foundation" }

  /// The note, signed by the log's key; `name` is the origin unless something speaks against it.
  public func signed(name: String, by key: borrowing Ed25519.SecretKey) -> String {
    let noteKey = NoteKey(name: name, key: key.publicKey)!
    let signature = SignedNote.Signature(name: name, keyID: noteKey.id, bytes: key.sign(Array(body.utf8)))
    return SignedNote(text: body, signatures: [signature]).encode()
  }

  /// The line, ended by a line feed, that says "seen consistent at `seconds`" when it is appended to `note`.
  ///
  /// Checks that the note is a checkpoint and nothing else: what the log signed, and that this checkpoint follows the
  /// last one, is the cosigner's part before. Fault: `provenance.note_malformed`. Traps on a name that no key can have.
  public static func cosign(
    _ note: String, name: String, by key: borrowing Ed25519.SecretKey, at seconds: UInt64
  ) throws(ProvenanceFault) -> String {
    let note = try SignedNote(parse: note)
    _ = try Checkpoint(body: note.text)
    let noteKey = NoteKey(name: name, key: key.publicKey, algorithm: .cosignature)!
    let signature = key.sign(cosigned(note.text, seconds))
    return SignedNote.Signature(name: name, keyID: noteKey.id, bytes: seconds.bigEndianBytes + signature).line
  }

  /// Returns when the cosigner's key signed the note's text, with the latest time at which it did, in seconds.
  ///
  /// Faults: `provenance.note_malformed`, `provenance.signer_unknown`, `provenance.signature_wrong`.
  @discardableResult
  public static func verifyCosignature(
    of note: String, name: String, key: Ed25519.PublicKey
  ) throws(ProvenanceFault) -> UInt64 {
    let note = try SignedNote(parse: note)
    _ = try Checkpoint(body: note.text)
    var latest: UInt64 = 0
    try note.check(NoteKey(name: name, key: key, algorithm: .cosignature)!) { bytes in
      guard bytes.count == 8 + Ed25519.signatureBytes else { return false }
      let seconds = bytes.prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      latest = max(latest, seconds)
      return seconds <= UInt64(Int64.max)
        && Ed25519.verify(Array(bytes.dropFirst(8)), of: cosigned(note.text, seconds), by: key)
    }
    return latest
  }

  /// `note` with the cosignature that `other`, a note of the same text, has of this key, in place of an earlier one.
  ///
  /// Faults: those of `verifyCosignature`; `provenance.note_malformed` for another text.
  public static func adding(
    cosignatureOf name: String, key: Ed25519.PublicKey, from other: String, to note: String
  ) throws(ProvenanceFault) -> String {
    try verifyCosignature(of: other, name: name, key: key)
    let (given, kept) = (try SignedNote(parse: other), try SignedNote(parse: note))
    guard given.text == kept.text else { throw .noteMalformed("it is over another checkpoint") }
    let id = NoteKey(name: name, key: key, algorithm: .cosignature)!.id
    let isOwn = { (line: SignedNote.Signature) in line.keyID == id && line.name == name }
    let lines = kept.signatures.filter { !isOwn($0) } + given.signatures.filter(isOwn).suffix(1)
    return SignedNote(text: kept.text, signatures: lines).encode()
  }

  private static func cosigned(_ text: String, _ seconds: UInt64) -> [UInt8] {
    Array("cosignature/v1\ntime \(seconds)\n\(text)".utf8)
  }

  private static func isLine(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x20 }
  }
}
