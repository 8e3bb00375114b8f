import DeltaLog
import Provenance
import TwinCore

extension EdgePeer {
  mutating func raise(_ kind: SyncAlarm.Kind, of stream: LogStream? = nil, _ message: String) {
    guard raised[kind, default: []].insert(stream).inserted else { return }
    actions.append(.raise(SyncAlarm(kind, stream, message)))
  }

  mutating func clear(_ kind: SyncAlarm.Kind) {
    guard raised.removeValue(forKey: kind) != nil else { return }
    actions.append(.clear(kind))
  }

  mutating func note(_ fault: DeltaLogFault, _ now: Uptime) {
    raise(.logUnreadable, "the site's log cannot be sent from: \(fault.message)")
    logRetryAt = now.after(Self.logPause)
  }

  mutating func watchAckAge(_ now: Uptime) {
    let oldest = senders.compactMap(\.unansweredSince).min()
    guard let oldest, now.nanoseconds(since: oldest) > Self.ackAgeMax.wholeNanoseconds else {
      return clear(.ackAge)
    }
    raise(.ackAge, "nothing was acknowledged for \(now.nanoseconds(since: oldest) / 1_000_000_000) s")
  }

  mutating func notePublished(_ id: UInt64, _ reason: UInt8) {
    upload.notePublished(id)
    switch reason {
    case 0: break
    case BrokerReason.noMatchingSubscribers: raise(.noWorker, "the broker has no worker of the foundation attached")
    case BrokerReason.notAuthorized: raise(.accessRefused, "the broker refuses a topic of \(site)")
    default: counters.refused += 1
    }
  }

  /// When something is due next; nil when only an event can bring something.
  func deadline(_ now: Uptime) -> Uptime? {
    var due: [Uptime?] = [inbox.retryAt]
    if let link {
      due.append(link.heartbeatAt)
      if needsBirth { due.append(link.birthAt) }
      due += senders.map(\.deadline)
      due += downloads.values.map(\.deadline)
      due.append(bulkDueAt(now))
      due.append(logRetryAt)
      due.append(question?.askAt)
      if creditBytes == 0 { due.append((probedAt ?? now).after(Self.probeEvery)) }
      if let oldest = senders.compactMap(\.unansweredSince).min(), raised[.ackAge] == nil {
        due.append(oldest.after(Self.ackAgeMax).advanced(byNanoseconds: 1))
      }
    }
    return due.compactMap { $0 }.min()
  }
}
