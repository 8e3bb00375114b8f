// swift-format-ignore-file
// Written from docs/schema/ontology.toml by `python3 Tests/Support/ontology.py`: change that file, not this one.

public import TwinCore

/// A Site with its properties as Swift types.
public struct SiteNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .site else { return nil }
    self.node = node
  }

  /// Class of the Brick schema, as Building.
  public var brick: String? { node.text("brick") }
  /// Project Haystack markers, joined by spaces.
  public var haystack: String? { node.text("haystack") }
  /// Floor area that is served.
  public var area: Quantity? { node.number("area") }
  /// North of the equator, WGS 84.
  public var latitude: Quantity? { node.number("latitude") }
  /// East of Greenwich, WGS 84.
  public var longitude: Quantity? { node.number("longitude") }
  /// Above sea level; sets the pressure of moist air.
  public var elevation: Quantity? { node.number("elevation") }
  /// Year of construction.
  public var built: Int64? { node.integer("built") }
  /// What the grid connection may carry.
  public var connectionPower: Quantity? { node.number("connection_power") }
}

/// An Asset with its properties as Swift types.
public struct AssetNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .asset else { return nil }
    self.node = node
  }

  /// Class of the Brick schema, as Chiller.
  public var brick: String? { node.text("brick") }
  /// Project Haystack markers, joined by spaces.
  public var haystack: String? { node.text("haystack") }
  /// Who made it.
  public var manufacturer: String? { node.text("manufacturer") }
  /// The maker's type designation.
  public var model: String? { node.text("model") }
  /// Serial number on its plate.
  public var serial: String? { node.text("serial") }
  /// When it was taken into service.
  public var commissioned: Instant? { node.instant("commissioned") }
  /// Electrical input at full load, from its plate.
  public var ratedPower: Quantity? { node.number("rated_power") }
  /// Heat or cold that it delivers at full load.
  public var ratedCapacity: Quantity? { node.number("rated_capacity") }
  /// Volume flow at its design point.
  public var ratedFlow: Quantity? { node.number("rated_flow") }
  /// Water or air that it holds.
  public var volume: Quantity? { node.number("volume") }
  /// Whether the site cannot do without it.
  public var critical: Bool? { node.boolean("critical") }
  /// What it meters; absent where it is no meter.
  public var meter: Meter? { node.choice("meter").flatMap(Meter.init) }

  public enum Meter: String, Sendable, CaseIterable {
    case electricity
    case heat
    case cooling
    case water
    case gas
  }
}

/// A Component with its properties as Swift types.
public struct ComponentNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .component else { return nil }
    self.node = node
  }

  /// Class of the Brick schema, as Compressor.
  public var brick: String? { node.text("brick") }
  /// Project Haystack markers, joined by spaces.
  public var haystack: String? { node.text("haystack") }
  /// Who made it.
  public var manufacturer: String? { node.text("manufacturer") }
  /// The maker's type designation.
  public var model: String? { node.text("model") }
  /// Serial number on its plate.
  public var serial: String? { node.text("serial") }
  /// When it was put in.
  public var installed: Instant? { node.instant("installed") }
  /// Electrical input at full load, from its plate.
  public var ratedPower: Quantity? { node.number("rated_power") }
  /// Running hours after which it is due.
  public var serviceLife: Quantity? { node.number("service_life") }
  /// What it meters; absent where it is no meter.
  public var meter: Meter? { node.choice("meter").flatMap(Meter.init) }

  public enum Meter: String, Sendable, CaseIterable {
    case electricity
    case heat
    case cooling
    case water
    case gas
  }
}

/// A Sensor with its properties as Swift types.
public struct SensorNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .sensor else { return nil }
    self.node = node
  }

  /// The unit of its values.
  public var unit: UnitCode? { node.unit("unit") }
  /// Class of the Brick schema, as Chilled_Water_Supply_Temperature_Sensor.
  public var brick: String? { node.text("brick") }
  /// Project Haystack markers, joined by spaces.
  public var haystack: String? { node.text("haystack") }
  /// When it was last calibrated.
  public var calibrated: Instant? { node.instant("calibrated") }
  /// When it must be calibrated again.
  public var calibrationDue: Instant? { node.instant("calibration_due") }
}

/// A Person with its properties as Swift types.
public struct PersonNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .person else { return nil }
    self.node = node
  }

  /// What they answer for, as safety owner.
  public var role: String? { node.text("role") }
  /// Whom they work for.
  public var organisation: String? { node.text("organisation") }
  /// Whether they can be reached out of hours.
  public var onCall: Bool? { node.boolean("on_call") }
}

/// A Procedure with its properties as Swift types.
public struct ProcedureNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .procedure else { return nil }
    self.node = node
  }

  /// Its heading.
  public var title: String? { node.text("title") }
  /// Path in the pack, or URL.
  public var doc: String? { node.text("doc") }
  /// Counts up with every release.
  public var revision: Int64? { node.integer("revision") }
  /// When someone last confirmed that it holds.
  public var reviewed: Instant? { node.instant("reviewed") }
  /// Time that it usually takes.
  public var takes: Quantity? { node.number("takes") }
}

/// A Contract with its properties as Swift types.
public struct ContractNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .contract else { return nil }
    self.node = node
  }

  /// The other party.
  public var with: String? { node.text("with") }
  /// When it ends.
  public var ends: Instant? { node.instant("ends") }
  /// What it is about.
  public var title: String? { node.text("title") }
  /// Path in the pack, or URL.
  public var doc: String? { node.text("doc") }
  /// When it begins.
  public var begins: Instant? { node.instant("begins") }
  /// What kind of obligation it is.
  public var covers: Covers? { node.choice("covers").flatMap(Covers.init) }
  /// Power that may be drawn without penalty.
  public var contractedPower: Quantity? { node.number("contracted_power") }
  /// Fixed price of energy, where there is one.
  public var energyPrice: Quantity? { node.number("energy_price") }
  /// Price of the highest power of a billing period.
  public var demandPrice: Quantity? { node.number("demand_price") }

  public enum Covers: String, Sendable, CaseIterable {
    case supply
    case feedIn = "feed_in"
    case maintenance
    case lease
    case service
  }
}

/// A Regulation with its properties as Swift types.
public struct RegulationNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .regulation else { return nil }
    self.node = node
  }

  /// What it asks for, in a few words.
  public var title: String? { node.text("title") }
  /// Path in the pack, or URL.
  public var doc: String? { node.text("doc") }
  /// Where it stands, as Regulation (EU) 2024/573, article 5.
  public var citation: String? { node.text("citation") }
  /// Who enforces it.
  public var authority: String? { node.text("authority") }
  /// Since when it applies.
  public var inForce: Instant? { node.instant("in_force") }
  /// Longest time between two inspections.
  public var interval: Quantity? { node.number("interval") }
}

/// A MarketSignal with its properties as Swift types.
public struct MarketSignalNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .marketSignal else { return nil }
    self.node = node
  }

  /// The unit of its values.
  public var unit: UnitCode? { node.unit("unit") }
  /// What it says.
  public var title: String? { node.text("title") }
  /// Bidding zone or grid area.
  public var zone: String? { node.text("zone") }
  /// Who publishes it.
  public var source: String? { node.text("source") }
  /// Time from one value to the next.
  public var step: Quantity? { node.number("step") }
}

/// A SimulationRun with its properties as Swift types.
public struct SimulationRunNode: Hashable, Sendable {
  public let node: GraphNode

  /// Nil for a node of another type.
  public init?(_ node: GraphNode) {
    guard node.type == .simulationRun else { return nil }
    self.node = node
  }

  /// What was simulated.
  public var of: String? { node.reference("of") }
  /// What was asked.
  public var title: String? { node.text("title") }
  /// Name of the scenario.
  public var scenario: String? { node.text("scenario") }
  /// Brings the same run back.
  public var seed: Int64? { node.integer("seed") }
  /// When it began.
  public var started: Instant? { node.instant("started") }
  /// When it ended.
  public var ended: Instant? { node.instant("ended") }
  /// Absent while it runs.
  public var outcome: Outcome? { node.choice("outcome").flatMap(Outcome.init) }

  public enum Outcome: String, Sendable, CaseIterable {
    case passed
    case failed
    case aborted
  }
}
