import Testing

@testable import TwinCore

/// The naive form of an expression: a tree that says nil as soon as something is unknown.
private indirect enum Tree {
  case leaf(Formula.Step)
  case one(Formula.Step, Tree)
  case two(Formula.Step, Tree, Tree)
  case choose(Tree, Tree, Tree)

  var steps: [Formula.Step] {
    switch self {
    case .leaf(let step): [step]
    case .one(let step, let a): a.steps + [step]
    case .two(let step, let a, let b): a.steps + b.steps + [step]
    case .choose(let a, let b, let c): a.steps + b.steps + c.steps + [.choose]
    }
  }

  var depth: Int {
    switch self {
    case .leaf: 1
    case .one(_, let a): a.depth
    case .two(_, let a, let b): max(a.depth, 1 + b.depth)
    case .choose(let a, let b, let c): max(a.depth, 1 + b.depth, 2 + c.depth)
    }
  }

  var points: Set<PointIndex> { Set(steps.compactMap { if case .point(let point) = $0 { point } else { nil } }) }

  func value(_ inputs: [Double]) -> Double? {
    let result: Double? =
      switch self {
      case .leaf(.constant(let number)): number
      case .leaf(.point(let point)): inputs[point.position]
      case .leaf: nil
      case .one(let step, let a): a.value(inputs).map { Self.apply(step, $0) }
      case .two(let step, let a, let b):
        if let x = a.value(inputs), let y = b.value(inputs) { Self.apply(step, x, y) } else { nil }
      case .choose(let a, let b, let c): a.value(inputs).flatMap { $0 != 0 ? b.value(inputs) : c.value(inputs) }
      }
    return result.flatMap { $0.isFinite ? $0 : nil }
  }

  private static func apply(_ step: Formula.Step, _ a: Double) -> Double {
    switch step {
    case .negate: 0 - a == 0 ? -a : 0 - a
    case .not: a == 0 ? 1 : 0
    case .absolute: abs(a)
    case .exponential: Elementary.exp(a)
    case .logarithm: Elementary.log(a)
    case .squareRoot: a < 0 ? .nan : a.squareRoot()
    default: .nan
    }
  }

  private static func apply(_ step: Formula.Step, _ a: Double, _ b: Double) -> Double {
    func truth(_ holds: Bool) -> Double { holds ? 1 : 0 }
    return switch step {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .power: Elementary.pow(a, b)
    case .minimum: min(a, b)
    case .maximum: max(a, b)
    case .less: truth(a < b)
    case .lessOrEqual: truth(!(b < a))
    case .greater: truth(b < a)
    case .greaterOrEqual: truth(!(a < b))
    case .equal: truth(a == b)
    case .notEqual: truth(!(a == b))
    case .and: truth(!(a == 0) && !(b == 0))
    case .or: truth(!(a == 0 && b == 0))
    default: .nan
    }
  }

  static let ones: [Formula.Step] = [.negate, .not, .absolute, .exponential, .logarithm, .squareRoot]
  static let twos: [Formula.Step] = [
    .add, .subtract, .multiply, .divide, .power, .minimum, .maximum, .less, .lessOrEqual, .greater, .greaterOrEqual,
    .equal,
    .notEqual, .and, .or,
  ]

  init(_ draw: inout SeededDraw, depth: Int) {
    func pick(_ end: Int) -> Int { Int(draw.next() % UInt64(end)) }
    switch depth == 0 ? 0 : pick(8) {
    case 0: self = pick(3) == 0 ? .leaf(.constant(Double(pick(9)) - 4)) : .leaf(.point(PointIndex(pick(4))))
    case 1, 2: self = .one(Self.ones[pick(6)], Tree(&draw, depth: depth - 1))
    case 3: self = .choose(Tree(&draw, depth: depth - 1), Tree(&draw, depth: depth - 1), Tree(&draw, depth: depth - 1))
    default: self = .two(Self.twos[pick(15)], Tree(&draw, depth: depth - 1), Tree(&draw, depth: depth - 1))
    }
  }
}

@Suite struct `Formulas` {
  @Test func `agree with a naive tree to the bit`() {
    var draw = SeededDraw(seed: 41)
    var (known, unknown, refused) = (0, 0, 0)
    for _ in 0..<20_000 {
      let tree = Tree(&draw, depth: 5)
      let formula = Formula(tree.steps)
      #expect((formula != nil) == (tree.depth <= Formula.depthMax && tree.steps.count <= Formula.stepsMax))
      guard let formula else {
        refused += 1
        continue
      }
      #expect(Set(formula.inputs) == tree.points && formula.inputs == formula.inputs.sorted())
      let inputs = (0..<4).map { _ in [0, -0.0, 1, -1, 2.5, 1e200, -3, 700][Int(draw.next() % 8)] }
      let expected = tree.value(inputs)
      let found = formula.evaluate { inputs[$0.position] }
      let isSame = found == expected || (found == 0 && expected == 0)
      #expect(
        isSame, "\(tree.steps) of \(inputs): \(String(describing: found)) not \(String(describing: expected)), seed 41")
      if expected == nil { unknown += 1 } else { known += 1 }
      // Any input that may not be used makes the whole unknown, even in a branch not taken.
      if let gone = formula.inputs.first { #expect(formula.evaluate { $0 == gone ? nil : inputs[$0.position] } == nil) }
    }
    #expect(known > 5000 && unknown > 1000, "\(known) \(unknown) \(refused)")
  }

  @Test func `unknown is contagious, except in the branch not chosen`() {
    let (zero, one) = (Formula.Step.constant(0), Formula.Step.constant(1))
    let infinite = [one, zero, .divide]
    let none = [zero, zero, .divide]
    for broken in [
      infinite, none, [.constant(-1), .squareRoot], [zero, .logarithm], [.constant(1000), .exponential],
    ] {
      for twist: [Formula.Step] in [
        [.not], [.constant(5), .greater], [.constant(5), .less], [.constant(5), .notEqual], [one, .or], [zero, .and],
        [zero, .power], [.constant(5), .minimum], [.constant(5), .maximum], [one, one, .choose], [.negate, .not],
      ] {
        #expect(Formula(broken + twist)!.evaluate { _ in 0 } == nil, "\(broken + twist)")
      }
      #expect(Formula([one, .constant(7)] + broken + [.choose])!.evaluate { _ in 0 } == 7)
      #expect(Formula([zero] + broken + [.constant(7), .choose])!.evaluate { _ in 0 } == 7)
      #expect(Formula([zero, .constant(7)] + broken + [.choose])!.evaluate { _ in 0 } == nil)
    }
    #expect(Formula([.constant(.nan), one, .or])!.evaluate { _ in 0 } == nil)
    #expect(Formula([.constant(.infinity), one, .greater])!.evaluate { _ in 0 } == nil)
  }

  @Test func `what is not an expression is refused`() {
    let one = Formula.Step.constant(1)
    for steps: [Formula.Step] in [
      [], [.add], [one, .add], [one, one], [one, one, .choose], [.negate], [.point(PointIndex(0)), one],
    ] {
      #expect(Formula(steps) == nil, "\(steps)")
    }
    func chain(_ depth: Int) -> [Formula.Step] {
      Array(repeating: one, count: depth) + Array(repeating: .add, count: depth - 1)
    }
    #expect(Formula(chain(Formula.depthMax))?.evaluate { _ in nil } == Double(Formula.depthMax))
    #expect(Formula(chain(Formula.depthMax + 1)) == nil)
    let long = [one] + (0..<127).flatMap { _ in [one, .add] }
    #expect(Formula(long + [.negate])?.evaluate { _ in nil } == -128)
    #expect(Formula(long + [.negate, .negate]) == nil)
  }

  @Test func `an image lends only what is good, fresh and finite`() {
    var image = PointImage(count: 1, now: Uptime(nanoseconds: 100))
    let formula = Formula.point(PointIndex(0))
    func value(_ number: Double, _ quality: Quality, arrived: Int64, freshUntil: Int64, limit: Int64) -> Double? {
      image.states[0] = PointImage.State(
        value: number, quality: quality, effective: .distantPast, uptime: Uptime(nanoseconds: arrived),
        freshUntil: Uptime(nanoseconds: freshUntil))
      return formula.value(over: image, noOlderThanNanoseconds: limit)
    }
    #expect(formula.value(over: image) == nil)
    #expect(value(3, .good, arrived: 90, freshUntil: 100, limit: 10) == 3)
    #expect(value(3, .good, arrived: 89, freshUntil: 100, limit: 10) == nil)
    #expect(value(3, .good, arrived: 90, freshUntil: 99, limit: 10) == nil)
    #expect(value(3, .good, arrived: .min, freshUntil: .max, limit: .max - 1) == nil)
    #expect(value(.nan, .good, arrived: 90, freshUntil: 100, limit: 10) == nil)
    for quality in Quality.allCases where quality != .good {
      #expect(value(3, quality, arrived: 90, freshUntil: 100, limit: 10) == nil)
    }
  }
}
