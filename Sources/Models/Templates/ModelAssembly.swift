import TwinCore

/// Fixed physical constants of the terms.
enum Physical {
  /// J/(kg·K): moist air of a room (ASHRAE Handbook, Fundamentals, ch. 1).
  static let airHeat = 1_006.0
  /// J/(kg·K): water between 5 and 60 °C.
  static let waterHeat = 4_186.0
  /// K: what °C begins at.
  static let zero = 273.15
}

/// A prior as a pack may state it, in the physics' unit.
public struct ParameterPrior: Sendable, Equatable {
  public var value: Double
  /// Standard deviation of the logarithm; nil: the template's.
  public var spread: Double?

  public init(value: Double, spread: Double? = nil) { (self.value, self.spread) = (value, spread) }
}

/// A model that grows, part by part: states, parameters and inputs are known by name, so that parts can share them.
struct ModelAssembly {
  private(set) var physics = BilinearModel(states: [], inputs: [], parameters: [], outputs: [], terms: [])
  private(set) var inputs: [InputBinding] = []
  private(set) var outputs: [PointBinding] = []
  let step: ModelStep
  private var inputPositions: [String: Int] = [:]
  private var parameterPositions: [String: Int] = [:]

  init(step: ModelStep) { self.step = step }

  /// `wander` is the standard deviation that an hour of its own noise adds.
  mutating func state(
    _ name: String, _ unit: String, mean: Double, deviation: Double, wander: Double, isBias: Bool = false
  ) -> Int {
    physics.states.append(
      BilinearModel.State(
        name: name, unit: unit, initialMean: mean, initialVariance: deviation * deviation,
        noiseIntensity: wander * wander / 3600, isBias: isBias))
    return physics.states.count - 1
  }

  /// What the physics leaves out of the balance of `row`: drifts, and is forgotten within days.
  ///
  /// Its unit is that of `gain`'s other side: W where it is divided by a capacity.
  mutating func bias(
    _ part: ModelPart, _ name: String, _ unit: String, of row: Int, deviation: Double, gain: [BilinearModel.Power] = [],
    scale: Double = 1
  ) {
    let memory = parameter(part, "tau_\(name)", "s", prior: Self.biasSeconds, spread: 0.7)
    // Stationary at its deviation: σ² = q·τ / 2.
    let wander = deviation * (2 * 3600 / Self.biasSeconds).squareRoot()
    let state = state("\(part.asset).\(name)", unit, mean: 0, deviation: deviation, wander: wander, isBias: true)
    term(state, .state(state), -1, [BilinearModel.Power(memory, -1)])
    term(row, .state(state), scale, gain)
  }

  /// A day: what is left out (people, doors, weather on facades) follows it.
  static let biasSeconds = 86_400.0

  /// Per second: a third of the value in a year, as filters clog and furniture moves.
  static let walk = 4e-9

  mutating func parameter(
    _ part: ModelPart, _ name: String, _ unit: String, prior: Double, spread: Double
  ) -> Int {
    let whole = "\(part.asset).\(name)"
    if let position = parameterPositions[whole] { return position }
    let stated = part.priors[name]
    physics.parameters.append(
      BilinearModel.Parameter(
        name: whole, unit: unit, prior: stated?.value ?? prior, spread: stated?.spread ?? spread,
        walk: Self.walk))
    parameterPositions[whole] = physics.parameters.count - 1
    return physics.parameters.count - 1
  }

  /// Each point is one input, whoever uses it.
  mutating func input(_ point: RolePoint) -> Int {
    let name = point.description.id
    if let position = inputPositions["\(name) \(point.unit)"] { return position }
    physics.inputs.append(BilinearModel.Input(name: name, unit: point.unit))
    inputs.append(
      InputBinding(
        .point(point.binding), reading: reading(of: point),
        outlook: point.role.isDaily ? .yesterday : .hold))
    inputPositions["\(name) \(point.unit)"] = physics.inputs.count - 1
    return physics.inputs.count - 1
  }

  /// What the plant says of its step stands at the step's end, what was asked of it at its start.
  private func reading(of point: RolePoint) -> InputBinding.Reading {
    if point.role.isCommand, !(step.isPlants && point.isApplied) { return .start }
    return step.isPlants ? .end : .mean
  }

  /// `floor` is the least standard deviation of a reading: what a good sensor of the kind has, with its place.
  ///
  /// With `isMean`, where the plant owns the time, the reading is the state's mean over the step.
  mutating func output(_ point: RolePoint, state: Int, floor: Double, isMean: Bool = false) {
    var state = state
    if isMean, step.isPlants {
      let shown = physics.states[state]
      physics.states.append(
        BilinearModel.State(
          name: "\(shown.name).mean", unit: shown.unit, initialMean: 0, initialVariance: 0, noiseIntensity: 0,
          isPerStep: true))
      term(physics.states.count - 1, .state(state), 1 / step.seconds)
      state = physics.states.count - 1
    }
    physics.outputs.append(
      BilinearModel.Output(
        name: point.description.id, unit: point.unit, state: state, noiseVariance: max(point.variance, floor * floor)))
    outputs.append(point.binding)
  }

  mutating func term(
    _ row: Int, _ column: BilinearModel.Column, _ scale: Double, _ powers: [BilinearModel.Power] = [],
    by multipliers: [Int] = []
  ) {
    physics.terms.append(
      BilinearModel.Term(row: row, column: column, scale: scale, powers: powers, multipliers: multipliers))
  }

  /// The rate of `row` by what flows into it from `source` because of their difference.
  mutating func difference(
    _ row: Int, from source: BilinearModel.Column, _ scale: Double, _ powers: [BilinearModel.Power],
    by multipliers: [Int] = []
  ) {
    term(row, source, scale, powers, by: multipliers)
    term(row, .state(row), -scale, powers, by: multipliers)
  }

  /// Heat between two states: what one loses the other gains.
  mutating func exchange(_ a: HeatNode, _ b: HeatNode, conductance: Int) {
    difference(
      a.state, from: .state(b.state), 1, [BilinearModel.Power(conductance, 1), BilinearModel.Power(a.capacity, -1)])
    difference(
      b.state, from: .state(a.state), 1, [BilinearModel.Power(conductance, 1), BilinearModel.Power(b.capacity, -1)])
  }

  func definition(
    id: String, asset: String, templates: [String], horizons: [Int], grounds: [String]
  ) -> ModelDefinition {
    ModelDefinition(
      id: id, asset: asset, templates: templates, stepNanoseconds: step.nanoseconds, physics: physics, inputs: inputs,
      outputs: outputs, horizons: horizons, grounds: grounds)
  }
}

/// A state that stores heat, with the parameter that says how much.
struct HeatNode: Sendable {
  var state: Int
  /// J/K, a parameter.
  var capacity: Int
}

/// A template at work on an asset, with the points in its roles.
struct ModelPart: Sendable {
  var template: ModelTemplate
  var asset: String
  /// Each role once.
  var points: [PointRole: RolePoint]
  var priors: [String: ParameterPrior] = [:]

  subscript(role: PointRole) -> RolePoint? { points[role] }

  /// kg/s of supply air at most; nil where no range says it.
  var nominalAirFlow: Double? {
    [PointRole.supplyFlowSetpoint, .supplyFlow].lazy.compactMap { points[$0]?.range?.upperBound }.first { $0 > 0 }
  }
}

/// What a part offers to others along the graph.
struct ModelPorts: Sendable {
  /// The air that an air handler supplies: its temperature, and the inputs whose product is its flow in kg/s.
  var supplyAir: Stream?
  /// The air of a zone.
  var air: BilinearModel.Column?
  /// kg/s at most of the air that comes from it.
  var nominalAirFlow: Double?
  /// Water that leaves a machine, as for the air.
  var water: Stream?
  /// The flow of a pump, a state.
  var flow: (state: Int, unit: String)?
  /// The part's first state, for itself alone.
  var own: (state: Int, unit: String)?
}

/// A medium on its way from one asset to the next.
struct Stream: Sendable {
  var temperature: BilinearModel.Column
  var flow: [Int]
  /// Where no flow is known: the input that switches it.
  var switched: Int?
}

/// What lies before and behind a part, nearest first.
struct ModelSurroundings {
  var upstream: [ModelPorts]
  var downstream: [ModelPorts]
  /// How many parts of its own kind its nearest source has to serve.
  var siblings: Int
}
