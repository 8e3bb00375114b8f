public import LinearAlgebra
public import TwinCore

extension BilinearModel {
  /// States and parameters together; more than a gateway could follow in a step.
  public static let orderMax = 64
  public static let termsMax = 1024
  /// Of a power's magnitude.
  public static let exponentMax = 8

  /// What is wrong with it, one sentence each: indices, numbers that are not finite, negative variances, too large.
  /// Empty if it is sound; what computes with a model wants it so.
  public func problems() -> [String] {
    var found: [String] = []
    if states.isEmpty { found.append("the model has no states") }
    if states.count + parameters.count > BilinearModel.orderMax {
      found.append(
        "the model has \(states.count) states and \(parameters.count) parameters; at most \(BilinearModel.orderMax)"
          + " together")
    }
    if terms.count > BilinearModel.termsMax {
      found.append("the model has \(terms.count) terms; at most \(BilinearModel.termsMax)")
    }
    for state in states { found += problems(of: state) }
    for parameter in parameters { found += problems(of: parameter) }
    for output in outputs {
      if !states.indices.contains(output.state) {
        found.append("output \(output.name) shows state \(output.state) of \(states.count)")
      }
      if !(output.noiseVariance >= 0 && output.noiseVariance.isFinite) {
        found.append("output \(output.name) has noise variance \(output.noiseVariance)")
      }
    }
    for (index, term) in terms.enumerated() { found += problems(of: term, index) }
    return found
  }

  private func problems(of state: State) -> [String] {
    var found: [String] = []
    if !state.initialMean.isFinite { found.append("state \(state.name) begins at \(state.initialMean)") }
    if !(state.initialVariance >= 0 && state.initialVariance.isFinite) {
      found.append("state \(state.name) has initial variance \(state.initialVariance)")
    }
    if !(state.noiseIntensity >= 0 && state.noiseIntensity.isFinite) {
      found.append("state \(state.name) has noise intensity \(state.noiseIntensity)")
    }
    return found
  }

  private func problems(of parameter: Parameter) -> [String] {
    var found: [String] = []
    if !(parameter.prior > 0 && parameter.prior.isFinite) {
      found.append("parameter \(parameter.name) has prior \(parameter.prior); it must be positive")
    }
    let numbers = [("spread", parameter.spread), ("walk", parameter.walk)]
    for (name, value) in numbers where !(value >= 0 && value.isFinite) {
      found.append("parameter \(parameter.name) has \(name) \(value)")
    }
    if !(parameter.limit > 0 && parameter.limit <= 50) {
      found.append("parameter \(parameter.name) has limit \(parameter.limit); it must be above 0 and at most 50")
    }
    return found
  }

  private func problems(of term: Term, _ index: Int) -> [String] {
    var found: [String] = []
    if !states.indices.contains(term.row) { found.append("term \(index) drives state \(term.row) of \(states.count)") }
    if !term.scale.isFinite { found.append("term \(index) has scale \(term.scale)") }
    switch term.column {
    case .state(let state) where !states.indices.contains(state):
      found.append("term \(index) takes state \(state) of \(states.count)")
    case .state(let state) where states[state].isPerStep:
      found.append("term \(index) takes state \(states[state].name), which begins every step at zero")
    case .input(let input) where !inputs.indices.contains(input):
      found.append("term \(index) takes input \(input) of \(inputs.count)")
    default: break
    }
    for power in term.powers {
      if !parameters.indices.contains(power.parameter) {
        found.append("term \(index) takes parameter \(power.parameter) of \(parameters.count)")
      }
      if power.exponent.magnitude > UInt(BilinearModel.exponentMax) {
        found.append("term \(index) has exponent \(power.exponent); at most \(BilinearModel.exponentMax)")
      }
    }
    for input in term.multipliers where !inputs.indices.contains(input) {
      found.append("term \(index) is multiplied by input \(input) of \(inputs.count)")
    }
    return found
  }

  /// ln of the priors.
  public var priorLogParameters: [Double] { parameters.map { Elementary.log($0.prior) } }

  /// [A, b; 0, 0] with ẋ = A·x + b while the inputs stay as they are, of states + 1 rows: for tests and pictures.
  public func systemMatrix(logParameters: [Double], inputs: [Double]) -> Matrix {
    precondition(logParameters.count == parameters.count, "\(logParameters.count) of \(parameters.count) parameters")
    precondition(inputs.count == self.inputs.count, "\(inputs.count) of \(self.inputs.count) inputs")
    var matrix = Matrix(rows: states.count + 1, columns: states.count + 1)
    for term in terms {
      var value = term.scale
      for power in term.powers {
        value *= Elementary.exp(Double(power.exponent) * logParameters[power.parameter])
      }
      for input in term.multipliers { value *= inputs[input] }
      switch term.column {
      case .state(let state): matrix[term.row, state] += value
      case .input(let input): matrix[term.row, states.count] += value * inputs[input]
      case .one: matrix[term.row, states.count] += value
      }
    }
    return matrix
  }
}

// Canonical form: [1, states, inputs, parameters, outputs, terms], each an array of structures without a version:
//   state [name, unit, initial mean, initial variance, noise intensity, is bias, is per step]; input [name, unit];
//   parameter [name, unit, prior, spread, walk, limit]; output [name, unit, state, noise variance];
//   term [row, kind of column (0 state, 1 input, 2 one), its index, scale, [parameter, exponent, …], [multiplier, …]].
extension BilinearModel {
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    writer.array(states.count)
    for state in states {
      writer.array(7)
      writer.text(state.name)
      writer.text(state.unit)
      writer.double(state.initialMean)
      writer.double(state.initialVariance)
      writer.double(state.noiseIntensity)
      writer.bool(state.isBias)
      writer.bool(state.isPerStep)
    }
    writer.array(inputs.count)
    for input in inputs {
      writer.array(2)
      writer.text(input.name)
      writer.text(input.unit)
    }
    writer.array(parameters.count)
    for parameter in parameters {
      writer.array(6)
      writer.text(parameter.name)
      writer.text(parameter.unit)
      for value in [parameter.prior, parameter.spread, parameter.walk, parameter.limit] { writer.double(value) }
    }
    writer.array(outputs.count)
    for output in outputs {
      writer.array(4)
      writer.text(output.name)
      writer.text(output.unit)
      writer.integer(output.state)
      writer.double(output.noiseVariance)
    }
    writer.array(terms.count)
    for term in terms { term.encode(to: &writer) }
  }

  /// Refuses what `problems` finds wrong.
  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(5, version: 1)
    (states, inputs, parameters, outputs, terms) = ([], [], [], [], [])
    for _ in 0..<(try reader.array(limit: BilinearModel.orderMax)) {
      try reader.items(7, "state")
      states.append(
        State(
          name: try reader.text(), unit: try reader.text(), initialMean: try reader.double(),
          initialVariance: try reader.double(), noiseIntensity: try reader.double(), isBias: try reader.bool(),
          isPerStep: try reader.bool()))
    }
    for _ in 0..<(try reader.array(limit: BilinearModel.termsMax)) {
      try reader.items(2, "input")
      inputs.append(Input(name: try reader.text(), unit: try reader.text()))
    }
    for _ in 0..<(try reader.array(limit: BilinearModel.orderMax)) {
      try reader.items(6, "parameter")
      parameters.append(
        Parameter(
          name: try reader.text(), unit: try reader.text(), prior: try reader.double(), spread: try reader.double(),
          walk: try reader.double(), limit: try reader.double()))
    }
    for _ in 0..<(try reader.array(limit: BilinearModel.orderMax)) {
      try reader.items(4, "output")
      outputs.append(
        Output(
          name: try reader.text(), unit: try reader.text(), state: try reader.int(), noiseVariance: try reader.double())
      )
    }
    for _ in 0..<(try reader.array(limit: BilinearModel.termsMax)) { terms.append(try Term(from: &reader)) }
    if let problem = problems().first { throw CanonicalFault(problem) }
  }
}

extension BilinearModel.Term {
  fileprivate func encode(to writer: inout CanonicalWriter) {
    let (kind, index) =
      switch column {
      case .state(let state): (0, state)
      case .input(let input): (1, input)
      case .one: (2, 0)
      }
    writer.array(6)
    writer.integer(row)
    writer.integer(kind)
    writer.integer(index)
    writer.double(scale)
    writer.array(2 * powers.count)
    for power in powers {
      writer.integer(power.parameter)
      writer.integer(power.exponent)
    }
    writer.array(multipliers.count)
    for input in multipliers { writer.integer(input) }
  }

  fileprivate init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.items(6, "term")
    row = try reader.int()
    let (kind, index) = (try reader.integer(), try reader.int())
    switch kind {
    case 0: column = .state(index)
    case 1: column = .input(index)
    case 2 where index == 0: column = .one
    default: throw CanonicalFault("column of kind \(kind) and index \(index)")
    }
    (scale, powers, multipliers) = (try reader.double(), [], [])
    let items = try reader.array(limit: 2 * BilinearModel.orderMax)
    guard items % 2 == 0 else { throw CanonicalFault("powers of \(items) items are not whole pairs") }
    for _ in 0..<items / 2 { powers.append(BilinearModel.Power(try reader.int(), try reader.int())) }
    for _ in 0..<(try reader.array(limit: BilinearModel.termsMax)) { multipliers.append(try reader.int()) }
  }
}

extension CanonicalReader {
  fileprivate mutating func items(_ count: Int, _ what: String) throws(CanonicalFault) {
    let found = try array(limit: count)
    guard found == count else { throw CanonicalFault("\(what) of \(found) items where \(count) should be") }
  }
}
