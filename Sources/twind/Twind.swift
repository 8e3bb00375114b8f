import ArgumentParser

@main
struct Twind: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "twind",
    abstract: "The daemon of a site: reads the plant, and never writes what its envelope does not allow.",
    discussion: """
      twind edge      runs a site on its gateway
      twind plant     serves a simulated plant with a pack's own registers, to try the pack on
      twind check     checks the daemon's configuration, and the pack that it names
      twind revert    gives back the setpoints that an earlier run left open
      twind enrol     makes this gateway part of a fleet
      twind doctor    looks at the way to the fleet: names, time, certificates, the broker and what it allows
      twind foundation
                      runs the fleet's side

      What a running daemon is doing: twinctl status
      """,
    subcommands: [
      Edge.self, PlantCommand.self, CheckCommand.self, RevertCommand.self, EnrolCommand.self, DoctorCommand.self,
      FoundationCommand.self, VersionCommand.self,
    ])
}
