import Provenance
import Sync
import TwinCore

/// The ledger's laws in memory: what every back end must do, and no more.
final class MemoryLedger: SyncLedger {
  struct Log {
    var stored: StoredLog
    /// Nil in a declared gap.
    var entries: [[UInt8]?] = []
    var bodies: [[UInt8]?] = []
    var heads: [LogHead]
    var checkpoints: [KeptCheckpoint] = []
    /// Survives the loss of the node.
    var replicated: UInt64 = 0
  }

  var term: UInt64 = 1
  var sites: [SiteName: SiteRecord] = [:]
  var logs: [LogName: Log] = [:]
  var evidence: [[UInt8]] = []
  var held: [HeldMessage] = []
  var births: [SiteName: Birth] = [:]
  var sightings: [SiteName: SitePresence] = [:]
  var directedLog: [SiteName: [DirectedEntry]] = [:]
  var directedNext: [SiteName: UInt64] = [:]
  var gaps: [DeclaredGap] = []
  /// The foundation's own log.
  var leaves: [[UInt8]] = []
  /// Everything committed counts as replicated at once.
  var replicatesAtOnce = true
  /// Thrown by the next calls that write.
  var faults: [LedgerFault] = []
  var applied = 0

  func site(_ name: SiteName) throws(LedgerFault) -> SiteRecord? { sites[name] }
  func stored(_ log: LogName) throws(LedgerFault) -> StoredLog? { logs[log]?.stored }

  func apply(_ batches: [AdmittedBatch]) throws(LedgerFault) -> [ApplyResult] {
    if !faults.isEmpty { throw faults.removeFirst() }
    applied += 1
    return batches.map { apply($0) }
  }

  private func apply(_ batch: AdmittedBatch) -> ApplyResult {
    let name = batch.log
    guard sites[name.site]?.standing == .active else { return .refused(reason: "\(name.site) is not active") }
    guard sites[name.site]?.epoch(name.epoch)?.standing == .open else { return .refused(reason: "epoch is not open") }
    let empty = LogHead(epoch: name.epoch, stream: name.stream)
    var log = logs[name] ?? Log(stored: StoredLog(head: empty), heads: [empty])
    let next = log.stored.next
    guard batch.first <= next else { return .gap(next: next) }
    for entry in batch.entries where entry.sequence < next {
      guard let known = log.entries[Int(entry.sequence)] else { continue }
      guard known == entry.bytes else { return bar(batch, .equivocation(sequence: entry.sequence)) }
    }
    guard batch.end > next else { return .duplicate(log.stored) }
    if batch.first == next, batch.chainBefore != log.stored.head.chain { return bar(batch, .fork(next: next)) }
    for entry in batch.entries where entry.sequence >= next {
      log.stored.head.append(leafHash: entry.leafHash)
      log.entries.append(entry.bytes)
      log.bodies.append(entry.body)
      log.heads.append(log.stored.head)
    }
    guard log.stored.head.chain == batch.chainAfter, log.stored.head.root == batch.root else {
      return bar(batch, .fork(next: next))
    }
    logs[name] = log
    return .appended(log.stored)
  }

  private func bar(_ batch: AdmittedBatch, _ result: ApplyResult) -> ApplyResult {
    evidence.append(batch.envelope)
    sites[batch.log.site]?.standing = .quarantined(reason: "\(result)")
    return result
  }

  func declare(_ gap: DeclaredGap) throws(LedgerFault) -> StoredLog {
    let empty = LogHead(epoch: gap.log.epoch, stream: gap.log.stream)
    var log = logs[gap.log] ?? Log(stored: StoredLog(head: empty), heads: [empty])
    guard log.stored.next == gap.from else { return log.stored }
    gaps.append(gap)
    let lost = Int(gap.resume.next - gap.from)
    log.entries += Array(repeating: nil, count: lost)
    log.bodies += Array(repeating: nil, count: lost)
    log.heads += Array(repeating: gap.resume, count: lost)
    log.stored.head = gap.resume
    logs[gap.log] = log
    return log.stored
  }

  func keep(_ checkpoints: [KeptCheckpoint]) throws(LedgerFault) {
    for checkpoint in checkpoints {
      guard var log = logs[checkpoint.log], checkpoint.size > log.stored.checkpointed,
        checkpoint.size <= log.stored.next, log.heads[Int(checkpoint.size)].root == checkpoint.root
      else { continue }
      log.checkpoints.append(checkpoint)
      log.stored.checkpointed = checkpoint.size
      logs[checkpoint.log] = log
      if replicatesAtOnce { replicate() }
    }
  }

  /// Everything committed by now survives a fail-over.
  func replicate() {
    for (name, log) in logs {
      logs[name]?.replicated = log.stored.next
      guard let newest = log.checkpoints.last(where: { $0.size <= log.stored.next }) else { continue }
      logs[name]?.stored.safe = newest.size
      logs[name]?.stored.receipt = newest.note
    }
  }

  /// Another node takes over with what was replicated.
  func failOver() {
    term += 1
    for (name, log) in logs {
      let kept = max(log.replicated, log.stored.safe)
      guard kept < log.stored.next else { continue }
      logs[name]?.entries.removeLast(Int(log.stored.next - kept))
      logs[name]?.bodies.removeLast(Int(log.stored.next - kept))
      logs[name]?.heads.removeLast(Int(log.stored.next - kept))
      logs[name]?.stored.head = log.heads[Int(kept)]
      logs[name]?.checkpoints.removeAll { $0.size > kept }
      logs[name]?.stored.checkpointed = log.checkpoints.last { $0.size <= kept }?.size ?? 0
    }
  }

  func open(_ epoch: SiteEpoch, of site: SiteName, evidence: [UInt8]) throws(LedgerFault) -> SiteEpoch {
    if let known = sites[site]?.epoch(epoch.epoch) { return known }
    sites[site]?.epochs.append(epoch)
    return epoch
  }

  func close(_ epoch: LogEpoch, of site: SiteName, reason: String) throws(LedgerFault) {
    guard let index = sites[site]?.epochs.firstIndex(where: { $0.epoch == epoch }) else { return }
    sites[site]?.epochs[index].standing = .closed
  }

  func quarantine(_ site: SiteName, reason: String, evidence: [[UInt8]]) throws(LedgerFault) {
    sites[site]?.standing = .quarantined(reason: reason)
    self.evidence += evidence
  }

  func hold(_ message: HeldMessage) throws(LedgerFault) -> Bool {
    if !held.contains(message) { held.append(message) }
    return true
  }

  func noteBirth(_ birth: Birth, of site: SiteName, at: Instant, evidence: [UInt8]) throws(LedgerFault) {
    births[site] = birth
  }

  func presence(of site: SiteName) throws(LedgerFault) -> SitePresence? { sightings[site] }
  func note(_ presence: SitePresence) throws(LedgerFault) { sightings[presence.site] = presence }

  func presences(dueBefore instant: Instant, limit: Int) throws(LedgerFault) -> [SitePresence] {
    Array(sightings.values.filter { $0.dueAt < instant }.sorted { $0.dueAt < $1.dueAt }.prefix(limit))
  }

  func appendDirected(to site: SiteName, kind: LogKind, body: [UInt8], at: Instant) throws(LedgerFault) -> UInt64 {
    let sequence = UInt64(directedLog[site, default: []].count)
    directedLog[site, default: []].append(
      DirectedEntry(site: site, sequence: sequence, kind: kind, body: body, at: at.nanoseconds / 1_000_000))
    return sequence
  }

  func directed(to site: SiteName, from: UInt64, limit: Int) throws(LedgerFault) -> [DirectedEntry] {
    Array(directedLog[site, default: []].dropFirst(Int(clamping: from)).prefix(limit))
  }

  func directedNext(of site: SiteName) throws(LedgerFault) -> UInt64 { directedNext[site] ?? 0 }

  func foundationRoot(at size: UInt64) throws(LedgerFault) -> Digest? {
    size <= UInt64(leaves.count) ? Self.root(leaves.prefix(Int(size))) : nil
  }

  func foundationProof(_ sizes: LogSpan) throws(LedgerFault) -> [Digest]? {
    guard sizes.to <= UInt64(leaves.count) else { return nil }
    return Merkle.consistencyProof(from: sizes.from, to: sizes.to) { Merkle.leafHash(leaves[Int($0)]) }
  }

  static func root(_ leaves: some Sequence<[UInt8]>) -> Digest {
    var frontier = MerkleFrontier()
    for leaf in leaves { frontier.append(Merkle.leafHash(leaf)) }
    return frontier.root
  }

  func noteDirected(to site: SiteName, next: UInt64) throws(LedgerFault) {
    directedNext[site] = max(next, directedNext[site] ?? 0)
  }
}
