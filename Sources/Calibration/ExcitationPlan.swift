public import LinearAlgebra
public import Models
import TwinCore

/// Moves of writable inputs, within limits, that teach most about parameters that ordinary operation leaves open.
///
/// A pure value: nobody is asked and nothing is written by making it. Bounded pseudo-random steps are tried, and the
/// ones kept after which the filter's covariance of ln θ has the least determinant (D-optimality: Ljung, "System
/// Identification" (1999), ch. 13; Godfrey, "Perturbation Signals" (1993)).
public struct ExcitationPlan: Sendable, Equatable {
  /// One input that may be moved, and how far.
  public struct Lever: Sendable, Equatable {
    public var input: Int
    public var low: Double
    public var high: Double

    public init(input: Int, low: Double, high: Double) {
      precondition(low.isFinite && high.isFinite && low <= high, "limits \(low)…\(high)")
      (self.input, self.low, self.high) = (input, low, high)
    }
  }

  public struct Move: Sendable, Equatable {
    /// From the plan's begin.
    public var step: Int
    public var input: Int
    public var value: Double
  }

  public struct Settings: Sendable, Equatable {
    public var seed: UInt64
    /// Sequences that are tried.
    public var candidates: Int
    /// Steps for which a move is held at least.
    public var hold: Int

    public init(seed: UInt64 = 1, candidates: Int = 24, hold: Int = 4) {
      precondition((1...1000).contains(candidates) && hold > 0, "sequences to try, held for a step at least")
      (self.seed, self.candidates, self.hold) = (seed, candidates, hold)
    }
  }

  /// By step; a lever not named keeps its value.
  public let moves: [Move]
  public let steps: Int
  public let secondsPerStep: Double
  /// ln of the covariance's determinant over identified parameters and those that are to be: now, after the same time
  /// without the moves, and after them.
  public let now: Double
  public let idle: Double
  public let excited: Double
  /// By parameter: standard deviation of the logarithm without the moves and with them.
  public let deviations: [(idle: Double, excited: Double)]
  private let names: [String]
  private let levers: [Lever]

  /// - Parameter ahead: what the inputs will be without the plan, steps × inputs.
  public init(
    _ model: BilinearModel, logParameters: [Double], covariance: Matrix, levers: [Lever], ahead: [Double],
    secondsPerStep: Double, _ settings: Settings = Settings()
  ) {
    let width = model.inputs.count
    precondition(width > 0 && ahead.count % width == 0 && ahead.allSatisfy(\.isFinite), "inputs for every step")
    precondition(levers.allSatisfy { model.inputs.indices.contains($0.input) }, "levers are inputs")
    steps = ahead.count / width
    (self.secondsPerStep, self.levers, names) = (secondsPerStep, levers, model.inputs.map(\.name))
    let observer = JointObserver(model, logParameters: logParameters, covariance: covariance)
    let first = Self.covariance(of: observer)
    let idle = Self.outcome(observer, ahead, secondsPerStep)
    var best = (values: ahead, covariance: idle, worth: Self.logDeterminant(idle))
    for candidate in 0..<(levers.isEmpty ? 0 : settings.candidates) {
      let values = Self.sequence(UInt64(candidate), levers, ahead, width, settings)
      let covariance = Self.outcome(observer, values, secondsPerStep)
      let worth = Self.logDeterminant(covariance)
      if worth < best.worth { best = (values, covariance, worth) }
    }
    (now, self.idle, excited) = (Self.logDeterminant(first), Self.logDeterminant(idle), best.worth)
    deviations = model.parameters.indices.map {
      (max(0, idle[$0, $0]).squareRoot(), max(0, best.covariance[$0, $0]).squareRoot())
    }
    var moves: [Move] = []
    for step in 0..<steps {
      for lever in levers {
        let value = best.values[step * width + lever.input]
        let before = step > 0 ? best.values[(step - 1) * width + lever.input] : .nan
        let isPlain = best.values == ahead
        if !isPlain, value != before { moves.append(Move(step: step, input: lever.input, value: value)) }
      }
    }
    self.moves = moves
  }

  /// Half levels and whole ones, each held for a random while.
  private static func sequence(
    _ stream: UInt64, _ levers: [Lever], _ ahead: [Double], _ width: Int, _ settings: Settings
  ) -> [Double] {
    var random = Philox(seed: settings.seed, stream: stream)
    var values = ahead
    let steps = ahead.count / width
    for lever in levers {
      var (left, level) = (0, lever.low)
      for step in 0..<steps {
        if left == 0 {
          left = settings.hold * (1 + random.index(below: 4))
          level = lever.low + (lever.high - lever.low) * Double(random.index(below: 3)) / 2
        }
        left -= 1
        values[step * width + lever.input] = level
      }
    }
    return values
  }

  /// What would be known of the logarithms if every reading were as expected.
  private static func outcome(_ observer: JointObserver, _ inputs: [Double], _ seconds: Double) -> Matrix {
    var observer = observer
    let width = observer.model.inputs.count
    for step in 0..<inputs.count / width {
      let isDone = unsafe inputs.withUnsafeBufferPointer { inputs in
        let row = unsafe UnsafeBufferPointer(rebasing: inputs[step * width..<(step + 1) * width])
        return unsafe observer.predict(row, seconds: seconds)
      }
      guard isDone else { break }
      for output in observer.model.outputs.indices {
        observer.update(output: output, value: observer.estimate(output: output).mean)
      }
    }
    return covariance(of: observer)
  }

  private static func covariance(of observer: JointObserver) -> Matrix {
    let (states, count) = (observer.model.states.count, observer.model.parameters.count)
    var part = Matrix(rows: count, columns: count)
    for row in 0..<count {
      for column in 0..<count {
        part[row, column] = observer.covariance[(states + row) * (states + count) + states + column]
      }
    }
    return part
  }

  private static func logDeterminant(_ covariance: Matrix) -> Double {
    Cholesky(covariance.symmetrised())?.logDeterminant ?? .infinity
  }

  /// What is to be told to those whom it touches, before it begins; one line a lever.
  public var announcement: [String] {
    guard !moves.isEmpty else { return ["no moves: none would teach more than ordinary operation does"] }
    let minutes = Int((Double(steps) * secondsPerStep / 60).nearestInteger)
    return levers.map { lever in
      let count = moves.count { $0.input == lever.input }
      return "\(names[lever.input]) moves \(count) times in \(minutes) min, never outside \(lever.low)…\(lever.high)"
    }
  }

  /// What is kept of it: why, and what it is expected to bring.
  public var record: String {
    let share = Elementary.exp((excited - idle) / Double(2 * max(1, deviations.count)))
    let percent = Int((100 * share).nearestInteger)
    return "excitation of \(steps) steps, \(moves.count) moves: uncertainty of a parameter, on average, \(percent) % of"
      + " what the same time would leave without it"
  }

  public static func == (a: ExcitationPlan, b: ExcitationPlan) -> Bool {
    a.moves == b.moves && a.steps == b.steps && a.secondsPerStep == b.secondsPerStep && a.now == b.now
      && a.idle == b.idle && a.excited == b.excited && a.levers == b.levers && a.names == b.names
      && a.deviations.elementsEqual(b.deviations) { $0 == $1 }
  }
}
