import Collectors
import FeatureStore
import Guard
import Provenance
import Seams
import SiteKernel
import SitePack
import TwinCore

/// What a start finds: an earlier life's open leases, its last state, its learned facts.
struct Start: Sendable {
  var recovered: Recovery.Recovered
  var reverted: [LeaseRecovery.Reverted]
  /// For the first tick: the session, and what was given back before it.
  var commands: [Command]
  var facts: [String: [UInt8]]
  var nextFrame: Int64
  /// Which start of the daemon this is.
  var boot: Int64
  var openLeases: Int
  /// Which training was asked for last.
  var learnAsked: [UInt8]?

  static let factPrefix = "holes/"
  private static let bootFact = "boot"

  /// On the store's thread, before anything else runs.
  static func prepare(
    _ site: Commissioned, _ configuration: EdgeConfiguration, _ store: SiteStore, at now: Instant
  ) throws(StoreError) -> Start {
    // In observe nothing may leave, not even this: what is open is shown, and `twind revert` closes it.
    let reverted = site.ceiling == .observe ? [] : try LeaseRecovery.revert(in: store)
    for group in site.pack.collector.groups { try store.register(site.pack.collector.layout(group), at: now) }
    let recovered = try Recovery.kernel(of: site.definition, from: store)
    let (boot, isNewBoot) = try countBoot(store)
    let kept = store.lastTickNumber == 0 ? configuration.mode : nil
    var commands: [Command] = [.session(isNewBoot: isNewBoot, mode: kept, ceiling: site.ceiling)]
    for lease in reverted {
      guard let point = site.point(lease.point) else { continue }
      commands.append(.gaveBack(point: point, value: lease.value, outcome: lease.outcome))
    }
    try store.register(policies: policies(of: site))
    try store.commit()
    var facts: [String: [UInt8]] = [:]
    for (key, bytes) in try store.facts(prefix: factPrefix) { facts[String(key.dropFirst(factPrefix.count))] = bytes }
    return Start(
      recovered: recovered, reverted: reverted, commands: commands, facts: facts, nextFrame: store.nextFrameSequence,
      boot: boot, openLeases: try store.openLeases().count, learnAsked: try store.fact(LearnSchedule.fact))
  }

  /// What the pack says may become of values, by point.
  private static func policies(of site: Commissioned) -> [String: DataPolicy] {
    Dictionary(
      site.pack.pack.points.compactMap { point in point.register.map { (point.id, $0.data) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// Counts the start, and tells whether the machine was started since the last one: then the monotonic clock began
  /// anew.
  private static func countBoot(_ store: SiteStore) throws(StoreError) -> (Int64, Bool) {
    let id = SystemFiles.bytes("/proc/sys/kernel/random/boot_id", max: 64) ?? []
    var last: (count: Int64, id: [UInt8]) = (0, [])
    if let bytes = try store.fact(bootFact) {
      var reader = CanonicalReader(bytes)
      if (try? reader.structure(2, version: 1)) != nil, let count = try? reader.integer(),
        let known = try? reader.bytes()
      {
        last = (count, known)
      }
    }
    var writer = CanonicalWriter()
    writer.array(3)
    writer.integer(1)
    writer.integer(last.count + 1)
    writer.bytes(id)
    try store.setFact(bootFact, writer.bytes)
    return (last.count + 1, id.isEmpty || last.id != id)
  }

  func raise(_ health: HealthRegistry, at now: Instant) {
    if let loss = recovered.loss {
      health.raise(
        Problem(
          id: "kernel.recovery", code: "kernel.recovery", severity: .warning,
          title: "the last state could not be carried over",
          cause: loss, effect: "holds, rates and budgets count from this start on",
          next: "twinctl replay, and keep its output",
          since: now))
    }
    let stuck = reverted.filter { $0.outcome != .confirmed }.map(\.point)
    if !stuck.isEmpty || openLeases > 0 {
      health.raise(
        Problem(
          id: "lease.open", code: "lease.open", severity: .alarm,
          title: "setpoints of an earlier run are not given back",
          cause: stuck.isEmpty
            ? "\(openLeases) leases are open and this run only observes" : stuck.joined(separator: ", "),
          effect: "the plant may still hold what twind wrote last", next: "twind revert --config FILE", since: now))
    }
  }
}

/// The highest pack that this site has run: an older one, however well signed, is a step back that nobody may force.
enum VersionFloor {
  private static let fact = "pack_floor"

  static func check(_ site: Commissioned, in store: SiteStore) throws(StoreError) -> EdgeFault? {
    guard let seal = site.seal else { return nil }
    var floor: (pack: Int, envelopes: Int) = (0, 0)
    if let bytes = try store.fact(fact) {
      var reader = CanonicalReader(bytes)
      if (try? reader.structure(2, version: 1)) != nil, let pack = try? reader.int(), let envelopes = try? reader.int()
      {
        floor = (pack, envelopes)
      }
    }
    guard seal.version >= floor.pack, seal.envelopesVersion >= floor.envelopes else {
      return EdgeFault(
        "pack_rollback",
        "the pack is version \(seal.version) with envelopes of \(seal.envelopesVersion); this site has run \(floor.pack) "
          + "with \(floor.envelopes)", remedy: "sign what you want to go back to under a higher version")
    }
    var writer = CanonicalWriter()
    writer.array(3)
    writer.integer(1)
    writer.integer(seal.version)
    writer.integer(seal.envelopesVersion)
    try store.setFact(fact, writer.bytes)
    return nil
  }
}
