import Glibc
import StatusAPI

extension Session {
  /// Says what will happen and has the target's name typed, unless `--yes`. Throws `cli.not_confirmed`.
  func confirm(_ sentence: String, target: String, _ write: WriteOptions) throws(APIProblem) {
    guard !write.yes else { return }
    guard isatty(STDIN_FILENO) == 1 else {
      throw APIProblem(
        status: 400, code: "cli.not_confirmed", title: "nobody is there to confirm this", cause: "it \(sentence)",
        effect: "nothing was changed", next: "add --yes, or --dry-run to see what would happen")
    }
    Stream.error("This \(sentence).\nType \(target) to go on: ")
    guard readLine() == target else {
      throw APIProblem(
        status: 400, code: "cli.not_confirmed", title: "not confirmed", effect: "nothing was changed",
        next: "type exactly \(target), or add --yes")
    }
  }

  /// Sends a write under a key of its own, once more when the first answer was lost, and shows its record.
  func write(_ method: String, _ path: String, _ body: (some Encodable)?) throws(APIProblem) -> Outcome {
    let key = String(UInt64.random(in: 1 ... .max), radix: 16)
    do throws(APIProblem) {
      return show(try client.send(method, path, body: body, key: key, as: API.Written.self)) { $0.written($1) }
    } catch {
      guard error.code == "api.timeout" else { throw error }
      return show(try client.send(method, path, body: body, key: key, as: API.Written.self)) { $0.written($1) }
    }
  }

  func write(_ method: String, _ path: String) throws(APIProblem) -> Outcome { try write(method, path, String?.none) }

  /// The answer of a dry run, with the sentence of what would have been done.
  func would<Content: Codable & Sendable & Equatable>(
    _ sentence: String, _ answer: StatusClient.Answer<Content>, exit: ExitMeaning = .well,
    _ lines: (Screen, Content) -> [String]
  ) -> Outcome {
    show(answer, exit: exit) { screen, content in
      lines(screen, content) + screen.wrapped("Dry run: this \(sentence).", width: style.width)
    }
  }
}
