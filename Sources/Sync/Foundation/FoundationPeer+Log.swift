import Provenance
import TwinCore

// The foundation's own log as sites see it, and the sites' heads as the foundation signs them.

extension FoundationPeer {
  /// Proves that the log grew; asked beyond its end, it has nothing to say, and somebody saw what is not here.
  mutating func answer(_ request: ConsistencyRequest, _ signed: Signed) throws(LedgerFault) {
    guard let proof = try ledger.foundationProof(request.sizes) else {
      return split(signed, "\(request.sizes.to) entries of this foundation's log")
    }
    let answer = ConsistencyAnswer(site: request.site, sizes: request.sizes, nonce: request.nonce, proof: proof)
    publish(.command(request.site), answer.sealed(by: configuration.seal), qos: 1)
  }

  /// Compares what a site saw of this log with the log: sites are its witnesses, without a server of their own.
  mutating func compareSeen(_ birth: Birth, _ signed: Signed) throws(LedgerFault) {
    guard let text = birth.status.foundationCheckpoint else { return }
    guard let seen = try? Checkpoint(body: text) else {
      counters.refused += 1
      return
    }
    guard try ledger.foundationRoot(at: seen.size) == seen.root else {
      return split(signed, "\(seen.size) entries with root \(seen.root.short)")
    }
  }

  private mutating func split(_ signed: Signed, _ what: String) {
    notice(
      .split, signed.site, message: "\(signed.site) was shown \(what), which this log does not have",
      evidence: signed.bytes)
  }

  /// Cosigns what the site signed of its own logs, as far as it is of what is stored.
  mutating func takeHeads(_ heartbeat: Heartbeat, _ signed: Signed, _ wall: Instant) throws(LedgerFault) {
    for note in heartbeat.heads {
      guard let (name, checkpoint) = read(head: note, of: heartbeat, signed, wall) else {
        counters.refused += 1
        notice(.malformed, signed.site, message: "a head of \(signed.site) is not its own", evidence: signed.bytes)
        continue
      }
      guard let stored = try ledger.stored(name), checkpoint.size > stored.checkpointed,
        checkpoint.size <= stored.next
      else { continue }
      guard checkpoint.size < stored.next || checkpoint.root == stored.head.root else {
        let reason = "\(name) is signed with another history of \(checkpoint.size) entries than the one stored"
        try ledger.quarantine(name.site, reason: reason, evidence: [signed.bytes])
        records[name.site] = nil
        return notice(.fork, name.site, name.stream, message: reason, evidence: signed.bytes)
      }
      let seconds = UInt64(max(0, wall.nanoseconds / 1_000_000_000))
      guard let cosigned = configuration.cosign(note, seconds) else { continue }
      try ledger.keep([KeptCheckpoint(log: name, size: checkpoint.size, root: checkpoint.root, note: cosigned)])
    }
  }

  private func read(
    head note: String, of heartbeat: Heartbeat, _ signed: Signed, _ wall: Instant
  ) -> (LogName, Checkpoint)? {
    guard let opened = try? SignedNote(parse: note), let checkpoint = try? Checkpoint(body: opened.text) else {
      return nil
    }
    let names = LogStream.allCases.map { LogName(site: signed.site, epoch: heartbeat.mark.epoch, stream: $0) }
    // Nothing but the site's own line: others' would be cosigned along with it.
    guard opened.signatures.count == 1, let name = names.first(where: { $0.description == checkpoint.origin }),
      signed.record.signingKeys(at: wall).contains(where: {
        (try? opened.verify(name: checkpoint.origin, key: $0)) != nil
      })
    else { return nil }
    return (name, checkpoint)
  }
}
