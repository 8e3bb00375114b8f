/// A piece of physics that an asset can be a case of: which points it needs, and what it adds to a model.
public struct ModelTemplate: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case zone
    case airHandler = "air-handler"
    case chiller
    case heatPump = "heat-pump"
    case pump
    case storage
    case tank
    case compressor
    case battery
  }

  /// `zone.two-mass`: the kind, and which of its forms.
  public let id: String
  public let kind: Kind
  /// For people, in one line.
  public let summary: String
  /// One role of each of these must be there.
  public let needs: [[PointRole]]
  /// Taken where they are there.
  public let takes: [PointRole]

  let declare: @Sendable (inout ModelAssembly, ModelPart) -> ModelPorts
  let connect: @Sendable (inout ModelAssembly, ModelPart, ModelPorts, ModelSurroundings) -> Void

  public var roles: [PointRole] { needs.flatMap { $0 } + takes }

  /// All, in the order in which they are tried: of one kind the first that finds its points.
  public static let library: [ModelTemplate] = air + water + machines

  public static func named(_ id: String) -> ModelTemplate? { library.first { $0.id == id } }
}

extension ModelTemplate.Kind {
  /// Classes of the Brick schema that are of this kind.
  var brick: Set<String> {
    switch self {
    case .zone: ["HVAC_Zone", "Zone", "Room", "Space", "Hall", "Lecture_Hall", "Auditorium", "Office"]
    case .airHandler: ["AHU", "Air_Handling_Unit", "Air_Handler_Unit", "RTU", "MAU", "DOAS", "Rooftop_Unit"]
    case .chiller:
      ["Chiller", "Absorption_Chiller", "Centrifugal_Chiller", "Water_Cooled_Chiller", "Air_Cooled_Chiller"]
    case .heatPump: ["Heat_Pump", "Air_Source_Heat_Pump", "Ground_Source_Heat_Pump", "Water_Source_Heat_Pump"]
    case .pump: ["Pump", "Water_Pump", "Chilled_Water_Pump", "Hot_Water_Pump", "Condenser_Water_Pump"]
    case .storage: ["Water_Tank", "Reservoir", "Storage_Tank"]
    case .tank:
      ["Hot_Water_Thermal_Energy_Storage_Tank", "Thermal_Energy_Storage_Tank", "Storage_Tank", "Water_Heater"]
    case .compressor: ["Compressor", "Air_Compressor"]
    case .battery: ["Battery", "Battery_Energy_Storage_System"]
    }
  }

  /// Whether a state of the first, upstream, enters a balance of this one.
  func takes(from source: ModelTemplate.Kind) -> Bool {
    switch (source, self) {
    case (.airHandler, .zone), (.pump, .storage), (.chiller, .tank), (.heatPump, .tank): true
    default: false
    }
  }
}
