import TwinCore

/// What the residual learner of one output and horizon sees of a forecast: the inputs at its end and how they move
/// there, the physics' own forecast, the last innovations, the biases, the time of day.
enum Regressors {
  static func count(of physics: BilinearModel) -> Int {
    3 * physics.inputs.count + 2 + 2 + physics.states.count { $0.isBias } + 2
  }
}

extension ModelRun {
  /// Fills `scratch.features` for a forecast from now; `scratch.ahead` and `scratch.means` hold its way.
  mutating func regress(output: Int, steps: Int, _ definition: ModelDefinition) {
    let inputs = observer.model.inputs.count
    var at = 0
    func put(_ value: Double) {
      scratch.features[at] = value.isFinite ? value : 0
      at += 1
    }
    for input in 0..<inputs {
      // A controller's later moves would tell of the very readings that are forecast.
      let last = definition.inputs[input].outlook == .hold ? 1 : steps
      let end = scratch.ahead[last * inputs + input]
      let before = scratch.ahead[(last - 1) * inputs + input]
      let earlier = last > 1 ? scratch.ahead[(last - 2) * inputs + input] : before
      put(end)
      put(end - before)
      put(before - earlier)
    }
    let outputs = observer.model.outputs.count
    let forecast = scratch.means[(steps - 1) * outputs + output]
    put(forecast)
    put(forecast - (steps > 1 ? scratch.means[(steps - 2) * outputs + output] : observer.estimate(output: output).mean))
    put(recent[2 * output])
    put(recent[2 * output + 1])
    for state in observer.model.states.indices where observer.model.states[state].isBias {
      put(observer.mean[state])
    }
    let end = instant.advanced(byNanoseconds: Int64(steps) * definition.stepNanoseconds)
    let day: Int64 = 86_400_000_000_000
    let angle = 6.283185307179586 * Double(((end.nanoseconds % day) + day) % day) / Double(day)
    put(Elementary.sin(angle))
    put(Elementary.cos(angle))
  }
}

/// The regressors of forecasts that wait for their reading, with the physics' own forecast: what a learner needs when
/// the reading is there. A ring of the longest horizon.
struct RegressorBook: Sendable, Equatable {
  let cells: Int
  let features: Int
  private let depth: Int
  private var rows: [Double]
  private var physics: [Double]
  /// By slot and cell: what was offered, what was used of it, the adaptive filter's own
  /// forecast, and the interval's half width in standard deviations.
  private var corrections: [Double]
  private var steps: [Int64]

  init(cells: Int, features: Int, depth: Int) {
    (self.cells, self.features, self.depth) = (cells, features, depth)
    rows = Array(repeating: 0, count: depth * cells * features)
    physics = Array(repeating: .nan, count: depth * cells)
    corrections = Array(repeating: 0, count: 4 * depth * cells)
    steps = Array(repeating: -1, count: depth)
  }

  mutating func begin(step: Int64) {
    let slot = Int(step % Int64(depth))
    steps[slot] = step
    for cell in 0..<cells { physics[slot * cells + cell] = .nan }
  }

  mutating func keep(
    _ row: [Double], physics forecast: Double, adaptive: Double, _ correction: ResidualEstimate, width: Double,
    cell: Int, at step: Int64
  ) {
    let slot = Int(step % Int64(depth))
    let base = (slot * cells + cell) * features
    for index in 0..<features { rows[base + index] = row[index] }
    physics[slot * cells + cell] = forecast
    let place = 4 * (slot * cells + cell)
    (corrections[place], corrections[place + 1]) = (correction.offer, correction.value)
    corrections[place + 2] = adaptive.isFinite ? adaptive : forecast
    corrections[place + 3] = width
  }

  /// The physics' forecast that was issued at `step`, what the learner said to it, and the place of its regressors.
  func find(
    cell: Int, at step: Int64
  ) -> (physics: Double, adaptive: Double, issued: ResidualEstimate, width: Double, base: Int)? {
    guard step >= 0 else { return nil }
    let slot = Int(step % Int64(depth))
    guard steps[slot] == step, physics[slot * cells + cell].isFinite else { return nil }
    let place = slot * cells + cell
    let issued = ResidualEstimate(
      value: corrections[4 * place + 1], gate: 0, raw: corrections[4 * place], offer: corrections[4 * place])
    return (physics[place], corrections[4 * place + 2], issued, corrections[4 * place + 3], place * features)
  }

  func withRow<T>(at base: Int, _ body: (UnsafeBufferPointer<Double>) -> T) -> T {
    unsafe rows.withUnsafeBufferPointer { unsafe body(UnsafeBufferPointer(rebasing: $0[base..<base + features])) }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(5)
    writer.integer(1)
    writer.doubles(rows)
    writer.doubles(physics)
    writer.doubles(corrections)
    writer.array(steps.count)
    for step in steps { writer.integer(step) }
  }

  mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(4, version: 1)
    let (rows, physics, corrections) = (try reader.doubles(), try reader.doubles(), try reader.doubles())
    guard rows.count == self.rows.count, physics.count == self.physics.count,
      corrections.count == self.corrections.count, rows.allSatisfy(\.isFinite), corrections.allSatisfy(\.isFinite)
    else { throw CanonicalFault("regressors of another shape") }
    (self.rows, self.physics, self.corrections) = (rows, physics, corrections)
    guard try reader.array() == steps.count else { throw CanonicalFault("regressors of another depth") }
    for index in steps.indices { steps[index] = try reader.integer() }
  }
}
