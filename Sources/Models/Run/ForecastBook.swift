import TwinCore

/// One forecast of one output, as it was issued.
public struct Forecast: Sendable, Equatable {
  public var mean: Double
  /// The model's own, of a reading.
  public var variance: Double
  /// Half the width of the 90 % interval: the tracker's, around the mean.
  public var radius: Double

  public init(mean: Double, variance: Double, radius: Double) {
    (self.mean, self.variance, self.radius) = (mean, variance, radius)
  }
}

/// What one horizon of one output came to over some stretch of time, on forecasts as issued.
public struct ForecastScore: Sendable, Equatable {
  public var count = 0
  /// Of errors, unit².
  public var squares = 0.0
  /// Of the errors that "it stays as it is" would have made.
  public var persistenceSquares = 0.0
  /// How often the reading lay within the interval.
  public var covered = 0
  /// Of intervals, half.
  public var radii = 0.0

  public init() {}

  public var rootMeanSquare: Double? { count > 0 ? (squares / Double(count)).squareRoot() : nil }
  public var persistence: Double? { count > 0 ? (persistenceSquares / Double(count)).squareRoot() : nil }
  public var coverage: Double? { count > 0 ? Double(covered) / Double(count) : nil }
  public var meanRadius: Double? { count > 0 ? radii / Double(count) : nil }

  mutating func add(error: Double, persistence: Double, radius: Double) {
    count += 1
    squares += error * error
    persistenceSquares += persistence * persistence
    if abs(error) <= radius { covered += 1 }
    radii += radius
  }

  public static func + (a: ForecastScore, b: ForecastScore) -> ForecastScore {
    var sum = a
    sum.count += b.count
    sum.squares += b.squares
    sum.persistenceSquares += b.persistenceSquares
    sum.covered += b.covered
    sum.radii += b.radii
    return sum
  }
}

/// Forecasts that wait for their reading, by step of issue, output and horizon; and the scores of those that met it.
///
/// Bounded: a ring of the longest horizon, and `days` days of scores.
struct ForecastBook: Sendable, Equatable {
  let outputs: Int
  let horizons: [Int]
  private let stepsPerDay: Int
  private let depth: Int
  /// By slot of issue, output, horizon.
  private var issued: [Forecast]
  /// By slot of issue and output: the reading at the time of issue.
  private var present: [Double]
  /// By slot: the step of issue.
  private var steps: [Int64]
  /// By day slot, output, horizon.
  private var scores: [ForecastScore]
  private var days: [Int64]

  static let daysKept = 60

  init(outputs: Int, horizons: [Int], stepsPerDay: Int) {
    precondition(!horizons.isEmpty && horizons.allSatisfy { $0 > 0 }, "horizons are ahead")
    precondition(stepsPerDay > 0, "a day has steps")
    (self.outputs, self.horizons, self.stepsPerDay) = (outputs, horizons, stepsPerDay)
    depth = (horizons.max() ?? 1) + 1
    issued = Array(
      repeating: Forecast(mean: .nan, variance: .nan, radius: .nan), count: depth * outputs * horizons.count)
    present = Array(repeating: .nan, count: depth * outputs)
    steps = Array(repeating: -1, count: depth)
    scores = Array(repeating: ForecastScore(), count: Self.daysKept * outputs * horizons.count)
    days = Array(repeating: -1, count: Self.daysKept)
  }

  /// The forecast of `output` for this step that was issued `horizons[horizon]` steps ago, if it was.
  func forecast(of output: Int, horizon: Int, for step: Int64) -> Forecast? {
    let at = step - Int64(horizons[horizon])
    guard at >= 0 else { return nil }
    let slot = Int(at % Int64(depth))
    guard steps[slot] == at else { return nil }
    let forecast = issued[(slot * outputs + output) * horizons.count + horizon]
    return forecast.mean.isFinite ? forecast : nil
  }

  /// By how much that forecast said the output would change.
  func move(of output: Int, horizon: Int, for step: Int64) -> Double {
    let at = step - Int64(horizons[horizon])
    guard let forecast = forecast(of: output, horizon: horizon, for: step) else { return 0 }
    let before = present[Int(at % Int64(depth)) * outputs + output]
    return before.isFinite ? forecast.mean - before : 0
  }

  mutating func score(output: Int, horizon: Int, at step: Int64, error: Double, reading: Double, radius: Double) {
    let issue = Int((step - Int64(horizons[horizon])) % Int64(depth))
    let stayed = reading - present[issue * outputs + output]
    let day = step / Int64(stepsPerDay)
    let slot = Int(day % Int64(Self.daysKept))
    if days[slot] != day {
      days[slot] = day
      for index in 0..<outputs * horizons.count { scores[slot * outputs * horizons.count + index] = ForecastScore() }
    }
    scores[(slot * outputs + output) * horizons.count + horizon].add(
      error: error, persistence: stayed.isFinite ? stayed : error, radius: radius)
  }

  /// Opens the slot of a step; its forecasts follow by `issue`.
  mutating func begin(step: Int64) {
    let slot = Int(step % Int64(depth))
    steps[slot] = step
    for index in 0..<outputs * horizons.count { issued[slot * outputs * horizons.count + index].mean = .nan }
    for output in 0..<outputs { present[slot * outputs + output] = .nan }
  }

  mutating func issue(_ forecast: Forecast, output: Int, horizon: Int, at step: Int64) {
    issued[(Int(step % Int64(depth)) * outputs + output) * horizons.count + horizon] = forecast
  }

  mutating func note(reading: Double, output: Int, at step: Int64) {
    present[Int(step % Int64(depth)) * outputs + output] = reading
  }

  /// The forecasts issued last.
  func latest(output: Int, horizon: Int, at step: Int64) -> Forecast? {
    let slot = Int(step % Int64(depth))
    guard step >= 0, steps[slot] == step else { return nil }
    let forecast = issued[(slot * outputs + output) * horizons.count + horizon]
    return forecast.mean.isFinite ? forecast : nil
  }

  /// Of the last `count` days that have any, youngest last: day number and score.
  func daily(output: Int, horizon: Int, last count: Int = ForecastBook.daysKept) -> [(day: Int64, score: ForecastScore)]
  {
    days.enumerated().filter { $0.element >= 0 }.sorted { $0.element < $1.element }.suffix(count).map {
      ($0.element, scores[($0.offset * outputs + output) * horizons.count + horizon])
    }
  }

  func total(output: Int, horizon: Int, lastDays: Int = ForecastBook.daysKept) -> ForecastScore {
    daily(output: output, horizon: horizon, last: lastDays).reduce(ForecastScore()) { $0 + $1.score }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    writer.doubles(issued.flatMap { [$0.mean, $0.variance, $0.radius] })
    writer.doubles(present)
    writer.array(steps.count)
    for step in steps { writer.integer(step) }
    writer.array(days.count)
    for day in days { writer.integer(day) }
    writer.doubles(
      scores.flatMap { [Double($0.count), $0.squares, $0.persistenceSquares, Double($0.covered), $0.radii] })
  }

  /// Restores what the same outputs and horizons left; another shape is refused.
  mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(5, version: 1)
    let forecasts = try reader.doubles()
    let present = try reader.doubles()
    guard forecasts.count == 3 * issued.count, present.count == self.present.count else {
      throw CanonicalFault("a book of \(forecasts.count / 3) forecasts, not \(issued.count)")
    }
    for index in issued.indices {
      issued[index] = Forecast(
        mean: forecasts[3 * index], variance: forecasts[3 * index + 1], radius: forecasts[3 * index + 2])
    }
    self.present = present
    guard try reader.array() == steps.count else { throw CanonicalFault("a book of another depth") }
    for index in steps.indices { steps[index] = try reader.integer() }
    guard try reader.array() == days.count else { throw CanonicalFault("a book of other days") }
    for index in days.indices { days[index] = try reader.integer() }
    let numbers = try reader.doubles()
    guard numbers.count == 5 * scores.count,
      numbers.enumerated().allSatisfy({ $1 >= 0 && ($0 % 5 == 0 || $0 % 5 == 3 ? $1 < 1e12 : $1.isFinite) })
    else { throw CanonicalFault("scores that are none") }
    for index in scores.indices {
      scores[index].count = Int(numbers[5 * index])
      scores[index].squares = numbers[5 * index + 1]
      scores[index].persistenceSquares = numbers[5 * index + 2]
      scores[index].covered = Int(numbers[5 * index + 3])
      scores[index].radii = numbers[5 * index + 4]
    }
  }
}
