public import TwinCore

/// The right-hand side of a plant, ẋ = f(x, u), as a small network that keeps to what is known of the physics.
///
/// Two layers of tanh. It is fitted to measured rates; where a net power is known, Σ capacity·ẋ is held to it; where
/// more of something must push a rate one way (more heat never cools), a slope of the other sign is penalised (Di
/// Natale et al., "Physically consistent neural networks for building thermal modeling", 2022). Learning goes on in
/// small steps of Adam (Kingma and Ba, 2015) over a reservoir of everything seen (Vitter's algorithm R, 1985), and
/// `anchor()` makes weights that mattered so far expensive to move (Kirkpatrick et al., 2017). Same samples in the same
/// order, same bits.
public struct BalanceNetwork: Sendable, Equatable {
  /// A sign that the slope of a rate by a state or an input must have.
  public struct Slope: Sendable, Equatable {
    /// The state whose rate it is.
    public var row: Int
    /// Of states, then inputs.
    public var column: Int
    public var isRising: Bool

    public init(row: Int, column: Int, isRising: Bool) {
      (self.row, self.column, self.isRising) = (row, column, isRising)
    }
  }

  /// What is known of the plant. Lengths: n states, m inputs; `centres` and `spreads` have n + m.
  public struct Plant: Sendable, Equatable {
    /// Where states, then inputs, usually are, and how far from there.
    public var centres: [Double]
    public var spreads: [Double]
    /// Of the rates, in the states' units per second: about the root of their mean square.
    public var rateSpreads: [Double]
    /// A simulated state is pushed back into these.
    public var lows: [Double]
    public var highs: [Double]
    /// In the balance Σ capacity·ẋ = power.
    public var capacities: [Double]
    public var slopes: [Slope]

    public init(
      centres: [Double], spreads: [Double], rateSpreads: [Double], lows: [Double], highs: [Double],
      capacities: [Double], slopes: [Slope] = []
    ) {
      (self.centres, self.spreads, self.rateSpreads) = (centres, spreads, rateSpreads)
      (self.lows, self.highs, self.capacities, self.slopes) = (lows, highs, capacities, slopes)
    }

    /// What is wrong with it: empty if nothing.
    public var problems: [String] {
      let (n, columns) = (rateSpreads.count, centres.count)
      var found: [String] = []
      if n < 1 || n > 64 || columns < n || columns > 256 { found.append("\(n) states, \(columns) columns") }
      if spreads.count != columns || [lows.count, highs.count, capacities.count].contains(where: { $0 != n }) {
        found.append("lists of different lengths")
      } else if zip(lows, highs).contains(where: { !($0 < $1) }) {
        found.append("a state whose lowest value is not below its highest")
      }
      if !(centres + lows + highs + capacities).allSatisfy(\.isFinite) { found.append("a number that is not finite") }
      if !(spreads + rateSpreads).allSatisfy({ $0 > 0 && $0.isFinite }) {
        found.append("a spread that is not positive")
      }
      if slopes.count > 64 || slopes.contains(where: { !(0..<n ~= $0.row) || !(0..<columns ~= $0.column) }) {
        found.append("a slope of nothing")
      }
      return found
    }
  }

  public struct Settings: Sendable, Equatable {
    public var seed: UInt64
    public var width: Int
    /// Adam's.
    public var rate: Double
    public var batch: Int
    /// How many samples are kept.
    public var reservoir: Int
    public var balanceWeight: Double
    public var slopeWeight: Double
    /// Of the pull to the anchor.
    public var anchorWeight: Double
    /// A state outside its range comes back with this time constant.
    public var returnSeconds: Double

    public init(
      seed: UInt64 = 0, width: Int = 32, rate: Double = 0.003, batch: Int = 32, reservoir: Int = 2048,
      balanceWeight: Double = 0.3, slopeWeight: Double = 10, anchorWeight: Double = 1, returnSeconds: Double = 600
    ) {
      (self.seed, self.width, self.rate, self.batch) = (seed, width, rate, batch)
      (self.reservoir, self.balanceWeight, self.slopeWeight) = (reservoir, balanceWeight, slopeWeight)
      (self.anchorWeight, self.returnSeconds) = (anchorWeight, returnSeconds)
    }

    public var problems: [String] {
      var found: [String] = []
      if !(1...256 ~= width) { found.append("a width of \(width)") }
      if !(1...1024 ~= batch) || !(1...65_536 ~= reservoir) { found.append("\(batch) of \(reservoir) samples") }
      if !(rate > 0 && rate <= 0.1) { found.append("a rate of \(rate)") }
      let weights = [balanceWeight, slopeWeight, anchorWeight]
      if !weights.allSatisfy({ $0 >= 0 && $0 <= 1e6 }) { found.append("weights of \(weights)") }
      if !(returnSeconds > 0 && returnSeconds <= 1e9) { found.append("a return in \(returnSeconds) s") }
      return found
    }
  }

  public let plant: Plant
  public let settings: Settings
  public var states: Int { plant.rateSpreads.count }
  public var columns: Int { plant.centres.count }
  /// Layer after layer: rows by what they come from, then the offsets.
  var weights: [Double]
  var gradient: Scratch
  var room: NetworkRoom
  private var firstMoment: [Double]
  private var secondMoment: [Double]
  private var steps: Int64 = 0
  private var importance: [Double]
  private var anchored: [Double]
  private var reservoir: SampleReservoir
  private var draws: Philox

  public init(_ plant: Plant, _ settings: Settings = Settings()) {
    precondition(plant.problems.isEmpty, plant.problems.joined(separator: ", "))
    precondition(settings.problems.isEmpty, settings.problems.joined(separator: ", "))
    (self.plant, self.settings) = (plant, settings)
    let (n, d, h) = (plant.rateSpreads.count, plant.centres.count, settings.width)
    let layers = NetworkLayers(inputs: d, width: h, outputs: n)
    var random = Philox(seed: settings.seed, stream: 3)
    weights = Array(repeating: 0, count: layers.count)
    // Glorot's spread keeps tanh in its middle; offsets begin at zero.
    for (range, fan) in [(layers.first, d + h), (layers.second, h + h), (layers.third, h + n)] {
      for index in range { weights[index] = random.normal() * (2 / Double(fan)).squareRoot() }
    }
    gradient = Scratch(weights.count)
    room = NetworkRoom(layers)
    firstMoment = Array(repeating: 0, count: weights.count)
    secondMoment = firstMoment
    importance = firstMoment
    anchored = firstMoment
    reservoir = SampleReservoir(capacity: settings.reservoir, width: d + n + 1)
    draws = Philox(seed: settings.seed, stream: 4)
  }

  /// How many samples it has been shown.
  public var seen: Int { reservoir.seen }

  /// Keeps one sample: states then inputs, the rates that were measured there, the net power. NaN stands for a rate or
  /// a power that is not known. False, and nothing is kept, where a state or input is not finite.
  @discardableResult
  public mutating func observe(_ point: [Double], rates: [Double], power: Double = .nan) -> Bool {
    precondition(point.count == columns && rates.count == states, "\(point.count) values, \(rates.count) rates")
    guard point.allSatisfy(\.isFinite), !(rates + [power]).contains(where: \.isInfinite) else { return false }
    guard let start = reservoir.place(&draws) else { return true }
    for column in 0..<columns { reservoir.samples[start + column] = standard(point[column], column) }
    for row in 0..<states {
      let rate = rates[row] / plant.rateSpreads[row]
      reservoir.samples[start + columns + row] = rate.isNaN ? .nan : rate.clamped(Self.sizeMax)
    }
    reservoir.samples[start + columns + states] = power.isNaN ? .nan : (power / powerSpread).clamped(Self.sizeMax)
    return true
  }

  /// Steps of Adam, each over a batch drawn from what is kept; gives the mean loss of the last.
  @discardableResult
  public mutating func train(steps count: Int) -> Double {
    precondition(count >= 0, "\(count) steps")
    guard reservoir.stored > 0 else { return 0 }
    var loss = 0.0
    for _ in 0..<count {
      for index in weights.indices { gradient.values[index] = 0 }
      loss = 0
      for _ in 0..<settings.batch {
        loss += accumulate(reservoir.samples, at: draws.index(below: reservoir.stored) * reservoir.width)
      }
      loss /= Double(settings.batch)
      descend()
    }
    return loss
  }

  /// From now on, moving a weight costs by how much the kept samples' loss depends on it.
  public mutating func anchor() {
    let count = min(reservoir.stored, 512)
    guard count > 0 else { return }
    for index in importance.indices { importance[index] *= 0.5 }
    for sample in 0..<count {
      for index in weights.indices { gradient.values[index] = 0 }
      // Evenly through the reservoir, which is in no order.
      _ = accumulate(reservoir.samples, at: sample * reservoir.stored / count * reservoir.width)
      for index in weights.indices {
        importance[index] += gradient.values[index] * gradient.values[index] / Double(count)
      }
    }
    anchored = weights
  }

  private mutating func descend() {
    steps += 1
    // Beyond some thousand steps the corrections are 1 to the bit.
    let warm = Double(min(steps, 100_000))
    let first = 1 - Elementary.pow(0.9, warm)
    let second = 1 - Elementary.pow(0.999, warm)
    let share = 1 / Double(settings.batch)
    for index in weights.indices {
      let pull = settings.anchorWeight * importance[index] * (weights[index] - anchored[index])
      let slope = gradient.values[index] * share + pull
      firstMoment[index] += 0.1 * (slope - firstMoment[index])
      secondMoment[index] += 0.001 * (slope * slope - secondMoment[index])
      let step = (firstMoment[index] / first) / ((secondMoment[index] / second).squareRoot() + 1e-8)
      weights[index] -= settings.rate * step
    }
  }

  /// Canonical form: twelve items; of the reservoir only what is stored.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(12)
    writer.integer(1)
    plant.encode(to: &writer)
    settings.encode(to: &writer)
    for list in [weights, firstMoment, secondMoment, importance, anchored] { writer.doubles(list) }
    writer.integer(steps)
    writer.integer(reservoir.seen)
    writer.doubles(Array(reservoir.samples[..<(reservoir.stored * reservoir.width)]))
    draws.encode(to: &writer)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(11, version: 1)
    let plant = try Plant(from: &reader)
    self.init(plant, try Settings(from: &reader))
    weights = try reader.finiteDoubles(weights.count)
    firstMoment = try reader.finiteDoubles(weights.count)
    secondMoment = try reader.finiteDoubles(weights.count)
    importance = try reader.finiteDoubles(weights.count)
    anchored = try reader.finiteDoubles(weights.count)
    steps = try reader.integer()
    let seen = try reader.int()
    let stored = try reader.doubles(limit: reservoir.capacity * reservoir.width)
    reservoir = try SampleReservoir(
      capacity: reservoir.capacity, width: reservoir.width, seen: seen, stored: stored)
    draws = try Philox(from: &reader)
    guard steps >= 0, (secondMoment + importance).allSatisfy({ $0 >= 0 }), !stored.contains(where: \.isInfinite) else {
      throw CanonicalFault("network after \(steps) steps with negative squares")
    }
    for row in 0..<reservoir.stored {
      let begin = row * reservoir.width
      guard stored[begin..<begin + columns].allSatisfy(\.isFinite) else {
        throw CanonicalFault("a kept sample that is not finite")
      }
    }
  }
}
