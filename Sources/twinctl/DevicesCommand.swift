import ArgumentParser
import StatusAPI

struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices", abstract: "The devices of the pack and how they answer.",
    subcommands: [List.self, Show.self], defaultSubcommand: List.self)

  struct List: Verb {
    static let configuration = CommandConfiguration(abstract: "All devices.")
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("devices"), as: API.Devices.self, exit: Self.exit) { $0.devices($1) }
    }

    static func exit(_ devices: API.Devices) -> ExitMeaning {
      devices.devices.map { DevicesCommand.exit($0.state) }.max { $0.rawValue < $1.rawValue } ?? .well
    }
  }

  struct Show: Verb {
    static let configuration = CommandConfiguration(abstract: "One device.")
    @Argument(help: "The device, as chiller-1.") var device: String
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(
        Session.path("devices", device), as: API.Device.self, exit: { DevicesCommand.exit($0.state) }
      ) { $0.device($1) }
    }
  }

  /// A device that is switched off in the pack is as it should be.
  static func exit(_ state: String) -> ExitMeaning {
    switch state {
    case "ok", "disabled": .well
    case "silent", "backing_off": .alarm
    default: .unknown
    }
  }
}
