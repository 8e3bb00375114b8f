import Testing

@testable import FMI

/// A minute a row, u going up and down.
private func inputs(_ rows: Int, last: Double? = nil) -> SignalTable {
  let values = (0..<rows).map { row in row == rows - 1 ? last ?? 25 : row / 5 % 2 == 0 ? 30.0 : 15 }
  return SignalTable(names: ["u"], times: (0..<rows).map { 100 + 60 * Double($0) }, values: values)
}

@Suite(.enabled(if: BuiltUnit.hasCompiler))
struct `A co-simulation unit` {
  @Test(arguments: [2, 3])
  func `is stepped along its inputs`(version: Int) throws {
    try BuiltUnit.with(version: version) { folder in
      let unit = try CoSimulationUnit(folder: folder)
      let given = inputs(40)
      let table = try FMI.simulate(unit, inputs: given, stepSeconds: 60)
      #expect(table.names == ["u", "x"])
      #expect(table.times == given.times)
      #expect(table.column("u") == given.values)
      #expect(table.column("x") == BuiltUnit.expected(given.values, step: 60))
      let slow = try FMI.simulate(
        unit, inputs: given, stepSeconds: 60, outputs: ["tau", "x"], parameters: ["tau": 6000])
      #expect(slow.names == ["u", "tau", "x"])
      #expect(slow.column("tau")?.allSatisfy { $0 == 6000 } == true)
      #expect(slow.column("x") == BuiltUnit.expected(given.values, step: 60, tau: 6000))
      // Two at once, and again: nothing is left behind.
      #expect(try FMI.simulate(unit, inputs: given, stepSeconds: 60) == table)
    }
  }

  @Test(arguments: [2, 3])
  func `holds a row of its inputs until the next one`(version: Int) throws {
    try BuiltUnit.with(version: version) { folder in
      let given = SignalTable(names: ["u"], times: [0, 600, 1200], values: [30, 10, 20])
      let table = try FMI.simulate(try CoSimulationUnit(folder: folder), inputs: given, stepSeconds: 300)
      #expect(table.times == [0, 300, 600, 900, 1200])
      #expect(table.column("u") == [30, 30, 10, 10, 20])
      #expect(table.column("x") == BuiltUnit.expected([30, 30, 10, 10, 20], step: 300))
    }
  }

  @Test(arguments: [2, 3])
  func `ends where it asks to, and says why where it fails`(version: Int) throws {
    try BuiltUnit.with(version: version) { folder in
      let unit = try CoSimulationUnit(folder: folder)
      var given = inputs(20)
      given.values[7] = -2e6
      let short = try FMI.simulate(unit, inputs: given, stepSeconds: 60)
      #expect(short.times.count == 8)
      given.values[7] = 2e6
      let fault = #expect(throws: FMIFault.self) { try FMI.simulate(unit, inputs: given, stepSeconds: 60) }
      #expect(fault?.code == "fmi.failed")
      #expect(fault?.message.contains("520") == true)
      #expect(fault?.message.hasSuffix(version == 2 ? "u of 2e+06 is too much" : "u is too much") == true)
    }
  }

  @Test(arguments: [2, 3])
  func `refuses what cannot be asked of it`(version: Int) throws {
    try BuiltUnit.with(version: version) { folder in
      let unit = try CoSimulationUnit(folder: folder)
      func code(_ table: SignalTable, step: Double = 60, outputs: [String]? = nil, set: [String: Double] = [:])
        -> String?
      {
        do throws(FMIFault) {
          _ = try FMI.simulate(unit, inputs: table, stepSeconds: step, outputs: outputs, parameters: set)
          return nil
        } catch {
          return error.code
        }
      }
      var table = inputs(3)
      #expect(code(table, outputs: ["y"]) == "fmi.no_variable")
      #expect(code(table, outputs: ["count"]) == "fmi.no_variable")
      #expect(code(table, outputs: ["field"]) == "fmi.no_variable")
      #expect(code(table, set: ["x": 1]) == "fmi.not_settable")
      #expect(code(table, step: 0) == "fmi.bad_table")
      #expect(code(table, step: 1e-9) == "fmi.bad_table")
      table.names = ["tau"]
      #expect(code(table) == "fmi.not_settable")
      table = inputs(3)
      table.values[1] = .nan
      #expect(code(table) == "fmi.bad_table")
      table = inputs(3)
      table.times[2] = table.times[1]
      #expect(code(table) == "fmi.bad_table")
      #expect(code(SignalTable(names: ["u"])) == "fmi.bad_table")
    }
  }

  @Test func `refuses a library that is not whole, or not the described one`() throws {
    let partial = "int fmi2Instantiate(void) { return 0; }\nint fmi2SetupExperiment(void) { return 0; }\n"
    try BuiltUnit.with(version: 2, source: partial) { folder in
      let unit = try CoSimulationUnit(folder: folder)
      let fault = #expect(throws: FMIFault.self) { try FMI.simulate(unit, inputs: inputs(3), stepSeconds: 60) }
      #expect(fault?.code == "fmi.not_loaded")
      #expect(fault?.message.contains("fmi2EnterInitializationMode") == true)
    }
    try BuiltUnit.with(version: 2) { folder in
      let path = "\(folder)/modelDescription.xml"
      let other = BuiltUnit.description2.replacing("{token}", with: "{other}")
      try BuiltUnit.write(other, to: path)
      let unit = try CoSimulationUnit(folder: folder)
      let fault = #expect(throws: FMIFault.self) { try FMI.simulate(unit, inputs: inputs(3), stepSeconds: 60) }
      #expect(fault?.message.hasSuffix("{other} is not mine (1)") == true)
      _ = BuiltUnit.shell("rm -r \(folder)/binaries")
      let missing = #expect(throws: FMIFault.self) { try FMI.simulate(unit, inputs: inputs(3), stepSeconds: 60) }
      #expect(missing?.code == "fmi.not_loaded")
    }
  }

  @Test(.enabled(if: BuiltUnit.shell("unzip -v >/dev/null 2>&1 && python3 --version >/dev/null 2>&1") == 0))
  func `is unpacked from its file`() throws {
    try BuiltUnit.with(version: 2) { folder in
      let pack = "cd \(folder) && python3 -m zipfile -c lag.fmu modelDescription.xml binaries resources"
      try #require(BuiltUnit.shell(pack) == 0)
      try FMI.unpack("\(folder)/lag.fmu", into: "\(folder)/unpacked")
      let unit = try CoSimulationUnit(folder: "\(folder)/unpacked")
      #expect(try FMI.simulate(unit, inputs: inputs(3), stepSeconds: 60).times.count == 3)
      let again = #expect(throws: FMIFault.self) {
        try FMI.unpack("\(folder)/lag.fmu", into: "\(folder)/unpacked")
      }
      #expect(again?.code == "fmi.not_unpacked")
      #expect(throws: FMIFault.self) { try FMI.unpack("\(folder)/unit.c", into: "\(folder)/other") }
    }
  }
}

@Suite struct `A unit's description` {
  @Test func `is read as far as a simulation needs it`() throws {
    for text in [BuiltUnit.description2, BuiltUnit.description3] {
      let description = try UnitDescription(xml: Array(text.utf8))
      #expect(description.name == "Lag & room")
      #expect(description.token == "{token}")
      #expect(description.identifier == "lag")
      #expect(description.stepSeconds == 60)
      #expect(description.variables.map(\.name) == ["u", "x", "tau"])
      #expect(description.variables.map(\.causality) == ["input", "output", "parameter"])
      #expect(description.variables.map(\.start) == [20, nil, 600])
      #expect(description.variables.map(\.unit) == ["degC", "degC", ""])
    }
  }

  @Test(arguments: [
    ("", "fmi.malformed"), ("<a/>", "fmi.malformed"), ("<fmiModelDescription>", "fmi.unsupported"),
    ("<fmiModelDescription fmiVersion=\"1.0\"/>", "fmi.unsupported"),
    ("<fmiModelDescription fmiVersion=\"2.0\"/>", "fmi.unsupported"),
    ("<fmiModelDescription fmiVersion=\"2.0\"><a></b></fmiModelDescription>", "fmi.malformed"),
    ("<fmiModelDescription fmiVersion=\"2.0\" fmiVersion=\"3.0\"/>", "fmi.malformed"),
    ("<fmiModelDescription fmiVersion=\"2.0\" a=\"&b;\"/>", "fmi.malformed"),
    ("<fmiModelDescription fmiVersion=\"2.0\"/><b/>", "fmi.malformed"),
    ("<!DOCTYPE a [<!ENTITY b \"c\">]><fmiModelDescription fmiVersion=\"2.0\"/>", "fmi.malformed"),
    (
      "<fmiModelDescription fmiVersion=\"2.0\"><CoSimulation modelIdentifier=\"../x\"/></fmiModelDescription>",
      "fmi.unsupported"
    ),
    ("<fmiModelDescription fmiVersion=2.0/>", "fmi.malformed"), ("<!-- ", "fmi.malformed"),
  ])
  func `is refused where it is none`(text: String, code: String) {
    let fault = #expect(throws: FMIFault.self) { try UnitDescription(xml: Array(text.utf8)) }
    #expect(fault?.code == code)
  }

  @Test func `never traps, wherever it is cut or bent`() {
    let bytes = Array(BuiltUnit.description2.utf8)
    for cut in 0..<bytes.count - 1 {
      #expect(throws: FMIFault.self) { try UnitDescription(xml: Array(bytes[..<cut])) }
    }
    for place in bytes.indices {
      for byte in [UInt8(ascii: "<"), UInt8(ascii: "\""), 0, 0xFF] {
        var bent = bytes
        bent[place] = byte
        _ = try? UnitDescription(xml: bent)
      }
    }
  }

  @Test func `tags may lie deep, but not without end`() {
    let deep = { (count: Int) in
      Array((String(repeating: "<a>", count: count) + String(repeating: "</a>", count: count)).utf8)
    }
    var reader = MarkupReader(deep(64))
    #expect(throws: Never.self) { while try reader.next() != nil {} }
    var deeper = MarkupReader(deep(65))
    #expect(throws: FMIFault.self) { while try deeper.next() != nil {} }
  }
}

@Suite struct `A table of signals` {
  @Test func `is written so that its numbers read back to the same bits`() {
    let table = SignalTable(names: ["u", "a,b"], times: [0, 0.1], values: [1.0 / 3, -2, 1e-300, 4])
    #expect(
      table.renamed(["u": "ahu.supply_t"]).csv
        == "time,ahu.supply_t,\"a,b\"\n0.0,0.3333333333333333,-2.0\n0.1,1e-300,4.0\n")
    #expect(table.column("u") == [1.0 / 3, 1e-300])
    #expect(table.column("v") == nil)
  }
}
