public import Provenance
public import TwinCore

/// Where a foundation keeps artefacts, in chunks; shared by its workers.
public protocol ArtefactShelf: AnyObject {
  /// Of an artefact that is exchanged with that site in either direction; nil for any other.
  func manifest(_ digest: Digest, with site: SiteName) throws(LedgerFault) -> ArtefactManifest?
  /// Which chunks are kept; nil where nothing of the artefact is.
  func kept(_ digest: Digest) throws(LedgerFault) -> ChunkMap?
  /// Nil where it is not kept.
  func chunk(_ digest: Digest, _ index: UInt32) throws(LedgerFault) -> (bytes: [UInt8], proof: [Digest])?
  /// Writes a chunk that was proven to belong to its artefact; when it returns, the chunk is on the disk. Answers which
  /// are kept then.
  func keep(_ chunk: ArtefactChunk) throws(LedgerFault) -> ChunkMap
}
