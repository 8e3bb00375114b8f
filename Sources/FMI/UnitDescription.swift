/// What a co-simulation unit says of itself in modelDescription.xml, as far as a simulation needs it.
public struct UnitDescription: Sendable, Equatable {
  /// A real scalar: Real in FMI 2.0, Float64 in FMI 3.0.
  public struct Variable: Sendable, Equatable {
    public var name: String
    public var reference: UInt32
    /// `input`, `output`, `parameter`, `local`, …
    public var causality: String
    public var start: Double?
    /// As the unit writes it; empty where it names none.
    public var unit: String
  }

  /// 2 or 3.
  public var version: Int
  public var name: String
  /// The guid (2) or instantiation token (3): the library refuses another one's.
  public var token: String
  /// The library's name without its ending.
  public var identifier: String
  public var variables: [Variable]
  /// Seconds that the unit would take for a step; nil where it says nothing.
  public var stepSeconds: Double?

  public static let bytesMax = 64 << 20
  public static let variablesMax = 1 << 18

  public func variable(_ name: String) -> Variable? { variables.first { $0.name == name } }

  /// Errors: `fmi.malformed`, `fmi.unsupported`.
  public init(xml bytes: [UInt8]) throws(FMIFault) {
    guard bytes.count <= Self.bytesMax else { throw .unsupported("a description of \(bytes.count) bytes") }
    var reader = MarkupReader(bytes)
    guard case .open("fmiModelDescription", let root)? = try reader.next() else {
      throw .malformed("the root is no fmiModelDescription", line: 1)
    }
    let stated = root["fmiVersion"] ?? ""
    guard let major = stated.split(separator: ".").first.flatMap({ Int($0) }), major == 2 || major == 3 else {
      throw .unsupported("it is of FMI version \"\(stated)\"")
    }
    version = major
    name = root["modelName"] ?? ""
    token = root[major == 2 ? "guid" : "instantiationToken"] ?? ""
    (identifier, variables, stepSeconds) = ("", [], nil)
    try read(&reader)
    guard !identifier.isEmpty else { throw .unsupported("\(name) has no co-simulation") }
    guard !identifier.contains("/"), identifier != ".." else { throw .unsupported("its library is \"\(identifier)\"") }
  }

  private mutating func read(_ reader: inout MarkupReader) throws(FMIFault) {
    var depth = 1
    // The variable whose type is awaited: in FMI 2.0 it stands in a tag of its own within.
    var scalar: [String: String]?
    var isAmongVariables = false
    while let event = try reader.next() {
      guard case .open(let tag, let attributes) = event else {
        if case .close("ModelVariables") = event { isAmongVariables = false }
        if case .close("ScalarVariable") = event { scalar = nil }
        depth -= 1
        continue
      }
      depth += 1
      switch tag {
      case "CoSimulation" where depth == 2: identifier = attributes["modelIdentifier"] ?? ""
      case "DefaultExperiment" where depth == 2: stepSeconds = attributes["stepSize"].flatMap(Double.init)
      case "ModelVariables" where depth == 2: isAmongVariables = true
      case "ScalarVariable" where isAmongVariables && version == 2: scalar = attributes
      case "Real" where version == 2:
        if let scalar { try add(scalar.merging(attributes) { mine, _ in mine }) }
      // Arrays have dimensions within; a scalar is all that a table's column can feed.
      case "Float64" where isAmongVariables && version == 3 && depth == 3: try add(attributes)
      case "Dimension" where isAmongVariables && depth == 4: variables.removeLast(variables.isEmpty ? 0 : 1)
      default: continue
      }
    }
  }

  private mutating func add(_ attributes: [String: String]) throws(FMIFault) {
    guard let name = attributes["name"], let reference = attributes["valueReference"].flatMap(UInt32.init) else {
      throw .malformed("variable \"\(attributes["name"] ?? "")\" has no name or no reference", line: 0)
    }
    guard variables.count < Self.variablesMax else { throw .unsupported("more than \(Self.variablesMax) variables") }
    variables.append(
      Variable(
        name: name, reference: reference, causality: attributes["causality"] ?? "local",
        start: attributes["start"].flatMap(Double.init), unit: attributes["unit"] ?? ""))
  }
}
