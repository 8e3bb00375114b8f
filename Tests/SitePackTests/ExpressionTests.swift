import Testing
import TwinCore

@testable import SitePack

private let states = ["stopped": 0.0, "running": 2.0]
private let scope: Scope = {
  var scope = Scope()
  let kinds: [(String, Scope.Kind)] = [
    ("c-1.supply_t", .number(UnitCode(ucum: "Cel")!)), ("c-1.power", .number(UnitCode(ucum: "W")!)),
    ("c-1.state", .choice(states)), ("c-1.on", .truth), ("hall.dew_t", .number(UnitCode(ucum: "Cel")!)),
    ("hall.f_t", .number(UnitCode(ucum: "[degF]")!)), ("hall.rh", .number(UnitCode(ucum: "%")!)),
    ("hall.share", .number(.one)), ("p-1.flow", .number(UnitCode(ucum: "m3/h")!)),
    ("p-1.dp", .number(UnitCode(ucum: "kPa")!)), ("tariff.grid-26.price", .number(UnitCode(ucum: "EUR/kW.h")!)),
    ("c-1.serial", .unreadable("it is text")),
  ]
  for (index, (name, kind)) in kinds.enumerated() {
    scope.points[name] = Scope.Entry(index: PointIndex(index), kind: kind)
  }
  return scope
}()
/// By index: the values that the points have.
private let values = [7.0, 12_000, 2, 1, 4.5, 50, 40, 0.5, 36, 210, 0.25]

private func value(_ text: String, _ wanted: ExpressionCompiler.Wanted) throws -> Double? {
  let formula = try ExpressionCompiler(scope: scope).compile(try Expression.parse(text), as: wanted)
  return formula.evaluate { values[$0.position] }
}

@Suite struct `An expression's meaning` {
  @Test(arguments: [
    ("hall.dew_t + 2 K <= c-1.supply_t", 1.0), ("hall.dew_t + 3 K <= c-1.supply_t", 0),
    ("hall.dew_t + 2 <= c-1.supply_t", 1), ("2 K + hall.dew_t <= c-1.supply_t", 1),
    ("c-1.state == running", 1), ("c-1.state != running", 0), ("stopped == c-1.state", 0),
    ("c-1.on", 1), ("not c-1.on", 0), ("c-1.on == false", 0), ("c-1.on and c-1.power > 10 kW", 1),
    ("c-1.power > 12.5 kW or c-1.supply_t < 7.1", 1), ("not c-1.supply_t > 10 and true", 1),
    ("c-1.power == 12 kW", 1), ("12 kW == c-1.power", 1), ("c-1.power > 0.01 MW", 1),
    // 50 °F is 10 °C.
    ("hall.f_t == 10 Cel", 1), ("hall.f_t > c-1.supply_t", 1), ("hall.f_t - c-1.supply_t > 2.9 K", 1),
    ("hall.f_t - c-1.supply_t < 3.1 K", 1), ("c-1.supply_t == 280.15 K - 273.15 K + 0 Cel", 1),
    ("hall.rh == 40 %", 1), ("hall.rh < 50", 1), ("hall.rh * 2 == 80 %", 1),
    // 36 m³/h × 210 kPa are 2,100 W.
    ("abs(p-1.flow * p-1.dp - 2.1 kW) < 1 W", 1), ("p-1.flow * p-1.dp / c-1.power < 0.18", 1),
    ("p-1.flow * p-1.dp / c-1.power > 0.17", 1), ("c-1.power * 2 h == 24 kW.h", 1),
    ("abs(c-1.power * tariff.grid-26.price - 3 EUR/h) < 0.001 EUR/h", 1),
    ("sqrt(p-1.flow * p-1.flow) == p-1.flow", 1), ("2 + 3 * 4 == 14", 1), ("(2 + 3) * 4 == 20", 1),
    ("10 - 4 - 3 == 3", 1), ("16 / 4 / 2 == 2", 1), ("--3 == 3", 1), ("-2 - -3 == 1", 1),
    ("min(c-1.supply_t, 5) == 5", 1), ("max(3, c-1.supply_t, 280 K - 273 K + 2 Cel) == 9 Cel", 1),
    ("clamp(c-1.supply_t, 8, 10) == 8", 1), ("clamp(c-1.power, 1 kW, 10 kW) == 10 kW", 1),
    ("if(c-1.on, c-1.supply_t, 50 [degF]) == 7", 1), ("if(not c-1.on, c-1.supply_t, 50 [degF]) == 10 Cel", 1),
    ("c-1.supply_t > -5 Cel", 1), ("30 s < 1 min", 1), ("2 K/max(1, 2) == 1 K", 1), ("3/h == 0.05/min", 1),
    ("1 kW/min > 16 W/s", 1), ("true", 1), ("c-1.supply_t-1 == 6", 1),
  ]) func `of conditions`(text: String, wanted: Double) throws {
    if text == "c-1.supply_t-1 == 6" {
      // Without spaces the hyphen belongs to the name.
      #expect(throws: ExpressionFault.self) { try value(text, .truth) }
      return
    }
    #expect(try value(text, .truth) == wanted, "\(text)")
  }

  @Test(arguments: [
    ("clamp(c-1.supply_t + 0.3 + 4 * (c-1.supply_t + 0.3 - hall.dew_t), 14, 38)", "Cel", 18.5),
    ("25 Cel", "Cel", 25), ("25", "Cel", 25), ("77 [degF]", "Cel", 25), ("hall.f_t", "Cel", 10),
    ("c-1.power", "kW", 12), ("c-1.power / 2", "kW", 6), ("if(c-1.on, 1, 0)", "1", 1), ("50 %", "1", 0.5),
    ("c-1.supply_t - hall.dew_t", "K", 2.5), ("36 m3/h", "L/s", 10), ("p-1.flow", "L/s", 10),
    ("0.5 K/min * 2 min", "K", 1), ("- c-1.power", "kW", -12),
  ]) func `of values, in the unit that is wanted`(text: String, unit: String, wanted: Double) throws {
    let code = try #require(UnitCode(ucum: unit))
    let got = try #require(try value(text, .number(code)))
    #expect(abs(got - wanted) < 1e-9, "\(text) gave \(got)")
  }

  @Test func `of states`() throws {
    #expect(try value("running", .choice(states)) == 2)
    #expect(try value("if(c-1.on, c-1.state, c-1.state)", .choice(states)) == 2)
  }

  @Test func `every unit of the table has its size in SI units`() throws {
    for unit in UnitCode.all {
      let factor = try #require(unit.siFactor, "\(unit.ucum)")
      for other in UnitCode.all where other.dimension == unit.dimension && !unit.isAffine && !other.isAffine {
        let ratio = try #require(unit.convert(1, to: other))
        #expect(abs(factor / (ratio * (other.siFactor ?? .nan)) - 1) < 1e-12, "\(unit.ucum) in \(other.ucum)")
      }
    }
    // Anchors of kinds that no coherent unit of the table reaches, each against the units that it is made of.
    func si(_ code: String) -> Double { UnitCode(ucum: code)?.siFactor ?? .nan }
    let kinds: [(String, Double)] = [
      ("kJ/(kg.K)", si("kJ") / si("kg")), ("kJ/kg", si("kJ") / si("kg")), ("A.h", si("A") * si("h")),
      ("mS/cm", 1e-3 * si("A") / si("V") / si("cm")), ("kW.h/m2", si("kW.h") / si("m2")),
      ("EUR/kW.h", si("EUR") / si("kW.h")), ("EUR/kW", si("EUR") / si("kW")), ("EUR/h", si("EUR") / si("h")),
      ("EUR/t", si("EUR") / si("t")), ("kg{CO2}/kW.h", si("kg") / si("kW.h")), ("K/min", 1.0 / 60),
      ("kW/h", 1000 / 3600.0),
    ]
    for (code, wanted) in kinds { #expect(abs(si(code) / wanted - 1) < 1e-12, "\(code)") }
  }
}

@Suite struct `An expression's faults` {
  @Test(arguments: [
    ("hall.dew_t + 2 K <= c-1.suply_t", 20, "unknown_point", "did you mean \"c-1.supply_t\"?"),
    ("c-1.supply_t > 3 K", 13, "unit_mismatch", "K is a difference"),
    ("c-1.supply_t + hall.dew_t > 3", 13, "unit_mismatch", "difference, written with K"),
    ("c-1.power > 3 kw", 14, "unknown_unit", "did you mean \"kW\"?"),
    ("c-1.power > 3 m", 10, "unit_mismatch", "one kind"),
    ("c-1.supply_t = 3", 13, "syntax", "=="), ("c-1.supply_t", 0, "wrong_type", "compare it"),
    ("2 * c-1.supply_t > 3", 4, "unit_mismatch", "take a difference"),
    ("20 - c-1.supply_t > 3", 3, "unit_mismatch", "too"),
    ("c-1.state > stopped", 10, "wrong_type", "write == or !="),
    ("c-1.state == runing", 13, "unknown_symbol", "running"),
    ("c-1.state == 2", 10, "wrong_type", "running"), ("foo(1) > 2", 0, "unknown_function", "there are"),
    ("maxx(1, 2) > 2", 0, "unknown_function", "did you mean \"max\"?"), ("min(1) > 2", 0, "syntax", ""),
    ("(c-1.power > 3", 14, "syntax", "character 1"), ("c-1.power > 3)", 13, "syntax", ""),
    ("1 < 2 < 3", 6, "syntax", "join two comparisons by and"), ("c-1.power > 3 && c-1.on", 14, "syntax", "write and"),
    ("c-1.power > .5", 12, "syntax", "write 0.5"), ("", 0, "syntax", "write a point"),
    ("c-1.on + 1 > 2", 0, "wrong_type", "if(condition, 1, 0)"),
    ("running", 0, "wrong_type", ""), ("c-1.power > running", 12, "unknown_symbol", "device.point"),
    ("c-1.supply_t-1 > 3", 0, "unknown_point", ""), ("exp(c-1.power) > 1", 4, "unit_mismatch", "same unit"),
    ("c-1.serial == 1", 0, "wrong_type", "another"), ("1e999 > 1", 0, "syntax", "exponent"),
    ("c-1.power ^ 0.5 > 1", 10, "unit_mismatch", "same unit"), ("c-1.power > \u{1F525}", 12, "syntax", ""),
    ("c-1.power + 1 > 2 and and", 22, "syntax", ""), ("if(c-1.on, 1 K, 2 Cel) > 1", 16, "unit_mismatch", "K is"),
  ]) func `are placed and explained`(text: String, offset: Int, code: String, hint: String) throws {
    let fault = try #require(throws: ExpressionFault.self) { try value(text, .truth) }
    #expect(fault.offset == offset && fault.code == "expression.\(code)", "\(text): \(fault)")
    #expect(fault.hint.contains(hint), "\(text): \(fault.hint)")
  }

  @Test(arguments: [
    String(repeating: "(", count: 5000), String(repeating: "-", count: 1500) + "1 > 0",
    String(repeating: "not ", count: 500) + "true",
    String(repeating: "abs(", count: 400), Array(repeating: "1", count: 600).joined(separator: " + ") + " > 0",
    Array(repeating: "2 ^ ", count: 300).joined() + "2 > 1", String(repeating: "x", count: 10_000),
    "min(" + Array(repeating: "1", count: 900).joined(separator: ",") + ") > 0",
  ]) func `of size end in time`(text: String) {
    #expect(throws: ExpressionFault.self) { try value(text, .truth) }
  }
}
