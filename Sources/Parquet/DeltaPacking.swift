// DELTA_BINARY_PACKED (parquet-format, Encodings.md, value 5):
//
//   header   varint 128 (values a block), varint 4 (miniblocks a block), varint count, zigzag varint first value
//   block    zigzag varint of the least difference, four bytes with the miniblocks' widths, then the miniblocks: 32
//            differences each, less the least one, `width` bits each. A miniblock past the last value has width 0
//
// Differences wrap around at the width of the physical type.

enum DeltaPacking {
  static let blockValues = 128
  private static let miniblockValues = 32

  /// `width` is that of the physical type in bytes, 4 or 8; values fit it.
  static func encode(_ values: [Int64], width: Int) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(values.count * 2 + 32)
    output.appendVarint(UInt64(blockValues))
    output.appendVarint(UInt64(blockValues / miniblockValues))
    output.appendVarint(UInt64(values.count))
    output.appendZigzag(values.first ?? 0)
    var differences = [Int64](repeating: 0, count: blockValues)
    var start = 1
    while start < values.count {
      let count = min(blockValues, values.count - start)
      if width == 4 {
        for index in 0..<count {
          let difference = values[start + index] &- values[start + index - 1]
          differences[index] = Int64(Int32(truncatingIfNeeded: difference))
        }
      } else {
        for index in 0..<count { differences[index] = values[start + index] &- values[start + index - 1] }
      }
      block(differences, count, to: &output)
      start += count
    }
    return output
  }

  /// Wrapped as they are, differences less the least one take no more bits than the physical type has.
  private static func block(_ differences: [Int64], _ count: Int, to output: inout [UInt8]) {
    var least = differences[0]
    for index in 1..<count { least = min(least, differences[index]) }
    output.appendZigzag(least)
    let widths = output.count
    output += [0, 0, 0, 0]
    for (number, start) in stride(from: 0, to: count, by: miniblockValues).enumerated() {
      let end = min(start + miniblockValues, count)
      var all: UInt64 = 0
      for index in start..<end { all |= UInt64(bitPattern: differences[index] &- least) }
      let bits = 64 - all.leadingZeroBitCount
      output[widths + number] = UInt8(bits)
      guard bits > 0 else { continue }
      var packer = BitPacker()
      for index in start..<end {
        packer.append(UInt64(bitPattern: differences[index] &- least), width: bits, to: &output)
      }
      for _ in end..<start + miniblockValues { packer.append(0, width: bits, to: &output) }
      packer.flush(to: &output)
    }
  }
}
