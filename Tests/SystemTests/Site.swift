import FeatureStore
import Glibc
import StatusAPI
import Testing

/// A folder of a test's own, removed with this object.
final class Place {
  let folder: String

  /// The repository's root, through whatever links the package is built.
  static let root =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/../.."
  static let python =
    unsafe getenv("TWIND_TEST_PYTHON").map { unsafe String(cString: $0) } ?? root + "/.venv/bin/python"
  /// Where the programs under test are: beside the tests, or where the environment says.
  static let programs: String = {
    if let given = unsafe getenv("TWIND_BIN_DIR") { return unsafe String(cString: given) }
    var path = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &path, path.count)
    let text = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let beside = text.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    return unsafe access(beside + "/twind", X_OK) == 0 ? beside : root + "/.build/debug"
  }()

  init() throws {
    var template = Array("/tmp/twind-system-XXXXXX".utf8CString)
    try #require(unsafe mkdtemp(&template) != nil)
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(folder) }

  func file(_ name: String) -> String { "\(folder)/\(name)" }

  @discardableResult
  func make(_ name: String) throws -> String {
    try #require(unsafe mkdir(file(name), 0o700) == 0 || errno == EEXIST, "\(file(name)): errno \(errno)")
    return file(name)
  }

  /// Runs a program to its end.
  func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> (code: Int32, text: String) {
    let path = program.contains("/") ? program : Self.programs + "/" + program
    runs += 1
    let started = try Program(path, arguments, log: file("run-\(runs).log"), environment: environment)
    let code = try await started.end()
    return (code, started.output)
  }

  private var runs = 0

  /// A folder and what is in it, nothing else: links are removed and not followed.
  private static func remove(_ path: String) {
    guard unsafe unlink(path) != 0, let directory = unsafe opendir(path) else { return }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      names.append(
        unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
          unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        })
    }
    unsafe closedir(directory)
    for name in names where name != "." && name != ".." { remove("\(path)/\(name)") }
    unsafe rmdir(path)
  }
}

/// A site in a folder of its own with the daemon that a test starts and kills.
final class Site {
  let place: Place
  private(set) var daemon: Program?
  private var starts = 0
  var client: StatusClient { StatusClient(socketPath: socket) }

  var socket: String { place.file("run/status.sock") }
  var state: String { place.file("state") }
  var pack: String { place.file("pack") }
  var configuration: String { place.file("edge.yaml") }

  init(_ place: Place) throws {
    self.place = place
    try place.make("state")
    try place.make("run")
  }

  /// A site with this pack, in auto as soon as it is signed.
  convenience init(_ place: Place, _ pack: SmallPack, isSigned: Bool = true, store: String = "") async throws {
    try self.init(place)
    try write(pack)
    if isSigned { try await sign() }
    try configure(isSigned: isSigned, store: store)
  }

  func write(_ pack: SmallPack) throws { try write(files: pack.files) }

  func write(files: [String: String]) throws {
    try place.make("pack")
    for (path, text) in files {
      let parts = path.split(separator: "/")
      if parts.count == 2 { try place.make("pack/\(parts[0])") }
      try SystemTests.write(text, to: "\(pack)/\(path)")
    }
  }

  /// A pack of the repository as this site's own.
  func copy(shipped name: String) async throws {
    let (code, text) = try await place.run("/bin/cp", ["-r", Place.root + "/site-packs/" + name, pack])
    try #require(code == 0, "\(text)")
  }

  /// With the keys of this place, made when there are none yet.
  func sign() async throws {
    if unsafe access(place.file("keys"), F_OK) != 0 {
      let (code, text) = try await place.run("twinctl", ["keys", "init", place.file("keys")])
      try #require(code == 0, "\(text)")
    }
    let (code, text) = try await place.run("twinctl", ["pack", "sign", pack, "--keys", place.file("keys")])
    try #require(code == 0, "\(text)")
  }

  func configure(isSigned: Bool = true, mode: String = "auto", store: String = "", more: String = "") throws {
    var lines = ["pack: \(pack)", "state: \(state)", "socket: \(socket)", "mode: \(mode)", "clock: assumed"]
    if isSigned { lines.append("keys: \(place.file("keys"))/keys.pub") }
    lines.append("store: {free_floor_mb: 1\(store.isEmpty ? "" : ", ")\(store)}")
    try SystemTests.write((lines + [more]).joined(separator: "\n") + "\n", to: configuration)
  }

  /// Starts the daemon and waits until its socket answers.
  func start(environment: [String: String] = [:]) async throws {
    launch(try edge(environment: environment))
    _ = try await eventually("the daemon answers\n\(log)") { () -> API.Status? in
      try #require(daemon?.isRunning == true, "it ended: \(log)")
      return try? status()
    }
  }

  private func launch(_ program: Program) { daemon = program }

  /// The daemon as a process, whatever becomes of it.
  func edge(environment: [String: String] = [:]) throws -> Program {
    starts += 1
    return try Program(
      Place.programs + "/twind", ["edge", "--config", configuration], log: place.file("edge-\(starts).log"),
      environment: environment)
  }

  /// Runs the daemon where it should not start; its exit code and what it said.
  func refused() async throws -> (code: Int32, text: String) {
    let program = try edge()
    let code = try await program.end()
    return (code, program.output)
  }

  var log: String { daemon?.output ?? "" }

  func kill() { daemon?.kill() }

  /// SIGTERM; the exit code.
  func stop() async throws -> Int32 {
    let program = try #require(daemon)
    program.send(SIGTERM)
    return try await program.end()
  }

  func twind(_ arguments: String...) async throws -> (code: Int32, text: String) {
    try await place.run("twind", arguments + ["--config", configuration])
  }

  func twinctl(_ arguments: String...) async throws -> (code: Int32, text: String) {
    try await place.run("twinctl", arguments + ["--socket", socket])
  }

  func replay(environment: [String: String] = [:]) async throws -> (code: Int32, text: String) {
    try await place.run("twinctl", ["replay", "--state", state, "--pack", pack], environment: environment)
  }

  func status() throws -> API.Status { try client.get("/v1/status", as: API.Status.self).data }

  func device(_ id: String) throws -> API.Device { try client.get("/v1/devices/\(id)", as: API.Device.self).data }

  func point(_ id: String) throws -> API.Point { try client.get("/v1/points/\(id)", as: API.Point.self).data }

  /// The last decision about a point; nil before the first.
  func why(_ point: String) throws -> API.Decision? {
    do throws(APIProblem) {
      return try client.get("/v1/points/\(point)/why", as: API.Decision.self).data
    } catch {
      guard error.status == 404 else { throw error }
      return nil
    }
  }

  func decisions() throws -> [API.Decision] {
    try client.get("/v1/decisions?limit=500", as: API.Decisions.self).data.decisions
  }

  func problem(_ code: String) throws -> API.Problem? { try status().problems.first { $0.code == code } }

  func override(_ point: String, _ value: Double, seconds: Double) throws(APIProblem) {
    _ = try client.send(
      "PUT", "/v1/overrides/\(point)",
      body: API.OverrideRequest(value: value, unit: "Cel", forS: seconds, reason: "test"),
      as: API.Written.self)
  }

  /// The sum of a metric over its labels, or over those lines that contain `label`.
  func metric(_ name: String, _ label: String = "") async throws -> Double {
    let (code, text) = try await place.run("/usr/bin/curl", ["-s", "--unix-socket", socket, "http://twind/metrics"])
    try #require(code == 0, "curl ended with \(code)")
    let lines = text.split(separator: "\n").filter {
      $0.hasPrefix(name) && ["{", " "].contains($0.dropFirst(name.count).first) && (label.isEmpty || $0.contains(label))
    }
    try #require(!lines.isEmpty, "no metric \(name) \(label)")
    return lines.reduce(0) { $0 + (Double($1.split(separator: " ").last ?? "") ?? .nan) }
  }

  /// Waits until the control loop has made so many ticks more.
  func pass(ticks: Double) async throws {
    let goal = try await metric("twind_ticks_total") + ticks
    while try await metric("twind_ticks_total") < goal { try await Task.sleep(for: .milliseconds(100)) }
  }

  /// Points whose lease is open on disk.
  func openLeases() throws -> [String] { try StoreReader(directory: state).openLeases().map(\.point) }

  /// Starts and waits until the policy's first wish is on the device and settled.
  func startHolding(_ peer: Peer, _ value: Int = SmallPack.firstWish) async throws {
    try await start()
    try await peer.written(value)
    try await settled("confirmed")
  }

  /// Waits until the last decision about the setpoint came to this.
  @discardableResult
  func settled(_ outcome: String) async throws -> API.Decision {
    try await eventually("\(outcome) of unit.sp\n\(log)") {
      let decision = try why("unit.sp")
      return decision?.outcome == outcome ? decision : nil
    }
  }
}

extension Site {
  /// Replaces text in a file of the pack.
  func repair(_ file: String, _ old: String, _ new: String) throws {
    let text = String(decoding: bytes(of: "\(pack)/\(file)"), as: UTF8.self)
    let parts = text.split(separator: old, omittingEmptySubsequences: false)
    try #require(parts.count > 1, "\(old) is not in \(file)")
    try SystemTests.write(parts.joined(separator: new), to: "\(pack)/\(file)")
  }
}
