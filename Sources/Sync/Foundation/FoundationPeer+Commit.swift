import Provenance
import TwinCore

extension FoundationPeer {
  mutating func stage(_ batch: AdmittedBatch, _ signed: Signed, _ now: Uptime) {
    guard signed.record.standing == .active else {
      counters.refused += 1
      return notice(.refused, signed.site, batch.log.stream, message: "\(signed.site) is quarantined")
    }
    guard signed.record.epoch(batch.log.epoch)?.standing == .open else {
      // Its birth was lost, or the epoch waits for an operator: the answer to a birth tells which.
      counters.refused += 1
      return askRebirth(signed.site, batch.log.epoch, now)
    }
    guard staging.insert(batch, at: now) else { return }
    commitAt = commitAt ?? now.after(configuration.commitAfter)
    if staging.logs.count >= configuration.commitBatchesMax, storageFailures == 0 { commitAt = now }
  }

  /// One transaction over everything that follows, then the acks.
  mutating func commitIfDue(_ now: Uptime, _ wall: Instant) throws(LedgerFault) {
    guard let due = commitAt, now >= due else { return }
    commitAt = nil
    var run: [StagingArea.Staged] = []
    var heads: [LogName: StoredLog] = [:]
    for name in staging.names where run.count < configuration.commitBatchesMax {
      let stored = try ledger.stored(name)
      heads[name] = stored
      run += staging.takeRun(name, from: stored?.next ?? 0, max: configuration.commitBatchesMax - run.count)
    }
    if !run.isEmpty {
      let results: [ApplyResult]
      do {
        results = try ledger.apply(run.map(\.batch))
      } catch {
        // Nothing was written: they wait for the next try.
        for staged in run { _ = staging.insert(staged.batch, at: staged.arrivedAt) }
        throw error
      }
      var answers: [LogName: StoredLog] = [:]
      for (staged, result) in zip(run, results) {
        guard let stored = note(result, of: staged, now) else { continue }
        answers[staged.batch.log] = stored
        heads[staged.batch.log] = stored
      }
      for (name, stored) in answers.sorted(by: { $0.key.description < $1.key.description }) {
        acknowledge(name, stored, session: nil, now, wall)
      }
      noteLag(run, now)
    }
    storageFailures = 0
    watchHoles(heads, now, wall)
    if !staging.isEmpty { commitAt = min(commitAt ?? .never, now.after(Self.holePoll)) }
  }

  /// Answers what is stored, where the batch is in.
  private mutating func note(
    _ result: ApplyResult, of staged: StagingArea.Staged, _ now: Uptime
  ) -> StoredLog? {
    let (batch, site, stream) = (staged.batch, staged.batch.log.site, staged.batch.log.stream)
    switch result {
    case .appended(let stored):
      counters.appended += 1
      // The ledger has just learned of a key: what is signed with it is on its way.
      if batch.entries.contains(where: { $0.kind == .keyRotated }) { records[site] = nil }
      credits.noteClean(batch.log, bytes: staged.bytes)
      return stored
    case .duplicate(let stored):
      counters.duplicates += 1
      return stored
    case .gap:
      // Another worker's fail-over moved the head back.
      _ = staging.insert(batch, at: staged.arrivedAt)
    case .equivocation(let sequence):
      bar(batch, now)
      notice(
        .equivocation, site, stream, message: "entry \(sequence) of \(batch.log) has two contents",
        evidence: batch.envelope)
    case .fork(let next):
      bar(batch, now)
      notice(
        .fork, site, stream, message: "\(batch.log) does not continue what is stored below \(next)",
        evidence: batch.envelope)
    case .refused(let reason):
      bar(batch, now)
      notice(.refused, site, stream, message: reason)
    }
    return nil
  }

  private mutating func bar(_ batch: AdmittedBatch, _ now: Uptime) {
    counters.refused += 1
    records[batch.log.site] = nil
    staging.remove(batch.log)
  }

  /// `stored` is nil where nothing of the log is.
  mutating func acknowledge(
    _ name: LogName, _ stored: StoredLog?, session: UInt64?, _ now: Uptime, _ wall: Instant
  ) {
    let next = stored?.next ?? 0
    let ack = Ack(
      log: name, next: next, safe: min(stored?.safe ?? 0, next), chainAtNext: stored?.head.chain ?? .zero,
      creditBytes: UInt32(credits.creditBytes(name.site, at: now)), term: ledger.term, at: wall.milliseconds,
      receipt: stored?.receipt, session: session)
    counters.acks += 1
    publish(.ack(name.site, name.stream), ack.sealed(by: configuration.seal), qos: 0)
  }

  /// A hole that stays open longer than a network reorders is asked for.
  private mutating func watchHoles(_ heads: [LogName: StoredLog], _ now: Uptime, _ wall: Instant) {
    let patience = configuration.reorderAfter.wholeNanoseconds
    for name in staging.names {
      credits.noteHole(name.site)
      guard staging.noteHole(name, at: now, patience: patience), let log = staging.logs[name] else { continue }
      let next = heads[name]?.next ?? 0
      guard let first = log.batches.first?.batch.first, first > next else { continue }
      ask(name, next..<first, wall)
    }
  }

  mutating func ask(_ name: LogName, _ range: Range<UInt64>, _ wall: Instant) {
    counters.nacks += 1
    let nack = Nack(log: name, range: range, term: ledger.term, at: wall.milliseconds)
    publish(.ack(name.site, name.stream), nack.sealed(by: configuration.seal), qos: 0)
  }

  private mutating func noteLag(_ run: [StagingArea.Staged], _ now: Uptime) {
    // Those that waited for a hole say nothing about the store.
    guard let newest = run.map(\.arrivedAt).max() else { return }
    let isLate = now.nanoseconds(since: newest) > configuration.lagMax.wholeNanoseconds
    if isLate {
      credits.halveAll()
      if !isLagging { notice(.lagging, message: "batches wait \(now.nanoseconds(since: newest) / 1_000_000_000) s") }
    }
    isLagging = isLate
  }

  // What a flooding site is told is told once at its begin, and once when it may go on.

  mutating func tellCredit(_ site: SiteName, _ now: Uptime, _ wall: Instant) throws(LedgerFault) {
    guard let name = credits.lastLog(site) else { return }
    acknowledge(name, try ledger.stored(name), session: nil, now, wall)
  }

  mutating func tellRecovered(_ now: Uptime, _ wall: Instant) throws(LedgerFault) {
    for site in credits.takeRecovered(at: now) { try tellCredit(site, now, wall) }
  }
}
