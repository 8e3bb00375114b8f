import Ledger
import Logging
import Provenance
import Seams
import StatusAPI
import TwinCore

// The foundation's own log: its checkpoints, what becomes of them in metadata, and who witnesses them.

extension FleetDesk {
  /// Checkpoints among which one that is witnessed is looked for: a day of them.
  static let headsLookedAt = 1440

  /// Once a minute: the foundation's own log, and what must stay fresh.
  func refresh() {
    do {
      try ledger.leafSiteCheckpoints()
      try checkpoint()
      metadata.head = try newestHead()
      let isNews = try metadata.refresh(at: clock.instant)
      try logMetadata()
      if isNews { tellMetadata() }
      metadataFault = nil
    } catch let fault as any Fault {
      metadataFault = FoundationFault(fault)
      logger.error("metadata", metadata: ["cause": "\(fault.message)", "next": "\(fault.remedy)"])
    } catch {
      logger.error("metadata", metadata: ["cause": "\(error)"])
    }
  }

  /// What was published becomes a leaf: a foundation cannot give one site a set that the others do not hear of.
  func logMetadata() throws(APIProblem) {
    guard let set = metadata.takeUnlogged() else { return }
    try leaf(.metadata, nil, "metadata", settings.name, "published", detail: set.versions)
    guard let restart = set.restart else { return }
    try leaf(
      .restart, nil, "log restart \(restart.number)", settings.name, "by the root's keys",
      detail: "\(restart.size) entries, \(restart.root.hex)")
  }

  /// Signs the foundation's own log as it stands, where it has grown.
  func checkpoint() throws {
    let frontier = try ledger.foundationHead()
    guard frontier.size > 0, try ledger.foundationCheckpoint()?.size ?? 0 < frontier.size else { return }
    let checkpoint = Checkpoint(
      origin: Checkpoint.origin(fleet: settings.fleet), size: frontier.size, root: frontier.root)
    let note = checkpoint.signed(name: checkpoint.origin, by: try folder.key(.ingest))
    try ledger.keepFoundationCheckpoint(size: frontier.size, root: frontier.root, note: note)
  }

  /// The newest checkpoint that enough witnesses have seen, as the root demands; without witnesses the newest one.
  func newestHead() throws(LedgerError) -> FoundationHead? {
    let root = metadata.store.root
    var below = UInt64.max
    for _ in 0..<Self.headsLookedAt {
      guard let kept = try ledger.foundationCheckpoint(atMost: below) else { return nil }
      if root.witnesses(of: kept.note) >= root.threshold(.witness) {
        return FoundationHead(
          checkpoint: FoundationCheckpoint(
            origin: Checkpoint.origin(fleet: settings.fleet), size: kept.size, root: kept.root), note: kept.note)
      }
      guard kept.size > 0 else { return nil }
      below = kept.size - 1
    }
    return nil
  }

  func log(from: UInt64) throws(APIProblem) -> API.FleetLog {
    guard let kept = try asking({ () throws(LedgerError) in try ledger.foundationCheckpoint() }) else {
      throw .refused(
        "there is no checkpoint yet", cause: "it is made within a minute of the log's first entry", next: "try again")
    }
    return try asking { () throws(LedgerError) in
      // Who saw more than is here is told what is here: the contradiction is its to find.
      let proof = from <= kept.size ? try ledger.consistencyProof(from: from, to: kept.size) : []
      let root = metadata.store.root
      return API.FleetLog(
        note: kept.note, size: Int64(clamping: kept.size), from: Int64(clamping: from), proof: proof.map(\.hex),
        witnesses: root.witnesses(of: kept.note), witnessesNeeded: root.threshold(.witness))
    }
  }

  /// Keeps a cosignature beside the others, if the root knows its witness; sites get it with the next metadata.
  func cosign(_ request: API.FleetCosignature) throws(APIProblem) -> API.FleetLog {
    let size: UInt64
    do {
      let seen = try Checkpoint(body: SignedNote(parse: request.note).text)
      guard let kept = try ledger.foundationCheckpoint(atMost: seen.size), kept.size == seen.size else {
        throw ProvenanceFault(
          .checkpointUnproven, path: "foundation log", "there is no checkpoint of \(seen.size) entries here",
          remedy: "have the witness look again: twinctl audit witness")
      }
      var note = kept.note
      for key in metadata.store.root.keys {
        guard key.role == .witness, let name = key.name, let publicKey = key.key,
          (try? Checkpoint.verifyCosignature(of: request.note, name: name, key: publicKey)) != nil
        else { continue }
        note = try Checkpoint.adding(cosignatureOf: name, key: publicKey, from: request.note, to: note)
      }
      guard note != kept.note else {
        throw ProvenanceFault(
          .signerUnknown, path: "foundation log", "no witness of the fleet's root signed it",
          remedy: "add the witness to the root: twinctl keys root DIR --witness KEY")
      }
      try ledger.keepFoundationCheckpoint(size: kept.size, root: kept.root, note: note)
      size = kept.size
    } catch let fault as LedgerError {
      throw APIProblem(ledger: fault)
    } catch let fault as any Fault {
      throw APIProblem(foundation: FoundationFault(fault))
    } catch {
      throw .invalid("it is no cosigned checkpoint", cause: "\(error)", next: "twinctl audit witness")
    }
    refresh()
    return try log(from: size)
  }
}
