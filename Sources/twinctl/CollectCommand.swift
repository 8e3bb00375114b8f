import ArgumentParser
import StatusAPI

struct CollectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collect", abstract: "Find out why a device does not answer.", subcommands: [Test.self])

  struct Test: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Try the layers from the gateway to the registers, and name the broken one.",
      discussion: "Only reads. Leaves with 0 when all work, 2 when one does not.")
    @Argument(help: "The device, as chiller-1.") var device: String
    @OptionGroup var options: Options

    /// Time-outs on the wire add up.
    static let patienceMs = 120_000

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      var client = session.client
      if options.timeout == nil { client.timeoutMs = Self.patienceMs }
      let answer = try client.send(
        "POST", Session.path("collect", "test"), body: API.CollectTestRequest(device: device), as: API.CollectTest.self)
      return session.show(answer, exit: answer.data.passed ? .well : .alarm) { $0.collectTest($1) }
    }
  }
}
