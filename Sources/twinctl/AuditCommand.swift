import ArgumentParser
import DeltaLog
import Provenance
import Seams
import StatusAPI
import TwinCore

struct SyncCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "sync", abstract: "How this site stands with its foundation.")
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    try session.get(
      Session.path("sync"), as: API.SyncState.self,
      exit: { ["alone", "current"].contains($0.state) ? .well : .attention }
    ) { $0.sync($1) }
  }
}

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Verify what a site did, away from the site; witness what its foundation says.",
    subcommands: [AuditVerify.self, AuditWitness.self])
}

/// What a bundle proves.
struct AuditVerify: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check a bundle, bit by bit, with nothing but the fleet's first root.",
    discussion: """
      --root is the fingerprint that `twinctl keys show` prints, or the file 1.root itself. Leaves with 0 when all of \
      it is as it was written and signed, and with 65 when it is not: then the first thing that is wrong is named.
      """)
  @Argument(help: "What `twinctl fleet audit export` wrote.", completion: .file()) var bundle: String
  @Option(name: .long, help: "The fingerprint of the fleet's first root, or the file 1.root.") var root: String
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let fingerprint = try rootFingerprint()
    let report: AuditReport
    do throws(FileFault) {
      let file = try SystemFileStore().open(bundle, .read)
      report = try AuditBundle.verify(file) { items in
        let proven = try ProvenSite(items, root: fingerprint)
        return AuditBundle.Trust(
          site: proven.statement.site, siteKeys: proven.statement.keys,
          cosigners: proven.ingest.map { (name: proven.statement.foundation, key: $0) })
      }
    } catch {
      throw .input(error)
    }
    let content = API.AuditCheck(bundle, report)
    return answer(content, site: content.site ?? "", session, exit: report.problem == nil ? .well : .input) {
      $0.audit($1)
    }
  }

  private func rootFingerprint() throws(APIProblem) -> Digest {
    if let digest = Digest(hex: root) { return digest }
    guard let bytes = SystemFiles.bytes(root, max: RootMetadata.bytesMax) else {
      throw APIProblem(
        status: 0, code: "cli.unreadable", title: "\(root) is neither a fingerprint nor a file",
        cause: "wanted 64 hexadecimal digits, or the file 1.root", next: "twinctl keys show DIR")
    }
    do throws(ProvenanceFault) {
      return RootMetadata.fingerprint(payload: try RootMetadata.envelope(bytes).payload)
    } catch {
      throw .input(error)
    }
  }
}

extension API {
  /// What a bundle proved.
  struct AuditCheck: Codable, Sendable, Equatable {
    var bundle: String
    var passed: Bool
    var site: String?
    var entries: Int64
    var streams: [Stream]
    /// The first thing that is wrong: where, and what.
    var problem: String?

    struct Stream: Codable, Sendable, Equatable {
      var epoch: String
      var stream: String
      var first: Int64
      var next: Int64
      /// Entries below are covered by a checkpoint of the site, and by one that the foundation has seen.
      var signed: Int64
      var cosigned: Int64
      var lost: Int64
      var redacted: Int64
    }

    init(_ bundle: String, _ report: AuditReport) {
      self.bundle = bundle
      (passed, site) = (report.problem == nil, report.site?.description)
      entries = Int64(clamping: report.entries)
      problem = report.problem?.description
      streams = report.epochs.flatMap { epoch in
        epoch.streams.map { stream in
          Stream(
            epoch: epoch.epoch.hex, stream: stream.stream.name, first: Int64(clamping: stream.first),
            next: Int64(clamping: stream.next), signed: Int64(clamping: stream.signed),
            cosigned: Int64(clamping: stream.cosigned), lost: Self.count(stream.gaps),
            redacted: Self.count(stream.redacted))
        }
      }
    }

    private static func count(_ ranges: [Range<UInt64>]) -> Int64 {
      ranges.reduce(0) { $0 &+ Int64(clamping: $1.upperBound - $1.lowerBound) }
    }
  }
}

extension Screen {
  func audit(_ check: API.AuditCheck) -> [String] {
    var lines = [
      check.passed
        ? "\(check.bundle): \(Self.grouped(check.entries)) entries of \(check.site ?? "?"), all as written and signed"
        : marked("\(check.bundle) is not as it was written and signed", .alarm)
    ]
    if let problem = check.problem {
      lines += labelled("at", problem)
      lines += labelled(
        "next", "fetch the bundle again; if it comes again, compare it with the site's own: its log is the witness")
    }
    lines += table(
      [
        Column(title: "EPOCH"), Column(title: "STREAM"), Column(title: "ENTRIES", isRight: true),
        Column(title: "SIGNED", isRight: true), Column(title: "COSIGNED", isRight: true),
        Column(title: "LOST", isRight: true), Column(title: "REDACTED", isRight: true),
      ],
      check.streams.map {
        [
          String($0.epoch.prefix(8)), $0.stream, "\($0.first)–\($0.next)", Self.grouped($0.signed),
          Self.grouped($0.cosigned), Self.grouped($0.lost), Self.grouped($0.redacted),
        ]
      })
    return lines
  }
}

struct KeysShow: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "The public half of a folder of keys, and the fingerprint of the fleet's first root."
  )
  @Argument(help: "The folder.", completion: .directory) var path: String
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    do throws(ProvenanceFault) {
      var lines = try KeyRing.read("\(path)/\(KeySet.publicFile)").entries.map { "\($0.role.rawValue)  \($0.id)" }
      if let bytes = SystemFiles.bytes("\(path)/\(OperatorKeys.rootFile(1))", max: RootMetadata.bytesMax) {
        let envelope = try RootMetadata.envelope(bytes)
        let root = try RootMetadata(payload: envelope.payload)
        lines.append("fleet \(root.fleet), root 1: \(RootMetadata.fingerprint(payload: envelope.payload).hex)")
      }
      let check = API.Check(subject: path, passed: true, errors: 0, warnings: 0, findings: [])
      return answer(check, site: "", session, exit: .well) { _, _ in lines }
    } catch {
      throw .input(error)
    }
  }
}
