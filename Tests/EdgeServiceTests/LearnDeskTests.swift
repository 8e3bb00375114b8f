import FeatureStore
import Glibc
import Logging
import Models
import Provenance
import Seams
import SiteKernel
import Sodium
import Synchronization
import Testing
import Training
import TwinCore

@testable import EdgeService

/// A clock that stands where it is put.
private final class StillClock: SiteClock {
  private let now = Mutex(Instant(nanoseconds: 1_700_000_000_000_000_000))

  var instant: Instant { now.withLock { $0 } }
  var uptime: Uptime { Uptime(nanoseconds: instant.nanoseconds) }
  var isTrusted: Bool { true }
  func sleep(until deadline: Uptime) async {}
  func pass(days: Int64) { now.withLock { $0 = $0.advanced(byNanoseconds: days * 86_400_000_000_000) } }
}

@Suite("Where daemon and learner meet")
struct LearnDeskTests {
  private static let model = ModelDefinition(
    id: "tank", asset: "tank", templates: ["test.tank"], stepNanoseconds: 3_600_000_000_000,
    physics: BilinearModel(
      states: [.init(name: "level", unit: "m", initialMean: 1, initialVariance: 1, noiseIntensity: 1e-6)],
      inputs: [.init(name: "inflow", unit: "m3/s")], parameters: [.init(name: "area", unit: "m2", prior: 2, spread: 1)],
      outputs: [.init(name: "level", unit: "m", state: 0, noiseVariance: 1e-4)],
      terms: [.init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1)])]),
    inputs: [InputBinding(.constant(0.1))], outputs: [PointBinding(PointIndex(0))], horizons: [1, 4])

  private final class Bench {
    let path: String
    let folder: LearnFolder
    let store: SiteStore
    let inbox = Inbox()
    let health = HealthRegistry()
    let clock = StillClock()
    let facts = Facts()

    final class Facts: Sendable {
      let values = Mutex<[String: [UInt8]]>([:])
    }

    init() throws {
      var template = Array("/tmp/twind-desk-XXXXXX".utf8CString)
      path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
      folder = LearnFolder(state: path)
      store = try SiteStore(directory: path)
    }

    deinit { unsafe _ = system("rm -rf \(path)") }

    func desk(every: Int64? = 7 * EdgeConfiguration.day) throws -> LearnDesk {
      let facts = facts
      return LearnDesk(
        folder, try LearnerPin.open(folder, in: store), models: [LearnDeskTests.model], days: 30,
        schedule: LearnSchedule(
          everyNanoseconds: every, facts.values.withLock { $0[LearnSchedule.fact] }),
        LearnDesk.Wiring(
          siteClock: clock, gatewayClock: clock, health: health, inbox: inbox,
          remember: { name, bytes in facts.values.withLock { $0[name] = bytes } },
          log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
    }

    /// A candidate of the model, signed by the site's learner or by `key`.
    func hand(_ key: borrowing Ed25519.SecretKey, parent: Digest = .zero) throws -> (name: String, digest: Digest) {
      var writer = CanonicalWriter()
      ModelRun(LearnDeskTests.model).encode(to: &writer)
      let manifest = try ReleaseManifest(
        name: "model/tank", version: 1, kind: "model", bytes: writer.bytes,
        origin: ArtefactOrigin(madeBy: "test", codeVersion: "1"))
      let candidate = ModelCandidate(
        model: "tank", shape: Sodium.blake2b256(LearnDeskTests.model.shape), parent: parent,
        manifest: Sodium.blake2b256(manifest.payload), evidence: PairedEvidence(block: 4), run: writer.bytes)
      let (name, bytes) = try SealedCandidate.seal(candidate, manifest, by: key)
      try folder.hand(name, bytes)
      return (name, Sodium.blake2b256(candidate.bytes))
    }

    func key() throws -> Ed25519.SecretKey {
      guard let key = try LearnerKey.open(directory: folder.path) else { throw KeyGone() }
      return key
    }

    func names(_ sub: String) throws -> [String] { try SystemFileStore().names(in: "\(folder.path)/\(sub)") }

    struct KeyGone: Error {}
  }

  private static func standing(_ candidates: [Digest] = [.zero], isReady: Bool = false) -> [LearnDesk.Standing] {
    var standing = LearnDesk.Standing(model, ModelSlot(model))
    (standing.candidates, standing.isUntrainedReady) = (candidates, isReady)
    return [standing]
  }

  @Test("a candidate goes into a tick once, and out of the folder when the tick has answered")
  func taken() async throws {
    let bench = try Bench()
    let desk = try bench.desk(every: nil)
    let (name, digest) = try bench.hand(try bench.key())
    await desk.look(Self.standing(), tick: 5)
    await desk.look(Self.standing(), tick: 5)
    let commands = bench.inbox.take().commands
    guard case .admit(0, let bytes)? = commands.first, commands.count == 1 else {
      Issue.record("\(commands.count) commands")
      return
    }
    #expect(Sodium.blake2b256(bytes) == digest)
    #expect(bench.folder.waiting() == [name])
    desk.note([ModelEvent(model: 0, kind: .admitted, text: "", candidate: digest)])
    await desk.look(Self.standing([.zero, digest]), tick: 6)
    #expect(bench.folder.waiting().isEmpty)
    #expect(try bench.names("taken") == [name])
    // The daemon died before it put it away: it is not admitted twice.
    _ = try bench.hand(try bench.key())
    await desk.look(Self.standing([.zero, digest]), tick: 7)
    #expect(bench.inbox.take().commands.isEmpty)
    #expect(bench.folder.waiting().isEmpty)
  }

  @Test("what the kernel refuses is put away with its reason")
  func refusedByKernel() async throws {
    let bench = try Bench()
    let desk = try bench.desk(every: nil)
    let (name, digest) = try bench.hand(try bench.key(), parent: Sodium.blake2b256([1]))
    await desk.look(Self.standing(), tick: 5)
    var slot = ModelSlot(Self.model)
    var events: [ModelEvent] = []
    guard case .admit(_, let bytes)? = bench.inbox.take().commands.first else {
      Issue.record("it did not reach the inbox")
      return
    }
    do {
      try slot.admit(
        try ModelCandidate(bytes: bytes), digest: digest, shape: Sodium.blake2b256(Self.model.shape), Self.model,
        model: 0, into: &events)
      Issue.record("a candidate of another parent was admitted")
    } catch {
      desk.note([ModelEvent(model: 0, kind: .refused, text: error.message, candidate: digest)])
    }
    await desk.look(Self.standing(), tick: 6)
    #expect(try bench.names("refused") == [name, name + ".reason"])
    let reason = SystemFiles.bytes("\(bench.folder.path)/refused/\(name).reason", max: 1000).map {
      String(decoding: $0, as: UTF8.self)
    }
    #expect(reason?.contains("trained to replace") ?? false)
  }

  @Test(
    "garbage never reaches the inbox: it is named and put away",
    arguments: ["bit", "key", "big", "empty", "short", "name", "folder", "fifo"])
  func garbage(_ kind: String) async throws {
    let bench = try Bench()
    let desk = try bench.desk(every: nil)
    let other = Ed25519.SecretKey()
    var (name, _) = kind == "key" ? try bench.hand(other) : try bench.hand(try bench.key())
    let path = "\(bench.folder.path)/candidates/\(name)"
    var bytes = try #require(bench.folder.candidate(name))
    switch kind {
    case "bit":
      bytes[bytes.count / 2] ^= 4
      try bench.folder.hand(name, bytes)
    case "big": try bench.folder.hand(name, Array(repeating: 0, count: SealedCandidate.bytesMax + 1))
    case "empty": try bench.folder.hand(name, [])
    case "short": try bench.folder.hand(name, Array(bytes.prefix(100)))
    case "name":
      let wrong = Digest.zero.hex + ".candidate"
      try SystemFileStore().rename(path, to: "\(bench.folder.path)/candidates/\(wrong)")
      name = wrong
    case "folder":
      try SystemFileStore().remove(path)
      try SystemFileStore().makeDirectory(path)
    case "fifo":
      try SystemFileStore().remove(path)
      #expect(unsafe mkfifo(path, 0o600) == 0)
    default: break
    }
    await desk.look(Self.standing(), tick: 1)
    #expect(bench.inbox.take().commands.isEmpty)
    #expect(bench.folder.waiting().isEmpty)
    #expect(try bench.names("refused").contains(name + ".reason"))
  }

  @Test("a key that somebody else put there signs nothing that is taken")
  func otherKey() async throws {
    let bench = try Bench()
    _ = try bench.desk()
    try SystemFileStore().remove("\(bench.folder.path)/\(LearnerKey.file)")
    let forged = try LearnerKey.make(directory: bench.folder.path)
    #expect(try LearnerPin.open(bench.folder, in: bench.store).isOther)
    let desk = try bench.desk()
    _ = try bench.hand(forged)
    await desk.look(Self.standing(), tick: 1)
    #expect(bench.inbox.take().commands.isEmpty)
    #expect(bench.folder.waiting().isEmpty)
  }

  @Test("it asks soon where only a template is at work, then at the pace, and when drift wants it; off is off")
  func asks() async throws {
    let bench = try Bench()
    let desk = try bench.desk()
    await desk.look(Self.standing(), tick: 1)
    #expect(try bench.folder.request() == nil)
    await desk.look(Self.standing(isReady: true), tick: 1)
    let first = try #require(try bench.folder.request())
    #expect(first.models.isEmpty && first.days == 30 && first.id == 1)
    try bench.folder.answer(first)
    await desk.look(Self.standing(isReady: true), tick: 1)
    #expect(try bench.folder.request() == nil)
    bench.clock.pass(days: 1)
    await desk.look(Self.standing(isReady: true), tick: 1)
    #expect(try bench.folder.request()?.id == 2)
    // A restart remembers what was asked.
    let again = try bench.desk()
    await again.look(Self.standing(), tick: 1)
    again.note([ModelEvent(model: 0, kind: .recalibrate, text: "fouling: area has moved")])
    await again.look(Self.standing(), tick: 1)
    #expect(try bench.folder.request()?.id == 2)
    bench.clock.pass(days: 1)
    await again.look(Self.standing(), tick: 1)
    let third = try #require(try bench.folder.request())
    #expect(third.models == ["tank"] && third.reason.contains("fouling") && third.id == 3)
    bench.clock.pass(days: 7)
    await again.look(Self.standing(), tick: 1)
    #expect(try bench.folder.request()?.id == 4)
    let quiet = try bench.desk(every: nil)
    bench.clock.pass(days: 70)
    quiet.note([ModelEvent(model: 0, kind: .recalibrate, text: "drift")])
    await quiet.look(Self.standing(isReady: true), tick: 1)
    #expect(try bench.folder.request()?.id == 4)
    _ = try await quiet.ask("tank", by: "anna", reason: "new pump")
    #expect(try bench.folder.request()?.reason == "anna: new pump")
  }
}
