/// A set of small numbers that knows the largest member up to any number: a tree of words, 64 to one.
///
/// `insert`, `remove` and `last(through:)` cost one word a level, and there are four levels for 16 million numbers.
struct RankedBits {
  /// From the members themselves to a single word; a bit above is set where its word below is not 0.
  private var levels: [[UInt64]]

  /// Room for 0..<count; empty.
  init(count: Int) {
    levels = []
    var words = max(1, (count + 63) / 64)
    while true {
      levels.append(Array(repeating: 0, count: words))
      if words == 1 { return }
      words = (words + 63) / 64
    }
  }

  mutating func insert(_ number: Int) {
    var place = number
    for level in levels.indices {
      let before = levels[level][place >> 6]
      levels[level][place >> 6] = before | 1 << UInt64(place & 63)
      if before != 0 { return }
      place >>= 6
    }
  }

  mutating func remove(_ number: Int) {
    var place = number
    for level in levels.indices {
      levels[level][place >> 6] &= ~(1 << UInt64(place & 63))
      if levels[level][place >> 6] != 0 { return }
      place >>= 6
    }
  }

  /// Removes all members of a range, at the cost of those that there are.
  mutating func remove(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    var place = last(through: range.upperBound - 1)
    while let found = place, found >= range.lowerBound {
      remove(found)
      place = found > 0 ? last(through: found - 1) : nil
    }
  }

  /// The largest member that is not above `number`; nil where there is none.
  @inline(__always)
  func last(through number: Int) -> Int? {
    guard number >= 0 else { return nil }
    let word = levels[0][number >> 6] & (~0 >> UInt64(63 - number & 63))
    if word != 0 { return number & ~63 | (63 - word.leadingZeroBitCount) }
    return lastBelow(number >> 6)
  }

  /// The largest member in a word of the lowest level before `word`.
  private func lastBelow(_ word: Int) -> Int? {
    var (place, level) = (word, 1)
    while level < levels.count {
      // Bits below `place` alone: its own word was looked at.
      let above = levels[level][place >> 6] & ((1 << UInt64(place & 63)) - 1)
      if above != 0 {
        place = place & ~63 | (63 - above.leadingZeroBitCount)
        while level > 0 {
          level -= 1
          place = place << 6 | (63 - levels[level][place].leadingZeroBitCount)
        }
        return place
      }
      place >>= 6
      level += 1
    }
    return nil
  }
}
