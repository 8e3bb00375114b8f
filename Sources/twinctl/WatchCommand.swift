import ArgumentParser
import Glibc
import StatusAPI
import TwinCore

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Follow points and events as they come, until interrupted.",
    discussion: "On a terminal a table that is drawn again; elsewhere, or with -o jsonl, one JSON document a line.")

  @Argument(help: "Points or patterns, as 'chiller-1.*'.") var patterns: [String]
  @Option(name: .long, help: "Only these kinds, as value,alarm,decision.") var kinds = "value"
  @Option(name: .long, help: "The daemon's socket. Default: $TWIND_SOCKET, else \(StatusServer.socketDefault).")
  var socket: String?
  @Option(name: [.short, .customLong("output")], help: "text or jsonl.") var output: Format?
  @Flag(name: .long, help: "Show times in UTC, not in the site's time.") var utc = false
  @Option(name: .long, help: "auto, always or never.") var color: Colour = .auto

  static let pauseSeconds: UInt32 = 2

  func validate() throws {
    guard output != .json else { throw ValidationError("a stream is many documents: use -o jsonl") }
  }

  func run() throws {
    var options = try Options.parse([])
    (options.socket, options.utc, options.color) = (socket, utc, color)
    let session = Session(options)
    let isTable = output == nil && isatty(STDOUT_FILENO) == 1
    let isText = output == .text
    do throws(APIProblem) {
      try follow(session, isTable: isTable, isText: isText)
    } catch {
      Glibc.exit(session.fail(error).rawValue)
    }
  }

  /// Comes back after every break of the stream, from the last number it saw; ends when the daemon refuses.
  private func follow(_ session: Session, isTable: Bool, isText: Bool) throws(APIProblem) {
    let first = try session.client.get(Session.path("status"), as: API.Status.self).document
    var table = WatchTable(isTable ? try points(session) : [])
    var last: UInt64?
    var drawn = 0
    var lost: Instant?
    while true {
      do throws(APIProblem) {
        try session.client.events(points: patterns, kinds: kinds.split(separator: ",").map(String.init), since: last) {
          event throws(APIProblem) in
          if let began = lost {
            let hole = "gap \(Screen.span(Double(Stream.now.nanoseconds(since: began)) / 1e9))"
            table.gap = hole
            if !isTable { Stream.error(hole + "\n") }
            lost = nil
          }
          last = event?.id ?? last
          let screen = Screen(
            style: session.style, now: Stream.now, offsetS: first.utcOffsetS ?? 0,
            clockTrusted: first.clockTrusted ?? true)
          if isTable {
            if let event { table.take(event) }
            drawn = draw(screen, table, over: drawn)
          } else if let event {
            isText
              ? Stream.out(Array(screen.finish([screen.event(event)]).utf8))
              : Stream.out(try APIJSON.encode(event) + [0x0A])
          }
          return true
        }
      } catch {
        guard error.status == 0 || error.isRetriable else { throw error }
      }
      lost = lost ?? Stream.now
      sleep(Self.pauseSeconds)
    }
  }

  private func points(_ session: Session) throws(APIProblem) -> [API.Point] {
    var found: [API.Point] = []
    for pattern in patterns {
      let path = "/v1/points?match=\(StatusClient.escaped(pattern))"
      let more = try session.client.get(path, as: API.Points.self).data.points
      found += more.filter { point in !found.contains { $0.id == point.id } }
    }
    return found
  }

  /// Draws over the lines of the last time; returns how many there are now.
  private func draw(_ screen: Screen, _ table: WatchTable, over drawn: Int) -> Int {
    let lines = table.lines(screen)
    let up = drawn > 0 ? "\u{1B}[\(drawn)A\u{1B}[J" : ""
    Stream.out(Array((up + screen.finish(lines)).utf8))
    return lines.count
  }
}
