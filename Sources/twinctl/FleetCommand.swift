import ArgumentParser
import Glibc
import StatusAPI
import TwinCore

/// The sync console: what a foundation knows of its sites, and what an administrator does about it.
struct FleetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fleet", abstract: "The foundation's side: sites, their exchange, keys, enrolment, audit, publishing.",
    discussion: """
      Talks to a foundation, not to a site: its socket is --foundation, else $TWIND_FLEET_SOCKET, else \
      \(FleetOptions.socketDefault).
      """,
    subcommands: [
      FleetShow.self, FleetSitesCommand.self, FleetSyncCommand.self, FleetKeysCommand.self, FleetEnrolCommand.self,
      FleetAuditCommand.self, FleetPublishCommand.self, FleetLogCommand.self,
    ], defaultSubcommand: FleetShow.self)
}

/// What every verb of the fleet understands beside the common options.
struct FleetOptions: ParsableArguments {
  static let socketDefault = "/run/twind-foundation/fleet.sock"

  @Option(name: .long, help: "The foundation's socket.", completion: .file())
  var foundation: String?
}

/// A verb that asks a foundation.
protocol FleetVerb: ParsableCommand {
  var options: Options { get }
  var fleet: FleetOptions { get }
  func perform(_ session: Session) throws(APIProblem) -> Outcome
}

extension FleetVerb {
  func run() throws {
    var options = options
    options.socket =
      fleet.foundation ?? options.socket ?? Style.environment("TWIND_FLEET_SOCKET") ?? FleetOptions.socketDefault
    let session = Session(options)
    let exit: ExitMeaning
    do throws(APIProblem) {
      let outcome = try perform(session)
      session.say(outcome)
      exit = outcome.exit.zeroed(options.exitZero)
    } catch {
      exit = session.fail(error)
    }
    Glibc.exit(exit.rawValue)
  }
}

struct FleetShow: FleetVerb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "The foundation in one line, and what is wrong.")
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let answer = try session.client.get("/v1/fleet", as: API.Fleet.self)
    return session.show(answer, exit: ExitMeaning(state: answer.data.state)) { $0.fleet($1) }
  }
}

struct FleetSitesCommand: FleetVerb {
  static let configuration = CommandConfiguration(
    commandName: "sites", abstract: "All sites and how they are, or one with its streams.")
  @Argument(help: "TENANT.SITE; all when it is left out.") var site: String?
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    guard let site else {
      return try session.get("/v1/fleet/sites", as: API.FleetSites.self, exit: { $0.exit }) {
        $0.fleetSites($1.sites, all: true)
      }
    }
    return try session.get(Session.path("fleet", "sites", site), as: API.FleetSite.self, exit: { $0.exit }) {
      $0.fleetSite($1)
    }
  }
}

struct FleetSyncCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync", abstract: "Sites that are not current, and why; nothing but one line when all are.",
    subcommands: [Show.self, Quarantine.self, Release.self], defaultSubcommand: Show.self)

  struct Show: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "Sites that are not current, and why.")
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get("/v1/fleet/sites", as: API.FleetSites.self, exit: { $0.exit }) {
        $0.fleetSites($1.sites, all: false)
      }
    }
  }

  struct Quarantine: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "Take nothing more from a site until it is released.")
    @Argument(help: "TENANT.SITE") var site: String
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.act(on: site, "takes nothing more from \(site): \(reason.reason)", "PUT", "quarantine", reason, write)
    }
  }

  struct Release: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "Take a quarantined site's entries again.")
    @Argument(help: "TENANT.SITE") var site: String
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.act(on: site, "takes entries of \(site) again: \(reason.reason)", "POST", "release", reason, write)
    }
  }
}

struct FleetKeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Whose signatures count, and since when.",
    subcommands: [List.self, Rotate.self, Revoke.self],
    defaultSubcommand: List.self)

  struct Rotate: FleetVerb {
    static let configuration = CommandConfiguration(
      abstract: "Have a site make new keys; the old ones are believed for thirty days more.")
    @Argument(help: "TENANT.SITE") var site: String
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.act(on: site, "has \(site) make new keys: \(reason.reason)", "POST", "rekey", reason, write)
    }
  }

  struct List: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "The fleet's keys and the sites', or one site's.")
    @Argument(help: "TENANT.SITE; all when it is left out.") var owner: String?
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let query = owner.map { "?owner=\(StatusClient.escaped($0))" } ?? ""
      return try session.get("/v1/fleet/keys\(query)", as: API.FleetKeys.self) { $0.fleetKeys($1.keys) }
    }
  }

  struct Revoke: FleetVerb {
    static let configuration = CommandConfiguration(
      abstract: "A site's keys count no more; what they signed before stays valid.",
      discussion: """
        Its certificates go on the broker's list, broker/crl.pem of the foundation's state. The broker ends the live \
        session when it is started again: twind-broker-crl.path does it, else systemctl restart mosquitto.
        """)
    @Argument(help: "TENANT.SITE, or the id of one of its keys.") var key: String
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "revokes key \(key) for good: \(reason.reason)"
      if write.dryRun {
        return session.would(sentence, try session.client.get("/v1/fleet/keys", as: API.FleetKeys.self)) {
          $0.fleetKeys($1.keys.filter { $0.id == key || $0.owner == key })
        }
      }
      try session.confirm(sentence, target: key, write)
      let answer = try session.client.send(
        "POST", Session.path("fleet", "keys", key, "revoke"), body: API.FleetActRequest(reason: reason.reason),
        as: API.FleetKey.self)
      return session.show(answer) {
        $0.fleetKeys([$1]) + [
          "   next  the broker ends its session when it is started again: twind-broker-crl.path does it within a minute, "
            + "else: systemctl restart mosquitto"
        ]
      }
    }
  }
}

struct FleetAuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "What sites told and what was done here; export of the proof.",
    subcommands: [List.self, Export.self], defaultSubcommand: List.self)

  struct List: FleetVerb {
    static let configuration = CommandConfiguration(abstract: "Entries of a site, or the foundation's own acts.")
    @Argument(help: "TENANT.SITE; the foundation itself when it is left out.") var site: String?
    @Option(name: .long, help: "How many at most.") var limit = 100
    @Option(name: .long, help: "Go on where an earlier answer ended.") var after: String?
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      var query = "?limit=\(limit)"
      if let site { query += "&site=\(StatusClient.escaped(site))" }
      if let after { query += "&after=\(StatusClient.escaped(after))" }
      return try session.get("/v1/fleet/audit\(query)", as: API.AuditEntries.self) { $0.auditEntries($1) }
    }
  }

  struct Export: FleetVerb {
    static let configuration = CommandConfiguration(
      abstract: "Write a site's bundle: everything that proves what it did.",
      discussion: "Anyone can verify it with the fleet's first root alone: twinctl audit verify.")
    @Argument(help: "TENANT.SITE") var site: String
    @Option(name: .shortAndLong, help: "The file to write.", completion: .file()) var file: String
    @OptionGroup var fleet: FleetOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let bytes = try session.client.bytes(Session.path("fleet", "sites", site, "bundle"))
      try WholeFile.write(file, bytes)
      let document = API.Document(
        API.Exported(file: file, bytes: bytes.count), header: API.Header(site: site), at: Stream.now)
      return Outcome(
        "\(file): \(Screen.grouped(Int64(bytes.count))) bytes of \(site)\nnext  twinctl audit verify \(file) --root FINGERPRINT\n",
        json: (try? APIJSON.encode(document)) ?? [])
    }
  }
}

extension API {
  struct Exported: Codable, Sendable, Equatable {
    var file: String
    var bytes: Int
  }
}

extension API.FleetSites {
  var exit: ExitMeaning { sites.allSatisfy { $0.state == "current" } ? .well : .attention }
}

extension API.FleetSite {
  var exit: ExitMeaning { state == "current" ? .well : .attention }
}

extension Session {
  /// Does to a site what `sentence` says, and shows how it stands then; a dry run shows only how it stands.
  func act(
    on site: String, _ sentence: String, _ method: String, _ verb: String, _ reason: Reason, _ write: WriteOptions
  ) throws(APIProblem) -> Outcome {
    let path = Session.path("fleet", "sites", site)
    if write.dryRun { return would(sentence, try client.get(path, as: API.FleetSite.self)) { $0.fleetSite($1) } }
    try confirm(sentence, target: site, write)
    let body = API.FleetActRequest(reason: reason.reason)
    return show(try client.send(method, "\(path)/\(verb)", body: body, as: API.FleetSite.self)) { $0.fleetSite($1) }
  }
}
