import Seams
public import SitePack
public import Sync
import Training
public import TwinCore
import YAML

/// The daemon's own configuration: where things are, and how far it may go. What the site is stands in its pack.
public struct EdgeConfiguration: Sendable, Equatable {
  public var pack: String
  public var state: String
  public var socket: String
  /// The mode of a site that has none yet; afterwards the last one set counts.
  public var mode: Mode
  /// No one gets past it.
  public var ceiling: Mode
  /// Public keys that may sign packs; without them every pack is unsigned.
  public var keys: String?
  /// Who may write through the socket, beside root and the daemon's own user.
  public var operators: String?
  public var log: String
  public var keepNanoseconds: Int64
  public var keepDecisionsNanoseconds: Int64
  /// How far back it can be asked what was known then; nil for ever.
  public var historyNanoseconds: Int64?
  public var bytesMax: Int64
  public var freeFloorBytes: Int64
  public var commitNanoseconds: Int64
  /// How much an enrolled site sends: chosen by the price of its line.
  public var profile: EdgeProfile
  /// Within what time sites come back when their broker does; each at its own moment.
  public var reconnectNanoseconds: Int64
  /// Between two trainings of the site's models; nil: only when a person asks.
  public var learningNanoseconds: Int64?
  /// Of the record, the youngest, that a training uses.
  public var learningDays: Int
  /// Whether UTC is believed without the kernel's word that it is synchronised: for machines whose host keeps the time.
  public var isClockAssumed: Bool

  public static let day: Int64 = 86_400_000_000_000

  public init(pack: String, state: String, socket: String) {
    (self.pack, self.state, self.socket) = (pack, state, socket)
    (mode, ceiling, keys, operators, log) = (.observe, .auto, nil, nil, "info")
    (keepNanoseconds, keepDecisionsNanoseconds) = (30 * Self.day, 400 * Self.day)
    (bytesMax, freeFloorBytes, commitNanoseconds) = (2 << 30, 200 << 20, 1_000_000_000)
    (isClockAssumed, historyNanoseconds) = (false, nil)
    (profile, reconnectNanoseconds) = (.standard, 120_000_000_000)
    (learningNanoseconds, learningDays) = (7 * Self.day, 30)
  }

  /// Reads and checks a file; all problems come at once. The environment may move paths (TWIND_PACK, TWIND_STATE,
  /// TWIND_SOCKET), set the log level (TWIND_LOG) and lower the ceiling (TWIND_MODE): it never raises anything.
  public static func load(
    _ path: String, environment: [String: String]
  ) throws(EdgeFault) -> (configuration: EdgeConfiguration, problems: [PackProblem]) {
    guard let bytes = SystemFiles.bytes(path, max: 1 << 20) else {
      throw EdgeFault(
        "config_unreadable", "\(path) cannot be read", remedy: "check the path and that user twind may read it")
    }
    let problems = ProblemList()
    var configuration = EdgeConfiguration(pack: "", state: "/var/lib/twind", socket: "/run/twind/status.sock")
    do throws(YAMLFault) {
      let documents = try Node.documents(in: bytes, file: path)
      guard let node = documents.first, let section = Section(node, name: "the configuration", problems) else {
        throw YAMLFault(
          .wrongShape, at: Mark(file: path, line: 1, column: 1), "the file is empty",
          remedy: "begin with edge-config/edge.yaml")
      }
      configuration.read(section)
    } catch {
      problems.add(error)
    }
    configuration.obey(environment)
    return (configuration, problems.sorted)
  }

  private mutating func read(_ section: Section) {
    section.require("pack", "name the folder of the site's pack")
    pack = section.text("pack") ?? ""
    state = section.text("state") ?? state
    socket = section.text("socket") ?? socket
    let modes = Dictionary(uniqueKeysWithValues: Mode.allCases.map { ($0.name, $0) })
    mode = section.word("mode", modes) ?? mode
    ceiling = section.word("ceiling", modes) ?? ceiling
    keys = section.text("keys")
    operators = section.text("operators")
    log = section.word("log", Dictionary(uniqueKeysWithValues: Self.logLevels.map { ($0, $0) })) ?? log
    isClockAssumed = section.word("clock", ["synchronised": false, "assumed": true]) ?? false
    if let store = section.section("store") {
      keepNanoseconds = store.duration("keep") ?? keepNanoseconds
      keepDecisionsNanoseconds =
        store.duration("keep_decisions", in: 1...20 * Section.yearNanoseconds) ?? keepDecisionsNanoseconds
      historyNanoseconds =
        store.duration("history", in: Self.day...20 * Section.yearNanoseconds) ?? historyNanoseconds
      commitNanoseconds = store.duration("commit_every", in: 10_000_000...60_000_000_000) ?? commitNanoseconds
      if let megabytes = store.integer("max_mb", in: 16...1 << 20) { bytesMax = Int64(megabytes) << 20 }
      if let megabytes = store.integer("free_floor_mb", in: 1...1 << 20) { freeFloorBytes = Int64(megabytes) << 20 }
      store.close()
    }
    if case .scalar? = section.node("learning") {
      if section.word("learning", ["off": true]) != nil { learningNanoseconds = nil }
    } else if let learning = section.section("learning") {
      learningNanoseconds =
        learning.duration("every", in: Self.day...Section.yearNanoseconds) ?? learningNanoseconds
      learningDays = learning.integer("days", in: 4...TrainingSettings.daysMax) ?? learningDays
      learning.close()
    }
    if let foundation = section.section("foundation") {
      profile = foundation.word("line", Self.profiles) ?? profile
      reconnectNanoseconds =
        foundation.duration("reconnect_within", in: 1_000_000_000...3_600_000_000_000) ?? reconnectNanoseconds
      foundation.close()
    }
    section.close()
  }

  static let profiles: [String: EdgeProfile] = [
    "standard": .standard, "constrained": .constrained, "metered": .metered,
  ]
  static let logLevels = ["trace", "debug", "info", "notice", "warning", "error"]

  private mutating func obey(_ environment: [String: String]) {
    if let path = environment["TWIND_PACK"], !path.isEmpty { pack = path }
    if let path = environment["TWIND_STATE"], !path.isEmpty { state = path }
    if let path = environment["TWIND_SOCKET"], !path.isEmpty { socket = path }
    if let level = environment["TWIND_LOG"], Self.logLevels.contains(level) { log = level }
    if let name = environment["TWIND_MODE"], let lower = Mode(name: name) { ceiling = ceiling.lowered(to: lower) }
  }

  /// The number of the operators' group; nil when there is none.
  var operatorGroup: UInt32? { operators.flatMap { SystemFiles.group($0) } }
}
