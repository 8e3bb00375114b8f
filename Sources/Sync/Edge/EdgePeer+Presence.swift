import DeltaLog
import Provenance
import TwinCore

extension EdgePeer {
  /// Whether the foundation does not know yet what this session is about.
  var needsBirth: Bool {
    guard let link, !isChangingEpoch else { return false }
    return link.challenge != nil || link.birthFailures == 0 || senders.contains { !$0.isKnown }
  }

  mutating func sendBirthIfDue(_ now: Uptime, _ wall: Instant) {
    guard needsBirth, var link, now >= link.birthAt, (logRetryAt.map { now >= $0 } ?? true) else { return }
    logRetryAt = nil
    do {
      let mark = SitePresence.Mark(epoch: log.epoch, session: link.session, serial: link.serial)
      let birth = Birth(
        site: site, mark: mark, status: status, streams: try LogStream.allCases.map(head(of:)),
        directedNext: inbox.next, intervalMs: intervalMs, wallMs: wall.milliseconds, challenge: link.challenge)
      let pause = Self.birthPauseMin.wholeNanoseconds << Int64(min(link.birthFailures, 6))
      link.birthAt = now.advanced(byNanoseconds: min(pause, Self.birthPauseMax.wholeNanoseconds))
      link.birthSentAt = now
      link.birthFailures += 1
      link.serial += 1
      link.challenge = nil
      self.link = link
      counters.births += 1
      _ = publish(.birth(site), birth.sealed(by: seal), qos: 1)
    } catch {
      note(error, now)
    }
  }

  /// A new birth, beside the one of the session's start.
  mutating func askForBirth(at time: Uptime) {
    guard link != nil else { return }
    link?.birthFailures = 0
    link?.birthAt = time
  }

  mutating func sendHeartbeatIfDue(_ now: Uptime, _ wall: Instant) {
    guard var link, now >= link.heartbeatAt, !isChangingEpoch else { return }
    let progress = senders.map { sender in
      let state = log.head(sender.stream)
      return Heartbeat.Progress(next: state.next, sent: sender.highest, acked: sender.acked, safe: state.safe)
    }
    let heartbeat = Heartbeat(
      site: site, mark: SitePresence.Mark(epoch: log.epoch, session: link.session, serial: link.serial),
      boot: status.boot, progress: progress, mode: status.mode, isClockTrusted: status.isClockTrusted,
      directedNext: inbox.next, intervalMs: intervalMs, wallMs: wall.milliseconds, heads: signedHeads())
    link.serial += 1
    link.heartbeatAt = now.after(profile.heartbeatEvery)
    link.lastHeartbeat = now
    self.link = link
    _ = publish(.heartbeat(site), heartbeat.sealed(by: seal), qos: 0)
  }

  /// Where the foundation has more of a stream than a receipt covers: what it has, under this site's signature.
  private mutating func signedHeads() -> [String] {
    var heads: [String] = []
    for index in senders.indices where senders[index].isKnown {
      let (stream, size) = (senders[index].stream, senders[index].acked)
      guard size > log.head(stream).safe, let point = try? log.head(stream, at: size) else { continue }
      heads.append(sign(Checkpoint(origin: name(stream).description, size: size, root: point.root)))
      senders[index].headSigned = size
    }
    return heads
  }

  /// A stream that grew so far is signed without waiting for the beat.
  mutating func hurryHead(_ index: Int, _ now: Uptime) {
    let sender = senders[index]
    guard sender.isKnown, sender.acked >= max(sender.headSigned, log.head(sender.stream).safe) + Self.headEntries
    else { return }
    hurryHeartbeat(now)
  }

  /// Tells what was installed without waiting for the beat.
  mutating func hurryHeartbeat(_ now: Uptime) {
    guard let link else { return }
    let soonest = link.lastHeartbeat.map { max(now, $0.after(Self.heartbeatGap)) } ?? now
    self.link?.heartbeatAt = min(link.heartbeatAt, soonest)
  }

  private func head(of stream: LogStream) throws(DeltaLogFault) -> Birth.StreamHead {
    let state = log.head(stream)
    var resume: LogHead?
    if resumes.contains(stream) {
      let point = try log.head(stream, at: state.firstKept)
      let frontier = try log.frontier(stream, at: state.firstKept)
      resume = LogHead(epoch: log.epoch, stream: stream, chain: point.chain, frontier: frontier)
    }
    return Birth.StreamHead(
      stream: stream, firstKept: state.firstKept, next: state.next, chain: state.chain, root: state.root,
      resume: resume)
  }

  private var intervalMs: UInt32 {
    let wanted = UInt32(clamping: profile.heartbeatEvery.wholeNanoseconds / 1_000_000)
    return min(max(wanted, Heartbeat.intervalBounds.lowerBound), Heartbeat.intervalBounds.upperBound)
  }
}
