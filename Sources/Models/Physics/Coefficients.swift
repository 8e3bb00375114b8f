/// A model's terms laid out flat, so that a step runs through them without allocating.
///
/// The rate of the states is M·[x; 1] with M of states × (states + 1), row after row; its derivative by ln θ_k is a
/// sparse list of entries, each at one position of M.
struct Coefficients: Sendable {
  let states: Int
  let parameters: Int
  /// In M, by term.
  private let positions: [Int]
  private let scales: [Double]
  /// What the term multiplies where its column is an input.
  private let columns: [Int?]
  /// Ranges in `powers` and `multipliers`, one more than terms.
  private let powerStarts: [Int]
  private let powers: [BilinearModel.Power]
  private let multiplierStarts: [Int]
  private let multipliers: [Int]

  /// By entry of the derivative: its position in M, its parameter.
  let entryPositions: [Int]
  let entryParameters: [Int]
  /// Inputs that A depends on, ascending.
  let stateMultipliers: [Int]

  /// States that begin every step at zero.
  let perStep: [Int]

  var width: Int { states + 1 }

  init(_ model: BilinearModel) {
    let problems = model.problems()
    precondition(problems.isEmpty, "a model is sound before it is used: \(problems.first ?? "")")
    let width = model.states.count + 1
    (states, parameters) = (model.states.count, model.parameters.count)
    positions = model.terms.map { term in
      if case .state(let state) = term.column { return term.row * width + state }
      return term.row * width + width - 1
    }
    scales = model.terms.map(\.scale)
    perStep = model.states.indices.filter { model.states[$0].isPerStep }
    columns = model.terms.map { term in
      if case .input(let input) = term.column { return input }
      return nil
    }
    powers = model.terms.flatMap(\.powers)
    multipliers = model.terms.flatMap(\.multipliers)
    powerStarts = model.terms.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.powers.count) }
    multiplierStarts = model.terms.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.multipliers.count) }
    let places = positions
    entryPositions = model.terms.indices.flatMap { term in model.terms[term].powers.map { _ in places[term] } }
    entryParameters = powers.map(\.parameter)
    stateMultipliers = Set(
      model.terms.flatMap { term in
        if case .state = term.column { return term.multipliers }
        return []
      }
    ).sorted()
  }

  /// Writes M, and where `entries` is given the values of the derivative's entries.
  ///
  /// `theta` holds the parameters, then their inverses.
  @unsafe func evaluate(
    theta: UnsafePointer<Double>, inputs: UnsafeBufferPointer<Double>, into m: UnsafeMutablePointer<Double>,
    entries: UnsafeMutablePointer<Double>?
  ) {
    for index in 0..<states * width { unsafe m[index] = 0 }
    for term in positions.indices {
      var value = scales[term]
      for index in multiplierStarts[term]..<multiplierStarts[term + 1] { unsafe value *= inputs[multipliers[index]] }
      if let input = columns[term] { unsafe value *= inputs[input] }
      let range = powerStarts[term]..<powerStarts[term + 1]
      for index in range {
        let power = powers[index]
        let base = unsafe power.exponent < 0 ? theta[parameters + power.parameter] : theta[power.parameter]
        for _ in 0..<power.exponent.magnitude { value *= base }
      }
      unsafe m[positions[term]] += value
      guard let entries = unsafe entries else { continue }
      for index in range { unsafe entries[index] = value * Double(powers[index].exponent) }
    }
  }
}
