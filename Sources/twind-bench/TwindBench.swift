import Glibc
import Guard
import SiteKernel
import Sodium
import TwinCore

/// Measures what needs no daemon: the kernel's step, the guard's check, replay; the store and the graph. One JSON
/// object a line; see docs/bench.md.
@main
struct TwindBench {
  private static let usage = """
    usage: twind-bench DIRECTORY             an empty directory for the recorded hours; best in memory, /dev/shm
           twind-bench PART DIRECTORY [...]  one of: \(parts.map(\.name).joined(separator: ", ")); DIRECTORY is made
    """

  private struct Part {
    var name: String
    /// Arguments behind the directory.
    var more = 0
    var run: @Sendable (String, [String]) throws -> Void
  }

  /// Of the store and of the graph; docs/bench.md says what each does.
  private static let parts = [
    Part(name: "polled") { folder, _ in try StoreBench.polled(in: folder) },
    Part(name: "closed") { folder, _ in try StoreBench.closePolled(folder) },
    Part(name: "queries", more: 1) { folder, more in try StoreQueries.run(folder, isClosed: more[0] == "closed") },
    Part(name: "export", more: 1) { folder, more in try StoreExport.run(folder, to: more[0]) },
    Part(name: "join", more: 1) { folder, more in try StoreJoin.run(folder, to: more[0]) },
    Part(name: "rarely") { folder, _ in try StoreBench.rarely(in: folder) },
    Part(name: "apart") { folder, _ in try StoreBench.apart(in: folder) },
    Part(name: "series", more: 1) { folder, more in try MeteredSeries.run(in: folder, columns: more[0]) },
    Part(name: "measures") { _, _ in try MeasurementBytes.run() },
    Part(name: "pace", more: 2) { folder, more in
      guard let seconds = Int(more[0]), let every = Int(more[1]), seconds > 0, every > 0 else {
        throw BenchFault("pace DIRECTORY SECONDS COMMIT-EVERY")
      }
      try StoreBench.pace(in: folder, seconds: seconds, commitEvery: every)
    },
    Part(name: "memory") { folder, _ in try StoreBench.memory(in: folder) },
    Part(name: "graph") { folder, _ in try GraphBench.run(in: folder) },
    Part(name: "sync") { folder, _ in try SyncBench.run(in: folder) },
    Part(name: "fill", more: 3) { state, more in
      try ExchangeBench.fill(state, stream: more[0], count: whole(more[1]), bytes: whole(more[2]))
    },
    Part(name: "exchange", more: 1) { folder, more in try ExchangeBench.exchange(folder, messages: whole(more[0])) },
    Part(name: "plain", more: 5) { folder, more in
      try ExchangeBench.plain(
        folder, foundation: more[0], worker: more[1], messages: whole(more[2]), bytes: whole(more[3]),
        perSecond: Double(whole(more[4])))
    },
    Part(name: "entries", more: 2) { state, more in
      try ExchangeBench.pace(state, entries: whole(more[0]), perSecond: Double(whole(more[1])))
    },
    Part(name: "plain-entries", more: 2) { state, more in
      try ExchangeBench.plainPace(state, messages: whole(more[0]), perSecond: Double(whole(more[1])))
    },
    Part(name: "learn") { _, _ in try LearnBench.run() },
    Part(name: "residual", more: 1) { _, more in try ResidualBench.run(series: more[0]) },
    Part(name: "drift") { _, _ in try DriftBench.run() },
    Part(name: "plant", more: 4) { _, more in
      try PlantBench.run(pack: more[0], point: more[1], fortnight: more[2], quarter: more[3])
    },
    Part(name: "faults", more: 2) { _, more in try FaultBench.run(pack: more[0], list: more[1]) },
    Part(name: "year", more: 2) { _, more in try FaultBench.year(pack: more[0], record: more[1]) },
  ]

  private static func whole(_ text: String) throws -> Int {
    guard let number = Int(text), number > 0 else { throw BenchFault("\(text): wanted a number above 0") }
    return number
  }

  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count >= 2 else { fail(64, usage) }
    guard Sodium.ready else { fail(70, "twind-bench: libsodium cannot start") }
    do {
      if let part = parts.first(where: { $0.name == arguments[1] }) {
        guard arguments.count == 3 + part.more else { fail(64, usage) }
        try ProcessFacts.makeFolder(arguments[2])
        try part.run(arguments[2], Array(arguments[3...]))
      } else {
        guard arguments.count == 2 else { fail(64, usage) }
        try kernel(in: arguments[1])
      }
    } catch {
      fail(70, "twind-bench: \(error)")
    }
  }

  private static func kernel(in directory: String) throws {
    print(Figure("kernel.step_us", stepSeconds(points: 1000) * 1e6, "us", .atMost(200)))
    print(Figure("guard.check_ns", checkSeconds() * 1e9, "ns", .atMost(100)))
    try replay(points: 50, "kernel.replay_speedup", goal: 10_000, in: directory)
    try replay(points: 1000, "kernel.replay_speedup_1000", goal: 2_000, in: directory)
  }

  /// CPU time of one step in which every point has a reading.
  static func stepSeconds(points: Int) -> Double {
    var site = SyntheticSite(points: points)
    var kernel = SiteKernel(site.definition, hash: Sodium.blake2b256)
    var outcome = Outcome()
    var number: Int64 = 0
    var least = Double.infinity
    for _ in 0..<7 {
      let ticks = (0..<500).map { _ in
        number += 1
        return site.tick(
          number, frames: [site.frame(sequence: number, second: number)],
          commands: number == 1 ? [SyntheticSite.session] : [])
      }
      let spent = Spent.by { for tick in ticks { kernel.step(tick, into: &outcome) } }
      least = min(least, spent.cpuSeconds / Double(ticks.count))
    }
    return least
  }

  /// CPU time of one check against a static range, a rate that counts since an earlier write, and an interlock; with
  /// its trace.
  static func checkSeconds() -> Double {
    let (setpoint, other) = (PointIndex(0), PointIndex(1))
    var safety = SafetyGuard(envelopes: [SyntheticSite.envelope(of: setpoint, above: other)])
    var image = PointImage(count: 2, now: Uptime(nanoseconds: SyntheticSite.second))
    for index in image.states.indices {
      image.states[index] = PointImage.State(
        value: 1000, quality: .good, effective: SyntheticSite.begin, uptime: image.now,
        freshUntil: image.now.advanced(byNanoseconds: 60 * SyntheticSite.second))
    }
    safety.carriedOut(safety.check(1001, by: .policy(0), envelope: 0, image: image, mode: .auto), at: image.now)
    image.now = image.now.advanced(byNanoseconds: 5 * SyntheticSite.second)
    let checks = 200_000
    var sum = 0.0
    var rules = 0
    var verdict = Verdict.none
    let spent = Spent.leastOf(7) {
      for number in 0..<checks {
        let asked = Double(900 + number & 255)
        safety.check(asked, by: .policy(0), envelope: 0, image: image, mode: .auto, into: &verdict)
        sum += verdict.value
        rules += verdict.trace.count
      }
    }
    precondition(sum > 0 && rules >= 3 * checks, "every check came to a value and a trace")
    return spent.cpuSeconds / Double(checks)
  }

  /// Records an hour, then replays it: against real time by the wall's clock, and the same by CPU time.
  static func replay(points: Int, _ name: String, goal: Double, in directory: String) throws {
    let path = "\(directory)/hour-\(points)"
    guard unsafe mkdir(path, 0o700) == 0 else { throw BenchFault("\(path) cannot be made, errno \(errno)") }
    let recording = try Recording(points: points, directory: path)
    let spent = try Spent.leastOf(5) { try recording.replay() }
    let hour = Double(Recording.seconds)
    print(Figure(name, hour / spent.wallSeconds, "x", .atLeast(goal)))
    print(Figure("\(name)_cpu", hour / spent.cpuSeconds, "x", .atLeast(goal)))
  }

  static func fail(_ code: Int32, _ text: String) -> Never {
    let bytes = Array((text + "\n").utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    exit(code)
  }
}

/// One line of the result.
struct Figure: CustomStringConvertible {
  enum Goal { case atMost(Double), atLeast(Double), none }

  let name: String
  let value: Double
  let unit: String
  let goal: Goal
  /// Others at the same work in the same run.
  let peers: [(name: String, value: Double)]

  init(_ name: String, _ value: Double, _ unit: String, _ goal: Goal, peers: KeyValuePairs<String, Double> = [:]) {
    (self.name, self.value, self.unit, self.goal) = (name, value, unit, goal)
    self.peers = peers.map { ($0, $1) }
  }

  var description: String {
    let (bound, better) =
      switch goal {
      case .atMost(let bound): ("\(bound)", "lower")
      case .atLeast(let bound): ("\(bound)", "higher")
      case .none: ("null", "lower")
      }
    func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
    let beside = peers.map { #""\#($0.name)":\#(rounded($0.value))"# }.joined(separator: ",")
    return
      #"{"figure":"\#(name)","value":\#(rounded(value)),"unit":"\#(unit)","goal":\#(bound),"#
      + #""better":"\#(better)","peers":{\#(beside)}}"#
  }
}
