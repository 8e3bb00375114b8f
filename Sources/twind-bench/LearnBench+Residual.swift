import Models
import Seams
import TwinCore

/// The residual learner and the interval tracker: their time, what they gain on a plant whose physics is wrong, what
/// they cost where it is right, and how intervals cover on a measured series.
enum ResidualBench {
  static func run(series path: String) throws {
    print(Figure("learn.residual_update_us", updateSeconds() * 1e6, "us", .atMost(50)))
    print(Figure("learn.tracker_us", trackerSeconds() * 1e6, "us", .atMost(1)))
    let gains = (0..<5).map { SketchedZone.gain(seed: UInt64($0), isMisspecified: true) }
    let costs = (0..<5).map { -SketchedZone.gain(seed: UInt64($0), isMisspecified: false).reached }
    print(Figure("learn.residual_gain_percent", 100 * (gains.map(\.reached).min() ?? 0), "%", .atLeast(25)))
    print(Figure("learn.residual_gain_possible_percent", 100 * (gains.map(\.possible).min() ?? 0), "%", .none))
    print(Figure("learn.residual_cost_percent", 100 * (costs.max() ?? 0), "%", .atMost(2)))
    let series = try read(path)
    for (name, ahead, worst) in [("", 1, 86.0), ("_1h", 12, 83.0)] {
      let coverage = Coverage(of: series, ahead: ahead)
      print(Figure("learn.coverage90\(name)_percent", 100 * coverage.whole, "%", .atLeast(89.5)))
      print(Figure("learn.coverage90\(name)_over_percent", 100 * coverage.whole, "%", .atMost(90.5)))
      print(Figure("learn.coverage90\(name)_worst500_percent", 100 * coverage.worst, "%", .atLeast(worst)))
      print(Figure("learn.interval90\(name)_width", coverage.width, "", .none))
    }
  }

  /// CPU time of one forecast's correction and one residual's lesson, with 150 features.
  private static func updateSeconds() -> Double {
    var learner = ResidualLearner(inputs: 8)
    var random = Philox(seed: 1)
    let points = (0..<500).map { _ in (0..<8).map { _ in random.normal() } }
    var sum = 0.0
    let spent = Spent.leastOf(7) {
      for point in points {
        unsafe point.withUnsafeBufferPointer {
          sum += unsafe learner.predict($0).value
          unsafe learner.learn($0, residual: $0[0] * $0[1])
        }
      }
    }
    precondition(sum != 0, "it has learnt something")
    return spent.cpuSeconds / Double(points.count)
  }

  private static func trackerSeconds() -> Double {
    var tracker = QuantileTracker(level: 0.9)
    var random = Philox(seed: 2)
    let errors = (0..<100_000).map { _ in random.normal() }
    var sum = 0.0
    let spent = Spent.leastOf(7) {
      for error in errors {
        sum += tracker.radius(sigma: 1)
        tracker.score(error: error, sigma: 1)
      }
    }
    precondition(sum > 0, "its intervals have a width")
    return spent.cpuSeconds / Double(errors.count)
  }

  /// One number a line; lines that begin with # are about them.
  private static func read(_ path: String) throws -> [Double] {
    let file = try SystemFileStore().open(path, .read)
    let text = String(decoding: try file.read(Int(try file.size), at: 0), as: UTF8.self)
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    let values = lines.compactMap { Double($0) }
    guard values.count == lines.count, values.count > 2000 else { throw BenchFault("\(path) is no series of numbers") }
    return values
  }
}

/// How 90 % intervals cover around the forecasts of an autoregression that learns as it goes. Each forecast and its
/// interval are made before the value is seen, and scored as they were made.
private struct Coverage {
  var whole = 0.0
  var worst = 1.0
  var width = 0.0

  private static let lags = 6
  /// The first three days are for learning.
  private static let warmUp = 900
  private static let window = 500

  init(of series: [Double], ahead: Int) {
    var regression = RecursiveRegression(order: Self.lags + 1, priorVariance: 100)
    var tracker = QuantileTracker(level: 0.9, ahead: ahead)
    var variance = 1.0
    let (centre, scale) = (series[0], 10.0)
    // By the step that they are for.
    var issued: [(forecast: Double, sigma: Double, radius: Double, regressor: [Double])?] =
      Array(repeating: nil, count: series.count + ahead)
    var hits: [Bool] = []
    for (step, value) in series.enumerated() {
      if let past = issued[step] {
        let error = value - past.forecast
        if step >= Self.warmUp {
          let radius = max(0, past.radius) * past.sigma
          hits.append(error.magnitude <= radius)
          width += 2 * radius
        }
        tracker.score(error: error, sigma: past.sigma, issued: past.radius)
        // Of the last 200 errors, none of which counts for more than four of its kind.
        variance += (min(error * error, 16 * variance) - variance) / 200
        unsafe past.regressor.withUnsafeBufferPointer { unsafe _ = regression.learn($0, (value - centre) / scale) }
        issued[step] = nil
      }
      guard step >= Self.lags else { continue }
      let regressor = [0.1] + (0..<Self.lags).map { (series[step - $0] - centre) / scale }
      let forecast = unsafe centre + scale * regressor.withUnsafeBufferPointer { unsafe regression.predict($0) }
      let sigma = variance.squareRoot()
      issued[step + ahead] = (forecast, sigma, tracker.scoreRadius, regressor)
    }
    whole = Double(hits.count { $0 }) / Double(hits.count)
    width /= Double(hits.count)
    var inside = hits.prefix(Self.window).count { $0 }
    worst = Double(inside) / Double(Self.window)
    for step in Self.window..<hits.count {
      inside += (hits[step] ? 1 : 0) - (hits[step - Self.window] ? 1 : 0)
      worst = min(worst, Double(inside) / Double(Self.window))
    }
  }
}

/// A room whose physics is known but for what the sketch leaves out: draught that grows with the square root of the
/// difference of temperatures, and a valve that is far from linear.
private struct SketchedZone {
  /// 1 − RMSE with corrections / RMSE of the physics alone, one step of 15 min ahead, after ten days of learning; and
  /// the same for one who knew all but the noise.
  static func gain(seed: UInt64, isMisspecified: Bool) -> (reached: Double, possible: Double) {
    var random = Philox(seed: seed, stream: 11)
    var learner = ResidualLearner(inputs: 4)
    var (room, weather, valve) = (20.0, 0.0, 0.5)
    var (physics, corrected, least) = (0.0, 0.0, 0.0)
    for step in 0..<6000 {
      let day = 2 * Double.pi * Double(step) / 96
      weather += 0.02 * (random.normal() * 4 - weather)
      let outdoor = 5 - 6 * Elementary.cos(day) + 3 * weather
      let sun = max(0, -Elementary.cos(day)) * 600
      // A thermostat that is moved about, as one is.
      if step % 8 == 0 { valve = max(0, min(1, 0.5 + 0.2 * (21 - room) + 0.3 * random.normal())) }
      let known = room + 0.05 * (outdoor - room) + 1.6 * valve + 0.0005 * sun
      let noise = 0.08 * random.normal()
      var next = known + noise
      if isMisspecified {
        let difference = room - outdoor
        next += 0.8 * (valve * valve * (3 - 2 * valve) - valve) * (difference / 15)
        next -= 0.12 * difference.magnitude.squareRoot() - 0.4
      }
      let inputs = [room, outdoor, valve, sun]
      let residual = next - known
      let correction = unsafe inputs.withUnsafeBufferPointer { unsafe learner.predict($0).value }
      if step >= 960 {
        physics += residual * residual
        corrected += (residual - correction) * (residual - correction)
        least += noise * noise
      }
      unsafe inputs.withUnsafeBufferPointer { unsafe _ = learner.learn($0, residual: residual) }
      room = next
    }
    return (1 - (corrected / physics).squareRoot(), 1 - (least / physics).squareRoot())
  }
}
