import Agents
import SiteKernel
import TwinCore
import YAML

/// A price by local time.
public struct Tariff: Hashable, Sendable {
  public var id: String
  /// UCUM.
  public var unit: String
  /// EUR for each kW of the month's highest quarter of an hour; nil where there is no such charge.
  public var demandPerKWMonth: Double?
  /// What the connection allows, kW.
  public var demandLimitKW: Double?

  /// The derived point that holds the price now.
  public var pricePoint: String { "tariff.\(id).price" }
}

extension Section {
  /// `base` and windows of `days`, `from`, `to` and a value.
  func schedule(windows key: String, value valueKey: String, _ read: (Section, String) -> Double?) -> WeekSchedule? {
    require("base")
    let base = read(self, "base")
    var windows: [WeekSchedule.Window] = []
    for (position, node) in (list(key) ?? []).prefix(Self.windowsMax + 1).enumerated() {
      guard position < Self.windowsMax else {
        problems.add(
          .error, "pack.too_large", at: node.mark, "\(name) has more than \(Self.windowsMax) windows", "join some")
        break
      }
      guard let window = Section(node, name: "window \(position + 1) of \(name)", problems) else { continue }
      for key in ["from", "to", valueKey] { window.require(key) }
      let days = window.days("days") ?? 0x7F
      let (from, to) = (window.timeOfDay("from"), window.timeOfDay("to"))
      let value = read(window, valueKey)
      window.close()
      guard let from, let to, let value else { continue }
      guard from != to else {
        problems.add(
          .error, "pack.out_of_range", at: window.mark(of: "to"), "the window ends when it begins",
          "write from: \"00:00\", to: \"24:00\" for a whole day")
        continue
      }
      windows.append(WeekSchedule.Window(days: days, from: from, to: to, value: value))
    }
    return base.map { WeekSchedule(base: $0, windows: windows) }
  }

  private static let windowsMax = 200
  private static let dayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

  /// `mon-fri`, `sat`, `all`, or a list of such; bit 0 is Monday.
  func days(_ key: String) -> UInt8? {
    guard let node = node(key) else { return nil }
    var days: UInt8 = 0
    do throws(YAMLFault) {
      let items: [Node]
      if case .sequence(let list, _) = node { items = list } else { items = [node] }
      for item in items {
        let text = try item.scalar.text
        guard let bits = Self.days(text) else {
          problems.add(
            .error, "pack.unknown_word", at: item.mark, "\"\(shortened(text))\" is no day of the week",
            "write mon-fri, sat, all, or a list such as [mon, wed]")
          return nil
        }
        days |= bits
      }
    } catch {
      problems.add(error)
      return nil
    }
    return days
  }

  private static func days(_ text: String) -> UInt8? {
    if text == "all" { return 0x7F }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { dayNames.firstIndex(of: String($0)) }
    guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return nil }
    var bits: UInt8 = 0
    var day = first
    // Friday to Monday runs over Sunday; at most seven steps.
    while true {
      bits |= 1 << UInt8(day)
      if day == last { return bits }
      day = (day + 1) % 7
    }
  }

  /// Seconds after midnight of `"17:00"`; `"24:00"` is the day's end.
  func timeOfDay(_ key: String) -> Int? {
    guard let text = text(key) else { return nil }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (48...57).contains($0) } }),
      let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour < 24 || (hour == 24 && minute == 0)
    {
      return hour * 3600 + minute * 60
    }
    problems.add(
      .error, "pack.not_a_time", at: mark(of: key), "\"\(shortened(text))\" is no time of day", "write it as \"07:30\"")
    return nil
  }
}

extension PackLoader {
  func readTariffs() {
    guard let section = top("tariffs.yaml") else { return }
    section.require("tariffs")
    for (key, node) in section.entries("tariffs") {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      let unit = inner.unit("unit") ?? UnitCode(ucum: "EUR/kW.h") ?? .one
      if unit.dimension.description.contains("EUR") == false {
        problems.add(
          .error, "pack.unit_mismatch", at: inner.mark(of: "unit"), "\(unit.ucum) is no price",
          "write EUR/kW.h or EUR/MW.h")
      }
      if let currency = inner.text("currency"), let site, currency != site.currency {
        problems.add(
          .error, "pack.unit_mismatch", at: inner.mark(of: "currency"),
          "\(shortened(currency)) is not the site's currency",
          "write \(site.currency)")
      }
      var tariff = Tariff(id: key.raw, unit: unit.ucum)
      let schedule = inner.schedule(windows: "peaks", value: "price") { $0.quantity($1, in: unit) }
      if let demand = inner.section("demand") {
        tariff.demandPerKWMonth = demand.number("per_kW_month", in: 0...1e6)
        tariff.demandLimitKW = demand.number("limit_kW", in: 0...1e9)
        demand.close()
      }
      inner.close()
      tariffs.append(tariff)
      guard let entry = enterDerived(tariff.pricePoint, unit: unit, at: key.mark), let schedule else { continue }
      derived.append(DerivedPoint(point: entry, source: .schedule(schedule)))
    }
    section.close()
  }

  /// Gives a derived point its number; nil where the name is taken.
  func enterDerived(_ id: String, unit: UnitCode, at mark: Mark) -> PointIndex? {
    guard scope.points[id] == nil else {
      problems.add(.error, "pack.duplicate_name", at: mark, "there is a point \"\(id)\" already", "take another name")
      return nil
    }
    guard points.count < Self.pointsMax else {
      problems.add(
        .error, "pack.too_large", at: mark, "the pack has more than \(Self.pointsMax) points", "split the site")
      return nil
    }
    let index = PointIndex(points.count)
    // Computed anew each tick: old as soon as a few ticks go by without its inputs.
    let stale = max(3 * (site?.tickNanoseconds ?? 0), 2_000_000_000, 2 * (site?.time?.stepNanoseconds ?? 0))
    points.append(PointEntry(index: index, id: id, unit: unit, staleNanoseconds: stale, kind: .number(unit)))
    scope.points[id] = Scope.Entry(index: index, kind: .number(unit))
    return index
  }

  func readDerived() {
    guard let section = top("derived.yaml") else { return }
    section.require("derived")
    var wanted: [(index: PointIndex, unit: UnitCode, formula: Scalar)] = []
    for (key, node) in section.entries("derived", Self.isPointName, hint: "write device.point") {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      inner.require("formula")
      inner.require("unit", "write the unit of the result, or 1")
      let unit = inner.unit("unit")
      let formula = inner.scalar("formula")
      inner.close()
      guard let unit, let formula, let index = enterDerived(key.raw, unit: unit, at: key.mark) else {
        if scope.points[key.raw] == nil { scope.broken.insert(key.raw) }
        continue
      }
      wanted.append((index, unit, formula))
    }
    section.close()
    // All names are known now: each may use the others.
    let compiled = wanted.compactMap { item in
      formula(item.formula, as: .number(item.unit)).map { (item.index, $0, item.formula.mark) }
    }
    orderDerived(compiled)
  }

  static func isPointName(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { Identifier.isName($0) }
  }

  /// Each after those that it reads.
  private func orderDerived(_ compiled: [(PointIndex, Formula, Mark)]) {
    var rest = compiled
    var open = Set(compiled.map(\.0))
    while !rest.isEmpty {
      let ready = rest.filter { !$0.1.inputs.contains(where: open.contains) }
      guard !ready.isEmpty else {
        for (index, _, mark) in rest {
          problems.add(
            .error, "pack.circular", at: mark, "\(points[index.position].id) depends on itself",
            "take one of the circle's terms out")
        }
        return
      }
      for (index, formula, _) in ready {
        derived.append(DerivedPoint(point: index, source: .formula(formula)))
        open.remove(index)
      }
      rest.removeAll { item in ready.contains { $0.0 == item.0 } }
    }
  }
}
