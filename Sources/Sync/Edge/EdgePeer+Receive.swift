import DeltaLog
import Provenance
import TwinCore

extension EdgePeer {
  /// Trust metadata is passed on up to this size.
  static let metadataBytesMax = 256 << 10

  mutating func receive(_ topic: String, _ payload: [UInt8], _ now: Uptime) {
    guard link != nil, let topic = SyncTopic(topic) else {
      counters.refused += 1
      return
    }
    switch topic {
    case .metadata where payload.count <= Self.metadataBytesMax: actions.append(.metadata(topic, payload))
    case .state: greet(now)
    case .ack(site, let stream):
      receive(payload) { peer, type, body throws(ProvenanceFault) in
        switch type {
        case Ack.type: peer.take(try Ack(payload: body), stream, now)
        case Nack.type: peer.take(try Nack(payload: body), stream, now)
        default: peer.counters.refused += 1
        }
      }
    case .command(site):
      receive(payload) { peer, type, body throws(ProvenanceFault) in
        switch type {
        case Command.type: peer.take(try Command(payload: body), now)
        case ArtefactRequest.type: peer.take(try ArtefactRequest(payload: body))
        case ConsistencyAnswer.type: peer.take(try ConsistencyAnswer(payload: body))
        default: peer.counters.refused += 1
        }
      }
    case .directed(site):
      receive(payload) { peer, type, body throws(ProvenanceFault) in
        guard type == DirectedEntry.type else { return peer.counters.refused += 1 }
        peer.take(try DirectedEntry(payload: body), now)
      }
    case .download(site, let digest):
      receive(payload, max: SyncLimits.chunkPacketBytesMax) {
        peer, type, body throws(ProvenanceFault) in
        guard type == ArtefactChunk.type else { return peer.counters.refused += 1 }
        peer.take(try ArtefactChunk(payload: body), digest)
      }
    default: counters.refused += 1
    }
  }

  /// Opens an envelope; what is in it is looked at only if the foundation signed it.
  private mutating func receive(
    _ bytes: [UInt8], max: Int = SyncLimits.packetBytesMax,
    _ body: (inout EdgePeer, _ type: String, _ payload: [UInt8]) throws(ProvenanceFault) -> Void
  ) {
    guard bytes.count <= max, let envelope = try? SignedEnvelope(bytes, max: max) else {
      counters.refused += 1
      return
    }
    do {
      try envelope.verify(by: trust.ingest)
    } catch {
      counters.unsigned += 1
      raise(.forged, "a message under \(site)'s topics is not the foundation's: \(error.message)")
      return
    }
    do { try body(&self, envelope.type, envelope.payload) } catch { counters.refused += 1 }
  }

  private mutating func take(_ ack: Ack, _ stream: LogStream, _ now: Uptime) {
    let index = Int(stream.rawValue)
    guard ack.log == name(stream), ack.term >= senders[index].term, !isChangingEpoch else { return counters.stale += 1 }
    let state = log.head(stream)
    guard ack.next <= state.next else {
      raise(
        .foundationAhead, of: stream, "the foundation has \(ack.next) entries of \(stream), this site \(state.next)")
      return
    }
    // Only an answer to this session's birth is sure to be new; any other may have been recorded long ago.
    let isFresh = ack.session == link?.session
    do {
      guard ack.next >= state.firstKept else {
        if isFresh { try declareHole(stream, ack.next, state, now) } else { counters.stale += 1 }
        return
      }
      guard try log.head(stream, at: ack.next).chain == ack.chainAtNext else {
        raise(.fork, of: stream, "the foundation's first \(ack.next) entries of \(stream) are not this site's")
        return
      }
      place(index, ack, isFresh: isFresh, state, now)
      try raiseSafe(ack, state)
    } catch {
      note(error, now)
    }
  }

  private mutating func place(_ index: Int, _ ack: Ack, isFresh: Bool, _ state: StreamState, _ now: Uptime) {
    let stream = senders[index].stream
    let isTakeOver = ack.term > senders[index].term
    senders[index].term = ack.term
    let isFirst = isFresh && !senders[index].isKnown
    if isFirst || (isTakeOver && senders[index].isKnown && ack.next < senders[index].acked) {
      if ack.next < state.safe {
        raise(
          .foundationLost, of: stream, "the foundation fell back to \(ack.next) of \(stream), below safe \(state.safe)")
      }
      // The first answer to the only birth: the first that is known of this line.
      if isFirst, let link, link.birthFailures == 1 { roundTrip.note(now.nanoseconds(since: link.birthSentAt)) }
      senders[index].place(at: ack.next)
      senders[index].isKnown = senders[index].isKnown || isFresh
      resumes.remove(stream)
      // Known in full: the next birth waits for its own reason.
      let failures = link?.birthFailures ?? 0
      if senders.allSatisfy(\.isKnown) { link?.birthFailures = max(1, failures) }
    } else if senders[index].isKnown, ack.next >= senders[index].acked {
      let roundTrip = self.roundTrip
      let measured = senders[index].acknowledge(ack.next, at: now) { roundTrip.timeout(failures: $0) }
      if let measured { measure(measured, now) }
    } else {
      counters.stale += 1
      return
    }
    log.noteReceived(stream, next: ack.next)
    hurryHead(index, now)
    if ack.at >= creditAt { (creditAt, creditBytes) = (ack.at, min(Int(ack.creditBytes), SyncLimits.creditBytesMax)) }
    clear(.noWorker)
    if isFresh || link?.isUseful == true { noteUseful() }
  }

  private mutating func noteUseful() {
    guard link?.isUseful == false else { return }
    link?.isUseful = true
    actions.append(.sessionUseful)
  }

  private mutating func measure(_ flight: StreamSender.Flight, _ now: Uptime) {
    let sample = now.nanoseconds(since: flight.sentAt)
    roundTrip.note(sample)
    guard flight.first < flight.end, senders.contains(where: { $0.isBulk && $0.isKnown }) else { return }
    bulkWindow.note(
      queueing: roundTrip.queueing(sample), acked: flight.bytes, max: profile.bulkWindowBytesMax, at: now,
      roundTrip: sample)
  }

  /// Bodies below `safe` may go, but only on a receipt that this site's own tree agrees with.
  private mutating func raiseSafe(_ ack: Ack, _ state: StreamState) throws(DeltaLogFault) {
    guard ack.safe > state.safe, ack.safe >= state.firstKept else { return }
    let stream = ack.log.stream
    guard let receipt = ack.receipt else {
      raise(.receiptRefused, of: stream, "safe \(ack.safe) of \(stream) came without a receipt")
      return
    }
    let point = try log.head(stream, at: ack.safe)
    do {
      try trust.check(receipt: receipt, of: ack.log, size: ack.safe, root: point.root)
    } catch {
      raise(.receiptRefused, of: stream, error.message)
      return
    }
    try log.acknowledge(stream, safe: ack.safe, cosignature: receipt)
    clear(.receiptRefused)
  }

  /// The foundation wants entries that are gone: say so under this site's signature, once, and go on behind them.
  private mutating func declareHole(
    _ stream: LogStream, _ next: UInt64, _ state: StreamState, _ now: Uptime
  ) throws(DeltaLogFault) {
    guard resumes.insert(stream).inserted else { return }
    try log.declareGap(stream, from: next, to: state.firstKept)
    raise(.gap, of: stream, "the foundation misses \(next) to \(state.firstKept) of \(stream), which are not kept")
    askForBirth(at: now)
  }

  private mutating func take(_ nack: Nack, _ stream: LogStream, _ now: Uptime) {
    let index = Int(stream.rawValue)
    let state = log.head(stream)
    guard nack.log == name(stream), nack.term >= senders[index].term, senders[index].isKnown,
      nack.range.lowerBound >= max(state.safe, state.firstKept), nack.range.upperBound <= senders[index].highest
    else { return counters.stale += 1 }
    // A recorded request may come again and again: it costs one batch a time-out.
    let pause = roundTrip.timeout(failures: 0)
    if let last = senders[index].repairedAt, now.nanoseconds(since: last) < pause { return counters.stale += 1 }
    senders[index].repairedAt = now
    if nack.term > senders[index].term, nack.range.lowerBound < senders[index].acked {
      // Another node took over with less than this one had acknowledged.
      senders[index].term = nack.term
      senders[index].place(at: nack.range.lowerBound)
    } else {
      senders[index].repair = nack.range
    }
  }

  private mutating func take(_ command: Command, _ now: Uptime) {
    guard command.site == site, (command.term, command.at) > lastOrder else { return counters.stale += 1 }
    lastOrder = (command.term, command.at)
    switch command.order {
    case .rebirth(let challenge):
      guard rebirths.take(TokenBucket.one, at: now) else { return counters.stale += 1 }
      link?.challenge = challenge
      link?.birthAt = now
    case .newEpoch(let epoch, let boot):
      // The boot tells this device from a copy of it that runs elsewhere.
      guard epoch == log.epoch, boot == status.boot, !isChangingEpoch,
        newEpochAt.map({ now >= $0.after(Self.newEpochEvery) }) ?? true
      else { return counters.stale += 1 }
      (newEpochAt, isChangingEpoch) = (now, true)
      actions.append(.openEpoch(closing: epoch))
    case .limits(let intervalMs, let rate):
      if let intervalMs {
        profile.heartbeatEvery = .milliseconds(Int(intervalMs))
        link?.heartbeatAt = now.after(profile.heartbeatEvery)
      }
      if let rate { bulkBudget = Self.budget(profile, bytesPerSecond: Int(rate)) }
    }
  }

  /// A foundation says, unsigned, that it is there. Worth a birth if something waits for it, and never more.
  private mutating func greet(_ now: Uptime) {
    guard let link, senders.contains(where: { $0.failures > 1 }) || (!link.isUseful && link.birthFailures > 1) else {
      return
    }
    let spread = UInt64(Self.greetingSpread.wholeNanoseconds)
    let moment = now.advanced(byNanoseconds: Int64(random() % spread))
    guard link.birthFailures > 0, greetings.take(TokenBucket.one, at: now) else { return }
    askForBirth(at: moment)
    for index in senders.indices { senders[index].restart() }
  }

  private mutating func take(_ entry: DirectedEntry, _ now: Uptime) {
    guard entry.site == site else { return counters.refused += 1 }
    guard inbox.offer(entry) else {
      counters.stale += 1
      // It came again because the foundation does not know that it is installed.
      if entry.sequence < inbox.next { hurryHeartbeat(now) }
      return
    }
    if inbox.hasHole { hurryHeartbeat(now) }
  }

  mutating func handOverDirected(_ now: Uptime) {
    guard let entry = inbox.handOver(at: now) else { return }
    actions.append(.installDirected(entry))
  }
}
