import Testing

@testable import TwinCore

private func hex(_ text: String) -> [UInt8] {
  let digits = Array(text)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...($0 + 1)]), radix: 16)! }
}

private func written(_ body: (inout CanonicalWriter) -> Void) -> [UInt8] {
  var writer = CanonicalWriter()
  body(&writer)
  return writer.bytes
}

@Suite struct `Canonical bytes` {
  /// RFC 8949 appendix A, the rows that the subset has.
  @Test(arguments: [
    (0, "00"), (1, "01"), (10, "0a"), (23, "17"), (24, "1818"), (25, "1819"), (100, "1864"), (1000, "1903e8"),
    (1_000_000, "1a000f4240"), (1_000_000_000_000, "1b000000e8d4a51000"), (-1, "20"), (-10, "29"), (-100, "3863"),
    (-1000, "3903e7"), (.max, "1b7fffffffffffffff"), (.min, "3b7fffffffffffffff"), (255, "18ff"), (256, "190100"),
    (65_535, "19ffff"), (65_536, "1a00010000"), (4_294_967_295, "1affffffff"), (4_294_967_296, "1b0000000100000000"),
    (-24, "37"), (-25, "3818"), (-256, "38ff"), (-257, "390100"),
  ]) func `integers`(value: Int64, bytes: String) throws {
    #expect(written { $0.integer(value) } == hex(bytes))
    var reader = CanonicalReader(hex(bytes))
    #expect(try reader.integer() == value)
    #expect(reader.isAtEnd)
  }

  @Test(arguments: [
    ("", "60"), ("a", "6161"), ("IETF", "6449455446"), ("\"\\", "62225c"), ("\u{fc}", "62c3bc"),
    ("\u{6c34}", "63e6b0b4"),
    ("\u{10151}", "64f0908591"),
  ]) func `text`(value: String, bytes: String) throws {
    #expect(written { $0.text(value) } == hex(bytes))
    var reader = CanonicalReader(hex(bytes))
    #expect(try reader.text() == value)
  }

  /// RFC 8949 appendix A gives these as nine bytes.
  @Test(arguments: [
    (1.1, "fb3ff199999999999a"), (1.0e300, "fb7e37e43c8800759c"), (-4.1, "fbc010666666666666"),
    (.infinity, "fb7ff0000000000000"), (-.infinity, "fbfff0000000000000"), (-0.0, "fb8000000000000000"),
  ]) func `doubles`(value: Double, bytes: String) throws {
    #expect(written { $0.double(value) } == hex(bytes))
    var reader = CanonicalReader(hex(bytes))
    #expect(try reader.double().bitPattern == value.bitPattern)
  }

  @Test func `the rest of the subset`() throws {
    #expect(written { $0.unsigned(.max) } == hex("1bffffffffffffffff"))
    #expect(written { $0.bytes([1, 2, 3, 4]) } == hex("4401020304"))
    #expect(written { $0.bool(false) } + written { $0.bool(true) } + written { $0.null() } == hex("f4f5f6"))
    #expect(written { $0.array(0) } == hex("80"))
    #expect(
      written { writer in
        writer.array(25)
        for value in 1...25 { writer.integer(value) }
      } == hex("98190102030405060708090a0b0c0d0e0f101112131415161718181819"))
    let payload = Double(bitPattern: 0x7ff8_0000_dead_beef)
    var reader = CanonicalReader(written { $0.double(payload) })
    #expect(try reader.double().bitPattern == payload.bitPattern)
    let column = [0.1, -0.0, .nan, .infinity]
    reader = CanonicalReader(written { $0.doubles(column) })
    #expect(try reader.doubles().map(\.bitPattern) == column.map(\.bitPattern))
  }

  /// Another encoding of a value that has one already, or bytes that end early.
  @Test(arguments: [
    "1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000", "1b00000000ffffffff", "3800",
    "3900ff", "1c", "1f", "1bffffffffffffffff", "3b8000000000000000", "18", "19ff", "", "60", "f4", "c11a514b67b0",
  ]) func `integers in any other form are refused`(bytes: String) {
    var reader = CanonicalReader(hex(bytes))
    #expect(throws: CanonicalFault.self) { try reader.integer() }
  }

  @Test func `other forms of other kinds are refused`() {
    func refused(_ bytes: String, _ read: (inout CanonicalReader) throws -> Void) {
      var reader = CanonicalReader(hex(bytes))
      #expect(throws: CanonicalFault.self, "\(bytes)") { try read(&reader) }
    }
    for bytes in ["f93c00", "fa47c35000", "f97e00", "00", "fb3ff1"] { refused(bytes) { _ = try $0.double() } }
    for bytes in ["7f657374726561646d696e67ff", "62c3", "61ff", "7800", "62c328", "64f4908080", "7b7fffffffffffffff"] {
      refused(bytes) { _ = try $0.text() }
    }
    for bytes in ["5f42010243030405ff", "5800", "4401", "5bffffffffffffffff"] { refused(bytes) { _ = try $0.bytes() } }
    for bytes in ["9fff", "9800", "a0", "9b7fffffffffffffff", "9a00100001"] { refused(bytes) { _ = try $0.array() } }
    for bytes in ["f6", "f7", "f0", "f814", "00"] { refused(bytes) { _ = try $0.bool() } }
    refused("4700000000000000") { _ = try $0.doubles() }
    refused("581f" + String(repeating: "00", count: 31)) { _ = try $0.digest() }
    refused("83") { try $0.structure(1, version: 1) }
    refused("8202") { try $0.structure(1, version: 1) }
  }

  @Test func `whatever is written is read back, and no shorter bytes mean the same`() throws {
    var draw = SeededDraw(seed: 31)
    for _ in 0..<3000 {
      let value = Int64(bitPattern: draw.next() >> UInt64(draw.next() % 64)) &* (draw.next() % 2 == 0 ? 1 : -1)
      let text = String(
        decoding: (0..<Int(draw.next() % 40)).map { _ in UInt8(truncatingIfNeeded: draw.next()) }, as: UTF8.self)
      let number = Double(bitPattern: draw.next())
      let bytes = written { writer in
        writer.array(3)
        writer.integer(value)
        writer.text(text)
        writer.double(number)
      }
      var reader = CanonicalReader(bytes)
      #expect(try reader.array() == 3)
      #expect(try reader.integer() == value)
      #expect(try reader.text() == text)
      #expect(try reader.double().bitPattern == number.bitPattern)
      #expect(reader.isAtEnd, "seed \(draw.seed)")
      for end in 0..<bytes.count {
        var cut = CanonicalReader(Array(bytes[..<end]))
        #expect(throws: CanonicalFault.self) {
          _ = try cut.array()
          _ = try cut.integer()
          _ = try cut.text()
          _ = try cut.double()
        }
      }
    }
  }

  @Test func `any bytes are answered, and what is accepted is written the same`() {
    var draw = SeededDraw(seed: 32)
    var accepted = 0
    for _ in 0..<60_000 {
      let bytes = (0..<Int(draw.next() % 24)).map { _ in
        draw.next() % 3 == 0
          ? UInt8(truncatingIfNeeded: draw.next() % 32 + 0x60) : UInt8(truncatingIfNeeded: draw.next())
      }
      var reader = CanonicalReader(bytes)
      var again = CanonicalWriter()
      switch bytes.first.map({ $0 >> 5 }) {
      case 0, 1: (try? reader.integer()).map { again.integer($0) }
      case 2: (try? reader.bytes()).map { again.bytes($0) }
      case 3: (try? reader.text()).map { again.text($0) }
      case 4: (try? reader.array()).map { again.array($0) }
      default: (try? reader.double()).map { again.double($0) }
      }
      guard !again.bytes.isEmpty else { continue }
      accepted += 1
      #expect(again.bytes == Array(bytes[..<reader.offset]), "\(bytes), seed 32")
    }
    #expect(accepted > 1000)
  }
}

@Suite struct `Digests, names and numbers` {
  @Test func `a digest has one hexadecimal form`() {
    let bytes = (0..<32).map { UInt8($0 * 7 & 0xff) }
    let digest = Digest(bytes: bytes)!
    #expect(digest.bytes == bytes && Digest(hex: digest.hex) == digest && digest.short == "00070e15")
    #expect(Digest(bytes: Array(bytes.dropLast())) == nil)
    #expect(Digest(hex: digest.hex.uppercased()) == digest)
    for bad in [
      "", String(digest.hex.dropLast()), digest.hex + "0", "g" + digest.hex.dropFirst(),
    ] {
      #expect(Digest(hex: bad) == nil, "\(bad)")
    }
  }

  @Test(arguments: [
    ("a", true), ("chiller-1", true), ("x_y9", true), (String(repeating: "a", count: 64), true), ("", false),
    ("1a", false),
    ("-a", false), ("A", false), ("a.b", false), ("é", false), (String(repeating: "a", count: 65), false),
  ]) func `names`(text: String, isName: Bool) { #expect(Identifier.isName(text) == isName) }

  @Test func `uris and decision numbers`() {
    #expect(Identifier.siteURI(tenant: "acme", site: "lyon-01") == "site://acme.lyon-01")
    #expect(Identifier.pointURI(tenant: "acme", site: "lyon-01", point: "c-1.t") == "point://acme.lyon-01/c-1/t")
    #expect(Identifier.assetURI(tenant: "acme", site: "lyon-01", asset: "c-1") == "asset://acme.lyon-01/c-1")
    let id = DecisionID(tick: 1042, ordinal: 3)
    #expect(id.description == "d-1042.3" && DecisionID("d-1042.3") == id)
    for bad in ["", "d-", "d-1", "1.2", "d-1.2.3", "d--1.2", "d-1.-2", "d-x.1", "d-1.99999999999"] {
      #expect(DecisionID(bad) == nil, "\(bad)")
    }
  }

  @Test func `modes are lowered, never raised`() {
    for mode in Mode.allCases {
      #expect(
        Mode(name: mode.name) == mode && mode.lowered(to: .observe) == .observe && mode.lowered(to: .auto) == mode)
      for ceiling in Mode.allCases { #expect([mode, ceiling].contains(mode.lowered(to: ceiling))) }
    }
    #expect(Mode.local.lowered(to: .shadow) == .local && Mode.shadow.lowered(to: .local) == .local)
  }

  @Test func `rounding is that of IEEE 754, ties to even`() {
    var draw = SeededDraw(seed: 33)
    let edges = [
      0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 4_503_599_627_370_495.5, 1e300, .infinity, -.infinity,
    ]
    for value in edges + (0..<20_000).map({ _ in Double(Int64(bitPattern: draw.next()) >> 20) / 4 }) {
      #expect(value.nearestInteger.bitPattern == value.rounded(.toNearestOrEven).bitPattern, "\(value), seed 33")
    }
    #expect(Double.nan.nearestInteger.isNaN)
  }

  @Test func `spans saturate`() {
    #expect(Uptime(nanoseconds: .max).advanced(byNanoseconds: 1) == .never)
    #expect(Uptime(nanoseconds: .min).nanoseconds(since: Uptime(nanoseconds: 1)) == .min)
    #expect(Instant.distantFuture.nanoseconds(since: .distantPast) == .max)
    #expect(
      Duration.seconds(Int64.max).wholeNanoseconds == .max && Duration.seconds(-3).wholeNanoseconds == -3_000_000_000)
  }
}
