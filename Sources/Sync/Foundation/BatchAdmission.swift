import Provenance
import Sodium
import TwinCore

extension AdmittedBatch {
  /// Checks what needs no store: that the entries are entries, follow each other, own their bodies, and that the chain
  /// over them is the signed one.
  init(_ batch: Batch, envelope: [UInt8]) throws(ProvenanceFault) {
    var entries: [Entry] = []
    entries.reserveCapacity(batch.entries.count)
    var chain = batch.chainBefore
    for (index, bytes) in batch.entries.enumerated() {
      let leaf = try LogEntry(bytes)
      let sequence = batch.first + UInt64(index)
      guard leaf.sequence == sequence else {
        throw .wire("batch.11", "entry \(leaf.sequence) at the place of \(sequence)")
      }
      let body = batch.bodies[index]
      if let body, body.count != Int(leaf.bodyLength) || Sodium.blake2b256(body) != leaf.bodyDigest {
        throw .wire("batch.12", "the body of entry \(sequence) is another")
      }
      let leafHash = Merkle.leafHash(bytes)
      chain = LogHead.chain(chain, leafHash: leafHash)
      entries.append(Entry(sequence: sequence, kind: leaf.kind, bytes: bytes, leafHash: leafHash, body: body))
    }
    guard chain == batch.chainAfter else { throw .wire("batch.6", "the chain over the entries is another") }
    self.init(
      log: batch.log, entries: entries, chainBefore: batch.chainBefore, chainAfter: batch.chainAfter,
      root: batch.root, envelope: envelope)
  }
}
