import ArgumentParser
import EdgeService

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Prints the versions of the program and of the libraries it runs on.")

  func run() { for line in EdgeDaemon.versions { print(line) } }
}
