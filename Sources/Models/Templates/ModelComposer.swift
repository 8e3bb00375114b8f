import TwinCore

/// A site's assets and points, ready for templates to be put to work on them.
public struct ModelComposer: Sendable {
  public let step: ModelStep
  let assets: [SiteAssetDescription]
  let points: [SitePointDescription]
  let finder: RoleFinder
  /// By asset; each list with the best first.
  private let found: [String: [PointRole: [RolePoint]]]
  private let feeds: [String: [String]]
  private let fedBy: [String: [String]]

  public init(assets: [SiteAssetDescription], points: [SitePointDescription], step: ModelStep) {
    self.step = step
    let named = Set(assets.map(\.id))
    let unnamed = Set(points.map(\.asset)).subtracting(named).map { SiteAssetDescription(id: $0) }
    self.assets = (assets + unnamed).sorted { inByteOrder($0.id, $1.id) }
    self.points = points
    finder = RoleFinder(points, step: step)
    var found: [String: [PointRole: [RolePoint]]] = [:]
    for point in finder.found { found[point.description.asset, default: [:]][point.role, default: []].append(point) }
    self.found = found
    var (feeds, fedBy): ([String: [String]], [String: [String]]) = ([:], [:])
    for asset in self.assets {
      feeds[asset.id, default: []] += asset.feeds
      for next in asset.feeds { fedBy[next, default: []].append(asset.id) }
    }
    self.feeds = feeds.mapValues { Set($0).sorted(by: inByteOrder) }
    self.fedBy = fedBy.mapValues { Set($0).sorted(by: inByteOrder) }
  }

  enum Direction { case upstream, downstream }

  /// The asset itself, then what lies before or behind it, nearest first.
  func reach(_ asset: String, _ direction: Direction) -> [String] {
    let edges = direction == .upstream ? fedBy : feeds
    var order = [asset]
    var seen: Set<String> = [asset]
    var done = 0
    while done < order.count {
      for next in edges[order[done]] ?? [] where seen.insert(next).inserted { order.append(next) }
      done += 1
    }
    return order
  }

  func candidates(_ role: PointRole, on asset: String) -> [RolePoint] { found[asset]?[role] ?? [] }

  /// A role's point for a template on an asset: its own, else the site's weather, else a neighbour's where there is
  /// one.
  private func point(_ role: PointRole, _ kind: ModelTemplate.Kind, on asset: String) -> RolePoint? {
    if let own = candidates(role, on: asset).first { return own }
    if role.isWeather { return finder.found.first { $0.role == role } }
    let directions: [Direction]
    switch (kind, role) {
    case (.chiller, .waterFlow), (.heatPump, .waterFlow): directions = [.downstream, .upstream]
    case (.chiller, .coolingPower), (.heatPump, .heatingPower): directions = [.downstream]
    case (.zone, .supplyTemperature), (.zone, .supplyFlow), (.zone, .supplyFlowSetpoint), (.tank, .waterFlow),
      (.tank, .hotSupplyTemperature), (.tank, .chilledSupplyTemperature):
      directions = [.upstream]
    default: directions = []
    }
    for direction in directions {
      let all = reach(asset, direction).dropFirst().compactMap { candidates(role, on: $0).first }
      // Of several none is the one: their sum or their mean is not what a single point says.
      if all.count == 1 { return all[0] }
    }
    return nil
  }

  /// The template with its points on an asset; which needs stay open is told beside it.
  ///
  /// `named` points go before those found. A volume flow becomes one of mass where `density` (kg/m³) is given.
  func part(
    _ template: ModelTemplate, on asset: String, named: [PointRole: RolePoint] = [:], density: Double? = nil,
    priors: [String: ParameterPrior] = [:]
  ) -> (part: ModelPart, open: [[PointRole]]) {
    var points: [PointRole: RolePoint] = [:]
    for role in template.roles {
      guard var point = named[role] ?? self.point(role, template.kind, on: asset) else { continue }
      if point.unit == "m3/s", let density,
        case .success(let bound) = RoleFinder.binding(of: point.description, as: role, step: step, density: density)
      {
        (point.unit, point.binding) = (bound.unit, bound.binding)
      }
      points[role] = point
    }
    let open = template.needs.filter { $0.allSatisfy { points[$0] == nil } }
    return (ModelPart(template: template, asset: asset, points: points, priors: priors), open)
  }

  /// Positions of the parts that give a state to the one at `position`, nearest first.
  func sources(of position: Int, among parts: [ModelPart], _ places: [String: [Int]]) -> [Int] {
    let kind = parts[position].template.kind
    guard ModelTemplate.Kind.allCases.contains(where: { kind.takes(from: $0) }) else { return [] }
    for asset in reach(parts[position].asset, .upstream) {
      let here = (places[asset] ?? []).filter { kind.takes(from: parts[$0].template.kind) }
      // Beyond the nearest nothing comes that has not passed it.
      if !here.isEmpty { return here }
    }
    return []
  }

  static func places(of parts: [ModelPart]) -> [String: [Int]] {
    Dictionary(grouping: parts.indices) { parts[$0].asset }
  }

  /// One model of the parts, which are joined along the graph.
  func build(
    id: String, asset: String, parts: [ModelPart], horizons: [Int], grounds: [String]
  ) -> ModelDefinition {
    var model = ModelAssembly(step: step)
    let ports = parts.map { $0.template.declare(&model, $0) }
    let places = Self.places(of: parts)
    let sources = parts.indices.map { self.sources(of: $0, among: parts, places) }
    for (position, part) in parts.enumerated() {
      let downstream = parts.indices.filter { sources[$0].contains(position) }
      let nearest = sources[position].first
      let around = ModelSurroundings(
        upstream: sources[position].map { ports[$0] }, downstream: downstream.map { ports[$0] },
        siblings: parts.indices.count { nearest != nil && sources[$0].first == nearest })
      part.template.connect(&model, part, ports[position], around)
    }
    return model.definition(
      id: id, asset: asset, templates: parts.map(\.template.id), horizons: horizons, grounds: grounds)
  }
}
