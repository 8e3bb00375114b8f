import TwinCore

/// What each possible fault would add to the rates of the disturbed states, by the model's own terms.
///
/// The observer's bias states stand for what the physics leaves out. An output that reads α too high seems to lose
/// −A·α there, by the state that it shows; an input that does other than it says adds ∂ẋ/∂u times the difference,
/// which is a constant where it is off by an offset, and ∝ u where its gain is wrong or it stands still.
struct FaultSignatures: Sendable, Equatable {
  let model: BilinearModel
  /// Bias states, and the state whose rate each one disturbs.
  let biases: [Int]
  let rows: [Int]
  let actuators: [Int]
  /// By output, the state that it shows, or whose mean it shows.
  let shown: [Int]
  /// Doubles of one step: disturbances, then for every output its column, then for every actuator two columns, each
  /// with one number a bias.
  let stride: Int

  init(_ model: BilinearModel, actuators: [Int]) {
    (self.model, self.actuators) = (model, actuators)
    var (biases, rows): ([Int], [Int]) = ([], [])
    for (state, description) in model.states.enumerated() where description.isBias {
      guard let row = model.terms.first(where: { $0.column == .state(state) && $0.row != state })?.row else { continue }
      biases.append(state)
      rows.append(row)
    }
    (self.biases, self.rows) = (biases, rows)
    shown = model.outputs.indices.map { model.settledState(output: $0) }
    stride = biases.count * (1 + model.outputs.count + 2 * actuators.count)
  }

  func outputColumn(_ output: Int) -> Int { biases.count * (1 + output) }
  /// The derivative; the derivative times the input follows it.
  func actuatorColumn(_ position: Int) -> Int { biases.count * (1 + model.outputs.count + 2 * position) }

  /// Writes one step's numbers from `start` on. `mean` is n states, then p logarithms.
  func write(mean: [Double], inputs: [Double], into numbers: inout [Double], at start: Int) {
    for index in start..<start + stride { numbers[index] = 0 }
    let n = model.states.count
    for term in model.terms {
      for slot in rows.indices where rows[slot] == term.row {
        var exponent = 0.0
        for power in term.powers { exponent += Double(power.exponent) * mean[n + power.parameter] }
        let scale = term.scale * (term.powers.isEmpty ? 1 : Elementary.exp(exponent))
        var product = scale
        for input in term.multipliers { product *= inputs[input] }
        if case .state(let state) = term.column {
          if state == biases[slot] { numbers[start + slot] += product * mean[state] }
          for output in shown.indices where shown[output] == state {
            numbers[start + outputColumn(output) + slot] -= product
          }
        }
        for position in actuators.indices {
          let column = start + actuatorColumn(position) + slot
          numbers[column] += derivative(term, actuators[position], scale, mean, inputs)
        }
      }
    }
    for position in actuators.indices {
      for slot in rows.indices {
        let column = start + actuatorColumn(position) + slot
        numbers[column + rows.count] = numbers[column] * inputs[actuators[position]]
      }
    }
  }

  /// Of one term by one input, which may be its column, a multiplier, or both.
  private func derivative(
    _ term: BilinearModel.Term, _ input: Int, _ scale: Double, _ mean: [Double], _ inputs: [Double]
  ) -> Double {
    var sum = 0.0
    if term.column == .input(input) {
      var product = scale
      for other in term.multipliers { product *= inputs[other] }
      sum += product
    }
    for place in term.multipliers.indices where term.multipliers[place] == input {
      var product = scale
      for other in term.multipliers.indices where other != place { product *= inputs[term.multipliers[other]] }
      switch term.column {
      case .state(let state): product *= mean[state]
      case .input(let other): product *= inputs[other]
      case .one: break
      }
      sum += product
    }
    return sum
  }
}
