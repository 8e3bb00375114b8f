/// A prediction of the next value from those before it: encoder and decoder both run it.
protocol ColdPredictor {
  /// The whole number nearest to the prediction, and what the prediction lies above it, −32,768…32,767 in 65,536ths.
  mutating func predict(_ row: Int) -> (whole: UInt64, rest: Int64)
  mutating func update(_ row: Int, _ value: UInt64)
}

/// A level and a trend over the values less what the references explain of them.
///
/// The gain falls with the level's age down to a floor; an error far beyond the usual one starts a new level.
struct TrackPredictor: ColdPredictor {
  struct Gains: Equatable {
    /// Of the level, in 256ths.
    let level: Int64
    /// Of the trend, in 4,096ths.
    let trend: Int64
    /// Multiple of the mean error beyond which the level starts anew; 0: never.
    let jump: Int64
  }

  private let gains: Gains
  private let top: Int64
  private let explained: [Int64]
  private var level: Int64 = 0
  private var trend: Int64 = 0
  private var spread: Int64 = 1 << 16
  private var age: Int64 = 0

  init(_ gains: Gains, span: UInt64, explained: [Int64]) {
    (self.gains, self.explained) = (gains, explained)
    top = Int64(span) << 16
  }

  @inline(__always)
  mutating func predict(_ row: Int) -> (whole: UInt64, rest: Int64) {
    let sum = min(max(level &+ trend &+ (explained.isEmpty ? 0 : explained[row]), 0), top)
    let whole = (sum &+ 32_768) >> 16
    return (UInt64(bitPattern: whole), sum &- whole << 16)
  }

  @inline(__always)
  mutating func update(_ row: Int, _ value: UInt64) {
    let seen = Int64(bitPattern: value << 16) &- (explained.isEmpty ? 0 : explained[row])
    let error = seen &- level &- trend
    let size = Int64(min(error.magnitude, 1 << 54))
    if age == 0 || (gains.jump != 0 && size > gains.jump &* spread) {
      level = seen
      age = 1
    } else {
      age &+= 1
      let gain = age < 256 ? max(gains.level, 256 / age) : gains.level
      level = level &+ trend &+ (error &* gain) >> 8
      trend = trend &+ (error &* gains.trend) >> 12
    }
    spread = max(spread &+ (min(size, spread &* 4) &- spread) >> 5, 4096)
  }
}

/// Nothing, the value before, or the line through the two before: for values of any size.
struct PlainPredictor: ColdPredictor {
  private let order: Int
  private var last: UInt64 = 0
  private var change: UInt64 = 0

  init(order: Int) { self.order = order }

  @inline(__always)
  mutating func predict(_ row: Int) -> (whole: UInt64, rest: Int64) {
    (order == 0 ? 0 : order == 1 ? last : last &+ change, 0)
  }

  @inline(__always)
  mutating func update(_ row: Int, _ value: UInt64) {
    change = row == 0 ? 0 : value &- last
    last = value
  }
}
