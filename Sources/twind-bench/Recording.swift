import FeatureStore
import Guard
import Harnesses
import SiteKernel
import Sodium
import TwinCore

/// An hour of a synthetic site, recorded as the daemon records it: a commit and a tick a second, each tick with its
/// frame, its decisions and the kernel's fingerprint.
struct Recording {
  static let seconds: Int64 = 3600

  let store: SiteStore
  let definition: SiteDefinition

  /// `directory` exists and holds no site yet.
  init(points: Int, directory: String) throws(StoreError) {
    var site = SyntheticSite(points: points)
    definition = site.definition
    store = try SiteStore(directory: directory)
    try store.register(site.layout, at: SyntheticSite.begin)
    var kernel = SiteKernel(site.definition, hash: Sodium.blake2b256)
    var outcome = Outcome()
    for number in 1...Self.seconds + 1 {
      let frame = site.frame(sequence: store.nextFrameSequence, second: number)
      let tick = site.tick(number, frames: [frame], commands: number == 1 ? [SyntheticSite.session] : [])
      kernel.step(tick, into: &outcome)
      try record(tick, frame, outcome, kernel)
      if number == 1 {
        try store.save(Checkpoint(tick: 1, instant: tick.instant, reason: "start", bytes: kernel.checkpoint()))
      }
    }
  }

  private func record(
    _ tick: Tick, _ frame: Frame, _ outcome: Outcome, _ kernel: borrowing SiteKernel
  ) throws(StoreError) {
    var writer = CanonicalWriter()
    tick.encode(to: &writer)
    writer.digest(outcome.fingerprint)
    try store.append(frame)
    try store.append(
      tick: TickRecord(
        number: tick.number, instant: tick.instant, uptime: tick.uptime, boot: 1,
        frames: frame.sequence..<frame.sequence + 1, mustBeKept: !tick.commands.isEmpty || !outcome.decisions.isEmpty,
        bytes: writer.bytes))
    for decision in outcome.decisions where decision.isNews {
      let record = DecisionRecord(decision, of: outcome, at: tick.instant, mode: kernel.mode, in: kernel.definition)
      var bytes = CanonicalWriter()
      record.encode(to: &bytes)
      try store.append(
        decision: DecisionEntry(
          id: decision.id.description, tick: tick.number, instant: tick.instant,
          kind: decision.verdict.disposition.name, point: record.point, bytes: bytes.bytes))
    }
    try store.commit()
  }

  /// From the first checkpoint through the hour. Reading the store is part of it, and so is comparing every
  /// fingerprint.
  func replay() throws {
    guard let start = try store.checkpoint(atOrBefore: 1) else { throw BenchFault("the recording has no checkpoint") }
    var kernel = try SiteKernel(definition, resuming: start.bytes, hash: Sodium.blake2b256)
    let report = try Replay.run(&kernel, over: try store.ticks(from: start.tick + 1))
    guard report.isIdentical, report.ticks == Int(Self.seconds) else {
      throw BenchFault(
        "replayed \(report.ticks) of \(Self.seconds) ticks, first difference \(report.difference as Any)")
    }
  }
}

/// The measurement itself went wrong: there is no number.
struct BenchFault: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
