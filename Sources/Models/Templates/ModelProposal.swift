/// A model that a point list asks for, and why.
public struct ProposedModel: Sendable, Equatable {
  public var definition: ModelDefinition
  /// Share of the templates' roles that were found, 0 to 1; a name counts for less than a class.
  public var score: Double
  /// One sentence each.
  public var grounds: [String]
}

/// A template that was not put to work on an asset.
public struct RejectedTemplate: Sendable, Equatable {
  public var asset: String
  /// Empty where none came near.
  public var template: String
  public var why: String
}

/// What models a site can have by its point list.
public struct ModelProposal: Sendable, Equatable {
  /// By id.
  public private(set) var models: [ProposedModel] = []
  /// By asset, then template.
  public private(set) var rejected: [RejectedTemplate] = []

  /// Zones that one air handler's model takes: more than three do not fit the order that an observer follows.
  public static let zonesMax = 3
  /// Models that are proposed for one site.
  public static let modelsMax = 64

  /// The same models whatever the order of assets and points.
  public static func propose(
    assets: [SiteAssetDescription], points: [SitePointDescription], step: ModelStep = .usual
  ) -> ModelProposal {
    let composer = ModelComposer(assets: assets, points: points, step: step)
    var proposal = ModelProposal()
    var parts: [ModelPart] = []
    for kind in ModelTemplate.Kind.allCases where kind != .zone { parts += proposal.parts(of: kind, composer, parts) }
    // A zone whose air handler has a part needs no measured supply.
    parts += proposal.parts(of: .zone, composer, parts)
    for group in groups(of: parts, composer) {
      if proposal.models.count == modelsMax {
        proposal.rejected.append(
          RejectedTemplate(
            asset: parts[group[0]].asset, template: parts[group[0]].template.id,
            why: "\(modelsMax) models are proposed already: name the ones wanted in models.yaml"))
        continue
      }
      let model = model(group.map { parts[$0] }, composer)
      if let problem = model.definition.physics.problems().first {
        proposal.rejected.append(
          RejectedTemplate(
            asset: model.definition.asset, template: model.definition.templates.joined(separator: " + "), why: problem))
      } else {
        proposal.models.append(model)
      }
    }
    proposal.models.sort { inByteOrder($0.definition.id, $1.definition.id) }
    proposal.explainSilence(composer, parts)
    proposal.rejected.sort { ($0.asset, $0.template, $0.why) < ($1.asset, $1.template, $1.why) }
    return proposal
  }

  /// Of one kind at most one template on each asset.
  private mutating func parts(
    of kind: ModelTemplate.Kind, _ composer: ModelComposer, _ others: [ModelPart]
  ) -> [ModelPart] {
    let templates = ModelTemplate.library.filter { $0.kind == kind }
    var parts: [ModelPart] = []
    for asset in composer.assets where Self.mayBe(kind, asset) {
      let reached = composer.reach(asset.id, .upstream)
      let isFed = kind == .zone && others.contains { $0.template.kind == .airHandler && reached.contains($0.asset) }
      var refusal: RejectedTemplate?
      for template in templates {
        let (part, open) = composer.part(template, on: asset.id)
        let missing = open.filter { !(isFed && $0.contains(.supplyTemperature)) }
        if missing.isEmpty {
          parts.append(part)
          refusal = nil
          break
        }
        // Told where the asset is of this kind, or has the point that makes it one.
        let isNear = kind.brick.contains(asset.brick ?? "") || !missing.contains(template.needs[0])
        if refusal == nil, isNear {
          refusal = RejectedTemplate(asset: asset.id, template: template.id, why: composer.why(missing, on: asset.id))
        }
      }
      if let refusal { rejected.append(refusal) }
    }
    return parts
  }

  /// An asset whose class says what it is is nothing else; an air handler may have its zone's sensors.
  private static func mayBe(_ kind: ModelTemplate.Kind, _ asset: SiteAssetDescription) -> Bool {
    guard let brick = asset.brick else { return true }
    let kinds = ModelTemplate.Kind.allCases.filter { $0.brick.contains(brick) }
    return kinds.isEmpty || kinds.contains(kind) || kind == .zone && kinds.contains(.airHandler)
  }

  /// Parts of which one gives a state to another, in the order of kinds and assets.
  private static func groups(of parts: [ModelPart], _ composer: ModelComposer) -> [[Int]] {
    var group = Array(parts.indices)
    var zones: [Int: Int] = [:]
    let places = ModelComposer.places(of: parts)
    for position in parts.indices {
      guard let source = composer.sources(of: position, among: parts, places).first else { continue }
      // What is measured between two parts parts their models: each is told by its own readings, and the faults of one
      // do not look like the other's.
      if parts[position].template.kind == .zone, parts[position][.supplyTemperature] != nil { continue }
      zones[source, default: 0] += 1
      // Beyond the most that fit, a zone takes the supply air as measured, in a model of its own.
      guard zones[source, default: 0] <= zonesMax else { continue }
      let (from, to) = (group[position], group[source])
      for index in group.indices where group[index] == from { group[index] = to }
    }
    return Set(group).sorted().map { root in parts.indices.filter { group[$0] == root } }
  }

  private static func model(_ parts: [ModelPart], _ composer: ModelComposer) -> ProposedModel {
    let zones = parts.filter { $0.template.kind == .zone }
    // A model is called after what it serves; where it serves many, after what serves them.
    let main = zones.count == 1 ? zones[0] : parts.first { $0.template.kind != .zone } ?? parts[0]
    let grounds = parts.flatMap(composer.grounds)
    let points = parts.flatMap { part in part.template.roles.compactMap { part[$0] } }
    let worth = points.reduce(0.0) { $0 + ($1.description.brick == nil && !$1.isApplied ? 0.7 : 1) }
    let roles = parts.reduce(0) { $0 + $1.template.roles.count }
    let definition = composer.build(
      id: "\(main.asset)-\(main.template.kind.rawValue)", asset: main.asset, parts: parts,
      horizons: composer.step.horizons, grounds: grounds)
    return ProposedModel(definition: definition, score: worth / Double(max(roles, 1)), grounds: grounds)
  }

  /// Nothing is passed over in silence: each asset that has points and no model has a reason.
  private mutating func explainSilence(_ composer: ModelComposer, _ parts: [ModelPart]) {
    let told = Set(rejected.map(\.asset)).union(parts.map(\.asset))
    let used = Set(
      models.flatMap { model in
        model.definition.physics.inputs.map(\.name) + model.definition.physics.outputs.map(\.name)
      })
    for asset in composer.assets where !told.contains(asset.id) {
      let points = composer.points.filter { $0.asset == asset.id }
      guard !points.isEmpty, !points.contains(where: { used.contains($0.id) }) else { continue }
      let roles = composer.finder.found.filter { $0.description.asset == asset.id }.map { "\($0.role.rawValue)" }
      let refused = composer.finder.refused.filter { refusal in points.contains { $0.id == refusal.point } }
      let seen =
        roles.isEmpty
        ? "none of its \(points.count) points is known by class, or by name and unit"
        : "no template has enough in \(Set(roles).sorted().joined(separator: ", "))"
      let reasons = [seen] + refused.map { "\($0.point) is no \($0.role.rawValue): \($0.why)" }
      rejected.append(RejectedTemplate(asset: asset.id, template: "", why: reasons.joined(separator: "; ")))
    }
  }
}

extension ModelComposer {
  /// What is missing, and which points came near.
  func why(_ open: [[PointRole]], on asset: String) -> String {
    let wanted = open.map { $0.map(\.rawValue).joined(separator: " or ") }.joined(separator: ", and ")
    let roles = Set(open.flatMap { $0 })
    let own = Set(points.filter { $0.asset == asset }.map(\.id))
    let near = finder.refused.filter { roles.contains($0.role) && own.contains($0.point) }
    return "no point is its \(wanted)" + near.map { "; \($0.point) is not: \($0.why)" }.joined()
  }
}
