import DeltaLog
import FeatureStore
import Logging
import Provenance
import Seams
import SiteKernel
import StatusAPI
import Sync
import TwinCore

extension SitePeer {
  /// Brings what was recorded since into the log, and takes up what was directed here.
  func ship() async {
    workOff()
    do {
      var more = true
      while more {
        let news = try await RecordShipper.news(from: keeper, after: try RecordShipper.place(in: log))
        more = news.decisions.count == RecordShipper.rowsMax || news.events.count == RecordShipper.rowsMax
        guard try RecordShipper.ship(news, to: log, at: clock.instant, uptime: clock.uptime) else { return }
        health.clear("sync.log")
        await act(on: .appended)
      }
    } catch let fault as DeltaLogFault {
      note(fault)
    } catch {
      // The store tells its own troubles.
    }
  }

  /// Once a minute: time that passed, the ladder, checkpoints, closed days, how long nobody was reached.
  func keepHouse() async {
    peer.status.isClockTrusted = clock.isTrusted
    do throws(ProvenanceFault) {
      try trust.pass(uptimeNanoseconds: clock.uptime.nanoseconds(since: housekeptAt))
    } catch {
      logger.warning("trust not saved", metadata: ["code": "\(error.code)"])
    }
    housekeptAt = clock.uptime
    climb()
    tellFrozen()
    do {
      for stream in log.checkpointsDue { try key.checkpoint(stream, of: log) }
      while try await SegmentShipper.ship(from: keeper, to: log, at: clock.instant, uptime: clock.uptime) {
        await act(on: .appended)
      }
    } catch let fault as DeltaLogFault {
      note(fault)
    } catch let fault as EdgeFault {
      logger.warning("days not shipped", metadata: ["code": "\(fault.code)", "cause": "\(fault.message)"])
    } catch {}
  }

  /// Moves on the ladder of expiry; each step is an entry, and none touches the plant.
  private func climb() {
    let standing = trust.standing(at: clock.instant)
    guard standing.state != rung else { return }
    let earlier = rung
    rung = standing.state
    let body = CBORItem.map(
      (0, .text(standing.state.name)), (1, .array(standing.reasons.prefix(16).map { .text($0) }))
    ).encoded
    do throws(DeltaLogFault) {
      try log.append(.audit, kind: .ladder, body: body, at: clock.instant, uptime: clock.uptime)
    } catch {
      note(error)
    }
    logger.info("trust", metadata: ["from": "\(earlier?.name ?? "unknown")", "to": "\(standing.state.name)"])
    guard standing.state > .stale else {
      health.clear("sync.ladder")
      return
    }
    health.raise(
      Problem(
        id: "sync.ladder", code: "sync.\(standing.state.name)", severity: .warning,
        title: "the foundation's word is out of date", cause: standing.reasons.first ?? standing.state.name,
        effect:
          "nothing new is installed, no intent from afar is followed; the plant and the envelope are not concerned",
        next: "bring the site into reach of its foundation, or carry its metadata here on a stick",
        since: clock.instant))
  }

  func takeMetadata(_ topic: SyncTopic, _ bytes: [UInt8]) {
    do throws(ProvenanceFault) {
      // The root's topic has the newest root alone, the timestamp's a whole bundle.
      try take(topic == .metadata(.root) ? TrustBundle(roots: [bytes]) : try TrustBundle(bytes))
    } catch {
      logger.warning("metadata refused", metadata: ["code": "\(error.code)", "cause": "\(error.message)"])
    }
  }

  /// The foundation's answer: what waited for it is taken, or it shows that the foundation has two logs.
  func take(_ proof: [Digest], of sizes: LogSpan) {
    guard var bundle = unproven else { return }
    unproven = nil
    bundle.consistency = proof
    do throws(ProvenanceFault) {
      try take(bundle, answering: sizes)
    } catch {
      logger.warning("metadata refused", metadata: ["code": "\(error.code)", "cause": "\(error.message)"])
    }
  }

  private func take(_ bundle: TrustBundle, answering sizes: LogSpan? = nil) throws(ProvenanceFault) {
    let wasFrozen = trust.store.frozen
    let report = try trust.take(bundle, answering: sizes, at: clock.instant)
    if let span = report.unproven {
      unproven = bundle
      peer.askConsistency(span, now: clock.uptime)
      wakeAt = clock.uptime
    }
    if trust.store.frozen != wasFrozen {
      do throws(DeltaLogFault) {
        try tell(
          .audit, kind: trust.store.frozen == nil ? "intake_thawed" : "intake_frozen",
          subject: trust.store.frozen ?? wasFrozen ?? "")
      } catch {
        note(error)
      }
      tellFrozen()
    }
    // What is not here yet comes with the bundle, or its proof with the answer.
    if let problem = report.problem, report.unproven == nil, problem.kind != .metadataMissing {
      logger.warning("metadata refused", metadata: ["code": "\(problem.code)", "cause": "\(problem.message)"])
    }
    guard !report.adopted.isEmpty else { return }
    peer.trust = trust.foundation
    peer.status.versions = trust.versions
    peer.status.foundationCheckpoint = trust.store.checkpoint?.text
    climb()
  }

  private func tellFrozen() {
    guard let reason = trust.store.frozen else {
      health.clear("sync.frozen")
      return
    }
    health.raise(
      Problem(
        id: "sync.frozen", code: "sync.frozen", severity: .alarm, title: "the foundation contradicts itself",
        cause: reason,
        effect: "no pack, envelope or metadata of it is taken in; the plant runs on with what is here",
        next: "find out what happened to its log; its root keys restart it: docs/runbooks/fleet.md",
        since: clock.instant))
  }

  /// As the status socket shows it.
  func state() -> API.SyncState {
    let streams = LogStream.allCases.map { stream in
      let head = log.head(stream)
      return API.SyncStream(
        stream: stream.name, next: Int64(clamping: head.next),
        acknowledged: Int64(clamping: max(peer.acknowledged(stream), head.safe)), safe: Int64(clamping: head.safe))
    }
    let isBehind = streams.contains { $0.acknowledged < $0.next }
    let waiting = LogStream.allCases.reduce(0) { $0 &+ Int64(clamping: log.head($1).bytesWaiting) }
    return API.SyncState(
      state: isConnected ? (isBehind ? "behind" : "current") : "offline", foundation: enrolment.foundation,
      broker: API.BrokerState(
        address: "\(enrolment.host):\(enrolment.port)", state: isConnected ? "connected" : "down",
        cause: linkFault?.message),
      ladder: trust.standing(at: clock.instant).state.name, streams: streams,
      lastAckAt: lastAckAt.map(Timestamp.init), bytesWaiting: waiting, problem: linkFault?.message,
      next: linkFault?.remedy, certificate: certificateState)
  }

  /// Makes new keys and logs them under the old ones, which stay in use until the foundation has that entry.
  func rotateKeys() {
    guard rotation == nil, rotateAgainAt.map({ clock.uptime >= $0 }) ?? true else { return }
    let next = key.keyEpoch + 1
    do {
      try folder.write(Array("\(key.keyEpoch)".utf8), PeerFolder.keyEpochName)
      let body: [UInt8]
      if let made = try SiteIdentity.open(directory: folder.path, keyEpoch: next) {
        body = KeyRotation.body(of: enrolment.site, old: key.publicKey, new: made)
      } else {
        let made = try SiteIdentity.make(directory: folder.path, keyEpoch: next)
        body = KeyRotation.body(of: enrolment.site, old: key.publicKey, new: made)
      }
      let sequence = try log.append(.audit, kind: .keyRotated, body: body, at: clock.instant, uptime: clock.uptime)
      rotation = (next, sequence + 1)
      logger.info("new keys were made and logged", metadata: ["epoch": "\(next)"])
    } catch {
      rotateAgainAt = clock.uptime.advanced(byNanoseconds: Self.housekeepingNanoseconds)
      logger.error("no new keys", metadata: ["cause": "\(error)"])
    }
    mailbox.yield(.recorded)
  }

  /// Takes the new keys into use once the foundation knows them.
  func finishRotation() {
    guard let (epoch, end) = rotation, peer.acknowledged(.audit) >= end else { return }
    do {
      guard let next = try SiteIdentity.open(directory: folder.path, keyEpoch: epoch) else {
        rotation = nil
        return
      }
      try folder.write(Array("\(epoch)".utf8), PeerFolder.keyEpochName)
      key.replace(next)
      log.keyEpoch = epoch
      peer.status.keyEpoch = epoch
      rotation = nil
      logger.info("new keys are in use", metadata: ["epoch": "\(epoch)"])
    } catch {
      logger.error("new keys are not in use", metadata: ["cause": "\(error)"])
    }
  }
}
