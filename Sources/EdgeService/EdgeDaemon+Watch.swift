import Actuation
import Collectors
import FeatureStore
import Guard
import Seams
import SiteKernel
import SitePack
import StatusAPI
import TwinCore

extension EdgeDaemon {
  /// Looks at what nobody else watches, and keeps the list of problems true. Once a second.
  func watch() async {
    let returning = Set(await actuator.leases.map(\.point)).subtracting(await actuator.held.map(\.point))
    let glance = await control.view { kernel in StaleGlance(kernel, returning: returning) }
    for bus in buses { watch(bus, glance) }
    let now = gatewayClock.instant
    set(
      !siteClock.isTrusted && site.info.time == nil,
      Problem(
        id: "clock", code: "clock.untrusted", severity: .warning, title: "the clock is not synchronised",
        cause: "the system does not say that UTC is right",
        effect: "schedules and tariffs are not followed; control goes on",
        next: "chronyc sources -v, or timedatectl", since: now))
    await watchStore(at: now)
    set(
      journal.dropped > 0,
      Problem(
        id: "store.dropped", code: "store.dropped", severity: .warning, title: "records were dropped",
        cause: "\(journal.dropped) ticks waited for the disk too long",
        effect: "replay has gaps there; decisions are all recorded",
        next: "check the disk, then restart the daemon to clear this", since: now))
    set(
      site.seal == nil && configuration.mode != .observe,
      Problem(
        id: "pack.unsigned", code: "pack.unsigned", severity: .warning, title: "the pack is not signed",
        cause: site.ceilingReason ?? "", effect: "the site runs in observe: nothing is written",
        next: "twinctl pack sign \(configuration.pack)", since: now))
  }

  private func watchStore(at now: Instant) async {
    set(
      journal.stalledNanoseconds > Journal.stalledLimitNanoseconds,
      Problem(
        id: "store.stalled", code: "store.stalled", severity: .alarm, title: "the disk does not answer",
        cause: "a commit has been waiting for \(DurationText.short(nanoseconds: journal.stalledNanoseconds))",
        effect:
          "control goes on; nothing new is written to the plant, and records beyond \(Journal.waitingMax) ticks are "
          + "dropped, oldest first",
        next: "look in the kernel's log for errors of the device that holds the state directory",
        since: now))
    // A disk that does not answer is not asked again.
    guard journal.stalledNanoseconds == 0 else { return }
    let floor = configuration.freeFloorBytes
    let looked = try? await keeper.with { (store) throws(StoreError) in (store.shortage(floor: floor), store.condition)
    }
    guard let (shortage, condition) = looked else { return }
    if let shortage {
      set(
        true,
        Problem(
          id: "store.space", code: shortage.code, severity: .warning, title: "the disk is nearly full",
          cause: shortage.message, effect: "recording stops when it is full, and then nothing is written to the plant",
          next: shortage.remedy, since: now))
      await prune()
    } else {
      health.clear("store.space")
    }
    set(
      condition.badCount > 0,
      Problem(
        id: "store.damaged", code: "store.damaged", severity: .warning, title: "part of the record is damaged",
        cause: condition.firstBad.map { "\(condition.badCount) of its bodies: \($0.row), \($0.reason)" } ?? "",
        effect: "what is in them cannot be read; everything else can", next: "twinctl data verify", since: now))
    set(
      condition.upkeepFault != nil,
      Problem(
        id: "store.upkeep", code: condition.upkeepFault?.code ?? "store.upkeep", severity: .warning,
        title: "the record cannot be put away", cause: condition.upkeepFault?.message ?? "",
        effect: "it stays in the log, which grows; a start takes longer",
        next: condition.upkeepFault?.remedy ?? "", since: now))
  }

  private func set(_ isOn: Bool, _ problem: @autoclosure () -> Problem) {
    let made = problem()
    if isOn { health.raise(made) } else { health.clear(made.id) }
  }

  private func watch(_ bus: Bus, _ glance: StaleGlance) {
    let statuses = bus.statuses
    let place = bus.address.text
    let linkID = "link.\(place)"
    let isDown = statuses.contains { if case .waiting = $0.link { true } else { false } }
    let now = gatewayClock.instant
    let hasSeveral = statuses.count > 1
    set(
      isDown && hasSeveral,
      Problem(
        id: linkID, code: "link.unreachable", severity: .alarm, title: "\(place) does not answer",
        cause: statuses.compactMap(\.lastFault).first { $0.isOfLink }?.message ?? "the connection cannot be opened",
        effect: "\(statuses.count) devices behind it are silent; \(glance.effect(of: statuses.map(\.device), site))",
        next: "check the cable and the device's power, then: twinctl collect test \(statuses[0].device)", since: now))
    for status in statuses {
      var since = now
      if let good = status.lastGood { since = min(now, good) }
      let isSilent = if case .silent = status.unit { true } else { isDown }
      set(
        isSilent && (status.lastGood != nil || status.failures > 0),
        Problem(
          id: "device.\(status.device)", code: "device.silent", severity: .alarm,
          title: "\(status.device) not answering",
          cause: status.lastFault?.message ?? "no reply from unit \(status.unitNumber) on \(place)",
          effect: glance.effect(of: [status.device], site),
          next: "check its power and wiring, then: twinctl collect test \(status.device)", since: since,
          root: isDown && hasSeveral ? linkID : nil))
    }
  }
}

/// Which points are not fresh and which setpoints stand at their fallback, between two beats.
struct StaleGlance: Sendable {
  private var stale: [Bool]
  private var held: [PointIndex]
  private let returning: [PointIndex]

  init(_ kernel: borrowing SiteKernel, returning: Set<PointIndex>) {
    let now = kernel.image.now
    stale = kernel.image.states.map { !$0.quality.hasValue || now > $0.freshUntil }
    held = []
    self.returning = returning.sorted()
    for (position, envelope) in kernel.definition.envelopes.enumerated()
    where kernel.safety.memory[position].isFallingBack && !returning.contains(envelope.point) {
      held.append(envelope.point)
    }
  }

  /// In the plant's terms.
  func effect(of devices: [String], _ site: Commissioned) -> String {
    let points = site.pack.pack.points
    let count = points.indices.count { stale[$0] && points[$0].device.map(devices.contains) ?? false }
    let safe = held.map { site.id($0) }
    let open = returning.map { site.id($0) }
    var text = "\(count) points stale"
    if !safe.isEmpty { text += "; at their fallback: " + safe.joined(separator: ", ") }
    if !open.isEmpty { text += "; not given back yet: " + open.joined(separator: ", ") }
    return text
  }
}

extension BusFault {
  /// Whether the connection failed, not a device behind it.
  fileprivate var isOfLink: Bool {
    switch kind {
    case .link, .linkDown: true
    default: false
    }
  }
}
