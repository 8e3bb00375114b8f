import ArgumentParser
import StatusAPI

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "The versions of this program and of the daemon, and what they speak.")
  @OptionGroup var options: Options

  struct Versions: Codable, Equatable {
    var api = API.version
    var twinctl = Twinctl.release
    var twind: String?
    var apiMax: Int?
  }

  /// A daemon that does not answer is no failure here.
  func run() throws {
    let session = Session(options)
    let meta = try? session.client.get(Session.path("meta"), as: API.Meta.self).data
    let versions = Versions(twind: meta?.version, apiMax: meta?.apiMax)
    if options.output == .json {
      Stream.out(try APIJSON.encode(versions) + [0x0A])
    } else {
      let daemon = meta.map { "twind \($0.version) (API v\($0.apiMin) to v\($0.apiMax))" } ?? "twind not reached"
      Stream.out(Array("twinctl \(Twinctl.release) (\(API.version)), \(daemon)\n".utf8))
    }
  }
}
