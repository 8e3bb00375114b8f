import TwinCore

/// How much of an offered correction is used, from how corrections have fared so far.
///
/// Two judges. The share g that would have served best, Σ r·m / Σ m² over offers m and residuals r, less one standard
/// error, over a long and a short memory: the smaller of both counts, so that trust comes slowly and goes quickly. And
/// a ledger of harm: what the corrections that were used have cost in squared error beyond `allowance` of what physics
/// alone has lost. Where the ledger is overdrawn nothing is used, so that over any stretch of steps
///
///     Σ (r − used)² ≤ (1 + allowance) · Σ r² + credit + the cost of one step,
///
/// whatever the residuals do.
struct TrustGate: Sendable, Equatable {
  /// 1.02² − 1: two percent in the root of the mean square.
  static let allowance = 0.0404
  /// In squares of the residual's typical size: so much harm may be spent of earlier gain.
  static let credit = 10.0
  static let longMemory = 400.0
  static let shortMemory = 24.0
  /// Before so many scores nothing is used.
  static let leastCount = 30

  private(set) var count = 0
  private(set) var long = Skill()
  private(set) var short = Skill()
  /// Harm beyond the allowance, in the residual's unit squared; negative where there is credit.
  private(set) var ledger = 0.0

  /// From 0 to 1.
  var value: Double {
    guard count >= Self.leastCount, ledger <= 0 else { return 0 }
    let effective = min(Double(count), 2 * Self.longMemory)
    return min(long.share(lessErrorsOf: effective), short.share(lessErrorsOf: .infinity))
  }

  /// Takes in how one residual turned out, after `offer` was made for it and `used` of it was applied.
  mutating func score(residual: Double, offer: Double, used: Double, typical: Double) {
    let harm = used * (used - 2 * residual) - Self.allowance * residual * residual
    ledger = max(ledger + harm, -Self.credit * typical * typical)
    count += 1
    let limit = 6 * typical
    let bounded = residual.clamped(limit)
    long.add(bounded, offer, max(1 / Double(count), 1 / Self.longMemory))
    short.add(bounded, offer, max(1 / Double(count), 1 / Self.shortMemory))
  }

  /// Trust in an earlier regression says nothing of a new one; what harm was done stays.
  mutating func beginAnew() {
    count = 0
    (long, short) = (Skill(), Skill())
  }

  struct Skill: Sendable, Equatable {
    var product = 0.0
    var square = 0.0
    var productSquare = 0.0

    mutating func add(_ residual: Double, _ offer: Double, _ part: Double) {
      product += part * (residual * offer - product)
      square += part * (offer * offer - square)
      productSquare += part * (residual * residual * offer * offer - productSquare)
    }

    func share(lessErrorsOf count: Double) -> Double {
      guard square > 0 else { return 0 }
      let error = (max(0, productSquare - product * product) / count).squareRoot()
      return max(0, min(1, (product - error) / square))
    }

    func encode(to writer: inout CanonicalWriter) {
      for value in [product, square, productSquare] { writer.double(value) }
    }

    init() {}

    init(from reader: inout CanonicalReader) throws(CanonicalFault) {
      (product, square, productSquare) = (try reader.double(), try reader.double(), try reader.double())
      guard product.isFinite, square.isFinite, productSquare.isFinite, square >= 0, productSquare >= 0 else {
        throw CanonicalFault("skill of \(product) over \(square), \(productSquare)")
      }
    }
  }

  /// Canonical form: nine items.
  func encode(to writer: inout CanonicalWriter) {
    writer.array(9)
    writer.integer(1)
    writer.integer(count)
    writer.double(ledger)
    long.encode(to: &writer)
    short.encode(to: &writer)
  }

  init() {}

  init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(8, version: 1)
    count = try reader.int()
    ledger = try reader.double()
    long = try Skill(from: &reader)
    short = try Skill(from: &reader)
    guard count >= 0, ledger.isFinite else { throw CanonicalFault("gate of \(count) scores, ledger \(ledger)") }
  }
}
