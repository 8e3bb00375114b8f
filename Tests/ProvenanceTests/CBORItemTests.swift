import Testing
import TwinCore

@testable import Provenance

@Suite struct `One value has one encoding` {
  @Test(arguments: CBORCorpus.accepted) func accepted(_ example: CBORCorpus.Accepted) throws {
    #expect(try CBORItem.decode(bytes(example.hex)) == example.item)
    #expect(hex(example.item.encoded) == example.hex)
    #expect(example.item.encodedCount == example.item.encoded.count)
  }

  @Test(arguments: CBORCorpus.rejected) func rejected(_ example: CBORCorpus.Rejected) {
    let data = bytes(example.hex)
    #expect(CBORItem.problem(data) == example.problem, "\(example.what)")
    let fault = #expect(throws: ProvenanceFault.self) { try CBORItem.decode(data) }
    #expect(fault?.kind == .messageMalformed)
    #expect(fault?.message.hasSuffix(": \(example.problem.text)") == true)
  }

  @Test func `Every problem has an example`() {
    let seen = Set(CBORCorpus.rejected.map(\.problem))
    #expect(Set(CBORProblem.allCases).subtracting(seen) == [.tooLong])
    #expect(CBORItem.problem([0, 0, 0], limits: CBORLimits(bytes: 2)) == .tooLong)
    let fault = #expect(throws: ProvenanceFault.self) { try CBORItem.decode([0, 0, 0], limits: CBORLimits(bytes: 2)) }
    #expect(fault?.code == "provenance.message_too_large")
  }

  @Test func `Limits hold exactly`() {
    let items = CBORItem.array([CBORItem](repeating: .null, count: 4095)).encoded
    #expect(CBORItem.problem(items) == nil)
    #expect(CBORItem.problem(items, limits: CBORLimits(bytes: 1 << 20, items: 4095)) == .tooMany)
    let map = CBORItem.map([.init(key: 1, value: .null)]).encoded
    #expect(CBORItem.problem(map, limits: CBORLimits(bytes: 3, depth: 1, items: 3)) == nil)
    #expect(CBORItem.problem(map, limits: CBORLimits(bytes: 3, depth: 1, items: 2)) == .tooMany)
    #expect(CBORItem.problem(map, limits: CBORLimits(bytes: 3, depth: 0, items: 3)) == .tooDeep)
    #expect(CBORItem.problem([0], limits: CBORLimits(bytes: 1, depth: 0, items: 1)) == nil)
  }

  @Test func `What is drawn comes back`() throws {
    for seed in 1...300 {
      var dice = Dice(seed)
      let item = draw(&dice, depth: 0)
      let data = item.encoded
      #expect(item.encodedCount == data.count, "seed \(seed)")
      #expect(try CBORItem.decode(data, limits: CBORLimits(bytes: data.count, items: 1 << 20)) == item, "seed \(seed)")
      #expect(CBORItem.problem(Array(data.dropLast())) == .truncated, "seed \(seed)")
    }
  }

  @Test func `What cannot be decoded again is never encoded`() async {
    await #expect(processExitsWith: .failure) { _ = CBORItem.negative(0).encoded }
    await #expect(processExitsWith: .failure) { _ = CBORItem.map((2, .null), (1, .null)).encoded }
    await #expect(processExitsWith: .failure) { _ = CBORItem.map((1, .null), (1, .null)).encoded }
  }

  @Test func `Values that are not there are left out`() {
    #expect(CBORItem.map((0, .null), (1, nil), (2, .bool(true))).encoded == bytes("a200f602f5"))
    #expect(CBORItem.integer(0) == .unsigned(0))
    #expect(CBORItem.integer(.max) == .unsigned(UInt64(Int64.max)))
    #expect(CBORItem.integer(-1) == .negative(-1))
    #expect(CBORItem.text("\u{e9}") != CBORItem.text("e\u{301}"))
  }

  private func draw(_ dice: inout Dice, depth: Int) -> CBORItem {
    switch dice.roll(depth < 7 ? 9 : 6) {
    case 0: return .unsigned(dice.next() >> UInt64(dice.roll(64)))
    case 1: return .integer(Int64(bitPattern: dice.next()) >> Int64(dice.roll(63)))
    case 2: return .bytes(dice.bytes(dice.roll(4) == 0 ? dice.roll(70_000) : dice.roll(30)))
    case 3: return .text(String(decoding: dice.bytes(dice.roll(30)), as: UTF8.self))
    case 4: return .bool(dice.roll(2) == 0)
    case 5: return .null
    case 6: return .array((0..<dice.roll(6)).map { _ in draw(&dice, depth: depth + 1) })
    default:
      let keys = Set((0..<dice.roll(6)).map { _ in dice.next() >> UInt64(dice.roll(64)) }).sorted()
      return .map(keys.map { CBORMapEntry(key: $0, value: draw(&dice, depth: depth + 1)) })
    }
  }
}

@Suite struct `Fields are read by key and type` {
  private static let digest = Merkle.emptyRoot

  private func fields() throws -> CBORFields {
    let item = CBORItem.map(
      (0, .unsigned(7)), (1, .integer(-7)), (2, .bytes([1, 2])), (3, .text("ab")), (4, .array([.null, .null])),
      (5, .bool(true)), (6, .digest(Self.digest)), (7, .integer(1_700_000_000_000_000_000)), (8, .unsigned(.max)))
    return try CBORItem.decode(item.encoded).fields("thing")
  }

  @Test func `Each type comes back, in any order`() throws {
    var fields = try fields()
    #expect(try fields.digest(6) == Self.digest)
    #expect(try fields.unsigned(0) == 7)
    #expect(try fields.number(0, as: UInt8.self) == 7)
    #expect(try fields.integer(1) == -7)
    #expect(try fields.integer(0) == 7)
    #expect(try fields.bytes(2, count: 2) == [1, 2])
    #expect(try fields.bytes(2, max: 2) == [1, 2])
    #expect(try fields.text(3, max: 2) == "ab")
    #expect(try fields.array(4, max: 2) == [.null, .null])
    #expect(try fields.bool(5))
    #expect(try fields.instant(7) == Instant(nanoseconds: 1_700_000_000_000_000_000))
    #expect(place { () throws(ProvenanceFault) in try fields.finish() } == "thing.8")
    #expect(try fields.item(8) == .unsigned(.max))
    try fields.finish()
    #expect(try fields.unsignedIfPresent(9) == nil)
    #expect(try fields.integerIfPresent(1) == -7)
    #expect(try fields.bytesIfPresent(9) == nil)
    #expect(try fields.bytesIfPresent(2, max: 9) == [1, 2])
    #expect(try fields.textIfPresent(3, max: 2) == "ab")
    #expect(try fields.arrayIfPresent(9, max: 1) == nil)
    #expect(try fields.boolIfPresent(5) == true)
    #expect(try fields.digestIfPresent(9) == nil)
    #expect(try fields.instantIfPresent(9) == nil)
  }

  @Test func `Anything else names the place`() throws {
    let all = try fields()
    typealias Read = (inout CBORFields) throws(ProvenanceFault) -> Void
    let reads: [(String, Read)] = [
      ("thing.9", { (f) throws(ProvenanceFault) in _ = try f.unsigned(9) }),
      ("thing.1", { (f) throws(ProvenanceFault) in _ = try f.unsigned(1) }),
      ("thing.8", { (f) throws(ProvenanceFault) in _ = try f.integer(8) }),
      ("thing.8", { (f) throws(ProvenanceFault) in _ = try f.number(8, as: UInt32.self) }),
      ("thing.2", { (f) throws(ProvenanceFault) in _ = try f.bytes(2, count: 3) }),
      ("thing.2", { (f) throws(ProvenanceFault) in _ = try f.bytes(2, max: 1) }),
      ("thing.3", { (f) throws(ProvenanceFault) in _ = try f.bytes(3) }),
      ("thing.3", { (f) throws(ProvenanceFault) in _ = try f.text(3, max: 1) }),
      ("thing.2", { (f) throws(ProvenanceFault) in _ = try f.textIfPresent(2, max: 9) }),
      ("thing.4", { (f) throws(ProvenanceFault) in _ = try f.array(4, max: 1) }),
      ("thing.0", { (f) throws(ProvenanceFault) in _ = try f.bool(0) }),
      ("thing.2", { (f) throws(ProvenanceFault) in _ = try f.digest(2) }),
      ("thing.5", { (f) throws(ProvenanceFault) in _ = try f.instantIfPresent(5) }),
    ]
    for (expected, read) in reads {
      var fields = all
      #expect(place { () throws(ProvenanceFault) in try read(&fields) } == expected)
    }
    #expect(place { () throws(ProvenanceFault) in _ = try CBORItem.null.fields("thing") } == "thing")
    #expect(place { () throws(ProvenanceFault) in _ = try CBORItem.null.asText(max: 3) } == "item")
  }

  private func place(_ body: () throws(ProvenanceFault) -> Void) -> String {
    do throws(ProvenanceFault) {
      try body()
      return "accepted"
    } catch {
      return error.kind == .messageMalformed ? error.path : error.code
    }
  }
}
