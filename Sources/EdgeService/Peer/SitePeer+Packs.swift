import DeltaLog
import Guard
import Logging
import Provenance
import Seams
import SitePack
import Sodium
import StatusAPI
import Sync
import TwinCore

/// A pack that is being fetched for a directed entry.
struct PackFetch {
  var sequence: UInt64
  var offer: PackOffer
  var file: any OpenFile
}

extension SitePeer {
  /// A directed entry is kept before it is acted upon: what becomes of it survives a start.
  func keep(_ entry: DirectedEntry) -> DirectedAnswer {
    do throws(DeltaLogFault) {
      try log.keepDirected(entry.sequence, entry.payload)
    } catch {
      note(error)
      return .later
    }
    mailbox.yield(.recorded)
    return .taken
  }

  /// Takes up what waits, the oldest first. A pack waits on while the site may install none.
  func workOff() {
    do throws(DeltaLogFault) {
      for record in try log.directedWaiting(maxCount: Self.waitingLookedAt) {
        switch Directed(record) {
        case .pack(let offer):
          guard fetching == nil, mayInstall else { continue }
          begin(offer, record.sequence)
        case .keys(let order):
          // Once the new keys are logged the order is obeyed, and what is repeated of it asks for keys that are gone.
          if order.keyEpoch == key.keyEpoch { rotateKeys() }
          guard rotation != nil || order.keyEpoch != key.keyEpoch else { continue }
          try log.noteInstalled(record.sequence)
        case nil:
          // Of a later release, or none of ours: it is told as refused, and the next one gets its turn.
          try tell(.audit, kind: "directed_refused", subject: "\(record.sequence)")
          try log.noteInstalled(record.sequence)
        }
      }
    } catch {
      note(error)
    }
  }

  /// Entries that one look goes over: a pack that waits holds back nothing else.
  static let waitingLookedAt = 16

  private enum Directed {
    case pack(PackOffer)
    case keys(KeyOrder)

    init?(_ record: DirectedRecord) {
      guard let entry = try? DirectedEntry(payload: record.bytes) else { return nil }
      if entry.kind == .packOffered, let offer = try? PackOffer(body: entry.body),
        offer.manifest.size <= UInt64(PackArchive.bytesMax)
      {
        self = .pack(offer)
      } else if entry.kind == .keysOrdered, let order = try? KeyOrder(body: entry.body) {
        self = .keys(order)
      } else {
        return nil
      }
    }
  }

  /// From STALE on, and while the foundation contradicts itself, nothing is installed; it is when that is over.
  private var mayInstall: Bool {
    trust.store.frozen == nil && trust.standing(at: clock.instant).allowed.installs
  }

  private func begin(_ offer: PackOffer, _ sequence: UInt64) {
    let digest = offer.manifest.digest
    do {
      let files = SystemFileStore()
      try files.makeDirectory(folder.artefacts)
      let file = try files.open("\(folder.artefacts)/\(digest.hex)", .create)
      let kept = try log.artefact(digest)
      let have = kept.flatMap { ChunkMap(count: offer.manifest.chunkCount, bytes: $0.bitmap) }
      fetching = PackFetch(sequence: sequence, offer: offer, file: file)
      guard peer.fetch(offer.manifest, have: have) else {
        fetching = nil
        return
      }
      wakeAt = clock.uptime
    } catch let fault as DeltaLogFault {
      note(fault)
    } catch {
      note(DeltaLogFault(.io, "\(error)"))
    }
  }

  /// Writes a verified chunk; its place in the map is kept after it.
  func keep(_ chunk: ArtefactChunk) -> Bool {
    guard let fetching, fetching.offer.manifest.digest == chunk.digest else { return false }
    do {
      try fetching.file.write(chunk.bytes, at: Int64(chunk.index) * Int64(SyncLimits.chunkBytes))
      try fetching.file.sync()
      var map = peer.progress(of: chunk.digest) ?? ChunkMap(count: fetching.offer.manifest.chunkCount)
      map.insert(chunk.index)
      try log.keepArtefact(chunk.digest, ArtefactProgress(size: fetching.offer.manifest.size, bitmap: map.bytes))
      return true
    } catch {
      health.raise(
        Problem(
          id: "sync.fetch", code: "sync.fetch", severity: .warning, title: "a pack cannot be fetched",
          cause: "\(error)", effect: "the site runs the pack it has", next: "free space in the state directory",
          since: clock.instant))
      return false
    }
  }

  /// Everything is there: judges it, and takes it up or says why not.
  func complete(_ digest: Digest) async {
    guard let done = fetching, done.offer.manifest.digest == digest else { return }
    fetching = nil
    // It came, and may not be judged now: the offer waits on, and what was fetched is kept.
    guard mayInstall else { return }
    let path = "\(folder.artefacts)/\(digest.hex)"
    let why = take(up: done.offer, from: path)
    let outcome = PackOutcome(
      digest: digest, version: done.offer.version, envelopesVersion: done.offer.envelopesVersion, isTaken: why == nil,
      why: why ?? "")
    do throws(DeltaLogFault) {
      try log.append(.audit, kind: .packInstalled, body: outcome.body, at: clock.instant, uptime: clock.uptime)
      try log.keepArtefact(digest, nil)
      try log.noteInstalled(done.sequence)
    } catch {
      note(error)
    }
    try? SystemFileStore().remove(path)
    await act(on: .appended)
    guard let why else {
      logger.info("a pack was taken up", metadata: ["version": "\(done.offer.version)"])
      reopen()
      return
    }
    health.raise(
      Problem(
        id: "sync.pack", code: "sync.pack_refused", severity: .warning, title: "a pack from the foundation was refused",
        cause: why, effect: "the site runs the pack it has", next: "have the pack signed and published again",
        since: clock.instant))
  }

  /// Nil when the pack is kept for the next start, else why it is refused.
  private func take(up offer: PackOffer, from path: String) -> String? {
    guard let bytes = SystemFiles.bytes(path, max: PackArchive.bytesMax),
      Sodium.blake2b256(bytes) == offer.manifest.digest
    else { return "the bytes are not those that were offered" }
    do {
      let files = try PackArchive.decode(bytes)
      let floor: TrustStore.EnvelopeFloor
      switch trust.admit(files, for: enrolment.site, packSite: site.info.qualifiedID, at: clock.instant) {
      case .refuse(let problems): return problems.map(\.message).joined(separator: "; ")
      case .install(let admitted): floor = admitted.envelope
      }
      let trial = try Commissioned.load(files, configuration)
      guard let seal = trial.seal else { return trial.ceilingReason ?? "the pack is not signed by this site's keys" }
      guard seal.version > site.seal?.version ?? 0, seal.envelopesVersion >= site.seal?.envelopesVersion ?? 0 else {
        return "version \(seal.version) is not newer than what runs"
      }
      try ReceivedPacks(state: configuration.state).keep(bytes, version: seal.version)
      try trust.noteInstalled(floor)
      return nil
    } catch let fault as any Fault {
      return fault.message
    } catch {
      return "\(error)"
    }
  }

  func tell(_ kind: LogKind, kind text: String, subject: String) throws(DeltaLogFault) {
    let body = CBORItem.map(
      (0, .integer(0)), (1, .integer(clock.instant.nanoseconds)), (2, .text(text)), (3, .text(subject)), (4, .bytes([]))
    ).encoded
    try log.append(.audit, kind: kind, body: body, at: clock.instant, uptime: clock.uptime)
  }
}
