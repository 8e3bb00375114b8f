import TwinCore

/// A point in a role, with the step into the unit of the physics.
struct RolePoint: Sendable, Equatable {
  var role: PointRole
  var description: SitePointDescription
  /// Of the physics, UCUM.
  var unit: String
  var binding: PointBinding
  /// It shows a command as the plant applied it.
  var isApplied = false
  /// How it was found, for people.
  var ground: String

  /// The ends of its range in the physics' unit.
  var range: ClosedRange<Double>? {
    guard let range = description.range else { return nil }
    let ends = [range.lowerBound, range.upperBound].map { binding.scale * $0 + binding.offset }
    guard let low = ends.min(), let high = ends.max(), low.isFinite, high.isFinite else { return nil }
    return low...high
  }

  /// Of one reading, in the physics' unit squared.
  var variance: Double { description.variance * binding.scale * binding.scale }

  /// Applied before asked, the class before the name, then by id: never by the order of the list.
  static func precedes(_ a: RolePoint, _ b: RolePoint) -> Bool {
    if a.isApplied != b.isApplied { return a.isApplied }
    let (x, y) = (a.description.brick != nil, b.description.brick != nil)
    if !a.isApplied, x != y { return x }
    return inByteOrder(a.description.id, b.description.id)
  }
}

func inByteOrder(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

/// Why a point that seems to play a role cannot.
struct RoleRefusal: Sendable, Equatable {
  var role: PointRole
  var point: String
  var why: String
}

/// Finds what the points of a list are to models: by Brick class, else by unit and the words of the name.
struct RoleFinder {
  let step: ModelStep
  private(set) var found: [RolePoint] = []
  private(set) var refused: [RoleRefusal] = []

  init(_ points: [SitePointDescription], step: ModelStep) {
    self.step = step
    let sorted = points.sorted { inByteOrder($0.id, $1.id) }
    for point in sorted {
      guard let role = Self.role(of: point, step) else { continue }
      bind(point, role.role, ground: role.ground)
    }
    // An echo plays the role of what it echoes, whatever it is called.
    let roles = Dictionary(found.map { ($0.description.id, $0.role) }, uniquingKeysWith: { first, _ in first })
    let byID = Dictionary(sorted.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    for var point in sorted {
      guard let command = Self.echoed(by: point, byID), let role = roles[command], role.isCommand else { continue }
      // What may be asked bounds what is applied.
      point.range = byID[command]?.range ?? point.range
      if roles[point.id] != nil { found.removeAll { $0.description.id == point.id } }
      bind(point, role, ground: "shows \(command) as it was applied", isApplied: true)
    }
    found.sort(by: RolePoint.precedes)
  }

  /// The command that a point shows: named so by the list, or called like it with one word more, in the same unit.
  private static func echoed(by point: SitePointDescription, _ points: [String: SitePointDescription]) -> String? {
    if let named = point.echoes { return named }
    guard !point.isWritable else { return nil }
    let words = ["applied", "actual", "echo", "feedback", "fbk", "fb", "readback", "rb"]
    for word in words where point.id.hasSuffix("_\(word)") || point.id.hasSuffix("-\(word)") {
      let base = String(point.id.dropLast(word.count + 1))
      if points[base]?.unit == point.unit { return base }
    }
    return nil
  }

  private mutating func bind(
    _ point: SitePointDescription, _ role: PointRole, ground: String, isApplied: Bool = false
  ) {
    switch Self.binding(of: point, as: role, step: step, density: nil) {
    case .success(let bound):
      found.append(
        RolePoint(
          role: role, description: point, unit: bound.unit, binding: bound.binding, isApplied: isApplied,
          ground: ground))
    case .failure(let refusal): refused.append(refusal)
    }
  }
}

extension RoleRefusal: Error {}

extension RoleFinder {
  /// The step from a point's unit to that of the physics.
  ///
  /// An energy is a power where the plant owns the time: it is that of the step. A volume is a mass only with a
  /// density.
  static func binding(
    of point: SitePointDescription, as role: PointRole, step: ModelStep, density: Double?
  ) -> Result<(unit: String, binding: PointBinding), RoleRefusal> {
    func refuse(_ why: String) -> Result<(unit: String, binding: PointBinding), RoleRefusal> {
      .failure(RoleRefusal(role: role, point: point.id, why: why))
    }
    guard let unit = UnitCode(ucum: point.unit) else { return refuse("its unit \(point.unit) is not known") }
    if role == .running, !point.symbols.isEmpty, Set(point.symbols.keys) != [0, 1] {
      return refuse("its states are \(point.symbols.keys.sorted()), not 0 and 1")
    }
    for target in role.quantity.units {
      guard let conversion = unit.conversion(to: target) else { continue }
      let scale = unit.difference.conversion(to: target.difference)?.apply(1) ?? 1
      if target.ucum == "m3/s", let density {
        return .success(("kg/s", PointBinding(point.point, scale: scale * density)))
      }
      return .success((target.ucum, PointBinding(point.point, scale: scale, offset: conversion.apply(0))))
    }
    if role.quantity == .power, let joule = UnitCode(ucum: "J"), let toJoule = unit.conversion(to: joule) {
      guard step.isPlants else { return refuse("an energy in \(point.unit) is a power only over a step of the plant") }
      return .success(("W", PointBinding(point.point, scale: toJoule.apply(1) / step.seconds)))
    }
    return refuse("its unit \(point.unit) is none of \(role.quantity.units.map(\.ucum).joined(separator: ", "))")
  }

  static func role(of point: SitePointDescription, _ step: ModelStep) -> (role: PointRole, ground: String)? {
    if let brick = point.brick, !RoleWords.general.contains(brick) {
      return RoleWords.table.first { $0.brick.contains(brick) }.map { ($0.role, "is of class \(brick)") }
    }
    guard let unit = UnitCode(ucum: point.unit) else { return nil }
    let own = PointWords.of(point.name)
    let words = own.union(PointWords.of(unit))
    var best: (role: PointRole, score: Int)?
    for entry in RoleWords.table where fits(unit, entry.role.quantity, step) && words.isDisjoint(with: entry.without) {
      // The unit completes a name; it does not stand for one.
      let telling = entry.words.filter { $0.isSubset(of: words) && !$0.isDisjoint(with: own) }
      let score = telling.map(\.count).max() ?? 0
      if score > (best?.score ?? 0) { best = (entry.role, score) }
    }
    return best.map { ($0.role, "by its name and its unit \(point.unit.isEmpty ? "1" : point.unit)") }
  }

  private static func fits(_ unit: UnitCode, _ quantity: RoleQuantity, _ step: ModelStep) -> Bool {
    if quantity.units.contains(where: { $0.dimension == unit.dimension }) { return true }
    return quantity == .power && step.isPlants && unit.dimension == UnitCode(ucum: "J")?.dimension
  }
}

/// The words of a point's name, in one spelling for each thing.
enum PointWords {
  /// Lower case, cut at signs, digits and capitals; what everybody shortens is written out.
  static func of(_ name: String) -> Set<String> {
    var words: Set<String> = []
    for word in parts(name) { words.formUnion(vocabulary[word] ?? [word]) }
    return words
  }

  /// What a unit says by itself: kW are a power, whatever the name leaves out.
  static func of(_ unit: UnitCode) -> Set<String> {
    let dimensions = ["W": "power", "J": "power", "kg/s": "flow", "m3/s": "flow", "Pa": "pressure"]
    return Set(dimensions.filter { UnitCode(ucum: $0.key)?.dimension == unit.dimension }.values)
  }

  private static func parts(_ name: String) -> [String] {
    var parts: [String] = []
    var part = ""
    var wasLower = false
    for byte in name.utf8 {
      let isUpper = (65...90).contains(byte)
      let isLower = (97...122).contains(byte)
      if !isUpper && !isLower || isUpper && wasLower {
        if !part.isEmpty { parts.append(part) }
        part = ""
      }
      if isUpper || isLower { part.unicodeScalars.append(Unicode.Scalar(isUpper ? byte + 32 : byte)) }
      wasLower = isLower
    }
    return part.isEmpty ? parts : parts + [part]
  }

  private static let vocabulary: [String: Set<String>] = {
    var table: [String: Set<String>] = [:]
    let lines = [
      "zone: zone room space indoor zat zn rm", "supply: supply sup sat sa dat discharge leaving lvg",
      "return: return rat ra ret entering ent", "outdoor: outdoor outside oat oa ambient ext exterior",
      "mixed: mixed mat ma", "setpoint: setpoint sp stpt spt target", "command: command cmd",
      "temperature: temperature temp tmp", "flow: flow airflow", "valve: valve vlv", "heating: heating heat htg reheat",
      "cooling: cooling cool clg", "power: power pwr kw watts", "electric: electric electricity elec",
      "on: on onoff start enabled", "running: running run", "enable: enable ena",
      "solar: solar ghi dni irradiance irradiation radiation sun", "occupancy: occupancy occ people occupied presence",
      "water: water", "chilled: chilled chw chws chwr chwst chwrt", "hot: hot hw hws hwr hwst hwrt",
      "condenser: condenser cond cdw cws cwst", "level: level lvl", "battery: battery batt bess ess", "soc: soc",
      "pressure: pressure press", "speed: speed spd freq frequency", "tank: tank vessel", "dew: dew dewpoint",
      "wet: wet wetbulb", "differential: differential diff dp",
    ]
    for line in lines {
      let halves = line.split(separator: ":")
      for word in halves[1].split(separator: " ") { table[String(word), default: []].insert(String(halves[0])) }
    }
    // What stands for two things.
    for word in ["chws", "chwst", "hws", "hwst"] { table[word]?.insert("supply") }
    for word in ["chwr", "chwrt", "hwr", "hwrt"] { table[word]?.insert("return") }
    return table
  }()
}
