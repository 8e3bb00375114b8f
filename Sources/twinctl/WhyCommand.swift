import ArgumentParser
import StatusAPI

struct WhyCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "why", abstract: "Why a point stands where it stands, as it was recorded when it was decided.")

  @Argument(help: "A point (its newest decision) or a decision, as d-7f3a91; none lists the latest.") var subject:
    String?
  @Flag(name: .long, help: "Every cause, rule, digest and fingerprint.") var full = false
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    guard let subject else {
      return try session.get("/v1/decisions?limit=20", as: API.Decisions.self) { $0.decisions($1) }
    }
    // A point's id has a dot in it, a decision's begins with d- and has none.
    let isDecision = subject.hasPrefix("d-") && !subject.contains(".")
    let path = isDecision ? Session.path("decisions", subject) : Session.path("points", subject, "why")
    return try session.get(path, as: API.Decision.self) { $0.why($1, full: full) }
  }
}
