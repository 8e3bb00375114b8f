import Models
import TwinCore

extension CalibrationProblem {
  /// Readings of an output below which nothing is fitted to it.
  static let readingsMin = 48
  /// Standard deviations of a state's prior beyond which a usual reading is of another unit, or another sensor.
  static let deviationsMax = 8.0
  /// Of rows that are the row before, to the last bit.
  static let repeatedMax = 0.45

  /// Why this record cannot teach this model: empty if nothing. One line each, for people; to be asked before a
  /// calibration, which takes any record.
  public func problems() -> [String] {
    var found = model.problems()
    guard found.isEmpty else { return found }
    for output in model.outputs.indices { found += problems(ofOutput: output) }
    for (input, port) in model.inputs.enumerated() {
      let column = known(table.inputs, input, of: model.inputs.count)
      if column.isEmpty {
        found.append("\(port.name) is never known")
      } else if 2 * column.count < table.steps {
        found.append("\(port.name) is known in \(column.count) of \(table.steps) steps: half at least are wanted")
      }
      if let wild = column.first(where: { $0.magnitude > 1e9 }) { found.append("\(port.name) reads \(wild)") }
    }
    let repeated = repeatedRows
    if Double(repeated) > Self.repeatedMax * Double(table.steps) {
      found.append(
        "\(repeated) of \(table.steps) rows repeat the row before: the record is of a longer step, or doubled")
    }
    return found
  }

  private func problems(ofOutput output: Int) -> [String] {
    let port = model.outputs[output]
    let column = known(table.outputs, output, of: model.outputs.count)
    guard column.count >= Self.readingsMin else {
      return ["\(port.name) has \(column.count) readings: \(Self.readingsMin) at least are wanted"]
    }
    var found: [String] = []
    let sorted = column.sorted()
    if sorted.first == sorted.last {
      // A fan that always runs takes what it takes; a room does not stand still while the weather moves.
      let moving = model.drivers(ofOutput: output).filter { input in
        Set(known(table.inputs, input, of: model.inputs.count).map(\.bitPattern)).count > 1
      }
      guard let driver = moving.first else { return [] }
      return ["\(port.name) never reads anything but \(sorted[0]), while \(model.inputs[driver].name) moves"]
    }
    // Of a mean over the step, the state that it is of.
    let state = model.states[model.shownState(output: output)]
    let middle = sorted[sorted.count / 2]
    let reach = Self.deviationsMax * (state.initialVariance + port.noiseVariance).squareRoot()
    if (middle - state.initialMean).magnitude > reach {
      found.append(
        "\(port.name) usually reads \(middle) \(port.unit), where \(state.initialMean) ± \(reach) is to be expected:"
          + " another unit, or another sensor")
    }
    return found
  }

  /// Finite ones.
  private func known(_ column: [Double], _ index: Int, of width: Int) -> [Double] {
    stride(from: index, to: table.steps * width, by: width).map { column[$0] }.filter(\.isFinite)
  }

  private var repeatedRows: Int {
    func isRepeated(_ column: [Double], _ width: Int, _ step: Int) -> Bool {
      (0..<width).allSatisfy { column[step * width + $0].bitPattern == column[(step - 1) * width + $0].bitPattern }
    }
    guard table.steps > 1 else { return 0 }
    return (1..<table.steps).count { step in
      let outputs = model.outputs.count
      return isRepeated(table.outputs, outputs, step) && isRepeated(table.inputs, model.inputs.count, step)
        && (0..<outputs).contains { table.outputs[step * outputs + $0].isFinite }
    }
  }
}

extension BilinearModel {
  /// The state that a reading is of: the one shown, or the one whose mean is shown.
  func shownState(output: Int) -> Int {
    let shown = outputs[output].state
    guard states[shown].isPerStep else { return shown }
    for term in terms where term.row == shown { if case .state(let state) = term.column { return state } }
    return shown
  }
}

extension BilinearModel {
  /// Inputs that reach an output through the terms, ascending.
  func drivers(ofOutput output: Int) -> [Int] {
    var (seen, inputs, open) = (Set<Int>(), Set<Int>(), [outputs[output].state])
    while let state = open.popLast() {
      guard seen.insert(state).inserted else { continue }
      for term in terms where term.row == state {
        inputs.formUnion(term.multipliers)
        switch term.column {
        case .state(let other): open.append(other)
        case .input(let input): inputs.insert(input)
        case .one: break
        }
      }
    }
    return inputs.sorted()
  }
}

extension CalibrationResult {
  /// Why a model that was fitted so should decide nothing: empty if nothing. One line each, for people.
  public func problems() -> [String] {
    var found: [String] = []
    if !(0.2...5).contains(meanSquare) {
      found.append("innovations are \(meanSquare) times as large, in squares, as the noise that was found says")
    }
    for (index, output) in model.outputs.enumerated() where !(skill[index] > Self.skillMin) {
      found.append("\(output.name) is forecast no better than that it stays as it is: skill \(skill[index])")
    }
    return found
  }

  /// What people should know of a model that may yet be good.
  public func remarks() -> [String] {
    var found: [String] = []
    for (index, parameter) in model.parameters.enumerated() {
      let distance = (logParameters[index] - model.priorLogParameters[index]).magnitude
      guard distance > 0.99 * parameter.limit else { continue }
      found.append(
        "\(parameter.name) stands at its bound, \(findings[index].value) \(parameter.unit):"
          + " another unit, or another prior is wanted")
    }
    if !Whiteness.isWhite(autocorrelation, count: readings) {
      found.append("innovations are not white: the model leaves out what readings still tell")
    }
    return found
  }
}
