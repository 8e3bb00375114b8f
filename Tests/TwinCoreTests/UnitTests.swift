import Testing

@testable import TwinCore

private func unit(_ code: String) throws -> UnitCode { try #require(UnitCode(ucum: code), "\(code)") }

@Suite struct `The table of units` {
  @Test func `codes, symbols and rates lead back to themselves`() throws {
    #expect(UnitCode.all.count > 70)
    for unit in UnitCode.all {
      #expect(UnitCode(ucum: unit.ucum) == unit)
      #expect(!unit.symbol.isEmpty || unit == .one)
      for rate in ["/s", "/min", "/h"] {
        let text = unit.ucum + rate
        let rated = try #require(UnitCode(ucum: text), "\(text)")
        #expect(rated.ucum == text)
        #expect(rated.dimension == unit.dimension / .time)
        #expect(!rated.isAffine)
      }
    }
  }

  @Test func `every pair of one dimension converts there and back`() throws {
    var pairs = 0
    let rates = UnitCode.all.flatMap { unit in ["/s", "/min", "/h"].compactMap { UnitCode(ucum: unit.ucum + $0) } }
    for a in UnitCode.all + rates {
      for b in UnitCode.all + rates where a.dimension == b.dimension {
        pairs += 1
        for value in [0, 1, -40, 12.5, 98_765.4321] {
          let there = try #require(a.convert(value, to: b))
          let back = try #require(b.convert(there, to: a))
          #expect(abs(back - value) <= 1e-12 * max(abs(value), 1000), "\(value) \(a) = \(there) \(b) = \(back)")
        }
      }
    }
    #expect(pairs > 2000)
  }

  /// Value, unit, the same in another unit: exact.
  @Test(arguments: [
    (12.0, "kW", 12_000.0, "W"), (32, "[degF]", 0, "Cel"), (212, "[degF]", 100, "Cel"), (-40, "Cel", -40, "[degF]"),
    (0, "Cel", 273.15, "K"), (25, "Cel", 298.15, "K"), (0, "K", -459.67, "[degF]"), (491.67, "[degR]", 273.15, "K"),
    (1, "kW.h", 3.6, "MJ"), (0.1, "kW.h", 100, "W.h"), (3, "bar", 300, "kPa"), (1, "[psi]", 6894.757293168362, "Pa"),
    (36, "m3/h", 10, "L/s"), (60, "L/min", 1, "L/s"), (7.2, "t/h", 2, "kg/s"), (180, "deg", Double.pi, "rad"),
    (0.5, "K/min", 30, "K/h"), (1, "Cel/min", 1.8, "[degF]/min"), (3000, "{rpm}", 50, "Hz"), (45, "%", 0.45, "1"),
    (400, "[ppm]", 0.04, "%"), (0.25, "EUR/kW.h", 250, "EUR/MW.h"), (56, "g{CO2}/kW.h", 0.056, "kg{CO2}/kW.h"),
    (500, "uS/cm", 0.5, "mS/cm"), (36, "km/h", 10, "m/s"), (1, "d", 24, "h"),
  ])
  func `known conversions`(value: Double, from: String, want: Double, to: String) throws {
    let (a, b) = (try unit(from), try unit(to))
    #expect(a.convert(value, to: b) == want)
    #expect(a.conversion(to: b)?.apply(value) == want)
  }

  @Test func `a conversion to the same unit changes no bit`() throws {
    for unit in UnitCode.all {
      for value in [0.1, -0.0, 1e300, .leastNonzeroMagnitude] {
        #expect(unit.convert(value, to: unit)?.bitPattern == value.bitPattern, "\(unit)")
      }
    }
  }

  @Test func `differences of temperatures are in kelvin`() throws {
    #expect(try unit("Cel").difference == unit("K"))
    #expect(try unit("[degF]").difference == unit("[degR]"))
    #expect(try unit("kW").difference == unit("kW"))
    #expect(try unit("Cel/min").symbol == "K/min")
    #expect(try unit("Cel").symbol == "°C")
    let affine = UnitCode.all.filter(\.isAffine).map(\.ucum)
    #expect(affine == ["Cel", "[degF]"])
  }

  @Test(arguments: [
    "", " ", "kw", "KW", "kWh", "°C", "C", "degC", "cel", "kW ", "/", "/s/", "K/day", "K/min/h/s", "m^3/h", "mm3/h2",
    "kW/kW", "Cel/", "é", "\u{0}",
  ])
  func `other codes are unknown`(code: String) { #expect(UnitCode(ucum: code) == nil) }
}

@Suite struct `Dimensions multiply as quantities do` {
  @Test func `heat flow and price`() throws {
    let flow = try unit("kg/s").dimension * unit("kJ/(kg.K)").dimension * unit("K").dimension
    #expect(try flow == unit("kW").dimension)
    #expect(try unit("EUR/kW.h").dimension * unit("kW.h").dimension == .currency)
    #expect(try unit("Pa").dimension * unit("m3/s").dimension == unit("W").dimension)
    #expect(try unit("V").dimension * unit("A").dimension == unit("W").dimension)
    #expect(try unit("kW").dimension != unit("kW.h").dimension)
    #expect(try unit("[pH]").dimension != .one)
    #expect(try unit("m2").dimension.squareRoot == .length)
    #expect(Dimension.length.squareRoot == nil)
    #expect(try unit("W").dimension.description == "m2.kg.s-3")
    #expect(Dimension.one.description == "1")
  }

  @Test func `laws hold for all of the table`() throws {
    for a in UnitCode.all.map(\.dimension) {
      #expect(a / a == .one)
      #expect((a * a).squareRoot == a)
      #expect(a.power(3) == a * a * a)
      #expect(a.power(-1) == .one / a)
      for b in UnitCode.all.map(\.dimension) { #expect(a * b == b * a && a * b / b == a) }
    }
  }

  @Test func `no product wraps round to another dimension`() {
    var square = Dimension.length
    for _ in 0..<64 {
      square = square * square
      #expect(square != .one && square != .length)
    }
    #expect(Dimension.length.power(.max).power(.max).power(.max) != .one)
  }
}

@Suite struct `Quantities are read with their units` {
  @Test(arguments: [
    ("0.5 K/min", 0.5, "K/min"), ("500 ms", 500, "ms"), ("12 kW", 12, "kW"), ("25 Cel", 25, "Cel"),
    ("-3.5 Cel", -3.5, "Cel"), ("+7 bar", 7, "bar"), ("12kW", 12, "kW"), ("5%", 5, "%"), ("1e3 W", 1000, "W"),
    ("2.5E-3 m3/h", 0.0025, "m3/h"), ("0 1", 0, "1"), ("10  kW/min", 10, "kW/min"), ("-0 K", 0, "K"),
    ("0.1 EUR/kW.h", 0.1, "EUR/kW.h"), ("6 /h", 6, "/h"), ("3 m3/h/min", 3, "m3/h/min"),
  ])
  func `accepted`(text: String, value: Double, code: String) throws {
    let quantity = try Quantity.parse(text)
    #expect(quantity.value == value)
    #expect(quantity.unit.ucum == code)
    #expect(try Quantity.parse(quantity.description) == quantity)
  }

  @Test(arguments: [
    ("", "core.quantity_malformed"), ("kW", "core.quantity_malformed"), ("nan kW", "core.quantity_malformed"),
    ("inf K", "core.quantity_malformed"), (" 1 kW", "core.quantity_malformed"), (".5 kW", "core.quantity_malformed"),
    ("1. kW", "core.quantity_malformed"), ("0x10 W", "core.unknown_unit"), ("1e999 W", "core.quantity_malformed"),
    ("1,5 kW", "core.unknown_unit"), ("--1 W", "core.quantity_malformed"), ("12", "core.quantity_without_unit"),
    ("12 ", "core.quantity_without_unit"), ("12 kw", "core.unknown_unit"), ("12 kW ", "core.unknown_unit"),
    ("12 kW 3", "core.unknown_unit"), ("12 kW\n", "core.unknown_unit"), ("1e W", "core.unknown_unit"),
    ("1٣ kW", "core.unknown_unit"), (String(repeating: "1", count: 100) + " W", "core.quantity_malformed"),
  ])
  func `refused`(text: String, code: String) {
    let fault = #expect(throws: UnitFault.self) { try Quantity.parse(text) }
    #expect(fault?.code == code)
    #expect((fault?.unit != nil) == (code == "core.unknown_unit"))
  }

  @Test func `texts of the faults`() {
    let fault = #expect(throws: UnitFault.self) { try Quantity.parse("12 kw") }
    let want =
      "the unit \"kw\" of \"12 kw\" is not known [core.unknown_unit]; "
      + "next: use a UCUM code of the units table, as kW, Cel or K/min"
    #expect(fault?.description == want)
    #expect(fault?.unit == "kw")
  }

  @Test func `converted by its unit`() throws {
    #expect(try Quantity.parse("25 Cel").converted(to: unit("K")) == Quantity(298.15, unit("K")))
    #expect(try Quantity.parse("25 Cel").converted(to: unit("kW")) == nil)
    #expect(try unit("A.h").conversion(to: unit("A/s")) == nil)
  }
}

@Suite struct `Durations are whole nanoseconds` {
  @Test(arguments: [
    ("500 ms", 500_000_000), ("2s", 2_000_000_000), ("5min", 300_000_000_000), ("4h", 14_400_000_000_000),
    ("1d", 86_400_000_000_000), ("15 min", 900_000_000_000), ("1.9 s", 1_900_000_000), ("0 s", 0), ("7 us", 7000),
    ("3 ns", 3), ("4 h 23 min", 15_780_000_000_000), ("5min30s", 330_000_000_000), ("0.5 us", 500),
    ("1.000000001 s", 1_000_000_001), ("1.0000000000 s", 1_000_000_000), ("9223372036854775807 ns", Int64.max),
    ("106751 d", 9_223_286_400_000_000_000),
  ])
  func `accepted`(text: String, want: Int64) { #expect(DurationText.parse(text) == want) }

  @Test(arguments: [
    "", "s", "5", "-5 s", "+5 s", " 5 s", "5 s ", "5 sec", "5 S", "5 m", "5 months", "1.s", ".5 s", "1e3 s", "0.5 ns",
    "1.0000000001 s", "23 min 4 h", "1 s 1 s", "1 h 2", "106752 d", "9223372036854775808 ns", "9223372036 s 1 d",
    "99999999999999999999 d", "5 s,", "5\u{a0}s", "106751 d 24 h", "٣ s",
  ])
  func `refused`(text: String) { #expect(DurationText.parse(text) == nil) }

  @Test(arguments: [
    (2_460, "41 min"), (2_519, "41 min"), (15_780, "4 h 23 min"), (330, "5 min 30 s"), (60, "1 min"), (59, "59 s"),
    (3600, "1 h"), (187_200, "2 d 4 h"), (86_400, "1 d"), (86_400 + 59, "1 d"), (0, "0 s"), (-90, "-1 min 30 s"),
  ])
  func `short, in seconds`(seconds: Int64, want: String) {
    #expect(DurationText.short(nanoseconds: seconds * 1_000_000_000) == want)
  }

  @Test(arguments: [
    (1_900_000_000, "1.9 s"), (1_999_999_999, "1.9 s"), (999_999_999, "999 ms"), (2_000_000_000, "2 s"),
    (12_345, "12 us"),
    (59_999_999_999, "59 s"), (1, "1 ns"), (Int64.max, "106751 d 23 h"), (Int64.min, "-106751 d 23 h"),
  ])
  func `short, in nanoseconds`(nanoseconds: Int64, want: String) {
    #expect(DurationText.short(nanoseconds: nanoseconds) == want)
  }

  @Test func `the exact form is read back`() {
    var draw = SeededDraw(seed: 31)
    for _ in 0..<5000 {
      let span = Int64.random(in: 0...Int64.max, using: &draw) >> Int64.random(in: 0..<63, using: &draw)
      let text = DurationText.exact(nanoseconds: span)
      #expect(DurationText.parse(text) == span, "\(text), seed \(draw.seed)")
    }
    #expect(DurationText.exact(nanoseconds: 900_000_000_000) == "15 min")
    #expect(DurationText.exact(nanoseconds: 90_000_000_000) == "90 s")
    #expect(DurationText.exact(nanoseconds: 500_000_000) == "500 ms")
    #expect(DurationText.exact(nanoseconds: 0) == "0 s")
  }
}
