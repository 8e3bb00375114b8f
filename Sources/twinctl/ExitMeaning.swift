import StatusAPI

/// What a script learns: below 10 is the answer, 64 and above means that there is none (sysexits.h).
enum ExitMeaning: Int32, Sendable {
  case well = 0
  case attention = 1
  case alarm = 2
  case unknown = 3
  /// Envelope, policy or lock said no; nothing was changed.
  case refused = 4
  case usage = 64
  /// A pack or another input is wrong.
  case input = 65
  /// twind is not running or not reachable.
  case unavailable = 69
  case bug = 70
  /// Busy or timed out; to try again does no harm.
  case temporary = 75
  case notPermitted = 77
  /// Local configuration is broken.
  case configuration = 78

  /// `state` of a status answer; a word that this release does not know is unknown.
  init(state: String) {
    switch state {
    case "well": self = .well
    case "attention": self = .attention
    case "alarm": self = .alarm
    default: self = .unknown
    }
  }

  init(_ problem: APIProblem) {
    switch problem.status {
    case _ where problem.code == "cli.config": self = .configuration
    case _ where problem.isRefusal: self = .refused
    case _ where problem.isRetriable: self = .temporary
    // What was given is wrong; nobody was asked.
    case 0 where problem.code.hasPrefix("pack.") || problem.code.hasPrefix("provenance."): self = .input
    case 0: self = .unavailable
    case 401, 403: self = .notPermitted
    case 400..<500: self = .usage
    default: self = .bug
    }
  }

  /// The answers of 0 to 3 become success under `--exit-zero`; refusals and missing answers stay what they are.
  func zeroed(_ exitZero: Bool) -> ExitMeaning { exitZero && rawValue <= 3 ? .well : self }
}
