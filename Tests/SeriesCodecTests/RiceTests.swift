import SeriesCodec
import Testing

@Suite struct `Rice codes come back as they were packed` {
  private static let escape: UInt64 = 24

  private static func packed(_ numbers: [UInt64], parameter: Int) -> [UInt8] {
    var writer = BitWriter()
    for number in numbers {
      let quotient = number >> UInt64(parameter)
      if quotient >= escape {
        writer.put((1 << escape) - 1, width: Int(escape))
        writer.put(number, width: 64)
      } else {
        writer.put((1 << quotient) - 1, width: Int(quotient) + 1)
        writer.put(number, width: parameter)
      }
    }
    return writer.finish()
  }

  private static func numbers(_ bytes: [UInt8], _ count: Int, parameter: Int) throws -> [UInt64] {
    var reader = BitReader(bytes)
    var found: [UInt64] = []
    try reader.takeRice(count, parameter: parameter, escape: Int(escape)) { found.append($0) }
    return found
  }

  @Test(arguments: seeds(40)) func `whatever the parameter`(seed: UInt64) throws {
    var dice = Dice(seed)
    let parameter = dice.roll(63)
    let numbers = (0..<200).map { _ in
      dice.chance(0.05) ? dice.next() >> UInt64(dice.roll(64)) : dice.next() >> UInt64(min(63, 64 - parameter))
    }
    let bytes = Self.packed(numbers, parameter: parameter)
    #expect(try Self.numbers(bytes, 200, parameter: parameter) == numbers, "seed \(seed), parameter \(parameter)")
    #expect(throws: CodecFault.self, "seed \(seed)") {
      try Self.numbers(Array(bytes.dropLast(2)), 200, parameter: parameter)
    }
  }
}
