import Provenance
public import Sodium
import TwinCore

/// Whose word a site takes for the foundation's.
public struct FoundationTrust: Sendable {
  /// A key that cosigns checkpoints.
  public struct Cosigner: Equatable, Sendable {
    public let name: String
    public let key: Ed25519.PublicKey

    public init(name: String, key: Ed25519.PublicKey) { (self.name, self.key) = (name, key) }
  }

  /// Signs acks, commands and directed entries; more than one while keys rotate.
  public var ingest: [Ed25519.PublicKey]
  /// Of them `cosignersRequired` must have cosigned a checkpoint before a body below it may go. Witnesses that hold
  /// other keys than the ingest make a stolen ingest key harmless to what is not replicated yet.
  public var cosigners: [Cosigner]
  public var cosignersRequired: Int

  public init(ingest: [Ed25519.PublicKey], cosigners: [Cosigner], cosignersRequired: Int = 1) {
    precondition(cosignersRequired >= 1, "a receipt that nobody signed")
    (self.ingest, self.cosigners, self.cosignersRequired) = (ingest, cosigners, cosignersRequired)
  }

  /// Returns when the note is a receipt over this log at this size. Throws faults of the note.
  func check(receipt note: String, of log: LogName, size: UInt64, root: Digest) throws(ProvenanceFault) {
    let checkpoint = try Checkpoint(body: try SignedNote(parse: note).text)
    guard checkpoint.origin == log.description, checkpoint.size == size, checkpoint.root == root else {
      throw .wire("ack.9", "a receipt of \(checkpoint.origin) at \(checkpoint.size), wanted \(log) at \(size)")
    }
    var seen: [Ed25519.PublicKey] = []
    var failure: ProvenanceFault?
    for cosigner in cosigners where !seen.contains(cosigner.key) {
      do {
        try Checkpoint.verifyCosignature(of: note, name: cosigner.name, key: cosigner.key)
        seen.append(cosigner.key)
      } catch {
        failure = error
      }
    }
    guard seen.count < cosignersRequired else { return }
    throw failure ?? .wire("ack.9", "\(seen.count) cosigners of \(cosignersRequired)")
  }
}
