/// 64-bit patterns, each numbered by its first appearance; open addressing, at most half full.
struct WordTable {
  private(set) var values: [Int64] = []
  /// Number + 1, or 0 where free; a power of two of them.
  private var slots: [UInt32] = Array(repeating: 0, count: 1024)

  /// The number of `value`; nil where it is new and there are `limit` values already.
  mutating func number(of value: Int64, limit: Int) -> UInt32? {
    var slot = place(value)
    while slots[slot] != 0 {
      let number = slots[slot] - 1
      if values[Int(number)] == value { return number }
      slot = (slot + 1) & (slots.count - 1)
    }
    guard values.count < limit else { return nil }
    values.append(value)
    slots[slot] = UInt32(values.count)
    if values.count * 2 > slots.count { grow() }
    return UInt32(values.count - 1)
  }

  private func place(_ value: Int64) -> Int {
    var mixed = UInt64(bitPattern: value) &* 0x9E37_79B9_7F4A_7C15
    mixed ^= mixed >> 32
    mixed = mixed &* 0xBF58_476D_1CE4_E5B9
    return Int(mixed >> 32) & (slots.count - 1)
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: slots.count * 2)
    for (number, value) in values.enumerated() {
      var slot = place(value)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = UInt32(number + 1)
    }
  }
}

/// Texts and their numbers, compared by their bytes: texts that look alike stay apart.
struct TextTable {
  private(set) var values: [[UInt8]] = []
  /// Bytes of all values together.
  private(set) var bytes = 0
  private var numbers: [[UInt8]: Int] = [:]
  private var last = 0

  mutating func number(of text: String) -> Int {
    if last < values.count, text.utf8.elementsEqual(values[last]) { return last }
    let key = Array(text.utf8)
    if let number = numbers[key] {
      last = number
    } else {
      last = values.count
      numbers[key] = last
      values.append(key)
      bytes += key.count
    }
    return last
  }
}
