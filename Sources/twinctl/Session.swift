import ArgumentParser
import Glibc
import StatusAPI
import TwinCore

/// What a verb has to say: text for people, one JSON document for tools, and how the program leaves.
struct Outcome {
  var text: String
  var json: [UInt8]
  var exit: ExitMeaning

  init(_ text: String, json: [UInt8], exit: ExitMeaning = .well) {
    (self.text, self.json, self.exit) = (text, json, exit)
  }
}

/// A verb that asks the daemon. `perform` prints nothing itself.
protocol Verb: ParsableCommand {
  var options: Options { get }
  func perform(_ session: Session) throws(APIProblem) -> Outcome
}

extension Verb {
  func run() throws {
    let session = Session(options)
    do throws(APIProblem) {
      let outcome = try perform(session)
      session.say(outcome)
      leave(outcome.exit.zeroed(options.exitZero))
    } catch {
      leave(session.fail(error))
    }
  }

  private func leave(_ status: ExitMeaning) -> Never { Glibc.exit(status.rawValue) }
}

/// One run of the program: its options, the daemon's client and the two streams.
struct Session {
  let options: Options
  let client: StatusClient
  let style: Style

  init(_ options: Options) {
    self.options = options
    let path = options.socket ?? Style.environment("TWIND_SOCKET") ?? StatusServer.socketDefault
    client = StatusClient(
      socketPath: path,
      timeoutMs: options.timeout.map { Int(clamping: max(1, $0 / 1_000_000)) } ?? StatusClient.timeoutMsDefault)
    style = Style.of(STDOUT_FILENO, color: options.color, utc: options.utc)
  }

  /// The answer and the text that `lines` makes of it.
  func show<Content: Codable & Sendable & Equatable>(
    _ answer: StatusClient.Answer<Content>, exit: ExitMeaning = .well, _ lines: (Screen, Content) -> [String]
  ) -> Outcome {
    let screen = Screen(style: style, for: answer.document)
    return Outcome(screen.finish(lines(screen, answer.data)), json: answer.bytes, exit: exit)
  }

  /// Reads `path` and shows it.
  func get<Content: Codable & Sendable & Equatable>(
    _ path: String, as type: Content.Type, exit: (Content) -> ExitMeaning = { _ in .well },
    _ lines: (Screen, Content) -> [String]
  ) throws(APIProblem) -> Outcome {
    let answer = try client.get(path, as: type)
    return show(answer, exit: exit(answer.data), lines)
  }

  func say(_ outcome: Outcome) {
    options.output == .json ? Stream.out(outcome.json + [0x0A]) : Stream.out(Array(outcome.text.utf8))
  }

  /// On stderr for people; under `-o json` on stdout, so that there is always one document.
  func fail(_ problem: APIProblem) -> ExitMeaning {
    let now = Stream.now
    if options.output == .json {
      Stream.out(Self.json(problem, at: now))
    } else {
      let style = Style.of(STDERR_FILENO, color: options.color, utc: options.utc)
      Stream.error(Screen(style: style, now: now).finish(Screen(style: style, now: now).problem(problem)))
    }
    return ExitMeaning(problem)
  }

  static func json(_ problem: APIProblem, at now: Instant) -> [UInt8] {
    let document = API.Failure(generatedAt: Timestamp(now), data: problem)
    // Encoding cannot fail: a problem holds no floating-point number.
    return ((try? APIJSON.encode(document)) ?? []) + [0x0A]
  }

  static func path(_ parts: String...) -> String { "/v1/" + parts.map(StatusClient.escaped).joined(separator: "/") }
}

extension API {
  /// The document that `-o json` prints when there is no answer.
  struct Failure: Codable, Equatable {
    var api = API.version
    var kind = "Problem"
    var generatedAt: Timestamp
    var data: APIProblem
  }
}

/// The two streams and the clock of the program.
enum Stream {
  static func out(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }
  static func error(_ text: String) { write(Array(text.utf8), to: STDERR_FILENO) }

  static var now: Instant {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Instant(nanoseconds: Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec))
  }

  /// A reader that has gone away (`| head`) ends the program without a word, by SIGPIPE.
  private static func write(_ bytes: [UInt8], to file: Int32) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(file, $0.baseAddress! + written, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      written += count
    }
  }
}
