import Collectors
import Guard
import Models
import TwinCore
import TwinGraph
import YAML

/// What people are told of a model.
public struct ModelText: Hashable, Sendable {
  public var id: String
  public var asset: String
  public var templates: [String]
  /// Found in the point list, not stated by `models.yaml`.
  public var isProposed: Bool
  /// Points that feed it, and points that it forecasts.
  public var inputs: [String]
  public var outputs: [String]
  /// One sentence each.
  public var grounds: [String]

  init(_ model: ModelDefinition, isProposed: Bool) {
    (id, asset, templates, grounds) = (model.id, model.asset, model.templates, model.grounds)
    self.isProposed = isProposed
    (inputs, outputs) = (model.physics.inputs.map(\.name), model.physics.outputs.map(\.name))
  }
}

/// A template that an asset's points do not carry.
public struct ModelRejection: Hashable, Sendable {
  public var asset: String
  /// Empty where none came near.
  public var template: String
  public var why: String
}

extension PackLoader {
  /// What `models.yaml` says; where it is not there, what the point list carries.
  func readModels() {
    guard documents["models.yaml"] != nil else {
      // A broken pack has no models, and its people have other worries.
      if !problems.hasErrors { proposeModels() }
      return
    }
    guard let section = top("models.yaml") else { return }
    for (key, node) in section.entries("models") {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      readModel(key, inner)
    }
    section.close()
  }

  private var plantStep: ModelStep {
    site?.time.map { ModelStep(nanoseconds: $0.stepNanoseconds, isPlants: true) } ?? .usual
  }

  private func proposeModels() {
    let proposal = ModelProposal.propose(
      assets: assetDescriptions, points: pointDescriptions.filter { !isDerived($0) }, step: plantStep)
    models = proposal.models.map(\.definition)
    modelTexts = models.map { ModelText($0, isProposed: true) }
    modelRejections = proposal.rejected.map { ModelRejection(asset: $0.asset, template: $0.template, why: $0.why) }
  }

  private func readModel(_ key: Scalar, _ section: Section) {
    let usual = plantStep
    var step = usual
    if let nanoseconds = section.duration("step", in: 1_000_000_000...86_400_000_000_000) {
      step = ModelStep(nanoseconds: nanoseconds, isPlants: usual.isPlants)
      if usual.isPlants, step != usual {
        problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "step"),
          "the plant's step is \(DurationText.exact(nanoseconds: usual.nanoseconds))", "leave step out")
      }
    }
    section.require("parts", "write parts: [{template: zone.three-mass, asset: hall-a}]")
    var plan = ModelPlan(id: key.raw, parts: [])
    if let items = section.list("horizons") { plan.horizons = readHorizons(items, step, section) }
    var parts: [PartText] = []
    for (position, node) in (section.list("parts") ?? []).prefix(ModelComposer.partsMax + 1).enumerated() {
      guard let inner = Section(node, name: "part \(position + 1) of \(key.raw)", problems),
        let part = readPart(inner)
      else { continue }
      plan.parts.append(part.plan)
      parts.append(part)
    }
    section.close()
    guard !parts.isEmpty || section.list("parts")?.isEmpty == true else { return }
    let composer = ModelComposer(assets: assetDescriptions, points: pointDescriptions, step: step)
    // Once for the units of the parameters, once with what the pack says of them.
    var (definition, found) = composer.compose(plan)
    if let plain = definition, found.isEmpty, parts.contains(where: { !$0.parameters.isEmpty }) {
      for position in parts.indices { plan.parts[position].priors = readPriors(parts[position], plain) }
      (definition, found) = composer.compose(plan)
    }
    for problem in found { tell(problem, parts, section) }
    guard let definition, !problems.hasErrors else { return }
    models.append(definition)
    modelTexts.append(ModelText(definition, isProposed: false))
  }

  private struct PartText {
    var plan: ModelPlan.Part
    var section: Section
    var points: Section?
    var parameters: [(key: Scalar, value: Node)]
  }

  private func readPart(_ section: Section) -> PartText? {
    section.require("template", "write template: zone.three-mass")
    section.require("asset", "write asset: and a device or an asset of the graph")
    let template = section.text("template")
    let asset = section.text("asset")
    let density = section.quantity("density", in: Self.densityUnit)
    if let density, !(density > 0 && density < 1e5) {
      problems.add(
        .error, "pack.out_of_range", at: section.mark(of: "density"), "a density of \(density) kg/m3",
        "water has 998 kg/m3, air some 1.2")
    }
    let points = section.section("points")
    var named: [PointRole: String] = [:]
    for role in PointRole.allCases where points?.has(role.rawValue) == true {
      guard let scalar = points?.scalar(role.rawValue), let entry = point(scalar) else { continue }
      named[role] = entry.id
    }
    // Known, so that a misspelt role gets the nearest.
    for role in PointRole.allCases { _ = points?.node(role.rawValue) }
    points?.close()
    let parameters = section.entries("parameters", { !$0.isEmpty && $0.utf8.count <= 64 }, hint: "name a parameter")
    section.close()
    guard let template, let asset else { return nil }
    return PartText(
      plan: ModelPlan.Part(template: template, asset: asset, points: named, density: density), section: section,
      points: points, parameters: parameters)
  }

  private static let densityUnit: UnitCode = {
    guard let unit = UnitCode(ucum: "kg/m3") else { preconditionFailure("kg/m3 is a unit") }
    return unit
  }()

  private func readHorizons(_ items: [Node], _ step: ModelStep, _ section: Section) -> [Int]? {
    var horizons: [Int] = []
    for item in items.prefix(17) {
      guard case .scalar(let scalar) = item, let span = DurationText.parse(scalar.raw), span >= step.nanoseconds,
        span <= 1_000 * step.nanoseconds, span % step.nanoseconds == 0,
        Int(span / step.nanoseconds) > horizons.last ?? 0
      else {
        problems.add(
          .error, "pack.out_of_range", at: item.mark,
          "horizons ascend, in whole steps of \(DurationText.exact(nanoseconds: step.nanoseconds)), 1000 at most",
          "write horizons: [15min, 1h, 6h]")
        return nil
      }
      horizons.append(Int(span / step.nanoseconds))
    }
    guard (1...16).contains(horizons.count) else {
      problems.add(
        .error, "pack.out_of_range", at: section.mark(of: "horizons"), "\(items.count) horizons", "give 1 to 16")
      return nil
    }
    return horizons
  }

  private func readPriors(_ part: PartText, _ definition: ModelDefinition) -> [String: ParameterPrior] {
    var priors: [String: ParameterPrior] = [:]
    for (key, node) in part.parameters {
      let name = "\(part.plan.asset).\(key.raw)"
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      inner.require("value")
      let parameter = definition.physics.parameters.first { $0.name == name }
      let unit = parameter.flatMap { UnitCode(ucum: $0.unit) } ?? .one
      let spread = inner.number("spread", in: 0.001...3)
      if parameter == nil { _ = inner.node("value") }
      let value = parameter == nil ? 1 : inner.quantity("value", in: unit)
      inner.close()
      guard let value else { continue }
      guard value > 0, value.isFinite else {
        problems.add(
          .error, "pack.out_of_range", at: inner.mark(of: "value"), "\(key.raw) of \(value): parameters are positive",
          "give a number above 0")
        continue
      }
      priors[key.raw] = ParameterPrior(value: value, spread: spread)
    }
    return priors
  }

  private func tell(_ problem: ModelPlanProblem, _ parts: [PartText], _ section: Section) {
    var mark = section.mark
    if parts.indices.contains(problem.part) {
      let part = parts[problem.part]
      switch problem.place {
      case .plan: break
      case .template: mark = part.section.mark(of: "template")
      case .asset: mark = part.section.mark(of: "asset")
      case .point(let role): mark = part.points?.mark(of: role.rawValue) ?? part.section.mark
      case .parameter(let name): mark = part.parameters.first { $0.key.raw == name }?.key.mark ?? part.section.mark
      }
    }
    problems.add(.error, "pack.model", at: mark, problem.message, problem.remedy)
  }

  // MARK: what the library sees of a site

  private func isDerived(_ point: SitePointDescription) -> Bool { points[point.point.position].device == nil }

  private var assetDescriptions: [SiteAssetDescription] {
    graph.nodes.filter { $0.type == .asset || $0.type == .component }.map { node in
      SiteAssetDescription(
        id: node.id, brick: node.text("brick"),
        feeds: graph.neighbours(of: node.id, along: [.feeds], .forward).map(\.id))
    }
  }

  private var pointDescriptions: [SitePointDescription] {
    let limits = Dictionary(envelopes.map { ($0.point, $0.hard) }, uniquingKeysWith: { first, _ in first })
    var echoes: [String: String] = [:]
    for entry in points {
      guard let device = entry.device, let shown = entry.draft?.register.write?.readbackPoint else { continue }
      echoes["\(devices[device].device.id).\(shown)"] = entry.id
    }
    return points.map { entry in
      SitePointDescription(
        id: entry.id, unit: entry.unit.ucum, brick: entry.draft?.brick,
        asset: entry.device.map { devices[$0].device.id } ?? String(entry.id.prefix { $0 != "." }),
        isWritable: entry.draft?.register.write != nil, point: entry.index,
        range: limits[entry.index] ?? entry.draft?.register.range, variance: entry.draft?.measurementVariance ?? 0,
        symbols: entry.draft?.register.symbols ?? [:], echoes: echoes[entry.id])
    }
  }
}
