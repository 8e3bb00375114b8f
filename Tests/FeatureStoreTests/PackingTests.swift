import Testing
import TwinCore

@testable import FeatureStore

@Suite("A packed body") struct PackingTests {
  /// Values that are awkward for a codec, beside ordinary ones.
  static func value(_ random: inout Seeded, scale: Double) -> Double {
    switch Int.random(in: 0..<14, using: &random) {
    case 0: -0.0
    case 1: Double(bitPattern: 0x7FF8_0000_0000_0000 | UInt64.random(in: 0..<1 << 51, using: &random))
    case 2: Double(bitPattern: 0xFFF0_0000_0000_0001 | UInt64.random(in: 0..<1 << 51, using: &random))
    case 3: .leastNonzeroMagnitude * Double(Int.random(in: -9...9, using: &random))
    case 4: .greatestFiniteMagnitude
    case 5: -.infinity
    case 6: Double(bitPattern: random.next())
    case 7: 9_007_199_254_740_992 * scale
    case 8: -9_007_199_254_740_992 * scale
    default: Double(Int.random(in: -40_000...40_000, using: &random)) * scale
    }
  }

  static func frames(_ random: inout Seeded, layout: FrameLayout) -> [Frame] {
    var sequence = Int64.random(in: 0...1 << 40, using: &random)
    let isWild = Bool.random(using: &random)
    return (0..<Int.random(in: 1...30, using: &random)).map { index in
      sequence += Int64.random(in: 1...3, using: &random)
      let time = Int64(index) * 1_000_000_000 + Int64.random(in: 0...9_000_000, using: &random)
      func instant() -> Int64 { isWild ? Int64(bitPattern: random.next()) : 1_760_000_000_000_000_000 + time }
      let qualities = layout.points.map { _ in
        Int.random(in: 0..<8, using: &random) == 0 ? Quality.allCases.randomElement(using: &random)! : .good
      }
      return Frame(
        group: layout.group, sequence: sequence, effective: Instant(nanoseconds: instant()),
        observed: Instant(nanoseconds: instant()), uptime: Uptime(nanoseconds: isWild ? instant() : time),
        values: layout.scales.map { value(&random, scale: $0 == 0 ? 1 : $0) }, qualities: qualities)
    }
  }

  static func unpack(_ body: [UInt8], _ layout: FrameLayout) throws(BodyFault) -> [Frame] {
    var reader = try FrameBodyReader(body, layout: layout, version: 3)
    var frames: [Frame] = []
    while let frame = try reader.next() { frames.append(frame) }
    return frames
  }

  @Test("gives random frames back bit for bit", arguments: 0..<200 as Range<UInt64>)
  func roundTrip(seed: UInt64) throws {
    var random = Seeded(seed)
    let scales = (0..<Int.random(in: 1...20, using: &random)).map { _ in
      [0, 0.1, 0.01, 1, 10, 0.5, 1e-9, 1e300, .leastNonzeroMagnitude].randomElement(using: &random)!
    }
    let layout = FrameLayout.test(group: .random(in: 0...Int32.max, using: &random), scales: scales)
    let frames = Self.frames(&random, layout: layout)
    let body = FrameBody.encode(frames, layout: layout, version: 3)
    let back = try Self.unpack(body, layout)
    #expect(back.count == frames.count, "seed \(seed)")
    for (frame, stored) in zip(frames, back) { #expect(frame.isStoredAs(stored), "seed \(seed)") }
  }

  @Test("is refused or read when damaged, and never traps", arguments: 0..<60 as Range<UInt64>)
  func damage(seed: UInt64) {
    var random = Seeded(seed)
    let layout = FrameLayout.test()
    let body = FrameBody.encode(Self.frames(&random, layout: layout), layout: layout, version: 3)
    let ticks = TickBody.encode([.test(1), .test(2, frames: 3..<9), .test(900, mustBeKept: true)])
    for original in [body, ticks] {
      for _ in 0..<40 {
        var damaged = original
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        if Bool.random(using: &random) { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &random)) }
        _ = try? Self.unpack(damaged, layout)
        _ = try? TickBody.decode(damaged)
      }
    }
  }

  @Test("has the bytes that its layout says")
  func golden() {
    let layout = FrameLayout.test(group: 2, scales: [0.5, 0])
    let frames = [
      Frame(
        group: 2, sequence: 5, effective: Instant(nanoseconds: 100), observed: Instant(nanoseconds: 101),
        uptime: Uptime(nanoseconds: 98), values: [1.5, 2], qualities: [.good, .good]),
      Frame(
        group: 2, sequence: 6, effective: Instant(nanoseconds: 110), observed: Instant(nanoseconds: 111),
        uptime: Uptime(nanoseconds: 108), values: [1, 0], qualities: [.suspect, .failed]),
    ]
    #expect(
      FrameBody.encode(frames, layout: layout, version: 3) == [
        1, 2, 3, 2, 2,
        5, 200, 1, 3, 2, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0x40,
        1, 20, 0, 0, 9, 11, 2,
      ])
  }

  @Test("of ticks gives them back, edges of the ranges too")
  func ticks() throws {
    let ticks: [TickRecord] = [
      TickRecord(
        number: .min, instant: .distantPast, uptime: .never, boot: .max, frames: .min..<(.max), mustBeKept: true,
        bytes: []),
      .test(-1, frames: 5..<5), .test(9_000_000_000, frames: 5..<7, bytes: Array(repeating: 9, count: 500)),
      TickRecord(
        number: .max, instant: .distantFuture, uptime: Uptime(nanoseconds: .min), boot: .min, frames: 7..<7,
        mustBeKept: false, bytes: [0]),
    ]
    #expect(try TickBody.decode(TickBody.encode(ticks[...])) == ticks)
  }

  @Test("takes one or two bytes for a steady register")
  func size() {
    let layout = FrameLayout.test(scales: Array(repeating: 0.1, count: 50))
    let frames = (0..<60).map { (second: Int) -> Frame in
      let values = (0..<50).map { (column: Int) -> Double in Double(200 + (column + second) % 3) * 0.1 }
      return Frame.test(sequence: Int64(second + 1), at: Int64(second), values: values)
    }
    #expect(FrameBody.encode(frames, layout: layout, version: 1).count < 60 * 50 * 5 / 4)
  }

  @Test("is sealed with CRC-32C, its key included")
  func seal() {
    // RFC 3720 appendix B.4, and the check value of the Rocksoft catalogue.
    #expect(Checksum.crc32c(Array(repeating: UInt8(0), count: 32)) == 0x8A91_36AA)
    #expect(Checksum.crc32c("123456789".utf8) == 0xE306_9283)
    let sealed = Seal.close([1, 2, 3], key: "a")
    #expect(Seal.open(sealed, key: "a") == [1, 2, 3])
    #expect(Seal.open(sealed, key: "b") == nil)
    #expect(Seal.open([1, 2, 3]) == nil)
    for bit in 0..<sealed.count * 8 {
      var damaged = sealed
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(Seal.open(damaged, key: "a") == nil)
    }
  }

  @Test("of a layout gives it back, and none that cannot be is taken")
  func layouts() throws {
    let layout = FrameLayout.test(group: 7, scales: [0, 0.1, 5])
    #expect(try FrameLayout(canonicalBytes: layout.canonicalBytes) == layout)
    #expect(FrameLayout.test(group: -1).defect != nil)
    #expect(FrameLayout.test(scales: []).defect != nil)
    #expect(FrameLayout.test(scales: [-0.1]).defect != nil)
    #expect(FrameLayout.test(scales: [.nan]).defect != nil)
    var twice = layout
    twice.points[1] = twice.points[0]
    #expect(twice.defect != nil)
    var long = layout
    long.provenance[0] = String(repeating: "x", count: 5000)
    #expect(long.defect != nil)
  }
}
