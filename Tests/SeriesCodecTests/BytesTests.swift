import SeriesCodec
import Testing
import TwinCore

@Suite struct `Packed numbers` {
  @Test(
    arguments: [
      (0, [0]), (127, [0x7F]), (128, [0x80, 1]), (300, [0xAC, 2]),
      (UInt64.max, [UInt8](repeating: 0xFF, count: 9) + [1]),
    ] as [(UInt64, [UInt8])])
  func `a varint has one form`(value: UInt64, bytes: [UInt8]) throws {
    var writer = ByteWriter()
    writer.varint(value)
    #expect(writer.bytes == bytes)
    var reader = ByteReader(bytes)
    #expect(try reader.varint() == value)
    #expect(reader.remaining == 0)
    #expect(throws: CodecFault("ends early")) { try reader.byte() }
  }

  @Test func `what is too long or too large is refused`() {
    var long = ByteReader([UInt8](repeating: 0x80, count: 10) + [0])
    #expect(throws: CodecFault("number of more than 64 bits")) { try long.varint() }
    var large = ByteReader([5])
    #expect(throws: CodecFault("count 5 where at most 4 may be")) { try large.count(max: 4) }
    var short = ByteReader([1, 2, 3, 4, 5, 6, 7])
    #expect(throws: CodecFault("ends early")) { try short.raw() }
    #expect(throws: CodecFault("ends early")) { try short.bytes(8) }
    #expect(throws: CodecFault("ends early")) { try short.slice(-1) }
  }

  @Test(arguments: seeds(10)) func `bytes and bits of any width come back`(seed: UInt64) throws {
    var dice = Dice(seed)
    var (bytes, bits) = (ByteWriter(), BitWriter())
    var fields: [(value: UInt64, width: Int)] = []
    for _ in 0..<500 {
      let width = dice.roll(65)
      let value = width == 0 ? 0 : dice.next() >> UInt64(64 - width)
      fields.append((value, width))
      bytes.zigzag(Int64(bitPattern: value))
      bytes.word(UInt32(truncatingIfNeeded: value))
      bytes.raw(value)
      bits.put(value, width: width)
    }
    var (byteReader, bitReader) = (ByteReader(bytes.bytes), BitReader(bits.finish()))
    for field in fields {
      #expect(try byteReader.zigzag() == Int64(bitPattern: field.value), "seed \(seed)")
      #expect(try byteReader.word() == UInt32(truncatingIfNeeded: field.value), "seed \(seed)")
      #expect(try byteReader.raw() == field.value, "seed \(seed)")
      #expect(try bitReader.take(field.width) == field.value, "seed \(seed)")
    }
    #expect(byteReader.remaining == 0 && bitReader.remaining < 8, "seed \(seed)")
    #expect(throws: CodecFault("ends early")) { try bitReader.take(8) }
  }

  @Test func `a fault tells what to do`() {
    let fault = CodecFault("ends early")
    #expect(
      fault.description == "a packed body cannot be read: ends early [series.damaged]; next: restore the body from a "
        + "replica or a backup; what else the file holds stays readable")
    #expect(!fault.isRetriable)
  }
}
