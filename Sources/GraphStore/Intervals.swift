/// Sets of instants, as disjoint rising ranges of nanoseconds.
struct Intervals: Equatable {
  private(set) var ranges: [Range<Int64>]

  init(_ range: Range<Int64>) { ranges = range.isEmpty ? [] : [range] }
  init() { ranges = [] }

  var isEmpty: Bool { ranges.isEmpty }

  /// The parts of `range` that are in the set; they are taken out of it.
  mutating func take(_ range: Range<Int64>) -> Intervals {
    if ranges.count == 1, range.lowerBound <= ranges[0].lowerBound, range.upperBound >= ranges[0].upperBound {
      defer { ranges = [] }
      return self
    }
    var taken = Intervals()
    var left: [Range<Int64>] = []
    for own in ranges {
      let common = own.clamped(to: range)
      guard !common.isEmpty else {
        left.append(own)
        continue
      }
      taken.ranges.append(common)
      if own.lowerBound < common.lowerBound { left.append(own.lowerBound..<common.lowerBound) }
      if common.upperBound < own.upperBound { left.append(common.upperBound..<own.upperBound) }
    }
    ranges = left
    return taken
  }

  func intersection(_ other: Intervals) -> Intervals {
    var rest = self
    var common = Intervals()
    for range in other.ranges { common.ranges += rest.take(range).ranges }
    return common
  }

  func subtracting(_ other: Intervals) -> Intervals {
    var rest = self
    for range in other.ranges { _ = rest.take(range) }
    return rest
  }

  /// Adds what is not in the set.
  mutating func form(union other: Intervals) {
    ranges += other.subtracting(self).ranges
    ranges.sort { $0.lowerBound < $1.lowerBound }
  }
}
