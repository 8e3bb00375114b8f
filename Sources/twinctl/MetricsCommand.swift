import ArgumentParser
import StatusAPI

/// Prometheus text is its own format: there is no `-o json` for it.
struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "The daemon's figures as Prometheus reads them.")
  @Option(name: .long, help: "The daemon's socket. Default: $TWIND_SOCKET, else \(StatusServer.socketDefault).")
  var socket: String?

  func run() throws {
    var options = Options()
    options.socket = socket
    let session = Session(options)
    let page: String
    do throws(APIProblem) {
      page = try session.client.metrics()
    } catch {
      throw ExitCode(session.fail(error).rawValue)
    }
    Stream.out(Array(page.utf8))
  }
}
