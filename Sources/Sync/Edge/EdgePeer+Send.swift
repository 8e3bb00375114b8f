import DeltaLog
import Provenance
import TwinCore

extension EdgePeer {
  /// Batches on the way over all streams that bulk leaves to audit and control.
  static let reservedBatches = 8

  mutating func goBackIfDue(_ now: Uptime) {
    for index in senders.indices where senders[index].isKnown {
      let roundTrip = self.roundTrip
      guard senders[index].goBack(at: now, timeout: { roundTrip.timeout(failures: $0) }) else { continue }
      if senders[index].isBulk { bulkWindow.shrink(now, roundTrip.timeout(failures: 0)) }
    }
  }

  /// Sends what may go, audit first: whatever bulk is waiting, it waits behind.
  mutating func sendBatches(_ now: Uptime) {
    guard !isChangingEpoch, logRetryAt.map({ now >= $0 }) ?? true else { return }
    logRetryAt = nil
    for index in senders.indices {
      do {
        while try sendBatch(index, now) {}
      } catch {
        note(error, now)
        return
      }
    }
    clear(.logUnreadable)
  }

  private mutating func sendBatch(_ index: Int, _ now: Uptime) throws(DeltaLogFault) -> Bool {
    let sender = senders[index]
    let state = log.head(sender.stream)
    noteWaiting(index, state, now)
    guard sender.isKnown, maySend(sender, now), let range = nextRange(sender, state, now) else { return false }
    // A hole at the beginning is the birth's matter.
    guard range.lowerBound >= state.firstKept else {
      senders[index].isKnown = false
      askForBirth(at: now)
      return false
    }
    guard let (batch, packet) = try makeBatch(sender, range) else { return false }
    let flight = StreamSender.Flight(
      first: batch.first, end: batch.end, bytes: packet.count, sentAt: now, isRepeat: sender.isRepeat(batch.first))
    senders[index].noteSent(flight, timeout: roundTrip.timeout(failures: sender.failures))
    if senders[index].sent == state.next { senders[index].waitingSince = nil }
    if sender.isBulk { bulkBudget?.spend(Int64(packet.count), at: now) }
    if creditBytes == 0 { probedAt = now }
    counters.batches += 1
    if flight.isRepeat { counters.repeats += 1 }
    _ = publish(.log(site, sender.stream), packet, qos: 1)
    return true
  }

  private mutating func noteWaiting(_ index: Int, _ state: StreamState, _ now: Uptime) {
    if senders[index].sent >= state.next {
      senders[index].waitingSince = nil
    } else if senders[index].waitingSince == nil {
      senders[index].waitingSince = now
    }
  }

  /// Whether window, credit and budget leave room for one more batch of the stream.
  private mutating func maySend(_ sender: StreamSender, _ now: Uptime) -> Bool {
    let inFlight = senders.reduce(0) { $0 + $1.flights.count }
    let bytes = senders.reduce(0) { $0 + $1.bytesInFlight }
    guard sender.hasRoom else { return false }
    if creditBytes == 0 {
      // A refused site asks now and then with one batch whether it is still refused.
      return inFlight == 0 && (probedAt.map { now >= $0.after(Self.probeEvery) } ?? true)
    }
    guard sender.isBulk else {
      return inFlight < SyncLimits.windowBatchesMax && (bytes < creditBytes || sender.flights.isEmpty)
    }
    let bulk = senders.reduce(0) { $0 + ($1.isBulk ? $1.bytesInFlight : 0) }
    return inFlight < SyncLimits.windowBatchesMax - Self.reservedBatches && bytes < creditBytes / 4 * 3
      && bulk < min(bulkWindow.bytes, profile.bulkWindowBytesMax) && bulkBudget?.readyAt(now) == nil
  }

  /// What to send of the stream now, if it need not wait for company.
  private func nextRange(_ sender: StreamSender, _ state: StreamState, _ now: Uptime) -> Range<UInt64>? {
    if let repair = sender.repair { return repair }
    guard sender.sent < state.next else { return nil }
    let all = sender.sent..<state.next
    if sender.stream <= .model || sender.isRepeat(sender.sent) { return all }
    if flushAt(sender).map({ now >= $0 }) ?? false { return all }
    let unsent = Int(clamping: state.bytesWaiting) - sender.bytesInFlight
    return unsent >= min(profile.bulkFlushBytes, SyncLimits.batchBytesTarget * 4) ? all : nil
  }

  /// When features and debug entries have waited long enough.
  private func flushAt(_ sender: StreamSender) -> Uptime? {
    sender.waitingSince.map { $0.after(profile.bulkFlushAfter) }
  }

  /// When bulk that waits for company or for its budget is to be looked at again.
  func bulkDueAt(_ now: Uptime) -> Uptime? {
    guard !isChangingEpoch else { return nil }
    var budget = bulkBudget
    let ready = budget?.readyAt(now)
    let waiting = senders.filter { $0.isBulk && $0.isKnown && $0.hasRoom && $0.waitingSince != nil }
    let due = waiting.compactMap { sender in
      sender.stream <= .model ? ready : [flushAt(sender), ready].compactMap { $0 }.max()
    }
    // What is due already waits for an acknowledgement, which is an event.
    return due.filter { $0 > now }.min()
  }

  /// The batch that begins the range, as large as may be, and its bytes in an envelope.
  private mutating func makeBatch(
    _ sender: StreamSender, _ range: Range<UInt64>
  ) throws(DeltaLogFault) -> (Batch, [UInt8])? {
    let target = sender.isBulk ? bulkWindow.batchBytes : SyncLimits.batchBytesTarget
    let packetMax = min(SyncLimits.packetBytesMax, link?.packetBytesMax ?? 0)
    let count = Int(clamping: min(UInt64(SyncLimits.batchEntriesMax), UInt64(range.count)))
    var records = try log.records(
      sender.stream, from: range.lowerBound, maxCount: count, maxBytes: min(target, packetMax * 3 / 4))
    while !records.isEmpty {
      let batch = try batch(sender.stream, records)
      let packet = batch.sealed(by: seal)
      if Publication.packetBytes(.log(site, sender.stream), packet.count) <= packetMax { return (batch, packet) }
      if records.count > 1 {
        records.removeLast(records.count / 2)
      } else if records[0].body != nil {
        // It would never go through, and everything behind it would wait for ever.
        let length = records[0].body?.count ?? 0
        raise(
          .bodyWithheld, of: sender.stream, "entry \(records[0].sequence) has a body of \(length) bytes: sent without")
        records[0].body = nil
      } else {
        raise(
          .accessRefused, of: sender.stream, "the broker takes packets of \(packetMax) bytes, too few for one entry")
        return nil
      }
    }
    return nil
  }

  private func batch(_ stream: LogStream, _ records: [LogRecord]) throws(DeltaLogFault) -> Batch {
    let first = records[0].sequence
    let before = try log.head(stream, at: first)
    let after = try log.head(stream, at: first + UInt64(records.count))
    return Batch(
      log: name(stream), first: first, chainBefore: before.chain, chainAfter: after.chain, root: after.root,
      entries: records.map(\.entry), bodies: records.map(\.body))
  }
}
