import TwinCore

/// The last steps of a model as faults would show in them, and which fault explains them best.
///
/// A disturbance is what the bias holds and what the innovation adds to it. After an alarm those since its onset are
/// fitted by every fault's signature, as one amplitude or two, seen through the lag with which the observer follows; a
/// sensor that jumps shows its whole error at once besides, which a change of a rate does not. The least squares are
/// compared by Schwarz's criterion (1978), and what explains less than half is no explanation.
struct DriftRecord: Sendable, Equatable {
  /// Steps that are kept.
  static let window = 192
  /// Steps before the onset that say what was usual.
  static let baselineMax = 96
  /// How fast the observer's disturbances follow, as shares a step.
  private static let lags = [1.0, 0.7, 0.4]
  /// Neighbouring steps say in part the same: so many count as one.
  private static let stepsPerFact = 2.0

  let signatures: FaultSignatures
  let stepSeconds: Double
  private(set) var count = 0
  private var next = 0
  private var numbers: [Double]
  /// By step and output: whitened innovation, innovation, its standard deviation; zero, zero, one where none came.
  private var innovations: [Double]

  init(_ signatures: FaultSignatures, stepSeconds: Double) {
    (self.signatures, self.stepSeconds) = (signatures, stepSeconds)
    numbers = Array(repeating: 0, count: Self.window * signatures.stride)
    innovations = Array(repeating: 0, count: Self.window * 3 * signatures.model.outputs.count)
  }

  private var outputs: Int { signatures.model.outputs.count }
  private var slots: Int { signatures.biases.count }

  /// Place of the step that was `age` steps ago.
  private func place(_ age: Int) -> Int { (next - 1 - age + 2 * Self.window) % Self.window }
  private func number(_ age: Int, _ column: Int) -> Double { numbers[place(age) * signatures.stride + column] }
  private func innovation(_ age: Int, _ output: Int, _ item: Int) -> Double {
    innovations[(place(age) * outputs + output) * 3 + item]
  }

  mutating func append(mean: [Double], inputs: [Double], standing: borrowing [Standing]) {
    signatures.write(mean: mean, inputs: inputs, into: &numbers, at: next * signatures.stride)
    let first = next * signatures.stride
    for slot in 0..<slots {
      guard let output = signatures.shown.firstIndex(of: signatures.rows[slot]) else { continue }
      // What the bias has not taken up yet is still in the innovation: a rate that acted for one step.
      let decay = numbers[first + signatures.outputColumn(output) + slot] * stepSeconds
      numbers[first + slot] += standing[output].innovation / (stepSeconds * DriftRecord.share(decay))
    }
    for output in 0..<outputs {
      let start = (next * outputs + output) * 3
      innovations[start] = standing[output].whitened
      innovations[start + 1] = standing[output].innovation
      innovations[start + 2] = standing[output].deviation
    }
    next = (next + 1) % Self.window
    count = min(count + 1, Self.window)
  }

  /// Of a rate over one step, what is left at its end where the state decays by so much: (1 − e^−d)/d.
  private static func share(_ decay: Double) -> Double {
    decay > 1e-6 ? max(0.05, (1 - Elementary.exp(-decay)) / decay) : 1
  }

  /// One output in the present step.
  struct Standing: Sendable, Equatable {
    var isFresh = false
    var whitened = 0.0
    var innovation = 0.0
    var deviation = 1.0
  }

  /// Steps ago where the whitened innovations changed most, from `age` to three quarters of the window back.
  func onset(atLeast age: Int) -> Int {
    var (best, bestAge) = (-1.0, age)
    for output in 0..<outputs {
      var sum = 0.0
      for back in 0..<min(count, Self.window * 3 / 4) {
        sum += innovation(back, output, 0)
        guard back >= age else { continue }
        let gain = sum * sum / Double(back + 1)
        if gain > best { (best, bestAge) = (gain, back) }
      }
    }
    return bestAge
  }

  /// What explains the steps since `age` ago, and how clearly: the lead of its log likelihood over the next best.
  func explanation(since age: Int) -> (kind: DriftKind?, lead: Double) {
    guard slots > 0, count > age + 8 else { return (nil, 0) }
    var (best, second) = (Double.infinity, Double.infinity)
    var kind: DriftKind?
    let nothing = cost(Candidate(kind: .regime), since: age)
    func consider(_ candidate: Candidate) {
      let cost = cost(candidate, since: age)
      if candidate.kind == kind {
        best = min(best, cost)
      } else if cost < best {
        (second, best, kind) = (best, cost, candidate.kind)
      } else {
        second = min(second, cost)
      }
    }
    for output in 0..<outputs {
      consider(Candidate(kind: .sensor(output: output), first: signatures.outputColumn(output), jump: output))
    }
    for (position, input) in signatures.actuators.enumerated() {
      let column = signatures.actuatorColumn(position)
      consider(Candidate(kind: .actuator(input: input), first: column + slots))
      consider(Candidate(kind: .actuator(input: input), first: column, second: column + slots))
    }
    // Half of the squares left is a gain of ln 2 in each fact.
    let facts = Double((age + 1) * slots) / Self.stepsPerFact
    guard nothing - best > 0.5 * facts * 0.693 else { return (.regime, min(second, nothing) - best) }
    return (kind, min(second, nothing) - best)
  }

  private struct Candidate {
    var kind: DriftKind
    /// Columns of its signature.
    var first: Int?
    var second: Int?
    /// The output that would show the amplitude at once.
    var jump: Int?

    var amplitudes: Int { (first == nil ? 0 : 1) + (second == nil ? 0 : 1) }
  }

  private func cost(_ candidate: Candidate, since age: Int) -> Double {
    var least = Double.infinity
    for lag in Self.lags { least = min(least, cost(candidate, since: age, lag: lag)) }
    return least
  }

  /// Twice the negative log likelihood, halved: ½·facts·ln(squares) + ½·amplitudes·ln(facts).
  private func cost(_ candidate: Candidate, since age: Int, lag: Double) -> Double {
    var fit = SmallFit()
    for slot in 0..<slots {
      let usual = baseline(slot, since: age)
      let weight = 1 / usual.variance
      var (first, other) = (0.0, 0.0)
      var jump = jumpRate(candidate, slot: slot, age)
      for back in stride(from: age, through: 0, by: -1) {
        if let column = candidate.first { first += lag * (number(back, column + slot) - first) }
        if let column = candidate.second { other += lag * (number(back, column + slot) - other) }
        fit.add(number(back, slot) - usual.mean, first + jump, other, weight: weight)
        jump *= 1 - lag
      }
    }
    let facts = max(3, fit.count / Self.stepsPerFact)
    return 0.5 * facts * Elementary.log(fit.squares(candidate.amplitudes) / fit.count + 1e-3)
      + 0.5 * Double(candidate.amplitudes) * Elementary.log(facts)
  }

  /// What a sensor's error seems to add to the rate of its own state in the step in which it comes.
  private func jumpRate(_ candidate: Candidate, slot: Int, _ age: Int) -> Double {
    guard let output = candidate.jump, signatures.shown[output] == signatures.rows[slot] else { return 0 }
    let decay = number(age, signatures.outputColumn(output) + slot) * stepSeconds
    return 1 / (stepSeconds * Self.share(decay))
  }

  private func baseline(_ slot: Int, since age: Int) -> (mean: Double, variance: Double) {
    let last = min(count - 1, age + Self.baselineMax)
    var (sum, squares, n) = (0.0, 0.0, 0.0)
    for back in stride(from: age + 1, through: last, by: 1) {
      let value = number(back, slot)
      (sum, squares, n) = (sum + value, squares + value * value, n + 1)
    }
    guard n > 0 else { return (0, 1) }
    let mean = sum / n
    return (mean, max(squares / n - mean * mean, 1e-9 * (squares / n) + 1e-300))
  }

  /// Canonical form: version, count, next, numbers, innovations.
  func encode(to writer: inout CanonicalWriter) {
    writer.array(5)
    writer.integer(1)
    writer.integer(count)
    writer.integer(next)
    writer.doubles(numbers)
    writer.doubles(innovations)
  }

  init(from reader: inout CanonicalReader, _ signatures: FaultSignatures, stepSeconds: Double) throws(CanonicalFault) {
    self.init(signatures, stepSeconds: stepSeconds)
    try reader.structure(4, version: 1)
    (count, next) = (try reader.int(), try reader.int())
    let (numbers, innovations) = (try reader.doubles(), try reader.doubles())
    guard (0...Self.window).contains(count), (0..<Self.window).contains(next), numbers.count == self.numbers.count,
      innovations.count == self.innovations.count, numbers.allSatisfy(\.isFinite), innovations.allSatisfy(\.isFinite)
    else { throw CanonicalFault("record of \(count) steps and \(numbers.count) numbers") }
    (self.numbers, self.innovations) = (numbers, innovations)
  }
}

/// Weighted least squares of one or two amplitudes.
private struct SmallFit {
  var count = 0.0
  private var yy = 0.0
  private var (ay, by, aa, ab, bb) = (0.0, 0.0, 0.0, 0.0, 0.0)

  mutating func add(_ y: Double, _ a: Double, _ b: Double, weight: Double) {
    count += 1
    yy += weight * y * y
    ay += weight * a * y
    by += weight * b * y
    aa += weight * a * a
    ab += weight * a * b
    bb += weight * b * b
  }

  /// What is left of the squares.
  func squares(_ amplitudes: Int) -> Double {
    let determinant = aa * bb - ab * ab
    if amplitudes == 2, determinant > 1e-9 * aa * bb {
      return max(0, yy - (ay * ay * bb - 2 * ay * by * ab + by * by * aa) / determinant)
    }
    return amplitudes > 0 && aa > 0 ? max(0, yy - ay * ay / aa) : yy
  }
}
