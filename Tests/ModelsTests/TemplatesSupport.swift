import LinearAlgebra
import Models
import TwinCore

/// A point list of one line a point: id, unit, and the Brick class where there is one.
func pointList(_ lines: [String], ranges: [String: ClosedRange<Double>] = [:]) -> [SitePointDescription] {
  lines.enumerated().map { index, line in
    let words = line.split(separator: " ").map(String.init)
    return SitePointDescription(
      id: words[0], unit: words[1], brick: words.count > 2 ? words[2] : nil,
      asset: String(words[0].prefix { $0 != "." }), point: PointIndex(index), range: ranges[words[0]])
  }
}

/// A template with each point named after its role.
struct Bench {
  var definition: ModelDefinition
  /// By name of a state, an input or a parameter, without the asset.
  var values: [String: Double] = [:]

  init?(
    _ templates: [String], _ roles: [PointRole: String], ranges: [String: ClosedRange<Double>] = [:],
    density: Double? = nil
  ) {
    let sorted = roles.sorted { $0.key.rawValue < $1.key.rawValue }
    let points = pointList(sorted.map { "x.\($0.key.rawValue) \($0.value)" }, ranges: ranges)
    let composer = ModelComposer(assets: [SiteAssetDescription(id: "x")], points: points, step: .usual)
    let parts = templates.map { template in
      let known = Set(ModelTemplate.named(template)?.roles ?? [])
      let named = roles.keys.filter(known.contains).map { ($0, "x.\($0.rawValue)") }
      return ModelPlan.Part(
        template: template, asset: "x", points: Dictionary(uniqueKeysWithValues: named), density: density)
    }
    guard let definition = composer.compose(ModelPlan(id: "m", parts: parts)).definition else { return nil }
    self.definition = definition
  }

  var physics: BilinearModel { definition.physics }

  /// The rates of all states by name; states and inputs that `values` does not name are 0, parameters at their priors.
  func rates() -> [String: Double] {
    func value(_ name: String) -> Double { values[String(name.dropFirst(2))] ?? 0 }
    let logs = physics.parameters.map { Elementary.log(values[String($0.name.dropFirst(2))] ?? $0.prior) }
    let matrix = physics.systemMatrix(logParameters: logs, inputs: physics.inputs.map { value($0.name) })
    let state = physics.states.map { value($0.name) } + [1]
    var rates: [String: Double] = [:]
    for (row, entry) in physics.states.enumerated() {
      rates[String(entry.name.dropFirst(2))] = state.indices.reduce(0.0) { $0 + matrix[row, $1] * state[$1] }
    }
    return rates
  }

  func parameter(_ name: String) -> Double {
    values[name] ?? physics.parameters.first { $0.name == "x.\(name)" }?.prior ?? .nan
  }
}
