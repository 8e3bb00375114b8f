/// The step that turns a column of Doubles into whole numbers: value = Double(n) / 10^e, Double(n) × 10^-e or
/// Double(n) × 2^-s, bit for bit. Code 0: none, the numbers are the bit patterns themselves.
struct DoubleStep: Equatable {
  /// 0 none; 1 + e (e 0…15) a division; 17 + e (e 1…15) a multiplication; 32 + s (s 1…63) a power of two.
  let code: UInt8
  private let operand: Double
  private let divides: Bool

  static let none = DoubleStep(code: 0, operand: 1, divides: false)
  static let codeMax: UInt8 = 95

  private static let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
  ]
  private static let tenths: [Double] = [
    1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15,
  ]
  /// Numbers beyond this are not exact in a Double.
  private static let numberMax = 0x1p53

  private init(code: UInt8, operand: Double, divides: Bool) {
    (self.code, self.operand, self.divides) = (code, operand, divides)
  }

  init(code: UInt8) throws(CodecFault) {
    switch code {
    case 0: self = .none
    case 1...16: self.init(code: code, operand: Self.powersOfTen[Int(code) - 1], divides: true)
    case 18...32: self.init(code: code, operand: Self.tenths[Int(code) - 17], divides: false)
    case 33...95:
      self.init(code: code, operand: Double(sign: .plus, exponent: -(Int(code) - 32), significand: 1), divides: false)
    default: throw CodecFault("step \(code) of doubles")
    }
  }

  /// The value that `number` stands for.
  @inline(__always)
  func value(_ number: Int64) -> Double { divides ? Double(number) / operand : Double(number) * operand }

  /// The number that stands for `value`; nil where there is none.
  @inline(__always)
  func number(_ value: Double) -> Int64? {
    let quotient = divides ? value * operand : value / operand
    guard quotient.magnitude <= Self.numberMax else { return nil }
    // Adding and taking away 1.5 × 2^52 rounds; beyond half of it a number is tried as it is.
    let rounded = quotient.magnitude < 0x1p51 ? quotient + 0x1.8p52 - 0x1.8p52 : quotient
    let number = Int64(rounded)
    return self.value(number).bitPattern == value.bitPattern ? number : nil
  }

  /// The step that fits most of a sample of the bit patterns; `.none` where none fits four fifths of it.
  static func search(_ patterns: [Int64]) -> DoubleStep {
    let stride = max(1, patterns.count / 61)
    let sample = Swift.stride(from: 0, to: patterns.count, by: stride).map {
      Double(bitPattern: UInt64(bitPattern: patterns[$0]))
    }
    // Where several fit, the coarsest: a true decimal fits a fine power of two as well, and the other way about.
    var candidates: [UInt8] = Array(1...7) + Array(18...23) + Array(8...16) + Array(24...32)
    if let binary = binary(sample) { candidates.insert(binary, at: binary < 32 + 25 ? 13 : candidates.count) }
    var best = (step: DoubleStep.none, hits: 0)
    for code in candidates {
      guard let step = try? DoubleStep(code: code) else { continue }
      let hits = sample.count { step.number($0) != nil }
      if hits > best.hits { best = (step, hits) }
      if hits == sample.count { break }
    }
    return 5 * best.hits >= 4 * sample.count ? best.step : .none
  }

  /// The power of two that suffices for nine tenths of the sample.
  private static func binary(_ sample: [Double]) -> UInt8? {
    let digits = sample.filter { $0.isFinite && $0 != 0 }.map { value in
      // The exponent of the last bit that is set.
      Int(value.exponent) - 52 + value.significandBitPattern.trailingZeroBitCount.clamped(to: 52)
    }.sorted()
    guard !digits.isEmpty else { return nil }
    let needed = -digits[digits.count / 10]
    return (1...63).contains(needed) ? UInt8(32 + needed) : nil
  }
}

extension Int {
  fileprivate func clamped(to limit: Int) -> Int { Swift.min(self, limit) }
}
