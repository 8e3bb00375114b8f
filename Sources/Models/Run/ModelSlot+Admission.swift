public import TwinCore

extension ModelSlot {
  /// Starts a candidate as challenger; one that is there already makes room.
  ///
  /// Where the champion is the bare template, history that the candidate was not fitted to is evidence enough. A fitted
  /// champion is replaced on what both forecast from now on.
  public mutating func admit(
    _ candidate: ModelCandidate, digest: Digest, shape: Digest, _ definition: ModelDefinition, model: Int32,
    into events: inout [ModelEvent]
  ) throws(CanonicalFault) {
    guard candidate.model == definition.id else {
      throw CanonicalFault("a candidate of model \(candidate.model), not of \(definition.id)")
    }
    guard candidate.shape == shape else {
      throw CanonicalFault("the candidate has other inputs or outputs than \(definition.id): train it again")
    }
    guard candidate.parent == champion.version.candidate else {
      throw CanonicalFault(
        "the candidate was trained to replace \(candidate.parent.short), at work is \(champion.version.candidate.short)"
      )
    }
    var reader = CanonicalReader(candidate.run)
    var run = try ModelRun(from: &reader, definition)
    guard reader.isAtEnd else { throw CanonicalFault("bytes after the candidate's run") }
    versions += 1
    run.version = ModelVersion(
      number: versions, candidate: digest, manifest: candidate.manifest, parent: candidate.parent)
    // Its scores are of history; what it does from now on is counted anew.
    run.continueLive(beside: champion, definition)
    challenger = run
    evidence = PairedEvidence(block: evidence.block)
    events.append(
      ModelEvent(model: model, kind: .admitted, text: "trained to replace \(candidate.parent.short)", candidate: digest)
    )
    guard !champion.version.isCalibrated, candidate.evidence.finding == .better else { return }
    evidence = candidate.evidence
    promote(by: "", model, definition, &events)
  }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(10)
    writer.integer(1)
    champion.encode(to: &writer)
    for run in [challenger, previous] { if let run { run.encode(to: &writer) } else { writer.null() } }
    evidence.encode(to: &writer)
    retrospect.encode(to: &writer)
    writer.integer(sincePromotion)
    writer.integer(versions)
    feed.encode(to: &writer)
    writer.doubles(scales)
  }

  /// Restores what a slot of the same shape left.
  public mutating func restore(
    from reader: inout CanonicalReader, _ definition: ModelDefinition
  ) throws(CanonicalFault) {
    try reader.structure(9, version: 1)
    champion = try ModelRun(from: &reader, definition)
    challenger = try Self.run(from: &reader, definition)
    previous = try Self.run(from: &reader, definition)
    evidence = try PairedEvidence(from: &reader)
    retrospect = try PairedEvidence(from: &reader)
    sincePromotion = try reader.integer()
    versions = try reader.integer()
    try feed.restore(from: &reader)
    let scales = try reader.doubles(limit: 1 << 12)
    guard scales.count == self.scales.count else { throw CanonicalFault("\(scales.count) scales of losses") }
    self.scales = scales
    told = Told(champion)
  }

  private static func run(
    from reader: inout CanonicalReader, _ definition: ModelDefinition
  ) throws(CanonicalFault) -> ModelRun? {
    try reader.takeNull() ? nil : try ModelRun(from: &reader, definition)
  }
}
