import Seams
import TwinCore

/// Numbers by time and name: row k holds from its time to the next one's.
public struct SignalTable: Sendable, Equatable {
  public var names: [String]
  /// Seconds, rising.
  public var times: [Double]
  /// times × names, row after row.
  public var values: [Double]

  public init(names: [String], times: [Double] = [], values: [Double] = []) {
    (self.names, self.times, self.values) = (names, times, values)
  }

  public func column(_ name: String) -> [Double]? {
    guard let place = names.firstIndex(of: name) else { return nil }
    return stride(from: place, to: values.count, by: names.count).map { values[$0] }
  }

  /// Under other names, a point's id for a variable's; what is not named keeps its name.
  public func renamed(_ names: [String: String]) -> SignalTable {
    var table = self
    table.names = self.names.map { names[$0] ?? $0 }
    return table
  }

  /// One line a row, `time` in seconds first; each number reads back to the same bits.
  public var csv: String {
    let head = (["time"] + names.map(Self.quoted)).joined(separator: ",")
    let rows = times.indices.map { row in
      ([times[row]] + values[row * names.count..<(row + 1) * names.count]).map { "\($0)" }.joined(separator: ",")
    }
    return ([head] + rows).joined(separator: "\n") + "\n"
  }

  private static func quoted(_ name: String) -> String {
    guard name.contains(where: { ",\"\n\r".contains($0) }) else { return name }
    return "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  func check() throws(FMIFault) {
    guard values.count == times.count * names.count else {
      throw .badTable("\(values.count) values for \(times.count) rows of \(names.count)")
    }
    guard Set(names).count == names.count else { throw .badTable("a name stands twice") }
    guard !times.isEmpty, times.allSatisfy({ $0.isFinite }), values.allSatisfy({ $0.isFinite }) else {
      throw .badTable("the table is empty, or a number in it is not finite")
    }
    guard zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) else { throw .badTable("the times do not rise") }
  }
}

/// A co-simulation unit on disk: the folder that a .fmu was unpacked into.
public struct CoSimulationUnit: Sendable, Equatable {
  public let folder: String
  public let description: UnitDescription

  /// Errors: `fmi.unreadable`, `fmi.malformed`, `fmi.unsupported`.
  public init(folder: String) throws(FMIFault) {
    let path = folder + "/modelDescription.xml"
    guard let bytes = SystemFiles.bytes(path, max: UnitDescription.bytesMax) else { throw .unreadable(path) }
    (self.folder, description) = (folder, try UnitDescription(xml: bytes))
  }

  /// Where the standards put the library for the machine that this was built for.
  public var library: String {
    #if arch(arm64)
      let platform = description.version == 2 ? "linux64" : "aarch64-linux"
    #else
      let platform = description.version == 2 ? "linux64" : "x86_64-linux"
    #endif
    return "\(folder)/binaries/\(platform)/\(description.identifier).so"
  }

  /// A file URI in FMI 2.0, a folder in FMI 3.0; both want an absolute path.
  var resources: String {
    guard description.version == 2 else { return folder + "/resources/" }
    let kept = folder.utf8.reduce(into: "") { result, byte in
      let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
      if isPlain || "/-._~".utf8.contains(byte) {
        result.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return "file://" + kept + "/resources"
  }
}

/// Runs units: a high-fidelity model as one more plant, whose record a calibration can be made on.
public enum FMI {
  public static let stepsMax = 4_000_000

  /// Steps a unit along a table of its inputs and gives back what it was fed and what it showed: row k has the inputs
  /// that hold from k to k + 1 and the outputs at k, as a calibration reads them.
  ///
  /// The run goes from the table's first time to its last one in steps of `stepSeconds`; a row of the table holds until
  /// the next one. It ends early where the unit asks for it. Blocks; code of the unit runs in this process.
  ///
  /// - Parameters:
  ///   - outputs: Variables to be read; every output of the unit where it is nil.
  ///   - parameters: Set before the start.
  /// Errors: every one of the room.
  public static func simulate(
    _ unit: CoSimulationUnit, inputs: SignalTable, stepSeconds: Double, outputs: [String]? = nil,
    parameters: [String: Double] = [:]
  ) throws(FMIFault) -> SignalTable {
    try inputs.check()
    let (start, stop) = (inputs.times[0], inputs.times[inputs.times.count - 1])
    guard stepSeconds > 0, stepSeconds.isFinite, (stop - start) / stepSeconds <= Double(stepsMax) else {
      throw .badTable("steps of \(stepSeconds) s over \(stop - start) s")
    }
    let fed = try variables(inputs.names, of: unit, settable: ["input"])
    let shown =
      try outputs.map { names throws(FMIFault) in try variables(names, of: unit, settable: nil) }
      ?? unit.description.variables.filter { $0.causality == "output" }
    let set = parameters.sorted { $0.key < $1.key }
    let fixed = try variables(set.map(\.key), of: unit, settable: ["parameter", "input", "calculatedParameter"])

    let loaded = try LoadedUnit(library: unit.library, version: unit.description.version)
    try loaded.instantiate("twind", token: unit.description.token, resources: unit.resources)
    try loaded.set(fixed.map(\.reference), set.map(\.value))
    try loaded.enterInitialization(start: start, stop: stop)
    try loaded.set(fed.map(\.reference), row(0, of: inputs))
    try loaded.exitInitialization()

    var table = SignalTable(names: fed.map(\.name) + shown.map(\.name))
    let steps = Int(((stop - start) / stepSeconds).rounded(.down))
    var place = 0
    for step in 0...steps {
      // A product, not a sum: no rounding piles up.
      let now = start + Double(step) * stepSeconds
      while place + 1 < inputs.times.count, inputs.times[place + 1] <= now + stepSeconds * 1e-9 { place += 1 }
      let values = row(place, of: inputs)
      try loaded.set(fed.map(\.reference), values)
      table.times.append(now)
      table.values += values
      table.values += try loaded.get(shown.map(\.reference))
      guard step < steps, try loaded.step(at: now, by: stepSeconds) else { break }
    }
    try loaded.terminate()
    return table
  }

  private static func row(_ place: Int, of table: SignalTable) -> [Double] {
    Array(table.values[place * table.names.count..<(place + 1) * table.names.count])
  }

  private static func variables(
    _ names: [String], of unit: CoSimulationUnit, settable: [String]?
  ) throws(FMIFault) -> [UnitDescription.Variable] {
    var found: [UnitDescription.Variable] = []
    for name in names {
      guard let variable = unit.description.variable(name) else {
        throw .noVariable(name, unit.description.name, nearest(name, among: unit.description.variables))
      }
      guard settable?.contains(variable.causality) != false else { throw .notSettable(name, variable.causality) }
      found.append(variable)
    }
    return found
  }

  /// The name that a typing error may have been of; long names are compared by their first characters.
  private static func nearest(_ name: String, among variables: [UnitDescription.Variable]) -> String? {
    let wanted = Array(name.utf8.prefix(64))
    let close = variables.lazy.map { ($0.name, editDistance(wanted, Array($0.name.utf8.prefix(64)))) }
    return close.min { $0.1 < $1.1 }.flatMap { $0.1 <= max(1, wanted.count / 3) ? $0.0 : nil }
  }
}
