public import TwinCore

/// A trained model as it is handed to a site: a run as it stood at the end of its history, and what it goes back to.
///
///     [1, model, shape, parent, manifest, evidence, run]
///
/// `shape` is the digest of `ModelDefinition.shape`: a candidate over other inputs or outputs is refused. `parent` is
/// the candidate of the version that it was trained to replace, `manifest` the digest of the signed manifest that tells
/// its data, code, settings, seed and scores. `evidence` compares it with its parent on history that it was not fitted
/// to.
public struct ModelCandidate: Sendable, Equatable {
  public var model: String
  public var shape: Digest
  public var parent: Digest
  public var manifest: Digest
  public var evidence: PairedEvidence
  /// `ModelRun.encode`.
  public var run: [UInt8]

  public static let bytesMax = 4 << 20

  public init(
    model: String, shape: Digest, parent: Digest, manifest: Digest, evidence: PairedEvidence, run: [UInt8]
  ) {
    (self.model, self.shape, self.parent, self.manifest) = (model, shape, parent, manifest)
    (self.evidence, self.run) = (evidence, run)
  }

  public var bytes: [UInt8] {
    var writer = CanonicalWriter(reservingBytes: run.count + 256)
    writer.array(7)
    writer.integer(1)
    writer.text(model)
    for digest in [shape, parent, manifest] { writer.digest(digest) }
    evidence.encode(to: &writer)
    writer.bytes(run)
    return writer.bytes
  }

  public init(bytes: [UInt8]) throws(CanonicalFault) {
    var reader = CanonicalReader(bytes)
    try reader.structure(6, version: 1)
    model = try reader.text(limit: 256)
    (shape, parent, manifest) = (try reader.digest(), try reader.digest(), try reader.digest())
    evidence = try PairedEvidence(from: &reader)
    run = try reader.bytes(limit: Self.bytesMax)
    guard reader.isAtEnd else { throw CanonicalFault("bytes after the candidate's end") }
  }
}

extension ModelDefinition {
  /// What a model's run means: its inputs and outputs by name, its step and its horizons. Two definitions of one shape
  /// can take over each other's run; which points feed them is no part of it, nor are the physics, which a run brings.
  public var shape: [UInt8] {
    var writer = CanonicalWriter(reservingBytes: 4096)
    writer.array(5)
    writer.integer(1)
    writer.text(id)
    writer.integer(stepNanoseconds)
    writer.array(horizons.count)
    for horizon in horizons { writer.integer(horizon) }
    let ports = physics.inputs.map { [$0.name, $0.unit] } + physics.outputs.map { [$0.name, $0.unit] }
    writer.array(ports.count)
    for text in ports.joined() { writer.text(text) }
    return writer.bytes
  }

  /// Whether other physics have the same inputs and outputs.
  func accepts(_ other: BilinearModel) -> Bool {
    other.inputs == physics.inputs
      && other.outputs.map { [$0.name, $0.unit] } == physics.outputs.map { [$0.name, $0.unit] }
  }

  public var stepSeconds: Double { Double(stepNanoseconds) / 1e9 }
  /// At least one.
  public var stepsPerDay: Int64 { max(1, 86_400_000_000_000 / stepNanoseconds) }
}
