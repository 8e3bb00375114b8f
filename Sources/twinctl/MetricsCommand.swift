import ArgumentParser
import StatusAPI

/// Prometheus text is its own format: there is no `-o json` for it.
struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "The daemon's figures as Prometheus reads them.")
  @OptionGroup var options: Options

  func run() throws {
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
