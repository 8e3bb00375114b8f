import ArgumentParser
import Provenance
import Seams
import Sodium
import StatusAPI
import TwinCore

/// A witness of the foundation's own log: signs that each checkpoint continues the last one that it saw.
struct AuditWitness: FleetVerb {
  static let configuration = CommandConfiguration(
    commandName: "witness", abstract: "Cosign the foundation's newest checkpoint, if its log only grew.",
    discussion: """
      Runs on a machine of somebody else's than the foundation's, every few minutes. The folder holds the witness's \
      key, which is made with --name at the first run, and the last checkpoint that it signed: that is on the disk \
      before the signature leaves. Asks the foundation and hands the signature over; with --log it reads what \
      `twinctl fleet log --from SIZE -o json` wrote, and prints the note for `twinctl fleet log --cosigned FILE`. \
      Leaves with 65 when the log went back or was changed: that is the alarm.
      """)

  @Argument(help: "The witness's own folder; made if it is not there.", completion: .directory) var path: String
  @Option(name: .long, help: "The fleet's newest root, N.root: it says whose log it is.", completion: .file())
  var root: String?
  @Option(name: .long, help: "Makes the key of a new witness of this name; nothing is signed yet.") var name: String?
  @Option(name: .long, help: "Read the log's state from this file instead of the foundation.", completion: .file())
  var log: String?
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    if let name { return try make(name) }
    let witness = try judging { () throws(ProvenanceFault) in try LogWitness(folder: path, root: try rootBytes()) }
    let state = try read(from: witness.seen?.size ?? 0, session)
    let note = try judging { () throws(ProvenanceFault) in try witness.cosign(state, at: Stream.now) }
    guard log == nil else { return Outcome(note, json: Array(note.utf8)) }
    let answer = try session.client.send(
      "POST", "/v1/fleet/log/cosignatures", body: API.FleetCosignature(note: note), as: API.FleetLog.self)
    return session.show(answer) { $0.fleetLog($1) }
  }

  private func make(_ name: String) throws(APIProblem) -> Outcome {
    let key = try judging { () throws(ProvenanceFault) in
      guard NoteKey(name: name, key: Ed25519.SecretKey().publicKey) != nil else {
        throw ProvenanceFault(
          .noteMalformed, path: "--name", "\(name) cannot be a witness's name", remedy: "use no space and no +")
      }
      return try OperatorKeys.makeKey(.witness, in: path, name: name)
    }
    let text = NoteKey(name: name, key: key.key!, algorithm: .cosignature)!.text
    return Outcome(
      "\(text)\nnext  twinctl keys root DIR --witness '\(text)', where the fleet's root key is\n",
      json: Array(text.utf8))
  }

  private func rootBytes() throws(ProvenanceFault) -> [UInt8] {
    guard let root, let bytes = SystemFiles.bytes(root, max: RootMetadata.bytesMax) else {
      throw ProvenanceFault(
        .io, path: root ?? "--root", "the fleet's root cannot be read", remedy: "name it: --root N.root")
    }
    return bytes
  }

  private func read(from size: UInt64, _ session: Session) throws(APIProblem) -> API.FleetLog {
    guard let log else {
      return try session.client.get("/v1/fleet/log?from=\(size)", as: API.FleetLog.self).data
    }
    guard let bytes = SystemFiles.bytes(log, max: 1 << 20),
      let document = try? APIJSON.decode(API.Document<API.FleetLog>.self, from: bytes)
    else {
      throw APIProblem(
        status: 0, code: "cli.unreadable", title: "\(log) is no state of a log", cause: "wanted a JSON document",
        next: "twinctl fleet log --from \(size) -o json")
    }
    return document.data
  }

  private func judging<Result>(
    _ body: () throws(ProvenanceFault) -> Result
  ) throws(APIProblem) -> Result {
    do throws(ProvenanceFault) { return try body() } catch { throw .input(error) }
  }
}

/// What a witness knows and does. `seen` in its folder is the number of the log restart that it follows, a line, and
/// the note that it signed last.
struct LogWitness {
  static let seenName = "seen"

  let folder: String
  let root: RootMetadata
  /// What the next checkpoint must continue; nil before the first.
  let seen: Checkpoint?

  init(folder: String, root bytes: [UInt8]) throws(ProvenanceFault) {
    self.folder = folder
    root = try RootMetadata(payload: try RootMetadata.envelope(bytes).payload)
    guard let kept = SystemFiles.bytes("\(folder)/\(Self.seenName)", max: SignedNote.bytesMax + 32) else {
      seen = nil
      return
    }
    let parts = kept.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let followed = UInt64(String(decoding: parts[0], as: UTF8.self)) else {
      throw ProvenanceFault(
        .noteMalformed, path: "\(folder)/\(Self.seenName)", "what the witness saw last cannot be read",
        remedy: "restore the file; a witness that forgot is a new witness, with another key")
    }
    if let restart = root.logRestart, restart.number > followed {
      // The root's keys said where the log goes on: what was seen before counts no more.
      seen = Checkpoint(origin: Checkpoint.origin(fleet: root.fleet), size: restart.size, root: restart.root)
    } else {
      seen = try Checkpoint(body: try SignedNote(parse: Array(parts[1])).text)
    }
  }

  /// The foundation's note with this witness's cosignature; refuses what does not continue what it saw.
  func cosign(_ state: API.FleetLog, at now: Instant) throws(ProvenanceFault) -> String {
    let note = try SignedNote(parse: state.note)
    let checkpoint = try Checkpoint(body: note.text)
    let origin = Checkpoint.origin(fleet: root.fleet)
    guard checkpoint.origin == origin else {
      throw Self.refused("the checkpoint is of \(checkpoint.origin), wanted \(origin)")
    }
    guard root.keys(.ingest).contains(where: { (try? note.verify(name: origin, key: $0)) != nil }) else {
      throw ProvenanceFault(
        .signatureWrong, path: origin, "no ingest key of root \(root.version) signed the checkpoint",
        remedy: "name the newest root; keep the checkpoint as evidence if it stays so")
    }
    try compare(checkpoint, state.proof.compactMap { Digest(hex: $0) })
    let key = try OperatorKeys.secretKey(.witness, in: folder)
    guard let name = root.keys.first(where: { $0.role == .witness && $0.key == key.publicKey })?.name else {
      throw ProvenanceFault(
        .signerUnknown, path: folder, "root \(root.version) does not name this witness",
        remedy: "have it added: twinctl keys root DIR --witness KEY")
    }
    // On the disk first: a witness that forgets would sign two logs.
    let kept = "\(root.logRestart?.number ?? 0)\n\(state.note)"
    try PrivateFile.write(Array(kept.utf8), directory: folder, name: Self.seenName)
    let seconds = UInt64(max(0, now.nanoseconds / 1_000_000_000))
    return state.note + (try Checkpoint.cosign(state.note, name: name, by: key, at: seconds))
  }

  private func compare(_ next: Checkpoint, _ proof: [Digest]) throws(ProvenanceFault) {
    guard let seen else { return }
    guard next.size >= seen.size else {
      throw Self.refused("the log went back from \(seen.size) to \(next.size) entries")
    }
    guard
      Merkle.verifyConsistency(from: seen.size, root1: seen.root, to: next.size, root2: next.root, proof: proof)
    else {
      throw Self.refused("the log of \(next.size) entries does not begin with the \(seen.size) that were seen")
    }
  }

  private static func refused(_ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .checkpointUnproven, path: "foundation log", problem,
      remedy: "sign nothing; tell the operators of the fleet, and compare with other witnesses")
  }
}

struct FleetLogCommand: FleetVerb {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "The newest checkpoint of the foundation's own log, and who has witnessed it.")
  @Option(name: .long, help: "With the proof that it continues the first so many entries.") var from: UInt64 = 0
  @Option(name: .long, help: "Hand over what a witness signed: its note.", completion: .file()) var cosigned: String?
  @OptionGroup var fleet: FleetOptions
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    guard let cosigned else {
      return try session.get("/v1/fleet/log?from=\(from)", as: API.FleetLog.self) { $0.fleetLog($1) }
    }
    guard let bytes = SystemFiles.bytes(cosigned, max: SignedNote.bytesMax) else {
      throw APIProblem(
        status: 0, code: "cli.unreadable", title: "\(cosigned) cannot be read", cause: "wanted a witness's note",
        next: "twinctl audit witness DIR --log FILE")
    }
    let answer = try session.client.send(
      "POST", "/v1/fleet/log/cosignatures",
      body: API.FleetCosignature(note: String(decoding: bytes, as: UTF8.self)), as: API.FleetLog.self)
    return session.show(answer) { $0.fleetLog($1) }
  }
}

extension Screen {
  func fleetLog(_ log: API.FleetLog) -> [String] {
    let lines = log.note.split(separator: "\n", omittingEmptySubsequences: false)
    let root = lines.count > 2 ? Base64.decode(lines[2].utf8).flatMap { Digest(bytes: $0) } : nil
    return ["\(Self.grouped(log.size)) entries of \(lines.first ?? "?")"]
      + labelled("root", root?.hex ?? "?")
      + labelled("seen", "by \(log.witnesses) witnesses, \(log.witnessesNeeded) needed")
      + labelled("as", "\(log.size):\(root?.hex ?? "?")")
  }
}
