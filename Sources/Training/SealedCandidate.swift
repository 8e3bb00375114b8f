// A candidate as it lies in the folder: a `SignedEnvelope` of type `application/vnd.twind.candidate.v1+canonical`,
// signed by the site's learner key, whose payload is in canonical form
//
//     [1, manifest, candidate]
//
// `manifest` is the bytes of the `SignedEnvelope` of the `ReleaseManifest` of the candidate's run, by the same key;
// `candidate` is `ModelCandidate.bytes`. The candidate names the BLAKE2b-256 of the manifest's payload. The file is
// named `<BLAKE2b-256 of candidate, hexadecimal>.candidate`.

public import Models
public import Provenance
public import Sodium
public import TwinCore

/// A trained model with the statement about it, both signed.
public struct SealedCandidate: Sendable {
  public static let type = "application/vnd.twind.candidate.v1+canonical"
  public static let suffix = ".candidate"
  public static let bytesMax =
    ModelCandidate.bytesMax + ReleaseManifest.bytesMax + 2 * SignedEnvelope.overheadBytesMax + 1024

  public let manifest: ReleaseManifest
  public let candidate: ModelCandidate
  /// Of `candidate`, as the kernel will name it.
  public let digest: Digest
  public let candidateBytes: [UInt8]

  public static func fileName(_ digest: Digest) -> String { digest.hex + suffix }

  /// The file's bytes.
  public static func seal(
    _ candidate: ModelCandidate, _ manifest: ReleaseManifest, by key: borrowing Ed25519.SecretKey
  ) throws(TrainingFault) -> (name: String, bytes: [UInt8]) {
    let bytes = candidate.bytes
    guard bytes.count <= ModelCandidate.bytesMax else {
      throw TrainingFault(
        .candidateTooBig, "the candidate has \(bytes.count) bytes, at most \(ModelCandidate.bytesMax) may be",
        remedy: "split the model, or give it fewer outputs or horizons in models.yaml")
    }
    var writer = CanonicalWriter(reservingBytes: bytes.count + 4096)
    writer.array(3)
    writer.integer(1)
    writer.bytes(manifest.sealed(by: key))
    writer.bytes(bytes)
    return (
      fileName(Sodium.blake2b256(bytes)), SignedEnvelope.seal(type: type, payload: writer.bytes, by: key)
    )
  }

  /// Believes nothing: signatures of both, what the manifest says of the run, and what the candidate says of the
  /// manifest.
  ///
  /// Fault: `training.candidate_refused`, which says what does not fit.
  public init(_ bytes: [UInt8], signedBy key: Ed25519.PublicKey) throws(TrainingFault) {
    do throws(ProvenanceFault) {
      let envelope = try SignedEnvelope(bytes, max: Self.bytesMax)
      guard envelope.type == Self.type else { throw Refusal("it holds \(envelope.type), not a candidate").fault }
      try envelope.verify(by: [key])
      let parts = try Self.parts(envelope.payload)
      let statement = try ReleaseManifest.envelope(parts.manifest)
      try statement.verify(by: [key])
      manifest = try ReleaseManifest(payload: statement.payload)
      candidateBytes = parts.candidate
      candidate = try Self.candidate(parts.candidate)
      digest = Sodium.blake2b256(parts.candidate)
      guard candidate.manifest == Sodium.blake2b256(statement.payload) else {
        throw Refusal("it names another manifest").fault
      }
      guard manifest.describes(candidate.run) else { throw Refusal("its manifest is of another run").fault }
    } catch {
      throw TrainingFault(.candidateRefused, error.message, remedy: "train again: twind-learn --once")
    }
  }

  private struct Refusal {
    let fault: ProvenanceFault
    init(_ problem: String) {
      fault = ProvenanceFault(.artefactRefused, path: "candidate", problem, remedy: "train again")
    }
  }

  private static func parts(
    _ payload: [UInt8]
  ) throws(ProvenanceFault) -> (manifest: [UInt8], candidate: [UInt8]) {
    do throws(CanonicalFault) {
      var reader = CanonicalReader(payload)
      try reader.structure(2, version: 1)
      let manifest = try reader.bytes(limit: ReleaseManifest.bytesMax)
      let candidate = try reader.bytes(limit: ModelCandidate.bytesMax)
      guard reader.isAtEnd else { throw CanonicalFault("bytes after the candidate") }
      return (manifest, candidate)
    } catch {
      throw Refusal(error.message).fault
    }
  }

  private static func candidate(_ bytes: [UInt8]) throws(ProvenanceFault) -> ModelCandidate {
    do throws(CanonicalFault) { return try ModelCandidate(bytes: bytes) } catch { throw Refusal(error.message).fault }
  }
}
