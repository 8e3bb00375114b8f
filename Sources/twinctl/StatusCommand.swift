import ArgumentParser
import Glibc
import StatusAPI

struct StatusCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "How the site is: one line when well, else what is wrong and what to do.",
    discussion: "Leaves with 0 well, 1 attention, 2 alarm, 3 unknown: a monitoring check by itself.")

  @Flag(name: .shortAndLong, help: "Also points, leases, clock, store and the daemon's own use.")
  var verbose = false

  @Flag(name: .shortAndLong, help: "Always exactly one line.")
  var quiet = false

  @Flag(name: .long, help: "Show it again every two seconds, until interrupted.")
  var watch = false

  @OptionGroup var options: Options

  func validate() throws {
    guard !watch || options.output == .text else {
      throw ValidationError("--watch is for people; for tools: twinctl watch -o jsonl")
    }
  }

  static let watchSeconds: UInt32 = 2

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    guard watch else { return try answer(session) }
    while true {
      // A daemon that is away for a while is a state to show, not an end.
      let text: String
      do throws(APIProblem) {
        text = try answer(session).text
      } catch {
        let screen = Screen(style: session.style, now: Stream.now)
        text = screen.finish(screen.problem(error))
      }
      let isTerminal = isatty(STDOUT_FILENO) == 1
      Stream.out(Array(((isTerminal ? "\u{1B}[H\u{1B}[2J" : "") + text).utf8))
      sleep(Self.watchSeconds)
    }
  }

  private func answer(_ session: Session) throws(APIProblem) -> Outcome {
    try session.get(Session.path("status"), as: API.Status.self, exit: { ExitMeaning(state: $0.state) }) {
      screen, status in
      quiet ? [screen.statusLine(status)] : screen.status(status, verbose: verbose)
    }
  }
}
