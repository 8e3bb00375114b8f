import ArgumentParser
import Provenance
import Seams
import StatusAPI
import Sync
import TwinCore

struct FleetEnrolCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enrol", abstract: "Tokens by which sites join the fleet.",
    subcommands: [New.self, List.self, Answer.self, Withdraw.self], defaultSubcommand: List.self)

  struct New: FleetVerb {
    static let configuration = CommandConfiguration(
      abstract: "Make a token for one site: usable once, for a few days.",
      discussion: "Whoever installs the site gives it to its gateway: twind enrol TOKEN. It is shown this once.")
    @Argument(help: "TENANT.SITE") var site: String
    @Option(name: .customLong("for"), help: "How long it may be used, up to 7d.", transform: Options.duration)
    var duration: Int64 = 86_400_000_000_000
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let answer = try session.client.send(
        "POST", "/v1/fleet/enrolments", body: API.EnrolmentRequest(site: site, forS: Double(duration) / 1e9),
        as: API.Enrolment.self)
      return session.show(answer) { screen, enrolment in
        [
          enrolment.token ?? "no token came back",
          "token \(enrolment.id) for \(enrolment.site), until \(screen.time(enrolment.expiresAt))",
          "   next  on the gateway: twind enrol TOKEN",
        ]
      }
    }
  }

  struct List: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "Tokens and what became of them.")
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get("/v1/fleet/enrolments", as: API.Enrolments.self) { $0.enrolments($1.enrolments) }
    }
  }

  struct Answer: FleetVerb {
    static let configuration = CommandConfiguration(
      abstract: "Answer a request that came as a file, from a site without a network.")
    @Argument(help: "What `twind enrol TOKEN --request FILE` wrote.", completion: .file()) var file: String
    @Option(name: .long, help: "Where the answer goes.", completion: .file()) var out: String
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      guard let bytes = SystemFiles.bytes(file, max: EnrolmentRequest.bytesMax) else {
        throw APIProblem(status: 400, code: "cli.unreadable", title: "\(file) cannot be read", next: "check the path")
      }
      let request = API.EnrolmentFile(content: String(decoding: Base64.encode(bytes), as: UTF8.self))
      let answer = try session.client.send(
        "POST", "/v1/fleet/enrolments/answers", body: request, as: API.EnrolmentFile.self)
      guard let reply = Base64.decode(Array(answer.data.content.utf8)) else {
        throw APIProblem(
          status: 0, code: "api.skew", title: "the foundation's answer cannot be read", next: "compare the releases")
      }
      try WholeFile.write(out, reply)
      return session.show(answer) { _, _ in
        ["answered: \(out)", "   next  on the gateway: twind enrol TOKEN --reply \(out)"]
      }
    }
  }

  struct Withdraw: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "Take a token out of use that was not used yet.")
    @Argument(help: "The token's id, of twinctl fleet enrol list.") var id: String
    @OptionGroup var write: WriteOptions
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      if write.dryRun {
        let held = try session.client.get("/v1/fleet/enrolments", as: API.Enrolments.self)
        return session.would("takes token \(id) out of use", held) {
          $0.enrolments($1.enrolments.filter { $0.id == id })
        }
      }
      try session.confirm("takes token \(id) out of use", target: id, write)
      let answer = try session.client.send(
        "DELETE", Session.path("fleet", "enrolments", id), as: API.Enrolment.self)
      return session.show(answer) { $0.enrolments([$1]) }
    }
  }
}
