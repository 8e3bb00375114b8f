public import TwinCore

/// Whether one forecaster is better than another on the same steps: paired differences of loss in blocks, a one-sided
/// bound on their mean.
///
/// Forecasts overlap, so neighbouring differences depend on each other; a block is as long as the longest horizon, and
/// blocks count as independent. The bound is Student's (the quantile by Cornish and Fisher's expansion). Source of the
/// scheme: F. X. Diebold, R. S. Mariano, "Comparing predictive accuracy" (1995), with non-overlapping batch means.
public struct PairedEvidence: Sendable, Equatable {
  public enum Finding: UInt8, Sendable {
    case open = 0
    case better = 1
    case notBetter = 2
  }

  /// Steps to a block.
  public let block: Int
  public private(set) var blocks = 0
  /// Of the differences champion − challenger, each in units of the champion's mean loss.
  public private(set) var mean = 0.0
  private var squares = 0.0
  private var sum = 0.0
  private var count = 0

  /// No finding before so many blocks.
  static let blocksMin = 8
  /// Nothing found after so many is a finding too.
  static let blocksMax = 120

  public init(block: Int) {
    precondition(block > 0, "a block has steps")
    self.block = block
  }

  /// One step's losses, both out of sample and on the same readings. What is not finite is passed over.
  public mutating func add(champion: Double, challenger: Double) {
    guard champion.isFinite, challenger.isFinite else { return }
    sum += champion - challenger
    count += 1
    guard count == block else { return }
    let difference = sum / Double(block)
    (sum, count) = (0, 0)
    blocks += 1
    let step = difference - mean
    mean += step / Double(blocks)
    squares += step * (difference - mean)
  }

  /// 95 % of such runs have the true mean above it; nil before two blocks.
  public var lowerBound: Double? { bound(-1) }
  public var upperBound: Double? { bound(1) }

  public var finding: Finding {
    guard blocks >= Self.blocksMin, let lower = lowerBound, let upper = upperBound else { return .open }
    if lower > 0 { return .better }
    return upper < 0 || blocks >= Self.blocksMax ? .notBetter : .open
  }

  private func bound(_ side: Double) -> Double? {
    guard blocks > 1 else { return nil }
    let freedom = Double(blocks - 1)
    let deviation = (squares / freedom / Double(blocks)).squareRoot()
    return mean + side * Self.studentQuantile95(freedom: freedom) * deviation
  }

  /// Of Student's distribution at 0.95; within 0.5 % from four degrees of freedom on.
  static func studentQuantile95(freedom: Double) -> Double {
    let z = 1.6448536269514722
    let (z3, z5, z7) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z)
    let (f, f2) = (freedom, freedom * freedom)
    return z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f2)
      + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * f2 * f)
  }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(7)
    writer.integer(1)
    writer.integer(block)
    writer.integer(blocks)
    for number in [mean, squares, sum] { writer.double(number) }
    writer.integer(count)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(6, version: 1)
    block = try reader.int()
    blocks = try reader.int()
    (mean, squares, sum) = (try reader.double(), try reader.double(), try reader.double())
    count = try reader.int()
    guard block > 0, blocks >= 0, count >= 0, count < block, mean.isFinite, squares >= 0, sum.isFinite else {
      throw CanonicalFault("evidence of \(blocks) blocks of \(block) steps, mean \(mean)")
    }
  }
}
