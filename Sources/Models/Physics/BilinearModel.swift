/// A continuous state space whose coefficients are products of positive parameters and known inputs:
///
///     ẋ = A(θ, w)·x + B(θ, w)·u + e,   y = x[outputs] + v
///
/// Every coefficient is a sum of `Term`s, `scale · Π θ_k^power · Π w_m`. Parameters are positive and are estimated as
/// logarithms, so that a derivative by ln θ_k is the term times its power. A heat balance, a tank, a coil, a pump and a
/// battery are all of this form; what composes along the site's graph is a list of terms. Time is in seconds.
public struct BilinearModel: Sendable, Equatable {
  public struct State: Sendable, Equatable {
    public var name: String
    public var unit: String
    /// Where nothing has been seen yet.
    public var initialMean: Double
    public var initialVariance: Double
    /// Intensity of the white noise on its rate, unit² per second.
    public var noiseIntensity: Double
    /// A disturbance: nothing drives it but noise; it stands for what the physics leaves out.
    public var isBias: Bool
    /// Begins every step at zero, and drives nothing: with the rate x / step it is the mean of x over the step, which
    /// is what a meter that averages shows.
    public var isPerStep: Bool

    public init(
      name: String, unit: String, initialMean: Double, initialVariance: Double, noiseIntensity: Double,
      isBias: Bool = false, isPerStep: Bool = false
    ) {
      (self.name, self.unit, self.initialMean) = (name, unit, initialMean)
      (self.initialVariance, self.noiseIntensity) = (initialVariance, noiseIntensity)
      (self.isBias, self.isPerStep) = (isBias, isPerStep)
    }
  }

  /// What is known from outside: a measured disturbance, a command. Serves as a column of B and as a multiplier w.
  public struct Input: Sendable, Equatable {
    public var name: String
    public var unit: String

    public init(name: String, unit: String) { (self.name, self.unit) = (name, unit) }
  }

  /// A positive quantity that is estimated as its logarithm.
  public struct Parameter: Sendable, Equatable {
    public var name: String
    public var unit: String
    /// The value held most likely before any data, in the unit.
    public var prior: Double
    /// Standard deviation of its logarithm before any data.
    public var spread: Double
    /// How much the logarithm's variance grows in a second while the model runs: a coil fouls, a filter clogs.
    public var walk: Double
    /// The value may not leave prior·e^±limit.
    public var limit: Double

    public init(name: String, unit: String, prior: Double, spread: Double, walk: Double = 0, limit: Double = 3) {
      (self.name, self.unit, self.prior) = (name, unit, prior)
      (self.spread, self.walk, self.limit) = (spread, walk, limit)
    }
  }

  public struct Output: Sendable, Equatable {
    public var name: String
    public var unit: String
    /// The state that it shows.
    public var state: Int
    /// Of one reading, unit².
    public var noiseVariance: Double

    public init(name: String, unit: String, state: Int, noiseVariance: Double) {
      (self.name, self.unit, self.state, self.noiseVariance) = (name, unit, state, noiseVariance)
    }
  }

  /// What a term multiplies.
  public enum Column: Sendable, Hashable {
    case state(Int)
    case input(Int)
    case one
  }

  public struct Power: Sendable, Hashable {
    public var parameter: Int
    public var exponent: Int

    public init(_ parameter: Int, _ exponent: Int) { (self.parameter, self.exponent) = (parameter, exponent) }
  }

  /// One contribution to the rate of one state: scale · Π θ^power · Π w · column.
  public struct Term: Sendable, Hashable {
    public var row: Int
    public var column: Column
    public var scale: Double
    public var powers: [Power]
    /// Inputs, by position, that multiply it.
    public var multipliers: [Int]

    public init(row: Int, column: Column, scale: Double, powers: [Power] = [], multipliers: [Int] = []) {
      (self.row, self.column, self.scale, self.powers) = (row, column, scale, powers)
      self.multipliers = multipliers
    }
  }

  /// The state that a first reading of an output is of: the one shown, or the one whose mean is shown.
  func settledState(output: Int) -> Int {
    let shown = outputs[output].state
    guard states[shown].isPerStep else { return shown }
    for term in terms where term.row == shown { if case .state(let state) = term.column { return state } }
    return shown
  }

  public var states: [State]
  public var inputs: [Input]
  public var parameters: [Parameter]
  public var outputs: [Output]
  public var terms: [Term]

  public init(states: [State], inputs: [Input], parameters: [Parameter], outputs: [Output], terms: [Term]) {
    (self.states, self.inputs, self.parameters) = (states, inputs, parameters)
    (self.outputs, self.terms) = (outputs, terms)
  }
}
