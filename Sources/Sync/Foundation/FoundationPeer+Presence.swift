import Provenance
import TwinCore

extension FoundationPeer {
  mutating func take(
    _ heartbeat: Heartbeat, _ signed: Signed, _ now: Uptime, _ wall: Instant
  ) throws(LedgerFault) {
    let site = heartbeat.site
    guard signed.record.epoch(heartbeat.mark.epoch)?.standing == .open else {
      return askRebirth(site, heartbeat.mark.epoch, now)
    }
    guard try noteHeard(heartbeat.mark, heartbeat.intervalMs, site, isFresh: false, wall) else {
      return counters.stale += 1
    }
    try takeHeads(heartbeat, signed, wall)
    for stream in LogStream.allCases {
      let name = LogName(site: site, epoch: heartbeat.mark.epoch, stream: stream)
      try compare(heartbeat.progress[Int(stream.rawValue)], name, now, wall)
    }
    try ledger.noteDirected(to: site, next: heartbeat.directedNext)
    try deliver(to: site, from: heartbeat.directedNext, now)
  }

  private mutating func compare(
    _ progress: Heartbeat.Progress, _ name: LogName, _ now: Uptime, _ wall: Instant
  ) throws(LedgerFault) {
    guard let stored = try ledger.stored(name) else {
      if progress.sent > 0 { claim(name, progress.sent, now) }
      return
    }
    if progress.next < stored.next { askRebirth(name.site, name.epoch, now) }
    if progress.sent > stored.next { claim(name, progress.sent, now) }
    // The site does not know what is stored: an ack was lost, or another node acknowledged more than it left behind.
    if stored.next != progress.acked || stored.safe > progress.safe {
      acknowledge(name, stored, session: nil, now, wall)
    }
  }

  /// The site says it sent more than is here. What is only late will be here in a moment.
  private mutating func claim(_ name: LogName, _ sent: UInt64, _ now: Uptime) {
    guard claims[name] != nil || claims.count < Self.scheduledMax else { return }
    claims[name] = (sent, now.after(configuration.reorderAfter))
  }

  mutating func checkClaims(_ now: Uptime, _ wall: Instant) throws(LedgerFault) {
    let due = claims.filter { now >= $0.value.at }.sorted { $0.key.description < $1.key.description }
    for (name, claim) in due {
      let next = try ledger.stored(name)?.next ?? 0
      claims[name] = nil
      guard claim.sent > next else { continue }
      notice(
        .missing, name.site, name.stream,
        message: "\(name.site) sent \(claim.sent) entries of \(name.stream), \(next) came: something is kept back")
      ask(name, next..<claim.sent, wall)
    }
  }

  /// Notes a sign of life. False for one that is not newer than the last: whoever repeats it proves nothing.
  @discardableResult
  mutating func noteHeard(
    _ mark: SitePresence.Mark, _ intervalMs: UInt32, _ site: SiteName, isFresh: Bool, _ wall: Instant
  ) throws(LedgerFault) -> Bool {
    let before = try ledger.presence(of: site)
    if let before, !isFresh, before.mark.epoch == mark.epoch, !mark.isNewer(than: before.mark) {
      return false
    }
    try ledger.note(
      SitePresence(site: site, state: .online, heardAt: wall, intervalMs: intervalMs, mark: mark))
    if let before, before.state != .online { notice(.online, site, message: "\(site) is back") }
    return true
  }

  /// Marks sites that went silent.
  mutating func sweep(_ now: Uptime, _ wall: Instant) throws(LedgerFault) {
    guard let due = sweepAt, now >= due else { return }
    sweepAt = now.after(Self.sweepEvery)
    for var presence in try ledger.presences(dueBefore: wall, limit: Self.sweepMax) {
      let state = presence.state(at: wall)
      guard state != presence.state else { continue }
      presence.state = state
      try ledger.note(presence)
      let silence = wall.nanoseconds(since: presence.heardAt) / 1_000_000_000
      notice(
        state == .offline ? .offline : .late, presence.site, message: "\(presence.site) was not heard for \(silence) s")
    }
  }

  mutating func noteAppended(_ site: SiteName, _ now: Uptime) throws(LedgerFault) {
    // What the site last said, to whichever worker. One that is away hears it when it comes back.
    try deliver(to: site, from: try ledger.directedNext(of: site), now)
  }

  /// Sends what the site has not installed, a window at a time; its next heartbeat asks for more.
  mutating func deliver(to site: SiteName, from next: UInt64, _ now: Uptime) throws(LedgerFault) {
    var from = next
    if let sent = directed[site], now < sent.until, sent.end > next { from = sent.end }
    let room = SyncLimits.directedWindow - Int(clamping: from - next)
    guard room > 0, packetBytesMax != nil else { return }
    let entries = try ledger.directed(to: site, from: from, limit: room)
    guard let last = entries.last else { return }
    for entry in entries { publish(.directed(site), entry.sealed(by: configuration.seal), qos: 1) }
    if directed.count >= CreditBook.accountsMax { directed.removeAll() }
    directed[site] = (last.sequence + 1, now.after(Self.directedPause))
  }
}
