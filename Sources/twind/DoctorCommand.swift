import ArgumentParser
import EdgeService

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Looks at the way from this gateway to its fleet.",
    discussion: """
      Speaks to the broker under the site's own name: stop the daemon first, or it loses its connection for a moment.
      """)

  @OptionGroup var options: ConfigurationOption

  func run() async throws {
    let configuration = try options.load()
    let findings = await Doctor(state: configuration.state).look()
    for finding in findings {
      print("\(finding.isWell ? "ok  " : "BAD ")  \(finding.what): \(finding.detail)")
      if !finding.next.isEmpty { print("      next  \(finding.next)") }
    }
    if findings.contains(where: { !$0.isWell }) { throw ExitCode(1) }
  }
}
