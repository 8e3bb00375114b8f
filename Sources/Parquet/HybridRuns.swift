// The run-length and bit-packing hybrid (parquet-format, Encodings.md, "RLE / Bit-Packing Hybrid", value 3 and 8):
//
//   run            varint of count << 1, then the value in as few whole bytes as the width needs
//   packed run     varint of groups << 1 | 1, then groups · 8 values of `width` bits each, least significant bit first

enum HybridRuns {
  /// Encodes values that fit `width` bits, 1 to 32.
  ///
  /// At each of `marks` (rising positions) a packed run ends, so that a sequence that was there before is laid down in
  /// the same bytes again, and the compressor finds it.
  static func encode(_ values: [UInt32], width: Int, marks: [Int] = []) -> [UInt8] {
    precondition((1...32).contains(width))
    var output: [UInt8] = []
    output.reserveCapacity(values.count * width / 8 + 16)
    var start = 0
    for end in marks + [values.count] where end > start {
      encode(values, start..<end, width, isLast: end == values.count, to: &output)
      start = end
    }
    return output
  }

  private static func encode(
    _ values: [UInt32], _ range: Range<Int>, _ width: Int, isLast: Bool, to output: inout [UInt8]
  ) {
    // What stands before `index` and is in no run yet begins here.
    var packed = range.lowerBound
    var index = range.lowerBound
    while index < range.upperBound {
      let value = values[index]
      var end = index + 1
      while end < range.upperBound, values[end] == value { end += 1 }
      // Values that fill up the last group of eight before a run may begin.
      let filling = (8 - (index - packed) % 8) % 8
      if end - index >= filling + 8 {
        pack(values, packed..<index + filling, width, to: &output)
        run(of: value, count: end - index - filling, width, to: &output)
        packed = end
      }
      index = end
    }
    if isLast {
      pack(values, packed..<range.upperBound, width, to: &output)
    } else {
      let whole = packed + (range.upperBound - packed) / 8 * 8
      pack(values, packed..<whole, width, to: &output)
      for index in whole..<range.upperBound { run(of: values[index], count: 1, width, to: &output) }
    }
  }

  private static func run(of value: UInt32, count: Int, _ width: Int, to output: inout [UInt8]) {
    output.appendVarint(UInt64(count) << 1)
    for byte in 0..<(width + 7) / 8 { output.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))) }
  }

  /// The last group is filled up with zeros.
  private static func pack(_ values: [UInt32], _ range: Range<Int>, _ width: Int, to output: inout [UInt8]) {
    guard !range.isEmpty else { return }
    let groups = (range.count + 7) / 8
    output.appendVarint(UInt64(groups) << 1 | 1)
    var packer = BitPacker()
    for index in range { packer.append(UInt64(values[index]), width: width, to: &output) }
    for _ in range.count..<groups * 8 { packer.append(0, width: width, to: &output) }
    packer.flush(to: &output)
  }
}
