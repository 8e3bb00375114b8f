import Provenance
import TwinCore

extension FoundationPeer {
  mutating func take(
    _ birth: Birth, _ signed: Signed, _ now: Uptime, _ wall: Instant
  ) throws(LedgerFault) {
    let site = birth.site
    guard signed.record.standing == .active else {
      counters.refused += 1
      return notice(.refused, site, message: "\(site) is quarantined")
    }
    try compareSeen(birth, signed)
    let epoch = birth.mark.epoch
    let challenge = birth.challenge.flatMap {
      Challenge($0, site: site, epoch: epoch, key: configuration.challengeKey, at: wall)
    }
    guard let standing = try standing(of: birth, signed, isFresh: challenge != nil, now) else { return }
    switch standing {
    case .open: break
    case .closed: return order(.newEpoch(closing: epoch, boot: birth.status.boot), site, wall)
    case .awaitingApproval:
      return notice(.epochPending, site, message: "epoch \(epoch) of \(site) waits for an operator")
    }
    var heads: [(LogName, StoredLog?)] = []
    for head in birth.streams {
      let name = LogName(site: site, epoch: epoch, stream: head.stream)
      switch try compare(head, name, signed, challenge, now) {
      case .goesOn(let stored): heads.append((name, stored))
      case .restored:
        try closeRestored(birth, head, wall)
        return
      case .forked: return
      }
    }
    if try noteHeard(birth.mark, birth.intervalMs, site, isFresh: challenge != nil, wall) {
      try ledger.noteBirth(birth, of: site, at: wall, evidence: signed.bytes)
    }
    for (name, stored) in heads { acknowledge(name, stored, session: birth.mark.session, now, wall) }
    try ledger.noteDirected(to: site, next: birth.directedNext)
    try deliver(to: site, from: birth.directedNext, now)
  }

  private enum Comparison {
    case goesOn(StoredLog?)
    case restored
    case forked
  }

  private mutating func compare(
    _ head: Birth.StreamHead, _ name: LogName, _ signed: Signed, _ challenge: Challenge?, _ now: Uptime
  ) throws(LedgerFault) -> Comparison {
    let stored = try ledger.stored(name)
    let next = stored?.next ?? 0
    if head.next < next {
      // Entries may have overtaken the birth. Only one made after a challenge cannot know less than the challenge did.
      if let challenge, head.next < challenge.next[Int(head.stream.rawValue)] { return .restored }
      if challenge == nil { askRebirth(name.site, name.epoch, now) }
      return .goesOn(stored)
    }
    if head.next == next, let stored, stored.head.chain != head.chain {
      let reason = "\(name) has another history of \(next) entries than the one stored"
      try ledger.quarantine(name.site, reason: reason, evidence: [signed.bytes])
      records[name.site] = nil
      notice(.fork, name.site, name.stream, message: reason, evidence: signed.bytes)
      return .forked
    }
    guard next < head.firstKept, let resume = head.resume else { return .goesOn(stored) }
    let gap = DeclaredGap(log: name, from: next, resume: resume, evidence: signed.bytes)
    let after = try ledger.declare(gap)
    notice(
      .gap, name.site, name.stream, message: "\(name.site) no longer has \(next) to \(head.firstKept) of \(name)",
      evidence: signed.bytes)
    return .goesOn(after)
  }

  /// The site's disk is older than what it sent: what it writes now must not be mistaken for that.
  private mutating func closeRestored(
    _ birth: Birth, _ head: Birth.StreamHead, _ wall: Instant
  ) throws(LedgerFault) {
    let site = birth.site
    let reason = "\(site) reports \(head.next) entries of \(head.stream), fewer than it sent before: restored"
    try ledger.close(birth.mark.epoch, of: site, reason: reason)
    records[site] = nil
    notice(.restored, site, head.stream, message: reason)
    notice(.epochClosed, site, message: "epoch \(birth.mark.epoch) of \(site)")
    order(.newEpoch(closing: birth.mark.epoch, boot: birth.status.boot), site, wall)
  }

  /// How the birth's epoch stands, opening it where that needs nobody; nil where a newer birth must come first.
  private mutating func standing(
    of birth: Birth, _ signed: Signed, isFresh: Bool, _ now: Uptime
  ) throws(LedgerFault) -> EpochStanding? {
    let (site, epoch) = (birth.site, birth.mark.epoch)
    if let known = signed.record.epoch(epoch) { return known.standing }
    guard isFresh else {
      askRebirth(site, epoch, now)
      return nil
    }
    // A site may begin, and may follow an epoch that was closed; anything else could be somebody's second history.
    let previous = birth.status.previousEpoch
    let isLinked =
      signed.record.epochs.isEmpty
      || (signed.record.openEpoch == nil && previous != nil && signed.record.epochs.last?.epoch == previous
        && signed.record.epochs.last?.standing == .closed)
    let asked = SiteEpoch(epoch: epoch, standing: isLinked ? .open : .awaitingApproval, previous: previous)
    let opened = try ledger.open(asked, of: site, evidence: signed.bytes)
    records[site] = nil
    if opened.standing == .open { notice(.epochOpened, site, message: "epoch \(epoch) of \(site)") }
    return opened.standing
  }

  /// Asks for a birth that proves its age, at a moment of the site's own and not too often.
  mutating func askRebirth(_ site: SiteName, _ epoch: LogEpoch, _ now: Uptime) {
    guard rebirths[site] == nil, rebirths.count < Self.scheduledMax else { return }
    if let last = rebirthBuckets[site], now.nanoseconds(since: last) < configuration.rebirthEvery.wholeNanoseconds {
      return
    }
    if rebirthBuckets.count >= CreditBook.accountsMax { rebirthBuckets.removeAll() }
    rebirthBuckets[site] = now
    let spread = UInt64(max(1, configuration.rebirthSpread.wholeNanoseconds))
    rebirths[site] = (epoch, now.advanced(byNanoseconds: Int64(random() % spread)))
  }

  mutating func sendRebirths(_ now: Uptime, _ wall: Instant) throws(LedgerFault) {
    for (site, asked) in rebirths.filter({ now >= $0.value.at }).sorted(by: { $0.key < $1.key }) {
      guard rebirthBucket.take(1, at: now) else {
        rebirths[site]?.at = now.after(.seconds(1))
        continue
      }
      rebirths[site] = nil
      var next: [UInt64] = []
      for stream in LogStream.allCases {
        next.append(try ledger.stored(LogName(site: site, epoch: asked.epoch, stream: stream))?.next ?? 0)
      }
      let challenge = Challenge(atMs: wall.milliseconds, next: next)
      counters.rebirths += 1
      order(
        .rebirth(challenge: challenge.encoded(site: site, epoch: asked.epoch, key: configuration.challengeKey)), site,
        wall)
    }
  }

  mutating func order(_ order: Command.Order, _ site: SiteName, _ wall: Instant) {
    let command = Command(site: site, order: order, term: ledger.term, at: wall.milliseconds)
    publish(.command(site), command.sealed(by: configuration.seal), qos: 1)
  }
}
