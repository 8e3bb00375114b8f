import ArgumentParser
import EdgeService
import Glibc
import Provenance
import Seams
import Sync
import TwinCore

struct EnrolCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enrol", abstract: "Makes this gateway part of a fleet, once, with a token of its foundation.",
    discussion: """
      Over the network:  twind enrol TOKEN
      With a stick:      twind enrol TOKEN --request ask.twe
                         twinctl fleet enrol answer ask.twe --out reply.twe     at the foundation
                         twind enrol TOKEN --reply reply.twe

      The gateway makes its own keys; no secret leaves it. It is safe to repeat until there is an answer. The daemon
      takes it up with its next start. A token may also come in a file: twind enrol @FILE
      """)

  @OptionGroup var options: ConfigurationOption
  @Argument(help: "What `twinctl fleet enrol new` printed, or @FILE.")
  var token: String
  @Option(name: .long, help: "Write the request into this file, and go no further.", completion: .file())
  var request: String?
  @Option(name: .long, help: "Take the foundation's answer from this file.", completion: .file())
  var reply: String?

  func validate() throws {
    if request != nil && reply != nil { throw ValidationError("--request and --reply are two steps: give one") }
  }

  func run() async throws {
    let configuration = try options.load()
    do {
      let token = try EnrolmentToken(text: try text())
      let enroller = Enroller(state: configuration.state, token: token)
      if let request {
        try write(try enroller.ask(), to: request)
        print("asked: \(request); next: twinctl fleet enrol answer \(request) --out reply.twe, at the foundation")
        return
      }
      let answer: EnrolmentReply
      if let reply {
        guard let bytes = SystemFiles.bytes(reply, max: EnrolmentReply.bytesMax) else {
          throw EdgeFault("reply_unreadable", "\(reply) cannot be read", remedy: "check the path")
        }
        answer = try enroller.finish(bytes)
      } else {
        print("asks \(token.host):\(token.port) as \(token.site)")
        answer = try await enroller.enrol()
      }
      print("enrolled: \(answer.site) with \(answer.foundation), broker \(answer.host):\(answer.port)")
      print("next: systemctl restart twind, then twinctl sync")
    } catch let fault as any Fault {
      complain("error: \(fault.message) [\(fault.code)]\n  next  \(fault.remedy)")
      throw ExitCode(fault.isRetriable || fault.code == "edge.enrol_unanswered" ? 75 : 65)
    }
  }

  private func text() throws(EdgeFault) -> String {
    guard token.hasPrefix("@") else { return token }
    let path = String(token.dropFirst())
    guard let bytes = SystemFiles.bytes(path, max: EnrolmentToken.textBytesMax) else {
      throw EdgeFault("token_unreadable", "\(path) cannot be read", remedy: "check the path")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func write(_ bytes: [UInt8], to path: String) throws(EdgeFault) {
    do throws(FileFault) {
      let file = try SystemFileStore().open(path, .create)
      try file.truncate(to: 0)
      try file.write(bytes, at: 0)
      try file.sync()
    } catch {
      throw EdgeFault(error)
    }
  }
}
