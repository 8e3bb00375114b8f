import ArgumentParser
import Glibc

/// Becomes the program beside this one, so that a gateway never loads the fleet's libraries.
struct FoundationCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "foundation", abstract: "Runs the fleet's foundation: twind-foundation, which must be installed.")

  @Option(name: .long, help: "The foundation's configuration.", completion: .file(extensions: ["yaml"]))
  var config: String?
  @Argument(parsing: .allUnrecognized, help: "As for twind-foundation.")
  var arguments: [String] = []

  func run() throws {
    let own = Self.directory
    let path = own.map { "\($0)/twind-foundation" } ?? "twind-foundation"
    var words: [UnsafeMutablePointer<CChar>?] =
      unsafe ([path] + arguments + (config.map { ["--config", $0] } ?? [])).map { unsafe strdup($0) } + [nil]
    unsafe execv(path, &words)
    unsafe execvp("twind-foundation", &words)
    complain("error: twind-foundation is not on this machine [twind.no_foundation]\n  next  install it beside \(path)")
    throw ExitCode(69)
  }

  /// Where this program is.
  private static var directory: String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { return nil }
    let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.lastIndex(of: "/").map { String(path[..<$0]) }
  }
}
