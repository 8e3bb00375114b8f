import Models
public import TwinCore

/// What a counterfactual came to.
public struct CounterfactualAnswer: Sendable, Equatable {
  /// A difference, and the middle 90 % of what the ensemble of parameters says of it.
  public struct Difference: Sendable, Equatable {
    public var value: Double
    public var low: Double
    public var high: Double
  }

  /// Row by row from the first change on, then in brief.
  public struct Output: Sendable, Equatable {
    public var name: String
    public var unit: String
    /// As it most likely was, without a reading's noise.
    public var factual: [Double]
    public var other: [Double]
    public var differences: [Difference]
    /// Over the rows after the first one, which no change reaches.
    public var mean: Difference
    public var atEnd: Difference
    /// The one of the largest size.
    public var largest: Difference
  }

  /// An input that was changed.
  public struct Input: Sendable, Equatable {
    public var name: String
    public var unit: String
    public var factual: [Double]
    public var other: [Double]
    /// Of other less factual, over the steps from the first change to the end.
    public var mean: Double
  }

  /// Of the first row.
  public var begin: Instant
  public var secondsPerStep: Double
  public var rows: Int
  public var outputs: [Output]
  public var inputs: [Input]
  /// Whose physics found a way, the calibration among them.
  public var members: Int
  public var membersAsked: Int

  public func instant(ofRow row: Int) -> Instant {
    begin.advanced(byNanoseconds: Counterfactual.nanoseconds(secondsPerStep * Double(row)))
  }
}

extension Counterfactual {
  /// Nil before every member was asked.
  public var answer: CounterfactualAnswer? {
    guard isDone else { return nil }
    let (count, rows) = (physics.outputs.count, record.steps - firstRow)
    let size = rows * count
    let found = (0..<ensemble.members).filter { differences[$0 * size].isFinite }
    let outputs = physics.outputs.indices.map { output -> CounterfactualAnswer.Output in
      let columns = found.map { member in (0..<rows).map { differences[member * size + $0 * count + output] } }
      return CounterfactualAnswer.Output(
        name: physics.outputs[output].name, unit: physics.outputs[output].unit,
        factual: (0..<rows).map { factual[$0 * count + output] },
        other: (0..<rows).map { other[$0 * count + output] },
        differences: (0..<rows).map { row in Self.difference(columns.map { $0[row] }) },
        mean: Self.difference(columns.map { $0.dropFirst().reduce(0, +) / Double(rows - 1) }),
        atEnd: Self.difference(columns.map { $0[rows - 1] }),
        largest: Self.difference(columns.map { $0.reduce(0) { $1.magnitude > $0.magnitude ? $1 : $0 } }))
    }
    return CounterfactualAnswer(
      begin: begin.advanced(byNanoseconds: Self.nanoseconds(record.secondsPerStep * Double(firstRow))),
      secondsPerStep: record.secondsPerStep, rows: rows, outputs: outputs, inputs: changedInputs, members: found.count,
      membersAsked: ensemble.members)
  }

  private var changedInputs: [CounterfactualAnswer.Input] {
    let width = physics.inputs.count
    return physics.inputs.indices.compactMap { input in
      let factual = (firstRow..<record.steps).map { record.inputs[$0 * width + input] }
      let other = (firstRow..<record.steps).map { replaced[$0 * width + input] }
      guard factual != other else { return nil }
      // The last row's input works after the end.
      let steps = zip(factual, other).dropLast().map { $1 - $0 }
      return CounterfactualAnswer.Input(
        name: physics.inputs[input].name, unit: physics.inputs[input].unit, factual: factual, other: other,
        mean: steps.reduce(0, +) / Double(steps.count))
    }
  }

  /// The first one, with the 5 % and 95 % quantiles of all.
  static func difference(_ values: [Double]) -> CounterfactualAnswer.Difference {
    let sorted = values.sorted()
    func quantile(_ share: Double) -> Double {
      let place = share * Double(sorted.count - 1)
      let below = Int(place)
      let above = min(below + 1, sorted.count - 1)
      return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
    }
    return CounterfactualAnswer.Difference(value: values[0], low: quantile(0.05), high: quantile(0.95))
  }
}
