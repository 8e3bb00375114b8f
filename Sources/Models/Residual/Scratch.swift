import TwinCore

/// Room for intermediate values, kept so that a step allocates nothing; it is no part of a state, so all are equal.
struct Scratch: Sendable, Equatable {
  var values: [Double]

  init(_ count: Int) { values = Array(repeating: 0, count: count) }

  static func == (_: Scratch, _: Scratch) -> Bool { true }
}

/// Σ a·b in eight lanes, which the compiler may not make of a plain sum.
@inline(__always)
func dot(_ a: UnsafeBufferPointer<Double>, _ b: UnsafeBufferPointer<Double>) -> Double {
  let count = a.count
  var lanes = SIMD8<Double>.zero
  var index = 0
  while index + 8 <= count {
    for lane in 0..<8 { unsafe lanes[lane] += a[index + lane] * b[index + lane] }
    index += 8
  }
  var sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
  while index < count {
    unsafe sum += a[index] * b[index]
    index += 1
  }
  return sum
}

extension CanonicalReader {
  /// Exactly `count` doubles, all of them numbers.
  mutating func finiteDoubles(_ count: Int) throws(CanonicalFault) -> [Double] {
    let values = try doubles(limit: max(1, count))
    guard values.count == count else { throw CanonicalFault("\(values.count) numbers where \(count) should be") }
    guard values.allSatisfy(\.isFinite) else { throw CanonicalFault("a number that is not finite") }
    return values
  }
}
