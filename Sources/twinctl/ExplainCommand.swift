import ArgumentParser
import StatusAPI

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "What an error code means and what to do; needs no daemon.")
  @Argument(help: "A code, as envelope.out_of_range; none lists them all.") var code: String?
  @OptionGroup var options: Options

  func run() throws {
    let session = Session(options)
    guard let code else {
      return print(ErrorGuide.entries, session) { $0.explainAll($1) }
    }
    guard let entry = ErrorGuide.entry(code) else {
      let known = ErrorGuide.entries.map(\.code)
      let status = session.fail(.notFound("code", code, known: known, list: "twinctl explain"))
      throw ExitCode(status.rawValue)
    }
    print(entry, session) { $0.explain($1) }
  }

  private func print<Content: Encodable>(
    _ content: Content, _ session: Session, _ lines: (Screen, Content) -> [String]
  ) {
    let screen = Screen(style: session.style, now: Stream.now)
    // Encoding cannot fail: the guide holds text alone.
    let json = (try? APIJSON.encode(content)) ?? []
    session.say(Outcome(screen.finish(lines(screen, content)), json: json))
  }
}

extension Screen {
  func explain(_ entry: ErrorGuide.Entry) -> [String] {
    [entry.code] + wrapped(entry.meaning, width: style.width - 2).map { "  " + $0 }
      + labelled("next", entry.remedy, indent: 2, label: 6)
  }

  func explainAll(_ entries: [ErrorGuide.Entry]) -> [String] {
    table([Column(title: "CODE"), Column(title: "MEANING")], entries.map { [$0.code, $0.meaning] })
  }
}
