/// A model as a site's people ask for it: templates on assets, with what they know better than the point list.
public struct ModelPlan: Sendable, Equatable {
  public struct Part: Sendable, Equatable {
    /// Of the library: `zone.three-mass`.
    public var template: String
    public var asset: String
    /// By role, by id of the point; the others are found.
    public var points: [PointRole: String]
    /// kg/m³: makes a flow of volume one of mass.
    public var density: Double?
    /// By name within the part: `C_air`.
    public var priors: [String: ParameterPrior]

    public init(
      template: String, asset: String, points: [PointRole: String] = [:], density: Double? = nil,
      priors: [String: ParameterPrior] = [:]
    ) {
      (self.template, self.asset, self.points) = (template, asset, points)
      (self.density, self.priors) = (density, priors)
    }
  }

  public var id: String
  public var parts: [Part]
  /// In steps, ascending; nil: one step, an hour, six hours.
  public var horizons: [Int]?

  public init(id: String, parts: [Part], horizons: [Int]? = nil) {
    (self.id, self.parts, self.horizons) = (id, parts, horizons)
  }
}

/// What is wrong with a plan, and where in it.
public struct ModelPlanProblem: Error, Sendable, Equatable {
  public enum Place: Sendable, Equatable {
    case plan
    case template
    case asset
    case point(PointRole)
    case parameter(String)
  }

  /// Position among the parts.
  public var part: Int
  public var place: Place
  public var message: String
  public var remedy: String
}

extension ModelComposer {
  /// Parts in one model: more would not fit the order that an observer follows.
  public static let partsMax = 8

  /// The model that a plan asks for, or all that is wrong with it.
  public func compose(_ plan: ModelPlan) -> (definition: ModelDefinition?, problems: [ModelPlanProblem]) {
    var problems: [ModelPlanProblem] = []
    var parts: [ModelPart] = []
    guard (1...Self.partsMax).contains(plan.parts.count) else {
      let message = "the model \(plan.id) has \(plan.parts.count) parts, 1 to \(Self.partsMax) make one"
      return (nil, [ModelPlanProblem(part: 0, place: .plan, message: message, remedy: "name its templates and assets")])
    }
    for (position, part) in plan.parts.enumerated() {
      switch resolve(part, position, among: plan.parts) {
      case .success(let part): parts.append(part)
      case .failure(let found): problems += found.all
      }
    }
    guard problems.isEmpty else { return (nil, problems) }
    if let twice = parts.indices.first(where: { position in
      parts[..<position].contains {
        $0.asset == parts[position].asset && $0.template.kind == parts[position].template.kind
      }
    }) {
      let message = "\(parts[twice].asset) has two templates of the kind \(parts[twice].template.kind.rawValue)"
      return (nil, [ModelPlanProblem(part: twice, place: .template, message: message, remedy: "keep one of the two")])
    }
    let definition = build(
      id: plan.id, asset: parts[0].asset, parts: parts, horizons: plan.horizons ?? step.horizons,
      grounds: parts.flatMap(grounds))
    problems = unusedPriors(plan, definition)
    for problem in definition.physics.problems() {
      problems.append(
        ModelPlanProblem(part: 0, place: .plan, message: problem, remedy: "split the model into several"))
    }
    return (problems.isEmpty ? definition : nil, problems)
  }

  private struct Found: Error { var all: [ModelPlanProblem] }

  private func resolve(
    _ plan: ModelPlan.Part, _ position: Int, among all: [ModelPlan.Part]
  ) -> Result<ModelPart, Found> {
    func problem(_ place: ModelPlanProblem.Place, _ message: String, _ remedy: String) -> ModelPlanProblem {
      ModelPlanProblem(part: position, place: place, message: message, remedy: remedy)
    }
    guard let template = ModelTemplate.named(plan.template) else {
      let ids = ModelTemplate.library.map(\.id).joined(separator: ", ")
      return .failure(
        Found(all: [problem(.template, "there is no template \"\(plan.template)\"", "write one of \(ids)")]))
    }
    var problems: [ModelPlanProblem] = []
    if !assets.contains(where: { $0.id == plan.asset }) {
      problems.append(problem(.asset, "there is no asset \"\(plan.asset)\"", "name a device or an asset of the graph"))
    }
    var named: [PointRole: RolePoint] = [:]
    for (role, id) in plan.points.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      guard template.roles.contains(role) else {
        let known = template.roles.map(\.rawValue).joined(separator: ", ")
        problems.append(problem(.point(role), "\(template.id) has no \(role.rawValue)", "it knows \(known)"))
        continue
      }
      guard let point = points.first(where: { $0.id == id }) else {
        problems.append(problem(.point(role), "there is no point \"\(id)\"", "name a point of the site"))
        continue
      }
      switch RoleFinder.binding(of: point, as: role, step: step, density: plan.density) {
      case .success(let bound):
        named[role] = RolePoint(
          role: role, description: point, unit: bound.unit, binding: bound.binding, ground: "is named so by the pack")
      case .failure(let refusal):
        problems.append(problem(.point(role), "\(id) is no \(role.rawValue): \(refusal.why)", "name another point"))
      }
    }
    guard problems.isEmpty else { return .failure(Found(all: problems)) }
    let (part, open) = part(template, on: plan.asset, named: named, density: plan.density, priors: plan.priors)
    let reached = reach(plan.asset, .upstream)
    let isFed =
      template.kind == .zone
      && all.contains { reached.contains($0.asset) && ModelTemplate.named($0.template)?.kind == .airHandler }
    let missing = open.filter { !(isFed && $0.contains(.supplyTemperature)) }
    guard missing.isEmpty else {
      let message = "\(template.id) on \(plan.asset): \(why(missing, on: plan.asset))"
      return .failure(Found(all: [problem(.template, message, "name it under points")]))
    }
    return .success(part)
  }

  /// Priors whose names no parameter has: nothing would come of them.
  private func unusedPriors(_ plan: ModelPlan, _ definition: ModelDefinition) -> [ModelPlanProblem] {
    let names = definition.physics.parameters.map(\.name)
    return plan.parts.enumerated().flatMap { position, part in
      part.priors.keys.sorted().filter { !names.contains("\(part.asset).\($0)") }.map { name in
        let known = names.filter { $0.hasPrefix("\(part.asset).") }.map {
          String($0.dropFirst(part.asset.utf8.count + 1))
        }
        return ModelPlanProblem(
          part: position, place: .parameter(name), message: "the model has no parameter \"\(name)\" of \(part.asset)",
          remedy: "known are \(known.joined(separator: ", "))")
      }
    }
  }

  /// Why a part is what it is, one sentence each.
  func grounds(_ part: ModelPart) -> [String] {
    let head = "\(part.asset) is a case of \(part.template.id): \(part.template.summary)"
    return [head]
      + part.template.roles.compactMap { role in
        guard let point = part[role] else { return nil }
        let others = candidates(role, on: part.asset).filter {
          $0.description.id != point.description.id && $0.isApplied == point.isApplied
        }
        let more = others.isEmpty ? "" : "; \(others.map(\.description.id).joined(separator: ", ")) could be it too"
        return "\(point.description.id) is its \(role.rawValue): it \(point.ground)\(more)"
      }
  }
}
