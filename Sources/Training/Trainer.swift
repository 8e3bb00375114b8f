// `job.bin`, in canonical form:
//
//     [1, model, last tick (-1: the history is of a file), identity, calibration]
//
// `identity` is the digest of everything that the training depends on, `calibration` what `TrainingJob.encode` wrote. A
// job of another identity is forgotten.

public import Harnesses
public import Models
public import Provenance
public import Seams
import SiteKernel
import Sodium
public import TwinCore

/// Trains one model after another over a site's record, and hands them over: everything between the store and the
/// folder.
///
/// Killed at any moment it goes on with the same bits when it is started again. Threading: one thread; calls block.
public struct Trainer: Sendable {
  /// What came of one model.
  public struct Trained: Sendable {
    public let product: TrainingProduct
    public let manifest: ReleaseManifest
    /// Of the candidate's file, and where.
    public let name: String
    public let digest: Digest
    public let bytes: Int
  }

  public let folder: LearnFolder
  public let settings: TrainingSettings
  /// As in manifests.
  public let codeVersion: String
  private let clock: any SiteClock

  static let saveNanoseconds: Int64 = 3_000_000_000
  static let tellNanoseconds: Int64 = 500_000_000

  public init(folder: LearnFolder, settings: TrainingSettings, codeVersion: String, clock: any SiteClock) {
    (self.folder, self.settings, self.codeVersion, self.clock) = (folder, settings, codeVersion, clock)
  }

  /// One model over the site's record; nil when `tell` gave false: then it goes on from there when it is called again.
  public func train(
    _ model: ModelDefinition, in record: SiteRecord, tell: (LearnProgress) -> Bool
  ) throws(TrainingFault) -> Trained? {
    let saved = SavedJob(folder.saved(), model: model.id)
    let pinned = saved.flatMap { $0.lastTick >= 0 ? $0.lastTick : nil }
    guard let last = try Self.last(pinned, record) else {
      throw TrainingFault(
        .tooLittleData, "the record has no tick", remedy: "start twind; a model wants some days of readings")
    }
    try say(model, "collecting", 0, "ticks up to \(last)", tell)
    var isWanted = true
    let history = try record.histories(of: [model], days: settings.days, through: last) { instant in
      isWanted = tell(report(model, "collecting", 0, "at \(instant.rfc3339)"))
      return isWanted
    }[0]
    guard isWanted else { return nil }
    let champion = try record.champion(of: model, at: last)
    let source = history.ticks.map { "record, ticks \($0.lowerBound) to \($0.upperBound)" } ?? "record"
    return try train(
      model, history, champion: champion, source: source, site: record.site.id, saved: saved, lastTick: last, tell)
  }

  private static func last(_ pinned: Int64?, _ record: SiteRecord) throws(TrainingFault) -> Int64? {
    if let pinned { return pinned }
    return try record.lastTick()
  }

  /// One model over a history from elsewhere.
  public func train(
    _ model: ModelDefinition, over history: ModelHistory, source: String, site: String, champion: ModelRun?,
    tell: (LearnProgress) -> Bool
  ) throws(TrainingFault) -> Trained? {
    try train(
      model, history, champion: champion, source: source, site: site, saved: SavedJob(folder.saved(), model: model.id),
      lastTick: -1, tell)
  }

  private func train(
    _ model: ModelDefinition, _ history: ModelHistory, champion: ModelRun?, source: String, site: String,
    saved: SavedJob?, lastTick: Int64, _ tell: (LearnProgress) -> Bool
  ) throws(TrainingFault) -> Trained? {
    let key = try learnerKey()
    var job = try TrainingJob(model, history, champion: champion, settings)
    let identity = job.identity(hash: Sodium.blake2b256)
    if let saved, saved.identity == identity, saved.lastTick == lastTick {
      var resumed = job
      var reader = CanonicalReader(saved.calibration)
      if (try? resumed.resume(from: &reader)) != nil, reader.isAtEnd { job = resumed }
    }
    guard try run(&job, identity, lastTick, tell) else { return nil }
    guard let product = job.product() else { return nil }
    let manifest = try product.manifest(codeVersion: codeVersion, madeBy: "twind-learn of \(site)", source: source)
    let candidate = product.candidate(manifest)
    let (name, bytes) = try SealedCandidate.seal(candidate, manifest, by: key)
    try folder.hand(name, bytes)
    folder.forget()
    let text =
      product.isBetter ? "handed over, better than before" : "handed over, to prove itself beside the model at work"
    try say(model, "done", 1, text, tell)
    return Trained(
      product: product, manifest: manifest, name: name, digest: Sodium.blake2b256(candidate.bytes), bytes: bytes.count)
  }

  /// True when it came to the end.
  private func run(
    _ job: inout TrainingJob, _ identity: Digest, _ lastTick: Int64, _ tell: (LearnProgress) -> Bool
  ) throws(TrainingFault) -> Bool {
    var (savedAt, toldAt) = (clock.uptime, clock.uptime)
    try save(job, identity, lastTick)
    while true {
      let progress = try job.advance()
      guard progress.phase != .done else { return true }
      let now = clock.uptime
      if now.nanoseconds(since: savedAt) >= Self.saveNanoseconds {
        savedAt = now
        try save(job, identity, lastTick)
      }
      let made = report(job.model, progress.phase.rawValue, progress.share, "")
      if now.nanoseconds(since: toldAt) >= Self.tellNanoseconds {
        toldAt = now
        try folder.tell(made)
      }
      guard tell(made) else {
        try save(job, identity, lastTick)
        return false
      }
    }
  }

  private func save(_ job: TrainingJob, _ identity: Digest, _ lastTick: Int64) throws(TrainingFault) {
    guard job.progress.phase == .calibrating else { return }
    try folder.save(SavedJob.bytes(job, identity, lastTick))
  }

  private func say(
    _ model: ModelDefinition, _ phase: String, _ share: Double, _ text: String, _ tell: (LearnProgress) -> Bool
  ) throws(TrainingFault) {
    let made = report(model, phase, share, text)
    try folder.tell(made)
    _ = tell(made)
  }

  private func report(_ model: ModelDefinition, _ phase: String, _ share: Double, _ text: String) -> LearnProgress {
    LearnProgress(model: model.id, phase: phase, share: share, text: text, at: clock.instant)
  }

  private func learnerKey() throws(TrainingFault) -> Ed25519.SecretKey {
    do throws(ProvenanceFault) {
      if let key = try LearnerKey.open(directory: folder.path) { return key }
    } catch {
      throw TrainingFault(.keyRefused, error.message, remedy: error.remedy)
    }
    throw TrainingFault(
      .keyRefused, "there is no \(LearnerKey.file) in \(folder.path)",
      remedy: "start twind once on this state folder: it makes the key")
  }
}

/// What an interrupted training left.
struct SavedJob {
  var lastTick: Int64
  var identity: Digest
  var calibration: [UInt8]

  /// Nil where there is none, or it is of another model, or damaged.
  init?(_ bytes: [UInt8]?, model: String) {
    guard let bytes else { return nil }
    do throws(CanonicalFault) {
      var reader = CanonicalReader(bytes)
      try reader.structure(4, version: 1)
      guard try reader.text(limit: 256) == model else { return nil }
      lastTick = try reader.integer()
      identity = try reader.digest()
      calibration = try reader.bytes(limit: LearnFolder.jobBytesMax)
      guard reader.isAtEnd else { return nil }
    } catch {
      return nil
    }
  }

  static func bytes(_ job: TrainingJob, _ identity: Digest, _ lastTick: Int64) -> [UInt8] {
    var inner = CanonicalWriter(reservingBytes: 1 << 12)
    job.encode(to: &inner)
    var writer = CanonicalWriter(reservingBytes: inner.bytes.count + 256)
    writer.array(5)
    writer.integer(1)
    writer.text(job.model.id)
    writer.integer(lastTick)
    writer.digest(identity)
    writer.bytes(inner.bytes)
    return writer.bytes
  }
}
