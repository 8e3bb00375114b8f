import Ledger
import Provenance
import Seams
public import SitePack
import TwinCore
import YAML

/// A foundation's own configuration: where things are.
public struct FoundationSettings: Sendable, Equatable {
  /// Of this instance, in topics and certificates.
  public var name: String
  public var fleet: String
  public var state: String
  public var socket: String
  public var host: String
  public var port: UInt16
  public var enrolmentPort: UInt16
  /// What sites are told, where they reach the broker by another way than this foundation does.
  public var sitesHost: String?
  public var sitesPort: UInt16?
  public var workers: Int
  /// A libpq connection string; nil for a file below `state`.
  public var postgresql: String?
  /// Whether one copy is enough for sites to let go of theirs; without it a confirmed backup or standby is.
  public var isSingleCopy: Bool
  /// Who may write through the socket, beside root and the foundation's own user.
  public var operators: String?
  public var log: String

  public static let workersMax = 16

  public init(name: String, fleet: String, state: String) {
    (self.name, self.fleet, self.state) = (name, fleet, state)
    socket = "/run/twind-foundation/fleet.sock"
    (host, port, enrolmentPort, sitesHost, sitesPort) = ("localhost", 8883, 8884, nil, nil)
    (workers, postgresql, isSingleCopy, operators, log) = (1, nil, false, nil, "info")
  }

  /// Reads and checks a file; all problems come at once.
  public static func load(
    _ path: String
  ) throws(FoundationFault) -> (settings: FoundationSettings, problems: [PackProblem]) {
    guard let bytes = SystemFiles.bytes(path, max: 1 << 20) else {
      throw FoundationFault(
        "config_unreadable", "\(path) cannot be read", remedy: "check the path, or make one: twind-foundation init")
    }
    let problems = ProblemList()
    var settings = FoundationSettings(name: "", fleet: "", state: "/var/lib/twind-foundation")
    do throws(YAMLFault) {
      let documents = try Node.documents(in: bytes, file: path)
      guard let node = documents.first, let section = Section(node, name: "the configuration", problems) else {
        throw YAMLFault(
          .wrongShape, at: Mark(file: path, line: 1, column: 1), "the file is empty",
          remedy: "make one: twind-foundation init")
      }
      settings.read(section)
    } catch {
      problems.add(error)
    }
    return (settings, problems.sorted)
  }

  private mutating func read(_ section: Section) {
    section.require("name", "name this foundation, a-z, 0-9 and -")
    section.require("fleet", "name the fleet as its root metadata does")
    name = section.text("name") ?? ""
    fleet = section.text("fleet") ?? ""
    state = section.text("state") ?? state
    socket = section.text("socket") ?? socket
    operators = section.text("operators")
    log = section.word("log", Dictionary(uniqueKeysWithValues: Self.logLevels.map { ($0, $0) })) ?? log
    workers = section.integer("workers", in: 1...Self.workersMax) ?? workers
    if let broker = section.section("broker") {
      host = broker.text("host") ?? host
      port = broker.integer("port", in: 1...65535).map(UInt16.init) ?? port
      enrolmentPort = broker.integer("enrolment_port", in: 1...65535).map(UInt16.init) ?? enrolmentPort
      sitesHost = broker.text("sites_host")
      sitesPort = broker.integer("sites_port", in: 1...65535).map(UInt16.init)
      broker.close()
    }
    if let ledger = section.section("ledger") {
      postgresql = ledger.text("postgresql")
      isSingleCopy = ledger.word("copies", ["one": true, "confirmed": false]) ?? false
      ledger.close()
    }
    section.close()
  }

  static let logLevels = ["trace", "debug", "info", "notice", "warning", "error"]

  var place: LedgerPlace { postgresql.map { .server($0) } ?? .file(state + "/ledger.db") }
  var policy: SafePolicy { isSingleCopy ? .onCommit : .onConfirmation }

  /// The number of the operators' group; nil when there is none.
  var operatorGroup: UInt32? { operators.flatMap { SystemFiles.group($0) } }
}
