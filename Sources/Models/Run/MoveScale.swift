import TwinCore

/// How large errors usually are where so much is moving: a robust line through |error| over |predicted change|.
///
/// What a plant does while it starts up is forecast far worse than what it does at rest; one scale for both would call
/// every start-up a change, or be blind at rest. Least absolute values by clipped recursive least squares; bounded
/// below by a share of the mean error.
struct MoveScale: Sendable, Equatable {
  private var rest = 0.0
  private var slope = 0.0
  /// Of the regressors 1 and |move|: inverse information, symmetric.
  private var (p11, p12, p22) = (1e4, 0.0, 1e4)
  private var mean = 0.0
  private(set) var count: Int64 = 0

  static let forgetting = 0.9995
  /// √(π/2): from a mean size to the standard deviation of a normal error.
  static let normal = 1.2533141373155003

  /// A standard deviation; nil before 48 errors were seen.
  func deviation(move: Double) -> Double? {
    guard count >= 48, mean > 0 else { return nil }
    return Self.normal * max(0.2 * mean, rest + slope * abs(move))
  }

  mutating func add(error: Double, move: Double) {
    let move = abs(move)
    guard error.isFinite, move.isFinite, move < 1e9 else { return }
    count += 1
    var size = abs(error)
    if let usual = deviation(move: move) { size = min(size, 4 * usual) }
    mean += max(0.002, 1 / Double(count)) * (size - mean)
    let (g1, g2) = (p11 + p12 * move, p12 + p22 * move)
    let denominator = Self.forgetting + g1 + g2 * move
    let (k1, k2) = (g1 / denominator, g2 / denominator)
    let miss = size - rest - slope * move
    rest += k1 * miss
    slope += k2 * miss
    p11 = min(1e4, (p11 - k1 * g1) / Self.forgetting)
    p12 = (p12 - k1 * g2) / Self.forgetting
    p22 = min(1e4, (p22 - k2 * g2) / Self.forgetting)
    if !(p11 * p22 > p12 * p12) { p12 = 0 }
    if slope < 0 { slope = 0 }
    if rest < 0 { rest = 0 }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(3)
    writer.integer(1)
    writer.doubles([rest, slope, p11, p12, p22, mean])
    writer.integer(count)
  }

  init() {}

  init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(2, version: 1)
    let numbers = try reader.doubles(limit: 6)
    count = try reader.integer()
    guard numbers.count == 6, numbers.allSatisfy(\.isFinite), numbers[0] >= 0, numbers[1] >= 0, numbers[2] > 0,
      numbers[4] > 0, numbers[2] * numbers[4] > numbers[3] * numbers[3], numbers[5] >= 0, count >= 0
    else { throw CanonicalFault("a scale of errors that is none") }
    (rest, slope, p11, p12, p22, mean) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
  }
}
