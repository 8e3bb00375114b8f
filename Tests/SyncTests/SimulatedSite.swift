import DeltaLog
import Provenance
import Sodium
import Sync
import TwinCore

/// A device: what survives a restart (log, session counter, directed position, shelf) and the peer, which does not.
final class SimulatedSite {
  let name: SiteName
  let key: KeyBox
  var log: MemoryLog
  var peer: EdgePeer
  var status: SiteStatus
  let profile: EdgeProfile
  let trust: FoundationTrust
  let random: SeededGenerator

  /// Nil where a test is not about metadata.
  var store: TrustStore?
  /// Waits for a proof, as in the daemon.
  var unproven: TrustBundle?

  var session: UInt64 = 0
  var isConnected = false
  var directed: [DirectedEntry] = []
  var directedRefusals = 0
  let shelf = MemoryShelf()
  var completed: [Digest] = []
  var raised: [SyncAlarm] = []
  var standing: Set<SyncAlarm.Kind> = []
  var useful = 0
  var wakeAt: Uptime?
  /// When the line up is free again.
  var lineFreeAt = Uptime(nanoseconds: 0)
  var lineBytesPerSecond: Int?
  /// The site's own share of the trip to a worker, or back.
  var latencyNs: Int64 = 20_000_000

  init(
    _ name: SiteName, number: UInt8, trust: FoundationTrust, profile: EdgeProfile, seed: UInt64
  ) {
    let key = KeyBox(100 + number)
    let random = SeededGenerator(seed)
    let log = MemoryLog(site: name, epoch: .test(number), boot: random.bytes(16))
    let status = SiteStatus(boot: log.boot, software: .zero)
    (self.name, self.key, self.random, self.log) = (name, key, random, log)
    (self.status, self.profile, self.trust) = (status, profile, trust)
    peer = EdgePeer(
      site: name, status: status, trust: trust, profile: profile, log: log, directedNext: 0, seal: key.seal,
      sign: key.sign,
      random: { random.next() })
  }

  /// Volatile state is gone; the machine has another boot.
  func restart() {
    status.boot = random.bytes(16)
    log.boot = status.boot
    isConnected = false
    wakeAt = nil
    let random = self.random
    peer = EdgePeer(
      site: name, status: status, trust: trust, profile: profile, log: log, directedNext: UInt64(directed.count),
      seal: key.seal, sign: key.sign, random: { random.next() })
  }
}

extension SimulatedSite {
  /// What the daemon does with metadata.
  func take(_ bundle: TrustBundle, answering sizes: LogSpan?, at wall: Instant, now: Uptime) {
    guard let report = store?.update(bundle, at: TrustTime(wall), answering: sizes) else { return }
    unproven = report.unproven == nil ? nil : bundle
    if let span = report.unproven { peer.askConsistency(span, now: now) }
    status.foundationCheckpoint = store?.checkpoint?.text
    peer.status = status
  }

  func fetch(_ manifest: ArtefactManifest, have: ChunkMap? = nil) -> Bool { peer.fetch(manifest, have: have) }
}

final class SimulatedWorker {
  var peer: FoundationPeer
  var isConnected = false
  var wakeAt: Uptime?
  var isStopped = false

  init(_ peer: FoundationPeer) { self.peer = peer }
}
