import ArgumentParser
import StatusAPI

struct EnvelopeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "envelope", abstract: "What may be written to a point.",
    subcommands: [List.self, Show.self, Test.self], defaultSubcommand: List.self)

  struct List: Verb {
    static let configuration = CommandConfiguration(abstract: "All envelopes.")
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("envelopes"), as: API.Envelopes.self) { $0.envelopes($1) }
    }
  }

  struct Show: Verb {
    static let configuration = CommandConfiguration(abstract: "One envelope.")
    @Argument(help: "The envelope, as chw-sp-safe.") var envelope: String
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("envelopes", envelope), as: API.Envelope.self) { $0.envelope($1) }
    }
  }

  struct Test: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Ask what the guard would say to a value; nothing is written.",
      discussion: "Leaves with 0 allowed, 1 clamped, 4 refused.")
    @Argument(help: "The point, as chiller-1.chw_supply_sp.") var point: String
    @Argument(help: "A number in the point's unit, or with its own: '42 [degF]'.") var value: Setpoint
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let answer = try session.testEnvelope(point, value)
      return session.show(answer, exit: Self.exit(answer.data)) { $0.envelopeTest($1) }
    }

    static func exit(_ test: API.EnvelopeTest) -> ExitMeaning {
      switch test.result {
      case "permit": .well
      case "clamp": .attention
      default: .refused
      }
    }
  }
}

extension Session {
  func testEnvelope(_ point: String, _ value: Setpoint) throws(APIProblem) -> StatusClient.Answer<API.EnvelopeTest> {
    try client.send(
      "POST", Session.path("envelopes", "test"),
      body: API.EnvelopeTestRequest(point: point, value: value.value, unit: value.unit), as: API.EnvelopeTest.self)
  }
}
