public import TwinCore
import YAML

/// What `site.yaml` says.
public struct SiteInfo: Hashable, Sendable {
  public var id: String
  public var tenant: String
  public var name: String
  /// A name of the tz database, `Europe/Paris`.
  public var timeZone: String
  /// What screens show: `si` or `ip`.
  public var units: String
  public var currency: String
  /// Of the pack; grows with every change that is applied.
  public var version: Int
  /// The kernel's period.
  public var tickNanoseconds: Int64
  public var time: TimeOwnership?
  /// Of points whose profile, device and own entry say nothing of it.
  public var data = DataPolicy()

  /// `tenant.site`, as the kernel knows it.
  public var qualifiedID: String { "\(tenant).\(id)" }
  public var uri: String { Identifier.siteURI(tenant: tenant, site: id) }
}

/// A simulated plant that owns the time: site time is `epoch` and `step` for each count of its counter.
public struct TimeOwnership: Hashable, Sendable {
  public var device: String
  /// `device.point`.
  public var counter: String
  public var stepNanoseconds: Int64
  /// Gateway time in which the counter must move.
  public var staleNanoseconds: Int64
  public var epoch: Instant
}

extension SiteInfo {
  static let formatVersion = 1

  static func read(_ section: Section, zoneExists: (String) -> Bool) -> SiteInfo? {
    section.require("pack", "write pack: \(formatVersion)")
    if let format = section.integer("pack", in: 0...Int(Int32.max)), format != formatVersion {
      section.problems.add(
        .error, "pack.unknown_format", at: section.mark(of: "pack"), "format \(format) is not known",
        "this program reads format \(formatVersion)")
    }
    section.require("version", "write version: 1, and count up with every change")
    let version = section.integer("version", in: 1...Int(Int32.max)) ?? 1
    section.require("site")
    // 1 ms keeps the arithmetic in whole milliseconds; an hour is longer than any lease should wait.
    let tick = section.duration("tick", in: 1_000_000...3_600_000_000_000) ?? 1_000_000_000
    let time = section.section("time").flatMap { TimeOwnership.read($0) }
    var data = DataPolicy()
    if let inner = section.section("data") { data.read(inner) }
    let info = section.section("site", name: "site").flatMap { site -> SiteInfo? in
      for key in ["id", "tenant", "name", "tz"] { site.require(key) }
      let zone = site.text("tz")
      if let zone, !zoneExists(zone) {
        section.problems.add(
          .error, "pack.unknown_timezone", at: site.mark(of: "tz"), "time zone \"\(shortened(zone))\" is not known",
          "use a name of the tz database, as Europe/Paris")
      }
      let units = site.word("units", ["si": "si", "ip": "ip"]) ?? "si"
      // The units table has one currency.
      let currency = site.word("currency", ["EUR": "EUR"]) ?? "EUR"
      let names = ["id", "tenant"].compactMap { key -> String? in
        guard let text = site.text(key) else { return nil }
        if Identifier.isName(text) { return text }
        section.problems.add(
          .error, "pack.bad_name", at: site.mark(of: key), "\"\(shortened(text))\" is no name",
          "begin with a letter a-z, go on with a-z, 0-9, - and _, at most 64")
        return nil
      }
      let name = site.text("name")
      site.close()
      guard names.count == 2, let name, let zone else { return nil }
      return SiteInfo(
        id: names[0], tenant: names[1], name: name, timeZone: zone, units: units, currency: currency, version: version,
        tickNanoseconds: tick, time: time, data: data)
    }
    section.close()
    return info
  }
}

extension TimeOwnership {
  static func read(_ section: Section) -> TimeOwnership? {
    for key in ["owner", "counter", "step", "stale_after", "epoch"] { section.require(key) }
    _ = section.word("owner", ["device": true])
    let counter = section.text("counter")
    let step = section.duration("step", in: 1_000_000...86_400_000_000_000)
    let stale = section.duration("stale_after", in: 1_000_000...86_400_000_000_000)
    var epoch: Instant?
    if let scalar = section.scalar("epoch") {
      epoch = Instant(rfc3339: scalar.raw)
      if epoch == nil {
        section.problems.add(
          .error, "pack.not_a_time", at: scalar.mark, "\"\(shortened(scalar.raw))\" is no moment",
          "write it as \"2026-01-13T00:00:00Z\"")
      }
    }
    section.close()
    guard let counter, let step, let stale, let epoch else { return nil }
    return TimeOwnership(
      device: String(counter.prefix { $0 != "." }), counter: counter, stepNanoseconds: step, staleNanoseconds: stale,
      epoch: epoch)
  }
}
