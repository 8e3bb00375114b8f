import ArgumentParser
import Provenance
import Seams
import SitePack
import StatusAPI
import TwinCore

/// Packs are checked, tested and signed without a daemon.
struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack", abstract: "Check, test, sign and verify a site pack; needs no daemon.",
    subcommands: [PackCheck.self, PackTestCommand.self, PackSign.self, PackVerify.self])
}

/// Reads the folder once.
struct PackFolder: ParsableArguments {
  @Argument(help: "The pack's folder.", completion: .directory) var path: String = "."

  func files() throws(APIProblem) -> [PackFile] {
    do throws(ProvenanceFault) { return try PackReader.read(path) } catch { throw .input(error) }
  }

  /// The pack, or a problem that counts its errors.
  func pack(_ files: [PackFile]) throws(APIProblem) -> Pack {
    let result = Pack.load(files, zoneExists: { SystemFiles.timeZone($0) != nil })
    if let pack = result.pack { return pack }
    let errors = result.problems.filter { $0.severity == .error }
    throw APIProblem(
      status: 0, code: "pack.invalid", title: "the pack has \(errors.count) error\(errors.count == 1 ? "" : "s")",
      cause: errors.first.map { "\($0)" }, next: "twinctl pack check \(path)")
  }
}

extension APIProblem {
  /// Something is wrong with what was given, not with the daemon.
  static func input(_ fault: some Fault) -> APIProblem {
    APIProblem(status: 0, code: fault.code, title: fault.message, next: fault.remedy)
  }
}

/// A verb that needs no daemon: its failures mean that the input is wrong.
protocol OfflineVerb: ParsableCommand {
  var options: Options { get }
  func perform(_ session: Session) throws(APIProblem) -> Outcome
}

extension OfflineVerb {
  func run() throws {
    let session = Session(options)
    let exit: ExitMeaning
    do throws(APIProblem) {
      let outcome = try perform(session)
      session.say(outcome)
      exit = outcome.exit.zeroed(options.exitZero)
    } catch {
      _ = session.fail(error)
      exit = error.isRefusal ? .refused : .input
    }
    throw ExitCode(exit.rawValue)
  }

  /// An answer made here, in the shape of the daemon's.
  func answer<Content: Codable & Sendable & Equatable>(
    _ content: Content, site: String, _ session: Session, exit: ExitMeaning, _ lines: (Screen, Content) -> [String]
  ) -> Outcome {
    let screen = Screen(style: session.style, now: Stream.now)
    let document = API.Document(content, header: API.Header(site: site), at: Stream.now)
    // Encoding cannot fail: a check holds no floating-point number.
    return Outcome(screen.finish(lines(screen, content)), json: (try? APIJSON.encode(document)) ?? [], exit: exit)
  }
}

struct PackCheck: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Every mistake of a pack at once, each at its place; which models it has.")
  @OptionGroup var folder: PackFolder
  @Flag(help: "Why each model is what it is, and what was passed over.") var models = false
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let result = Pack.load(try folder.files(), zoneExists: { SystemFiles.timeZone($0) != nil })
    let findings = result.problems.map {
      API.Finding(
        file: $0.file, line: $0.line, column: $0.column, severity: $0.severity.rawValue, code: $0.code,
        message: $0.message, remedy: $0.hint)
    }
    let errors = findings.count { $0.severity == "error" }
    let check = API.Check(
      subject: folder.path, passed: errors == 0, errors: errors, warnings: findings.count - errors, findings: findings)
    let exit: ExitMeaning = errors > 0 ? .input : findings.isEmpty ? .well : .attention
    let summary = result.pack.map { pack in
      "\(pack.site.qualifiedID) version \(pack.site.version): \(pack.devices.count) devices, \(pack.points.count) points, "
        + "\(pack.envelopes.count) envelopes, \(pack.policies.count) policies, \(pack.alarms.count) alarms"
    }
    return answer(check, site: result.pack?.site.id ?? "", session, exit: exit) { screen, check in
      screen.check(check, summary: summary) + (result.pack.map { screen.models($0, isWhole: models) } ?? [])
    }
  }
}

extension Screen {
  func check(_ check: API.Check, summary: String?) -> [String] {
    var lines = check.findings.flatMap { finding -> [String] in
      let place = "\(finding.file):\(finding.line):\(finding.column): "
      let mark: Mark = finding.severity == "error" ? .alarm : .attention
      let text = marked(finding.severity, mark) + " \(finding.code): \(finding.message)"
      return [place + text] + (finding.remedy.isEmpty ? [] : ["    " + finding.remedy])
    }
    let counts =
      "\(check.errors) error\(check.errors == 1 ? "" : "s"), \(check.warnings) warning\(check.warnings == 1 ? "" : "s")"
    if let summary {
      lines.append(check.findings.isEmpty ? "ok: \(summary)" : "\(counts): \(summary)")
    } else {
      lines.append(counts)
    }
    return lines
  }
}

struct PackTestCommand: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Runs the pack's own tests against its envelopes; none is a failure.")
  @OptionGroup var folder: PackFolder
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let pack = try folder.pack(try folder.files())
    let report = pack.test()
    let findings = report.results.filter { !$0.isPassed }.map {
      API.Finding(
        file: $0.file, line: $0.line, column: 1, severity: "error", code: "pack.test_failed",
        message: "\($0.name): expected \($0.expected), got \($0.got)", remedy: "mend the envelope, or the test")
    }
    let check = API.Check(
      subject: folder.path, passed: report.isPassed, errors: report.results.isEmpty ? 1 : findings.count, warnings: 0,
      findings: findings)
    let passed = report.results.count - findings.count
    return answer(check, site: pack.site.id, session, exit: report.isPassed ? .well : .input) { screen, check in
      report.results.isEmpty
        ? ["the pack has no tests: write some under tests/"]
        : screen.check(check, summary: nil).dropLast() + ["\(passed) of \(report.results.count) tests passed"]
    }
  }
}

struct PackSign: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "sign", abstract: "Signs a pack: its files with the targets key, its envelopes with the safety key.",
    discussion:
      "Unsigned, a pack runs in observe alone. Raise `version` in site.yaml first: a site never goes back to a lower one."
  )
  @OptionGroup var folder: PackFolder
  @Option(help: "The folder of the secret keys.", completion: .directory) var keys: String
  @Flag(help: "Signs the envelopes alone.") var envelopesOnly = false
  @Flag(help: "Signs the rest alone; the envelopes keep their signature.") var packOnly = false
  @OptionGroup var options: Options

  func validate() throws {
    guard !(envelopesOnly && packOnly) else { throw ValidationError("choose one of --envelopes-only and --pack-only") }
  }

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let files = try folder.files()
    let site = try folder.pack(files).site
    var signed: [String] = []
    do throws(ProvenanceFault) {
      if !packOnly {
        let key = try KeySet.secretKey(.safety, in: keys)
        let seal = try PackSigner.sealEnvelopes(files, site: site.qualifiedID, version: site.version, safety: key)
        try seal.write(into: folder.path)
        signed.append("envelopes by the safety key")
      }
      if !envelopesOnly {
        let key = try KeySet.secretKey(.targets, in: keys)
        let seal = try PackSigner.sealPack(files, site: site.qualifiedID, version: site.version, targets: key)
        try seal.write(into: folder.path)
        signed.append("files by the targets key")
      }
    } catch {
      throw .input(error)
    }
    let check = API.Check(subject: folder.path, passed: true, errors: 0, warnings: 0, findings: [])
    return answer(check, site: site.id, session, exit: .well) { _, _ in
      ["signed \(site.qualifiedID) version \(site.version): " + signed.joined(separator: ", ")]
    }
  }
}

struct PackVerify: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Verifies a pack's signatures against public keys.")
  @OptionGroup var folder: PackFolder
  @Option(help: "The public keys, keys.pub.", completion: .file()) var keys: String
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let files = try folder.files()
    let site = try folder.pack(files).site
    let ring: KeyRing
    do throws(ProvenanceFault) { ring = try KeyRing.read(keys) } catch { throw .input(error) }
    var findings: [API.Finding] = []
    var summary = ""
    switch PackTrust.check(files, keys: ring, site: site.qualifiedID) {
    case .signed(let seal):
      summary = "verified \(seal.site) version \(seal.version), envelopes as of version \(seal.envelopesVersion)"
    case .unsigned(let reasons):
      summary = "not signed"
      findings = reasons.map {
        API.Finding(
          file: "pack.sig", line: 1, column: 1, severity: "error", code: "provenance.unsigned", message: $0,
          remedy: "twinctl pack sign \(folder.path) --keys DIR")
      }
    case .broken(let faults):
      summary = "broken: nothing of it may be used"
      findings = faults.map {
        API.Finding(
          file: $0.path, line: 1, column: 1, severity: "error", code: $0.code, message: $0.message, remedy: $0.remedy)
      }
    }
    let check = API.Check(
      subject: folder.path, passed: findings.isEmpty, errors: findings.count, warnings: 0, findings: findings)
    return answer(check, site: site.id, session, exit: findings.isEmpty ? .well : .alarm) { screen, check in
      screen.check(check, summary: nil).dropLast() + [summary]
    }
  }
}

struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Make and show the keys that sign packs and a fleet's metadata; needs no daemon.",
    subcommands: [KeysInit.self, KeysShow.self, KeysRoot.self])
}

struct KeysInit: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Makes a single operator's key set in one step: root, targets and safety.",
    discussion: "Keep the folder on a stick and off the gateway; the gateway needs keys.pub alone.")
  @Argument(help: "The folder; made if it is not there.", completion: .directory) var path: String
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let ring: KeyRing
    do throws(ProvenanceFault) { ring = try KeySet.initialise(path) } catch { throw .input(error) }
    let check = API.Check(subject: path, passed: true, errors: 0, warnings: 0, findings: [])
    return answer(check, site: "", session, exit: .well) { _, _ in
      ring.entries.map { "\($0.role.rawValue)  \($0.id)" } + [
        "public keys: \(path)/\(KeySet.publicFile)", "next: copy it to the gateway as /etc/twind/keys.pub",
      ]
    }
  }
}
