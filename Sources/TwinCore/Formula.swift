/// A compiled expression over points: what interlocks, policies and alarms are made of.
///
/// Reverse Polish, a fixed stack, no allocation, total: an input that may not be used gives nil. A step whose result is
/// not finite (a division by zero, the root of a negative number) is unknown, and so is all that rests on it: no
/// comparison turns it into a truth. Truth is 1 and 0. `and` and `or` are strict: an unknown side makes the whole
/// unknown.
public struct Formula: Hashable, Sendable {
  public enum Step: Hashable, Sendable {
    case constant(Double)
    case point(PointIndex)
    case negate, not, absolute, exponential, logarithm, squareRoot
    case add, subtract, multiply, divide, power, minimum, maximum
    case less, lessOrEqual, greater, greaterOrEqual, equal, notEqual
    case and, or
    /// condition, then, otherwise: all three are evaluated, and the branch that is not chosen may be unknown.
    case choose
  }

  public static let stepsMax = 256
  public static let depthMax = 16

  public let steps: [Step]
  /// The points it reads, ascending, each once.
  public let inputs: [PointIndex]

  /// Nil when the steps do not leave exactly one value, or need more than `stepsMax` steps or `depthMax` places.
  public init?(_ steps: [Step]) {
    guard !steps.isEmpty, steps.count <= Self.stepsMax else { return nil }
    var depth = 0
    for step in steps {
      let taken = step.operands
      guard depth >= taken else { return nil }
      depth += 1 - taken
      guard depth <= Self.depthMax else { return nil }
    }
    guard depth == 1 else { return nil }
    self.steps = steps
    var seen: Set<PointIndex> = []
    for case .point(let point) in steps { seen.insert(point) }
    inputs = seen.sorted()
  }

  public static func constant(_ value: Double) -> Formula { Formula([.constant(value)])! }
  public static func point(_ point: PointIndex) -> Formula { Formula([.point(point)])! }

  /// The value over the image; nil when any input is not usable or the result is not finite.
  public func value(over image: borrowing PointImage) -> Double? {
    evaluate { image.usable($0) }
  }

  /// As `value(over:)`, refusing inputs older than `limit`.
  public func value(over image: borrowing PointImage, noOlderThanNanoseconds limit: Int64) -> Double? {
    evaluate { image.usable($0, noOlderThanNanoseconds: limit) }
  }

  /// The value with other inputs, for contributions and counterfactuals.
  @inline(__always)
  public func evaluate(_ input: (PointIndex) -> Double?) -> Double? {
    var stack = InlineArray<16, Double>(repeating: 0)
    var top = 0
    let lent = steps.span
    for position in lent.indices {
      let step = lent[position]
      switch step {
      case .constant(let value):
        stack[top] = Self.known(value)
        top += 1
      case .point(let point):
        guard let value = input(point) else { return nil }
        stack[top] = Self.known(value)
        top += 1
      case .choose:
        top -= 2
        let condition = stack[top - 1]
        stack[top - 1] = condition.isNaN ? .nan : condition != 0 ? stack[top] : stack[top + 1]
      case .negate, .not, .absolute, .exponential, .logarithm, .squareRoot:
        let a = stack[top - 1]
        stack[top - 1] = a.isNaN ? .nan : Self.known(step.unary(a))
      default:
        top -= 1
        let (a, b) = (stack[top - 1], stack[top])
        stack[top - 1] = a.isNaN || b.isNaN ? .nan : Self.known(step.binary(a, b))
      }
    }
    let result = stack[0]
    return result.isFinite ? result : nil
  }

  /// Unknown travels as NaN.
  @inline(__always)
  private static func known(_ result: Double) -> Double { result.isFinite ? result : .nan }
}

extension Formula.Step {
  /// How many values the step takes from the stack; each leaves one.
  public var operands: Int {
    switch self {
    case .constant, .point: 0
    case .negate, .not, .absolute, .exponential, .logarithm, .squareRoot: 1
    case .choose: 3
    default: 2
    }
  }

  @inline(__always)
  func unary(_ a: Double) -> Double {
    switch self {
    case .negate: -a
    case .not: a == 0 ? 1 : 0
    case .absolute: a.magnitude
    case .exponential: Elementary.exp(a)
    case .logarithm: Elementary.log(a)
    default: a.squareRoot()
    }
  }

  @inline(__always)
  func binary(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .power: Elementary.pow(a, b)
    case .minimum: a < b ? a : b
    case .maximum: a > b ? a : b
    case .less: a < b ? 1 : 0
    case .lessOrEqual: a <= b ? 1 : 0
    case .greater: a > b ? 1 : 0
    case .greaterOrEqual: a >= b ? 1 : 0
    case .equal: a == b ? 1 : 0
    case .notEqual: a != b ? 1 : 0
    case .and: a != 0 && b != 0 ? 1 : 0
    default: a != 0 || b != 0 ? 1 : 0
    }
  }
}
