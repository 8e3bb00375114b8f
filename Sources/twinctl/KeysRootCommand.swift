import ArgumentParser
import Provenance
import Seams
import StatusAPI
import TwinCore

/// The ceremony of a next root: where the foundation's log goes on, and who witnesses it.
struct KeysRoot: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "root", abstract: "Sign the fleet's next root: a restart of the foundation's log, or witnesses of it.",
    discussion: """
      Writes N.root beside the newest one in the folder. Copy it to the folder keys of the foundation's state \
      directory and start the foundation again: sites take it with the next metadata. A log restart says where the \
      log goes on after entries of it were lost; `twinctl fleet log` shows it as this verb wants it.
      """)

  @Argument(help: "The folder with the fleet's secret root key and its roots.", completion: .directory) var path: String
  @Option(name: .long, help: "More holders' folders, whose root keys sign too.", completion: .directory)
  var signer: [String] = []
  @Option(name: .long, help: "SIZE:ROOT, from which the foundation's log goes on; ROOT in hexadecimal.")
  var logRestart: String?
  @Option(name: .long, help: "The key of a witness to add, as `twinctl audit witness` prints it.")
  var witness: [String] = []
  @Option(name: .long, help: "How many witnesses must have cosigned what sites believe.") var witnesses: Int?
  @Option(name: .long, help: "Years until it ends.") var years = 3
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    do throws(ProvenanceFault) {
      let current = try newest()
      let root = try RootMetadata(payload: try RootMetadata.envelope(current).payload)
      guard logRestart != nil || !witness.isEmpty || witnesses != nil, (1...10).contains(years) else {
        throw ProvenanceFault(
          .documentMalformed, path: RootMetadata.title, "nothing to say in a root \(root.version + 1)",
          remedy: "give --log-restart, --witness or --witnesses, and 1 to 10 years")
      }
      let envelope = try OperatorKeys.rotateRoot(current, try change(of: root), signers: [path] + signer)
      let name = OperatorKeys.rootFile(root.version + 1)
      try PrivateFile.write(envelope, directory: path, name: name, mode: 0o644)
      let check = API.Check(subject: "\(path)/\(name)", passed: true, errors: 0, warnings: 0, findings: [])
      return answer(check, site: "", session, exit: .well) { _, check in
        [
          "\(check.subject): root \(root.version + 1) of fleet \(root.fleet)",
          "next: copy it to the folder keys of the foundation, and start the foundation again",
        ]
      }
    } catch {
      throw .input(error)
    }
  }

  private func newest() throws(ProvenanceFault) -> [UInt8] {
    var newest: [UInt8]?
    for version in 1...UInt64(TrustBundle.rootsMax) {
      guard
        let bytes = SystemFiles.bytes("\(path)/\(OperatorKeys.rootFile(version))", max: RootMetadata.bytesMax)
      else { break }
      newest = bytes
    }
    guard let newest else {
      throw ProvenanceFault(
        .keyMissing, path: path, "there is no 1.root in \(path)", remedy: "name the folder of the fleet's keys")
    }
    return newest
  }

  private func change(of root: RootMetadata) throws(ProvenanceFault) -> RootChange {
    var change = RootChange(
      expires: Stream.now.advanced(byNanoseconds: Int64(years) * FleetPublishCommand.yearNanoseconds),
      logRestart: root.logRestart)
    if let text = logRestart {
      let parts = text.split(separator: ":").map(String.init)
      guard parts.count == 2, let size = UInt64(parts[0]), let hash = Digest(hex: parts[1]) else {
        throw ProvenanceFault(
          .documentMalformed, path: "--log-restart", "\(text) is not SIZE:ROOT",
          remedy: "take it from twinctl fleet log, at the foundation")
      }
      change.logRestart = LogRestart(number: (root.logRestart?.number ?? 0) + 1, size: size, root: hash)
    }
    for text in witness {
      let key = try NoteKey(parse: text)
      change.adding.append(TrustKey(.witness, key.key, name: key.name))
    }
    let known = root.keys.count { $0.role == .witness } + change.adding.count
    if known > 0 { change.thresholds[.witness] = witnesses ?? max(1, root.threshold(.witness)) }
    return change
  }
}
