import TwinCore
import YAML

/// Turns an expression into steps, in the units of its points: everything is converted here, so that the kernel never
/// converts.
struct ExpressionCompiler {
  let scope: Scope

  struct Part {
    var steps: [Formula.Step]
    var type: ValueType
    var offset: Int

    /// The value, where it is known already.
    var constant: Double? { if steps.count == 1, case .constant(let value) = steps[0] { value } else { nil } }
  }

  /// What an expression is wanted for.
  enum Wanted: Equatable {
    case truth
    case number(UnitCode)
    /// A state by its symbol.
    case choice([String: Double])
  }

  func compile(_ expression: Expression, as wanted: Wanted) throws(ExpressionFault) -> Formula {
    var part = try part(expression)
    switch (wanted, part.type) {
    case (.truth, .truth): break
    case (.number(let unit), .bare), (.number(let unit), .number), (.number(let unit), .si):
      part = try convert(part, to: unit, at: expression.offset)
    case (.choice(let symbols), .symbol(let name)):
      part.steps = [.constant(try value(of: name, in: symbols, at: part.offset))]
    case (.choice(let symbols), .choice(let own)) where symbols == own: break
    default:
      let name =
        switch wanted {
        case .truth: "a condition"
        case .number(let unit): unit == .one ? "a pure number" : "a quantity in \(unit.ucum)"
        case .choice: "a state"
        }
      throw ExpressionFault(
        "wrong_type", at: expression.offset, "this gives \(shown(part.type)), wanted is \(name)",
        wanted == .truth ? "compare it with something, as in \"> 10\"" : "use if(condition, a, b) to make a value")
    }
    guard let formula = Formula(part.steps) else {
      throw ExpressionFault(
        "too_long", at: expression.offset,
        "the expression needs more than \(Formula.stepsMax) steps or \(Formula.depthMax) values at once",
        "split it by a derived point")
    }
    return formula
  }

  func part(_ expression: Expression) throws(ExpressionFault) -> Part {
    switch expression {
    case .number(let value, let unit, let at):
      return Part(steps: [.constant(value)], type: unit.map { .number($0) } ?? .bare, offset: at)
    case .truth(let value, let at): return Part(steps: [.constant(value ? 1 : 0)], type: .truth, offset: at)
    case .name(let name, let at): return try named(name, at: at)
    case .call(let function, let arguments, let at): return try call(function, arguments, at: at)
    case .not(let inner, let at):
      let inner = try truth(inner)
      return Part(steps: inner.steps + [.not], type: .truth, offset: at)
    case .negate(let inner, let at):
      let inner = try part(inner)
      if let value = inner.constant { return Part(steps: [.constant(-value)], type: inner.type, offset: at) }
      try requireDifference(inner, "negated")
      return Part(steps: inner.steps + [.negate], type: inner.type, offset: at)
    case .binary(let kind, let left, let right, let at): return try binary(kind, left, right, at: at)
    }
  }

  private func named(_ name: String, at offset: Int) throws(ExpressionFault) -> Part {
    guard name.contains(".") else { return Part(steps: [], type: .symbol(name), offset: offset) }
    guard let entry = scope.points[name] else { throw scope.unknown(name, at: offset) }
    let type: ValueType
    switch entry.kind {
    case .number(let unit): type = .number(unit)
    case .truth: type = .truth
    case .choice(let symbols): type = .choice(symbols)
    case .unreadable(let why):
      throw ExpressionFault("wrong_type", at: offset, "\(name) cannot be read here: \(why)", "use another point")
    }
    return Part(steps: [.point(entry.index)], type: type, offset: offset)
  }

  private func truth(_ expression: Expression) throws(ExpressionFault) -> Part {
    let part = try part(expression)
    guard part.type == .truth else {
      throw ExpressionFault(
        "wrong_type", at: expression.offset, "this gives \(shown(part.type)), wanted is a condition",
        "compare it with something, as in \"> 10\"")
    }
    return part
  }

  private func numeric(_ expression: Expression) throws(ExpressionFault) -> Part {
    let part = try part(expression)
    guard part.type.dimension != nil else { throw notNumeric(part) }
    return part
  }

  private func notNumeric(_ part: Part) -> ExpressionFault {
    if case .symbol(let name) = part.type {
      return ExpressionFault(
        "unknown_symbol", at: part.offset, "\"\(name)\" is neither a point nor a number",
        "points are written device.point; a state is compared with == or !=")
    }
    return ExpressionFault(
      "wrong_type", at: part.offset, "this gives \(shown(part.type)), wanted is a number",
      part.type == .truth ? "use if(condition, 1, 0) to make a number" : "a state is compared with == or !=")
  }

  private func shown(_ type: ValueType) -> String { type.shown }

  // MARK: operators

  private func binary(
    _ kind: Expression.Operator, _ left: Expression, _ right: Expression, at: Int
  ) throws(ExpressionFault) -> Part {
    switch kind {
    case .and, .or:
      let (a, b) = (try truth(left), try truth(right))
      return Part(steps: a.steps + b.steps + [kind == .and ? .and : .or], type: .truth, offset: left.offset)
    case .add, .subtract: return try sum(kind, try numeric(left), try numeric(right), at: at)
    case .multiply, .divide: return try product(kind, try numeric(left), try numeric(right), at: at)
    case .power: return try power(try numeric(left), try numeric(right), at: at)
    default: return try comparison(kind, try part(left), try part(right), at: at)
    }
  }

  private func comparison(_ kind: Expression.Operator, _ a: Part, _ b: Part, at: Int) throws(ExpressionFault) -> Part {
    let step: Formula.Step =
      switch kind {
      case .less: .less
      case .lessOrEqual: .lessOrEqual
      case .greater: .greater
      case .greaterOrEqual: .greaterOrEqual
      case .equal: .equal
      default: .notEqual
      }
    let isEquality = kind == .equal || kind == .notEqual
    func make(_ steps: [Formula.Step]) -> Part { Part(steps: steps + [step], type: .truth, offset: a.offset) }
    switch (a.type, b.type) {
    case (.truth, .truth) where isEquality: return make(a.steps + b.steps)
    case (.choice(let symbols), .symbol(let name)) where isEquality:
      return make(a.steps + [.constant(try value(of: name, in: symbols, at: b.offset))])
    case (.symbol(let name), .choice(let symbols)) where isEquality:
      return make([.constant(try value(of: name, in: symbols, at: a.offset))] + b.steps)
    case (.choice(let left), .choice(let right)) where isEquality && left == right: return make(a.steps + b.steps)
    case (.choice(let symbols), _), (_, .choice(let symbols)):
      throw ExpressionFault(
        "wrong_type", at: at, "\(kind.rawValue) cannot compare \(a.type.shown) with \(b.type.shown)",
        "write == or != and one of \(symbols.keys.sorted().joined(separator: ", "))")
    default:
      for part in [a, b] where part.type.dimension == nil { throw notNumeric(part) }
      let (x, y) = try alike(a, b, at: at)
      return make(x.steps + y.steps)
    }
  }

  private func value(of name: String, in symbols: [String: Double], at offset: Int) throws(ExpressionFault) -> Double {
    if let value = symbols[name] { return value }
    let near = nearest(to: name, among: symbols.keys)
    throw ExpressionFault(
      "unknown_symbol", at: offset, "\"\(name)\" is no state of this point",
      near.map { "did you mean \"\($0)\"?" } ?? "its states are \(symbols.keys.sorted().joined(separator: ", "))")
  }

  private func sum(_ kind: Expression.Operator, _ a: Part, _ b: Part, at: Int) throws(ExpressionFault) -> Part {
    let step: Formula.Step = kind == .add ? .add : .subtract
    func make(_ a: Part, _ b: Part, _ type: ValueType) -> Part {
      Part(steps: a.steps + b.steps + [step], type: type, offset: a.offset)
    }
    switch (a.type, b.type) {
    case (.number(let unit), .number) where a.type.isAffine && b.type.isAffine:
      guard kind == .subtract else {
        throw ExpressionFault(
          "unit_mismatch", at: at, "two temperatures cannot be added",
          "add a difference, written with K, as in \"+ 2 K\"")
      }
      return make(a, try convert(b, to: unit, at: b.offset), .number(unit.difference))
    case (.number(let unit), _) where a.type.isAffine:
      return make(a, try convert(b, to: unit.difference, at: b.offset), a.type)
    case (_, .number(let unit)) where b.type.isAffine:
      guard kind == .add else {
        throw ExpressionFault(
          "unit_mismatch", at: at, "a temperature cannot be taken from \(a.type.shown)",
          "write the first value in \(unit.ucum) too")
      }
      return make(try convert(a, to: unit.difference, at: a.offset), b, b.type)
    default:
      let (x, y) = try alike(a, b, at: at)
      return make(x, y, x.type)
    }
  }

  private func product(_ kind: Expression.Operator, _ a: Part, _ b: Part, at: Int) throws(ExpressionFault) -> Part {
    for part in [a, b] { try requireDifference(part, kind == .multiply ? "multiplied" : "divided") }
    let step: Formula.Step = kind == .multiply ? .multiply : .divide
    func make(_ a: Part, _ b: Part, _ type: ValueType) -> Part {
      Part(steps: a.steps + b.steps + [step], type: type, offset: a.offset)
    }
    if kind == .divide, a.type == b.type, a.type != .bare { return make(a, b, .number(.one)) }
    // Pure numbers leave the other side's unit alone.
    if b.type.dimension == .one {
      let factor = try pure(b)
      return make(a.type.dimension == .one ? try pure(a) : a, factor, a.type == .bare ? factor.type : pureType(a.type))
    }
    if kind == .multiply, a.type.dimension == .one { return make(try pure(a), b, b.type) }
    let (x, y) = (try inSI(a), try inSI(b))
    guard let left = x.type.dimension, let right = y.type.dimension else { throw notNumeric(a) }
    let dimension = kind == .multiply ? left * right : left / right
    return make(x, y, dimension == .one ? .number(.one) : .si(dimension))
  }

  /// `%` and the like become pure numbers in a product.
  private func pureType(_ type: ValueType) -> ValueType { type.dimension == .one ? .number(.one) : type }

  private func pure(_ part: Part) throws(ExpressionFault) -> Part {
    part.type == .bare ? part : try convert(part, to: .one, at: part.offset)
  }

  private func power(_ base: Part, _ exponent: Part, at: Int) throws(ExpressionFault) -> Part {
    try requireDifference(base, "raised to a power")
    guard exponent.type == .bare || exponent.type == .number(.one) else {
      throw ExpressionFault("unit_mismatch", at: at, "an exponent is a pure number", "leave the unit away")
    }
    if base.type.dimension == .one {
      let base = try pure(base)
      return Part(steps: base.steps + exponent.steps + [.power], type: base.type, offset: base.offset)
    }
    let base = try inSI(base)
    guard let value = exponent.constant, let whole = Int(exactly: value), abs(whole) <= 8,
      let dimension = base.type.dimension
    else {
      throw ExpressionFault(
        "unit_mismatch", at: at, "\(base.type.shown) takes a whole number from -8 to 8 as its exponent",
        "divide by a quantity of the same unit first")
    }
    let result = dimension.power(whole)
    return Part(
      steps: base.steps + exponent.steps + [.power], type: result == .one ? .number(.one) : .si(result),
      offset: base.offset)
  }
}

// MARK: functions

extension ExpressionCompiler {
  private func call(
    _ function: Expression.Function, _ arguments: [Expression], at: Int
  ) throws(ExpressionFault) -> Part {
    switch function {
    case .choose:
      let condition = try truth(arguments[0])
      let (a, b) = (try part(arguments[1]), try part(arguments[2]))
      if a.type == b.type, a.type.dimension == nil, !a.steps.isEmpty {
        return Part(steps: condition.steps + a.steps + b.steps + [.choose], type: a.type, offset: at)
      }
      for part in [a, b] where part.type.dimension == nil { throw notNumeric(part) }
      let (x, y) = try alike(a, b, at: b.offset)
      return Part(steps: condition.steps + x.steps + y.steps + [.choose], type: x.type, offset: at)
    case .min, .max, .clamp:
      var parts: [Part] = []
      for argument in arguments { parts.append(try numeric(argument)) }
      // The first unit that is named holds for all; where none is, the first quantity.
      let leader =
        parts.first { if case .number = $0.type { true } else { false } } ?? parts.first { $0.type != .bare }
        ?? parts[0]
      var steps: [Formula.Step] = []
      var type = leader.type
      for (position, part) in parts.enumerated() {
        let (first, same) = try alike(leader, part, at: part.offset)
        type = first.type
        steps += same.steps
        guard position > 0 else { continue }
        steps.append(function == .min || function == .clamp && position == 2 ? .minimum : .maximum)
      }
      return Part(steps: steps, type: type, offset: at)
    case .abs:
      let inner = try numeric(arguments[0])
      try requireDifference(inner, "made positive")
      return Part(steps: inner.steps + [.absolute], type: inner.type, offset: at)
    case .sqrt:
      let inner = try numeric(arguments[0])
      try requireDifference(inner, "put under a root")
      if inner.type.dimension == .one {
        return Part(steps: try pure(inner).steps + [.squareRoot], type: pureType(inner.type), offset: at)
      }
      guard let root = inner.type.dimension?.squareRoot else {
        throw ExpressionFault(
          "unit_mismatch", at: inner.offset, "\(inner.type.shown) has no square root",
          "divide by a quantity of the same unit first")
      }
      return Part(steps: try inSI(inner).steps + [.squareRoot], type: .si(root), offset: at)
    case .exp, .ln:
      let inner = try numeric(arguments[0])
      guard inner.type.dimension == .one else {
        throw ExpressionFault(
          "unit_mismatch", at: inner.offset, "\(function.rawValue) takes a pure number, this is \(inner.type.shown)",
          "divide by a quantity of the same unit first")
      }
      let step: Formula.Step = function == .exp ? .exponential : .logarithm
      return Part(steps: try pure(inner).steps + [step], type: .number(.one), offset: at)
    }
  }
}

// MARK: units

extension ExpressionCompiler {
  /// Two numbers in one unit: that of the first, unless it has none.
  private func alike(_ a: Part, _ b: Part, at: Int) throws(ExpressionFault) -> (Part, Part) {
    switch (a.type, b.type) {
    case (.bare, .number): return (Part(steps: a.steps, type: b.type, offset: a.offset), b)
    case (.number(let unit), _): return (a, try convert(b, to: unit, at: at))
    case (_, .number(let unit)): return (try convert(a, to: unit, at: at), b)
    case (.bare, .bare): return (a, b)
    default:
      guard a.type.dimension == b.type.dimension else { throw mismatch(a.type, b.type, at: at) }
      return (a, b)
    }
  }

  func mismatch(_ a: ValueType, _ b: ValueType, at: Int) -> ExpressionFault {
    let bothTemperatures = a.dimension == .temperature && b.dimension == .temperature
    let hint =
      bothTemperatures
      ? "K is a difference here: write Cel for a temperature, or take the difference of two temperatures"
      : "give both in units of one kind"
    return ExpressionFault("unit_mismatch", at: at, "\(a.shown) and \(b.shown) do not go together", hint)
  }

  /// The value in another unit. A bare number takes the unit; a temperature and a difference are never mixed.
  func convert(_ part: Part, to unit: UnitCode, at: Int) throws(ExpressionFault) -> Part {
    var part = part
    switch part.type {
    case .bare: break
    case .number(let own):
      guard let conversion = own.conversion(to: unit), own.isAffine == unit.isAffine else {
        throw mismatch(part.type, .number(unit), at: at)
      }
      if let value = part.constant {
        part.steps = [.constant(conversion.apply(value))]
      } else if own != unit {
        let zero = own.isAffine ? conversion.apply(0) : 0
        part.steps += Self.scaling(
          by: conversion.apply(1) - zero, inverse: unit.difference.convert(1, to: own.difference))
        if zero != 0 { part.steps += [.constant(zero), .add] }
      }
    case .si(let dimension):
      guard dimension == unit.dimension, !unit.isAffine, let factor = unit.siFactor else {
        throw mismatch(part.type, .number(unit), at: at)
      }
      part.steps += Self.scaling(by: 1 / factor, inverse: factor)
    default: throw notNumeric(part)
    }
    part.type = .number(unit)
    return part
  }

  private func inSI(_ part: Part) throws(ExpressionFault) -> Part {
    guard case .number(let unit) = part.type else { return part }
    guard let factor = unit.siFactor else {
      throw ExpressionFault(
        "unit_mismatch", at: part.offset, "\(unit.ucum) cannot be part of a product",
        "divide by a quantity of the same unit first")
    }
    var part = part
    if let value = part.constant {
      part.steps = [.constant(value * factor)]
    } else {
      part.steps += Self.scaling(by: factor, inverse: 1 / factor)
    }
    part.type = .si(unit.dimension)
    return part
  }

  /// Multiplies by a factor, or divides by its inverse where that is the whole number.
  private static func scaling(by factor: Double, inverse: Double?) -> [Formula.Step] {
    if factor == 1 { return [] }
    if factor < 1, let inverse, inverse == inverse.rounded() { return [.constant(inverse), .divide] }
    return [.constant(factor), .multiply]
  }

  private func requireDifference(_ part: Part, _ what: String) throws(ExpressionFault) {
    guard part.type.isAffine, case .number(let unit) = part.type else { return }
    throw ExpressionFault(
      "unit_mismatch", at: part.offset, "a temperature in \(unit.ucum) cannot be \(what): its zero is not nothing",
      "take a difference first, as in (a - 20 \(unit.ucum))")
  }
}
