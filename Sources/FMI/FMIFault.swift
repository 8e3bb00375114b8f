public import TwinCore

/// Why a unit cannot be run, or stopped running.
public struct FMIFault: Fault, Equatable {
  public let code: String
  public let message: String
  public let remedy: String

  static func malformed(_ what: String, line: Int) -> FMIFault {
    FMIFault(
      code: "fmi.malformed", message: "modelDescription.xml, line \(line): \(what)",
      remedy: "export the unit again; check it with the exporting tool")
  }

  static func unreadable(_ path: String) -> FMIFault {
    FMIFault(
      code: "fmi.unreadable", message: "\(path) cannot be read, or is larger than any unit's description",
      remedy: "give the folder into which the .fmu was unpacked")
  }

  static func unsupported(_ what: String) -> FMIFault {
    FMIFault(
      code: "fmi.unsupported", message: what, remedy: "export it for co-simulation, FMI 2.0 or 3.0, with Linux binaries"
    )
  }

  static func notLoaded(_ path: String, _ reason: String) -> FMIFault {
    FMIFault(
      code: "fmi.not_loaded", message: "\(path): \(reason)", remedy: "see with ldd which of its libraries are missing")
  }

  static func noVariable(_ name: String, _ unit: String, _ nearest: String?) -> FMIFault {
    FMIFault(
      code: "fmi.no_variable", message: "\(unit) has no real variable \(name)",
      remedy: nearest.map { "did you mean \($0)?" } ?? "name a variable of its modelDescription.xml")
  }

  static func notSettable(_ name: String, _ causality: String) -> FMIFault {
    FMIFault(
      code: "fmi.not_settable", message: "\(name) is of causality \(causality) and cannot be set",
      remedy: "set inputs, and parameters before the start")
  }

  static func failed(_ call: String, status: Int32, _ told: String) -> FMIFault {
    let names = ["ok", "warning", "discard", "error", "fatal"]
    let name = names.indices.contains(Int(status)) ? names[Int(status)] : "status \(status)"
    return FMIFault(
      code: "fmi.failed", message: "\(call) came to \(name)\(told.isEmpty ? "" : ": \(told)")",
      remedy: "try it in the tool that exported it, with the same inputs")
  }

  static func badTable(_ why: String) -> FMIFault {
    FMIFault(code: "fmi.bad_table", message: why, remedy: "give rising times and finite numbers, row by row")
  }

  static func notUnpacked(_ path: String, _ why: String) -> FMIFault {
    FMIFault(
      code: "fmi.not_unpacked", message: "\(path) was not unpacked: \(why)",
      remedy: "install unzip, or unpack it by hand and give the folder")
  }
}
