// A map of chunks as bytes: chunk i is bit i & 7, counted from the lowest, of byte i >> 3; bits past the last chunk are
// 0.

/// Which chunks of an artefact are there.
public struct ChunkMap: Equatable, Sendable {
  public let count: UInt32
  public private(set) var bytes: [UInt8]
  public private(set) var present: UInt32

  public init(count: UInt32) {
    (self.count, present) = (count, 0)
    bytes = Array(repeating: 0, count: (Int(count) + 7) / 8)
  }

  /// As it was kept; nil where the bytes do not fit the count.
  public init?(count: UInt32, bytes: [UInt8]) {
    guard bytes.count == (Int(count) + 7) / 8 else { return nil }
    if count % 8 != 0, let last = bytes.last, last >> UInt8(count % 8) != 0 { return nil }
    (self.count, self.bytes) = (count, bytes)
    present = UInt32(bytes.reduce(0) { $0 + $1.nonzeroBitCount })
  }

  public var isComplete: Bool { present == count }

  public func contains(_ index: UInt32) -> Bool {
    index < count && bytes[Int(index >> 3)] >> UInt8(index & 7) & 1 == 1
  }

  public mutating func insert(_ index: UInt32) {
    precondition(index < count, "chunk \(index) of \(count)")
    guard !contains(index) else { return }
    bytes[Int(index >> 3)] |= 1 << UInt8(index & 7)
    present += 1
  }

  /// The first absent chunks that `isWanted`, as ranges.
  func missing(limit: Int, ranges rangesMax: Int, where isWanted: (UInt32) -> Bool) -> [Range<UInt32>] {
    var ranges: [Range<UInt32>] = []
    var found = 0
    for index in 0..<count where !contains(index) && isWanted(index) {
      if let last = ranges.last, last.upperBound == index {
        ranges[ranges.count - 1] = last.lowerBound..<index + 1
      } else {
        if ranges.count == rangesMax { break }
        ranges.append(index..<index + 1)
      }
      found += 1
      if found == limit { break }
    }
    return ranges
  }
}
