import FeatureStore
import Harnesses
import Models
import Provenance
import Seams
import SiteKernel
import Sodium
import Testing
import TwinCore

@testable import Training

@Suite("A model's history is what the kernel saw")
struct HistoryTests {
  private let folder = Room.Folder()

  /// A site that ran for `steps` steps with `commands` in some ticks; its store, its kernel and what its models saw.
  private final class Recorded {
    let store: SiteStore
    var kernel: SiteKernel
    var samples: [ModelSample] = []
    var outcome = Outcome()
    var events: [ModelEvent] = []
    private var feed: ModelFeed
    private let model: ModelDefinition
    private var sequence: Int64 = 1
    private var boot: Int64 = 1
    private var uptimeOffset: Int64 = 0

    init(_ path: String, _ model: ModelDefinition) throws {
      store = try SiteStore(directory: path)
      let site = Room.site([model])
      try store.register(HistoryTests.layout, at: Room.begin(0))
      kernel = SiteKernel(site, hash: Sodium.blake2b256)
      (self.model, feed) = (model, ModelFeed(model))
    }

    /// Three ticks to a step, so that the time between readings is not the model's own.
    func run(_ readings: [[Double]], from start: Int, commands: (Int) -> [Command] = { _ in [] }) throws {
      for (place, row) in readings.enumerated() {
        for third in 0..<3 {
          let nanoseconds = Int64(start + place) * Room.stepNanoseconds + Int64(third) * Room.stepNanoseconds / 3
          let instant = Instant(nanoseconds: Room.begin(0).nanoseconds + nanoseconds)
          let uptime = Uptime(nanoseconds: nanoseconds - uptimeOffset)
          var tick = Tick(
            number: kernel.lastTick + 1, instant: instant, uptime: uptime,
            commands: third == 0 ? commands(start + place) : [])
          if third == 0 {
            tick.frames = [
              Frame(
                group: 0, sequence: sequence, effective: instant, observed: instant, uptime: uptime,
                values: row.map { $0.isFinite ? $0 : .nan }, qualities: row.map { $0.isFinite ? .good : .failed })
            ]
          }
          try take(tick)
        }
      }
      try store.commit()
    }

    /// The machine starts again: the monotonic clock begins anew.
    func restart(at step: Int) {
      uptimeOffset = Int64(step) * Room.stepNanoseconds - 60_000_000_000
      boot += 1
    }

    private func take(_ tick: Tick) throws {
      kernel.step(tick, into: &outcome)
      events += outcome.models
      for case .session(true, _, _) in tick.commands { feed.rebase() }
      if feed.take(kernel.image, at: tick.instant, isClockTrusted: true, model) { samples.append(feed.sample) }
      var writer = CanonicalWriter()
      tick.encode(to: &writer)
      writer.digest(outcome.fingerprint)
      for frame in tick.frames { try store.append(frame) }
      try store.append(
        tick: TickRecord(
          number: tick.number, instant: tick.instant, uptime: tick.uptime, boot: boot,
          frames: sequence..<sequence + Int64(tick.frames.count), mustBeKept: true, bytes: writer.bytes))
      sequence += Int64(tick.frames.count)
      if sequence % 200 == 0 { try store.commit() }
    }
  }

  static let layout = FrameLayout(
    group: 0, points: Room.points, scales: [0, 0, 0], units: ["Cel", "Cel", "1"], variances: [0, 0, 0],
    provenance: ["", "", ""])

  private static func bits(_ samples: [ModelSample]) -> [[UInt64]] {
    samples.map { sample in
      [
        UInt64(bitPattern: sample.step), UInt64(bitPattern: sample.elapsed),
        UInt64(bitPattern: sample.instant.nanoseconds),
      ]
        + (sample.inputs + sample.outputs).map { $0.isNaN ? 1 : $0.bitPattern }
    }
  }

  @Test("out of the record come the samples that the model had, over holes and a restart of the machine")
  func collected() throws {
    let model = Room.model()
    let recorded = try Recorded(folder.path, model)
    var readings = Room.readings(300, seed: 5)
    for step in 40..<60 { readings[step] = [.nan, .nan, .nan] }
    let session = Command.session(isNewBoot: true, mode: .observe, ceiling: .observe)
    try recorded.run(Array(readings[..<200]), from: 0) { $0 == 0 ? [session] : [] }
    recorded.restart(at: 210)
    try recorded.run(Array(readings[210...]), from: 210) { $0 == 210 ? [session] : [] }
    let reader = try StoreReader(directory: folder.path)
    let history = try ModelHistory.collect(model, of: Room.site([model]), over: try reader.ticks(from: 0))
    #expect(history.samples.count == recorded.samples.count && history.samples.count > 250)
    #expect(Self.bits(history.samples) == Self.bits(recorded.samples))
    #expect(history.digest == ModelHistory(recorded.samples).digest)
    #expect(history.ticks?.lowerBound == 1 && history.ticks?.upperBound == recorded.kernel.lastTick)
    let table = history.table(model)
    #expect(table.steps >= 299 && table.steps <= 301)
    let late = try ModelHistory.collect(
      model, of: Room.site([model]), over: try reader.ticks(from: 0), since: Room.begin(250))
    #expect(late.samples.count < 52 && late.window.lowerBound >= Room.begin(250))
  }

  @Test("a stretch with an admission in it comes out of the record with the same fingerprints, and so does a restart")
  func replayed() throws {
    let model = Room.model()
    let readings = Room.readings(700, seed: 6)
    var job = try TrainingJob(
      model, Room.history(Array(readings[..<500])), champion: nil, TrainingSettings(starts: 2, iterationsMax: 20))
    while try job.advance().phase != .done {}
    let product = try #require(job.product())
    let manifest = try product.manifest(codeVersion: "1", madeBy: "test", source: "test")
    let candidate = product.candidate(manifest).bytes
    let recorded = try Recorded(folder.path, model)
    let session = Command.session(isNewBoot: true, mode: .observe, ceiling: .observe)
    try recorded.run(readings, from: 0) { step in
      switch step {
      case 0: [session]
      case 510: [.admit(model: 0, candidate: candidate)]
      case 520: [.admit(model: 0, candidate: Array(candidate.dropLast(5)))]
      case 530: [.admit(model: 0, candidate: candidate)]
      case 560: [.promote(model: 0, by: "anna")]
      case 620: [.rollBack(model: 0, by: "anna")]
      case 640: [.admit(model: 7, candidate: [])]
      default: []
      }
    }
    let kinds = recorded.events.map(\.kind)
    #expect(kinds.contains(.admitted) && kinds.contains(.promoted) && kinds.contains(.refused))
    #expect(kinds.contains(.rolledBack))
    let reader = try StoreReader(directory: folder.path)
    var again = SiteKernel(Room.site([model]), hash: Sodium.blake2b256)
    let report = try Replay.run(&again, over: try reader.ticks(from: 0))
    #expect(report.isIdentical && report.ticks == 2100, "\(report)")
    #expect(again.models == recorded.kernel.models)
    // What was learned survives a restart of the daemon.
    let resumed = try SiteKernel(Room.site([model]), resuming: recorded.kernel.checkpoint(), hash: Sodium.blake2b256)
    #expect(resumed.models[0].champion.version == recorded.kernel.models[0].champion.version)
    #expect(resumed.checkpoint() == recorded.kernel.checkpoint())
  }

  @Test("what was recorded under another layout is not read as this one's")
  func layouts() throws {
    let model = Room.model()
    let recorded = try Recorded(folder.path, model)
    var other = Self.layout
    other.points[0] = "room.humidity"
    let reader = try StoreReader(directory: folder.path)
    #expect(try LayoutHistory.begin(of: [Self.layout], in: reader, pack: .zero) == .distantPast)
    try recorded.store.register(other, at: Room.begin(10))
    try recorded.store.commit()
    #expect(
      try LayoutHistory.begin(of: [other], in: StoreReader(directory: folder.path), pack: .zero) == Room.begin(10))
    // Back to the first, which is known already: from the first session of that pack on.
    #expect(
      try LayoutHistory.begin(of: [Self.layout], in: StoreReader(directory: folder.path), pack: .zero)
        == .distantFuture)
    try recorded.store.append(
      events: [
        EventEntry(tick: 1, instant: Room.begin(20), kind: "session", subject: Digest.zero.hex, bytes: [])
      ])
    try recorded.store.commit()
    #expect(
      try LayoutHistory.begin(of: [Self.layout], in: StoreReader(directory: folder.path), pack: .zero)
        == Room.begin(20))
  }

  @Test("a table of measurements gives the samples that the record would; what does not fit is told with its line")
  func table() throws {
    let model = Room.model()
    let readings = Room.readings(50, seed: 3)
    var text = "note,room.t,room.outdoor_t,room.heat\r\n"
    for (step, row) in readings.enumerated() {
      text += "x\(step),\(step == 20 ? "" : "\(row[0])"),\(row[1]),\(row[2])\n"
    }
    let file = try HistoryFile(Array(text.utf8))
    let history = try file.history(
      model, of: Room.site([model]), rowNanoseconds: Room.stepNanoseconds, from: Room.begin(0))
    #expect(history.samples.count == 49)
    #expect(history.samples[18].outputs[0] == readings[19][0] && history.samples[19].outputs[0].isNaN)
    #expect(history.samples[18].inputs == [readings[19][1], readings[18][2]])
    let bad = [
      "": "line 1", "a,a\n1,2\n": "twice", "a,b\n1\n": "line 2", "step,room.t\n0,1\n0,1\n": "room.outdoor_t",
      "step,room.t,room.outdoor_t,room.heat\n3,1,1,1\n3,1,1,1\n": "line 3",
    ]
    for (text, word) in bad {
      let fault = #expect(throws: TrainingFault.self, "\(text)") {
        _ = try HistoryFile(Array(text.utf8)).history(
          model, of: Room.site([model]), rowNanoseconds: Room.stepNanoseconds, from: Room.begin(0))
      }
      #expect(fault?.message.contains(word) ?? false, "\(fault?.message ?? "") for \(text)")
    }
  }
}
