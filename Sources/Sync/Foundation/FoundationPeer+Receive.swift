import Provenance
import TwinCore

extension FoundationPeer {
  /// A message that its site signed; nothing of the payload is believed yet.
  struct Signed {
    let site: SiteName
    let topic: SyncTopic
    let record: SiteRecord
    let envelope: SignedEnvelope
    /// As received.
    let bytes: [UInt8]
  }

  mutating func receive(
    _ text: String, _ bytes: [UInt8], _ now: Uptime, _ wall: Instant
  ) throws(LedgerFault) {
    counters.received += 1
    guard let topic = SyncTopic(text), let site = topic.site, let limit = Self.limit(topic), bytes.count <= limit else {
      counters.refused += 1
      return
    }
    switch credits.admit(site, bytes: bytes.count, at: now) {
    case .admitted: break
    case .floodBegins:
      notice(.flood, site, message: "\(site) sends more than \(configuration.floodBytesPerSecond) bytes a second")
      try tellCredit(site, now, wall)
      fallthrough
    case .flooding:
      counters.flooded += 1
      return
    }
    guard let record = try record(site, now), record.standing != .revoked else {
      counters.refused += 1
      return
    }
    guard let envelope = open(bytes, limit, record, site, wall) else { return }
    let signed = Signed(site: site, topic: topic, record: record, envelope: envelope, bytes: bytes)
    do { try dispatch(signed, now, wall) } catch {
      switch error {
      case .ledger(let fault): throw fault
      case .message(let fault):
        notice(.malformed, site, message: fault.message, evidence: bytes)
        counters.refused += 1
      }
    }
  }

  enum Refusal: Error {
    case ledger(LedgerFault)
    case message(ProvenanceFault)
  }

  private mutating func dispatch(_ signed: Signed, _ now: Uptime, _ wall: Instant) throws(Refusal) {
    switch (signed.topic, signed.envelope.type) {
    case (.log(_, let stream), Batch.type):
      let batch = try read(signed, Batch.init(payload:))
      guard isOwn(signed, batch.log.site), batch.log.stream == stream else {
        return foreign(signed, "a batch of \(batch.log)")
      }
      let admitted: AdmittedBatch
      do { admitted = try AdmittedBatch(batch, envelope: signed.bytes) } catch { throw .message(error) }
      stage(admitted, signed, now)
    case (.birth, Birth.type):
      let birth = try read(signed, Birth.init(payload:))
      guard isOwn(signed, birth.site) else { return foreign(signed, "a birth of \(birth.site)") }
      try store { peer throws(LedgerFault) in try peer.take(birth, signed, now, wall) }
    case (.heartbeat, Heartbeat.type):
      let heartbeat = try read(signed, Heartbeat.init(payload:))
      guard isOwn(signed, heartbeat.site) else { return foreign(signed, "a heartbeat of \(heartbeat.site)") }
      try store { peer throws(LedgerFault) in try peer.take(heartbeat, signed, now, wall) }
    case (.death, DeathHint.type):
      let hint = try read(signed, DeathHint.init(payload:))
      guard isOwn(signed, hint.site) else { return foreign(signed, "a death hint of \(hint.site)") }
      notice(.deathHint, signed.site, message: "session \(hint.session) of \(signed.site) may have ended")
    case (.request, ArtefactRequest.type):
      let request = try read(signed, ArtefactRequest.init(payload:))
      guard isOwn(signed, request.site) else { return foreign(signed, "a request of \(request.site)") }
      try store { peer throws(LedgerFault) in try peer.serve(request, now) }
    case (.request, ConsistencyRequest.type):
      let request = try read(signed, ConsistencyRequest.init(payload:))
      guard isOwn(signed, request.site) else { return foreign(signed, "a request of \(request.site)") }
      try store { peer throws(LedgerFault) in try peer.answer(request, signed) }
    case (.upload(_, let digest), ArtefactChunk.type):
      let chunk = try read(signed, ArtefactChunk.init(payload:))
      guard isOwn(signed, chunk.site), chunk.digest == digest else {
        return foreign(signed, "a chunk of \(chunk.site)")
      }
      try store { peer throws(LedgerFault) in try peer.keep(chunk) }
    default: try hold(signed, "type \(signed.envelope.type)")
    }
  }

  /// Reads a payload; one that a later release may understand is held.
  private mutating func read<Message>(
    _ signed: Signed, _ make: ([UInt8]) throws(ProvenanceFault) -> Message
  ) throws(Refusal) -> Message {
    do { return try make(signed.envelope.payload) } catch {
      if error.path == Batch.codecPlace { try hold(signed, error.message) }
      throw .message(error)
    }
  }

  private func isOwn(_ signed: Signed, _ site: SiteName) -> Bool { signed.site == site }

  private mutating func store(_ body: (inout FoundationPeer) throws(LedgerFault) -> Void) throws(Refusal) {
    do { try body(&self) } catch { throw .ledger(error) }
  }

  /// A site's own signature under what is another's: somebody moved it, or the site tries.
  private mutating func foreign(_ signed: Signed, _ what: String) {
    counters.refused += 1
    notice(.foreign, signed.site, message: "\(what) came on \(signed.topic)", evidence: signed.bytes)
  }

  private mutating func hold(_ signed: Signed, _ reason: String) throws(Refusal) {
    let message = HeldMessage(
      site: signed.site, topic: signed.topic.description, type: signed.envelope.type, reason: reason,
      envelope: signed.bytes)
    let isKept: Bool
    do { isKept = try ledger.hold(message) } catch { throw .ledger(error) }
    notice(
      .held, signed.site, message: "\(reason) is not known to this release: \(isKept ? "held" : "no room to hold it")")
  }

  private mutating func open(
    _ bytes: [UInt8], _ limit: Int, _ record: SiteRecord, _ site: SiteName, _ wall: Instant
  ) -> SignedEnvelope? {
    do {
      let envelope = try SignedEnvelope(bytes, max: limit)
      try envelope.verify(by: record.signingKeys(at: wall))
      return envelope
    } catch {
      counters.unsigned += 1
      notice(.forged, site, message: error.message, evidence: bytes)
      return nil
    }
  }

  /// Bytes of the largest message on a topic; nil where a foundation listens to none.
  private static func limit(_ topic: SyncTopic) -> Int? {
    switch topic {
    case .birth, .heartbeat, .death, .request, .log: SyncLimits.packetBytesMax
    case .upload: SyncLimits.chunkPacketBytesMax
    default: nil
    }
  }
}
