import ArgumentParser
import StatusAPI
import TwinCore

extension DataCommand {
  /// As `API.CorrectionRequest.Kind`, on the command line.
  enum Correction: String, CaseIterable, ExpressibleByArgument {
    case set, shift, retract, rescale

    var kind: API.CorrectionRequest.Kind {
      switch self {
      case .set: .set
      case .shift: .shift
      case .retract: .retract
      case .rescale: .rescale
      }
    }
  }

  struct Correct: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Put right what is recorded of a point; what was known before stays readable.",
      discussion: """
        set: it was --value. shift: --value is added. retract: nothing is known of it. rescale: what is stored times \
        --value is what it was. The plant hears nothing of it.
        """)
    @Argument(help: "The point, as chiller-1.chw_supply_t.") var point: String
    @Argument(help: "set, shift, retract or rescale.") var kind: Correction
    @Option(help: "In the point's unit; of rescale a number.") var value: Double?
    @Option(help: "The first instant, as 2026-01-13T06:00:00Z.", transform: Stretch.instant) var from: Instant
    @Option(
      help: "The instant at which it ends; of set the one instant --from otherwise, else no end.",
      transform: Stretch.instant)
    var to: Instant?
    @Option(help: "What made it necessary, as calibration.") var cause: String?
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var options: Options

    func validate() throws {
      guard (kind == .retract) == (value == nil) else {
        throw ValidationError(kind == .retract ? "retract takes no --value" : "\(kind.rawValue) needs --value")
      }
    }

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "changes the record of \(point) from \(from.rfc3339) on (\(kind.rawValue)): \(reason.reason)"
      let path = Session.path("points", point, "history") + "?limit=1"
      if write.dryRun {
        return session.would(sentence, try session.client.get(path, as: API.History.self)) { $0.history($1) }
      }
      try session.confirm(sentence, target: point, write)
      let request = API.CorrectionRequest(
        kind: kind.kind, from: Timestamp(from), to: to.map(Timestamp.init), value: value, reason: reason.reason,
        cause: cause)
      let key = String(UInt64.random(in: 1 ... .max), radix: 16)
      let answer = try session.client.send(
        "POST", Session.path("points", point, "corrections"), body: request, key: key, as: API.Corrected.self)
      return session.show(answer) { _, corrected in [corrected.text] }
    }
  }
}
