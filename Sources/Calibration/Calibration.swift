import LinearAlgebra
public import TwinCore

/// Fits a model to a stretch of record: several starts, the best of them to the end, then what is known of the result.
///
/// A value that is advanced step by step, so that whoever runs it can tell its progress, save it, and go on with a
/// saved one: the same problem, the same seed and any number of interruptions give the same bits.
public struct Calibration: Sendable, Equatable {
  public struct Settings: Sendable, Equatable {
    public var seed: UInt64
    /// The first is at the priors.
    public var starts: Int
    /// Iterations of every start before the best goes on.
    public var screening: Int
    public var iterationsMax: Int

    public init(seed: UInt64 = 1, starts: Int = 3, screening: Int = 6, iterationsMax: Int = 80) {
      precondition(starts > 0 && screening >= 0 && iterationsMax > 0, "a calibration does something")
      (self.seed, self.starts, self.screening, self.iterationsMax) = (seed, starts, screening, iterationsMax)
    }
  }

  public let problem: CalibrationProblem
  public let settings: Settings
  private var descents: [Descent] = []
  private var best: Int?
  /// Rows of the second derivatives so far.
  private var curvature: [Double] = []

  public init(_ problem: CalibrationProblem, _ settings: Settings = Settings()) {
    (self.problem, self.settings) = (problem, settings)
  }

  /// 0 to 1; an estimate while the descent is under way.
  public var progress: Double {
    let screened = descents.reduce(0) { $0 + min($1.iterations + 1, settings.screening + 1) }
    let first = Double(screened) / Double(settings.starts * (settings.screening + 1))
    guard let best else { return 0.4 * min(1, first) }
    guard descents[best].isDone || descents[best].iterations >= settings.iterationsMax else {
      return 0.4 + 0.4 * Double(descents[best].iterations) / Double(settings.iterationsMax)
    }
    return 0.8 + 0.2 * Double(curvature.count) / Double(problem.count * problem.count)
  }

  public var isDone: Bool { curvature.count == problem.count * problem.count }

  /// −ln posterior so far.
  public var cost: Double { descents.map(\.cost).min() ?? .infinity }

  /// One iteration, or one row of the curvature: some dozen passes over the record.
  public mutating func advance() {
    if descents.count < settings.starts, descents.last.map({ isScreened($0) }) ?? true {
      descents.append(Descent(at: point(ofStart: descents.count), of: problem))
    } else if let last = descents.indices.last, best == nil, !isScreened(descents[last]) {
      descents[last].advance(problem)
    } else if best == nil {
      best = descents.indices.min { descents[$0].cost < descents[$1].cost }
    } else if let best, !descents[best].isDone, descents[best].iterations < settings.iterationsMax {
      descents[best].advance(problem)
    } else if !isDone {
      curvature += row(curvature.count / problem.count)
    }
  }

  private func isScreened(_ descent: Descent) -> Bool {
    descent.isDone || descent.iterations >= settings.screening
  }

  /// Starts after the first lie half a spread around the prior.
  private func point(ofStart start: Int) -> [Double] {
    guard start > 0 else { return problem.start }
    var random = Philox(seed: settings.seed, stream: UInt64(start))
    return problem.start.enumerated().map { $1 + 0.5 * min(1, problem.spread($0)) * random.normal() }
  }

  /// One row of the second derivatives, by central differences of the cost.
  private func row(_ index: Int) -> [Double] {
    guard let best else { return [] }
    let (point, cost) = (descents[best].point, descents[best].cost)
    let step = 0.02
    func shifted(_ a: Int, _ x: Double, _ b: Int, _ y: Double) -> Double {
      var moved = point
      moved[a] += x
      moved[b] += y
      return problem.cost(moved)
    }
    return point.indices.map { other in
      if other == index {
        return (shifted(index, step, index, 0) - 2 * cost + shifted(index, -step, index, 0)) / (step * step)
      }
      // The lower half is the upper one's mirror: half the passes.
      if other < index { return curvature[other * problem.count + index] }
      return
        (shifted(index, step, other, step) - shifted(index, step, other, 0) - shifted(index, 0, other, step) + cost)
        / (step * step)
    }
  }

  /// What was found; nil before it is done, or where no start could run the model.
  public var result: CalibrationResult? {
    guard isDone, let best, descents[best].cost.isFinite else { return nil }
    return CalibrationResult(
      problem, at: descents[best].point, cost: descents[best].cost,
      curvature: Matrix(rows: problem.count, columns: problem.count, curvature),
      iterations: descents.reduce(0) { $0 + $1.iterations })
  }

  /// Everything but the problem and the settings, which whoever goes on has to give again.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(4)
    writer.integer(1)
    writer.array(descents.count)
    for descent in descents { descent.encode(to: &writer) }
    writer.integer(best ?? -1)
    writer.doubles(curvature)
  }

  public init(
    _ problem: CalibrationProblem, _ settings: Settings, resuming reader: inout CanonicalReader
  ) throws(CanonicalFault) {
    self.init(problem, settings)
    try reader.structure(3, version: 1)
    for _ in 0..<(try reader.array(limit: settings.starts)) {
      descents.append(try Descent(from: &reader, unknowns: problem.count))
    }
    let place = try reader.int()
    guard place < descents.count else { throw CanonicalFault("best of \(descents.count) descents is \(place)") }
    best = place < 0 ? nil : place
    curvature = try reader.doubles()
    guard curvature.count % problem.count == 0, curvature.count <= problem.count * problem.count else {
      throw CanonicalFault("curvature of \(curvature.count) numbers")
    }
  }
}
