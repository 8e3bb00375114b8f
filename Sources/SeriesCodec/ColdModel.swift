/// The residuals of a column as decisions, each with a probability mixed from adaptive states.
struct ColdModel<Kind: ColdModelKind> {
  /// What is known of a row before its residual.
  struct Row {
    /// Of the prediction, from the whole number: 0…7 in sixteenths.
    var distance = 0
    /// Whether the prediction lies below the whole number; then the residual is coded with its sign turned.
    var isBelow = false
    /// The value of the row before.
    var previous: UInt64 = 0
    /// Codes of the references, signs turned with the residual's.
    var first = 0
    var second = 0
  }

  private let tables = ColdTables.shared
  private let isSmall: Bool
  private let start: Int
  private var class1 = 0
  private var class2 = 0
  private var isNegative1 = false
  private var fast = 0
  private var slow = 0

  /// `start`: the class that residuals are about as often above as not, 0…30.
  init(span: UInt64, start: Int) {
    self.start = start
    isSmall = span < 64
  }

  var states: [UInt32] { [UInt32](repeating: 1 << 31, count: Kind.hasReferences ? Base.end : Base.first) }

  var weights: [Int32] {
    [Int32](repeating: Kind.hasReferences ? 13_000 : 20_000, count: 5 * Node.classes)
  }

  /// Codes `known` (a decoder ignores it) and gives the residual back.
  @inline(__always)
  mutating func residual<Coder: DecisionCoder>(
    _ known: Int64, _ row: Row, _ coder: inout Coder, _ states: inout MutableSpan<UInt32>,
    _ weights: inout MutableSpan<Int32>
  ) -> Int64 {
    let turned = isNegative1 != row.isBelow ? 1 : 0
    let level = Self.halfOctaves(fast)
    let last = isSmall ? Int(truncatingIfNeeded: row.previous & 63) : min(Self.halfOctaves(slow), 63)
    let bases = (
      Base.pair &+ (min(class1, 9) &* 20 &+ min(class2, 9) &* 2 &+ turned) &* Node.classes,
      Base.level &+ (min(level, 39) &* 8 &+ row.distance) &* Node.classes,
      Base.value &+ last &* Node.classes,
      Base.first &+ row.first &* Node.classes,
      Base.second &+ row.second &* Node.classes
    )
    let turnedKnown = row.isBelow ? 0 &- known : known
    let size = turnedKnown.magnitude
    let wanted = 64 &- size.leadingZeroBitCount
    var k = start
    if decide(bases, k, wanted > k ? 1 : 0, &coder, &states, &weights) != 0 {
      k &+= 1
      while k < 64, decide(bases, min(k, 31), wanted > k ? 1 : 0, &coder, &states, &weights) != 0 { k &+= 1 }
    } else {
      while k > 0, decide(bases, Node.down &+ k, wanted < k ? 1 : 0, &coder, &states, &weights) != 0 { k &-= 1 }
    }
    var value: Int64 = 0
    if k != 0 {
      let isNegative = decide(bases, Node.sign &+ min(k, 15), turnedKnown < 0 ? 1 : 0, &coder, &states, &weights)
      let near = min(max(level &- 2 &* k, -4), 3) &+ 4
      let digitBases = (
        Base.digitLevel &+ near &* Node.digits, Base.digitValue &+ (isSmall ? last : row.distance) &* Node.digits
      )
      let magnitude = digits(size, k, digitBases, &coder, &states)
      value = Int64(bitPattern: (isNegative != 0) != row.isBelow ? 0 &- magnitude : magnitude)
    }
    (class2, class1, isNegative1) = (class1, k, value < 0)
    let size256 = Int(min(value.magnitude, 1 << 40)) << 8
    fast &+= (size256 &- fast) >> 3
    slow &+= (size256 &- slow) >> 6
    return value
  }

  /// A magnitude of class `k`: the two bits behind the leading one are decisions, the others even.
  @inline(__always)
  private func digits<Coder: DecisionCoder>(
    _ size: UInt64, _ k: Int, _ bases: (Int, Int), _ coder: inout Coder, _ states: inout MutableSpan<UInt32>
  ) -> UInt64 {
    guard k > 1 else { return 1 }
    let tree = min(k &- 2, 23) &* 4
    var left = k &- 1
    var magnitude: UInt64 = 1
    while left > 0, magnitude < 4 {
      left &-= 1
      let node = tree &+ Int(truncatingIfNeeded: magnitude)
      let known = UInt32(truncatingIfNeeded: size >> UInt64(left)) & 1
      let (i, j) = (bases.0 &+ node, bases.1 &+ node)
      // Unchecked as in `decide3`.
      let (s, t) = unsafe (states[unchecked: i], states[unchecked: j])
      let p = s >> 17 &+ t >> 17
      let bit = coder.bit(known, one: min(max(p, 32), 65504))
      unsafe states[unchecked: i] = learned(s, bit)
      unsafe states[unchecked: j] = learned(t, bit)
      magnitude = magnitude << 1 | UInt64(bit)
    }
    guard left > 0 else { return magnitude }
    return magnitude << UInt64(left) | coder.even(size & ((1 << UInt64(left)) &- 1), count: left)
  }

  @inline(__always)
  private func decide<Coder: DecisionCoder>(
    _ bases: (Int, Int, Int, Int, Int), _ node: Int, _ known: UInt32, _ coder: inout Coder,
    _ states: inout MutableSpan<UInt32>, _ weights: inout MutableSpan<Int32>
  ) -> UInt32 {
    let indices = (bases.0 &+ node, bases.1 &+ node, bases.2 &+ node)
    guard Kind.hasReferences else { return decide3(indices, 5 &* node, known, &coder, &states, &weights) }
    return decide5(indices, (bases.3 &+ node, bases.4 &+ node), 5 &* node, known, &coder, &states, &weights)
  }

  // Unchecked in what follows: twelve bits of a state, eight of its count and a sum between the reaches lie in their
  // tables; a base is the number of one of a table's contexts times its nodes, and a node is below
  // their count, whatever the coded bytes are; see `Base`. This is the innermost loop of all reading of closed days.

  @inline(__always)
  private func decide3<Coder: DecisionCoder>(
    _ i: (Int, Int, Int), _ w: Int, _ known: UInt32, _ coder: inout Coder,
    _ states: inout MutableSpan<UInt32>, _ weights: inout MutableSpan<Int32>
  ) -> UInt32 {
    let s = unsafe (states[unchecked: i.0], states[unchecked: i.1], states[unchecked: i.2])
    let x = (logit(s.0), logit(s.1), logit(s.2))
    let v = unsafe (weights[unchecked: w], weights[unchecked: w &+ 1], weights[unchecked: w &+ 2])
    let p = mixed(x.0 &* Int64(v.0) &+ x.1 &* Int64(v.1) &+ x.2 &* Int64(v.2))
    let bit = coder.bit(known, one: p)
    let error = Self.error(bit, p)
    unsafe weights[unchecked: w] = Self.corrected(v.0, x.0, error)
    unsafe weights[unchecked: w &+ 1] = Self.corrected(v.1, x.1, error)
    unsafe weights[unchecked: w &+ 2] = Self.corrected(v.2, x.2, error)
    unsafe states[unchecked: i.0] = learned(s.0, bit)
    unsafe states[unchecked: i.1] = learned(s.1, bit)
    unsafe states[unchecked: i.2] = learned(s.2, bit)
    return bit
  }

  @inline(__always)
  private func decide5<Coder: DecisionCoder>(
    _ i: (Int, Int, Int), _ j: (Int, Int), _ w: Int, _ known: UInt32, _ coder: inout Coder,
    _ states: inout MutableSpan<UInt32>, _ weights: inout MutableSpan<Int32>
  ) -> UInt32 {
    let s = unsafe (states[unchecked: i.0], states[unchecked: i.1], states[unchecked: i.2])
    let t = unsafe (states[unchecked: j.0], states[unchecked: j.1])
    let (x, y) = ((logit(s.0), logit(s.1), logit(s.2)), (logit(t.0), logit(t.1)))
    let v = unsafe (weights[unchecked: w], weights[unchecked: w &+ 1], weights[unchecked: w &+ 2])
    let u = unsafe (weights[unchecked: w &+ 3], weights[unchecked: w &+ 4])
    let p = mixed(
      x.0 &* Int64(v.0) &+ x.1 &* Int64(v.1) &+ x.2 &* Int64(v.2) &+ y.0 &* Int64(u.0) &+ y.1 &* Int64(u.1))
    let bit = coder.bit(known, one: p)
    let error = Self.error(bit, p)
    unsafe weights[unchecked: w] = Self.corrected(v.0, x.0, error)
    unsafe weights[unchecked: w &+ 1] = Self.corrected(v.1, x.1, error)
    unsafe weights[unchecked: w &+ 2] = Self.corrected(v.2, x.2, error)
    unsafe weights[unchecked: w &+ 3] = Self.corrected(u.0, y.0, error)
    unsafe weights[unchecked: w &+ 4] = Self.corrected(u.1, y.1, error)
    unsafe states[unchecked: i.0] = learned(s.0, bit)
    unsafe states[unchecked: i.1] = learned(s.1, bit)
    unsafe states[unchecked: i.2] = learned(s.2, bit)
    unsafe states[unchecked: j.0] = learned(t.0, bit)
    unsafe states[unchecked: j.1] = learned(t.1, bit)
    return bit
  }

  @inline(__always)
  private func logit(_ state: UInt32) -> Int64 { Int64(unsafe tables.stretch[Int(state >> 20)]) }

  @inline(__always)
  private func mixed(_ sum: Int64) -> UInt32 {
    let reach = ColdTables.reach
    return UInt32(unsafe tables.squash[min(max(Int(sum >> 16), -reach), reach &- 1) &+ reach])
  }

  @inline(__always)
  private static func error(_ bit: UInt32, _ p: UInt32) -> Int64 { (Int64(bit) << 16 &- Int64(p)) &* 20 }

  @inline(__always)
  private static func corrected(_ weight: Int32, _ input: Int64, _ error: Int64) -> Int32 {
    weight &+ Int32(truncatingIfNeeded: (input &* error &+ 0x80000) >> 20)
  }

  /// A state is a probability in its upper 22 bits and the count of bits seen in its lower 10.
  @inline(__always)
  private func learned(_ state: UInt32, _ bit: UInt32) -> UInt32 {
    let seen = state & 255
    let goal: Int64 = bit == 0 ? 0 : 1 << 22 - 1
    let move = (goal &- Int64(state >> 10)) &* Int64(unsafe tables.pace[Int(seen)])
    return state &+ UInt32(truncatingIfNeeded: (move >> 6) & ~1023) &+ (seen &- 255) >> 31
  }

  /// Twice the log2 of a mean that is in 256ths, from 1/16 up; its first two values stand for less.
  @inline(__always)
  private static func halfOctaves(_ mean: Int) -> Int {
    let units = mean >> 4
    guard units > 1 else { return units }
    let top = 63 &- units.leadingZeroBitCount
    return 2 &* top &+ (units >> (top &- 1)) & 1
  }
}

/// Whether a model has inputs from reference columns: known when it is compiled.
protocol ColdModelKind {
  static var hasReferences: Bool { get }
}

enum AloneKind: ColdModelKind {
  static var hasReferences: Bool { false }
}

enum LeaningKind: ColdModelKind {
  static var hasReferences: Bool { true }
}

/// Where the states of each context begin.
private enum Base {
  static let pair = 0
  static let level = pair + 200 * Node.classes
  static let value = level + 320 * Node.classes
  static let digitLevel = value + 64 * Node.classes
  static let digitValue = digitLevel + 8 * Node.digits
  static let first = digitValue + 64 * Node.digits
  static let second = first + 256 * Node.classes
  static let end = second + 256 * Node.classes
}

private enum Node {
  static let down = 31
  static let sign = 64
  static let classes = 80
  static let digits = 96
}
