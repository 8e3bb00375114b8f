// swift-format-ignore-file
// Written from docs/schema/ontology.toml by `python3 Tests/Support/ontology.py`: change that file, not this one.

/// What a node stands for.
public enum NodeType: String, Sendable, CaseIterable {
  /// What one gateway serves: a building, a hall, a plant.
  case site = "Site"
  /// A machine, a room or a system that has a name on the drawings.
  case asset = "Asset"
  /// A part of an asset that is maintained or replaced by itself.
  case component = "Component"
  /// A measured or written point.
  case sensor = "Sensor"
  /// Someone who answers for something. No more of a person is kept than the work needs.
  case person = "Person"
  /// What to do, written down.
  case procedure = "Procedure"
  /// What was agreed with whom: supply, maintenance, lease.
  case contract = "Contract"
  /// A rule of law or of the owner that applies.
  case regulation = "Regulation"
  /// A price or an intensity that comes from outside.
  case marketSignal = "MarketSignal"
  /// One run of a simulated world, as evidence.
  case simulationRun = "SimulationRun"

  /// What stands for it in a file; never given to another.
  package var code: Int {
    switch self {
    case .site: 1
    case .asset: 2
    case .component: 3
    case .sensor: 4
    case .person: 5
    case .procedure: 6
    case .contract: 7
    case .regulation: 8
    case .marketSignal: 9
    case .simulationRun: 10
    }
  }

  package init?(code: Int) {
    switch code {
    case 1: self = .site
    case 2: self = .asset
    case 3: self = .component
    case 4: self = .sensor
    case 5: self = .person
    case 6: self = .procedure
    case 7: self = .contract
    case 8: self = .regulation
    case 9: self = .marketSignal
    case 10: self = .simulationRun
    default: return nil
    }
  }
}

/// How two nodes hang together, read from the first to the second.
public enum EdgeType: String, Sendable, CaseIterable {
  /// Energy, water or air flows from the first to the second. A meter is fed by one meter of its kind at most.
  case feeds
  /// The first cannot do its work without the second.
  case dependsOn = "depends_on"
  /// The rule applies to the thing.
  case regulatedBy = "regulated_by"
  /// The person answers for the thing.
  case owns
  /// The two share a conductor.
  case electricallyConnectedTo = "electrically_connected_to"
  /// Where what is used comes from, and at what price.
  case suppliedBy = "supplied_by"
  /// The first is inside of the second, and of nothing else.
  case partOf = "part_of"
  /// The point measures something of the asset.
  case observes
  /// The point is written to move the asset.
  case controls

  /// What stands for it in a file; never given to another.
  package var code: Int {
    switch self {
    case .feeds: 1
    case .dependsOn: 2
    case .regulatedBy: 3
    case .owns: 4
    case .electricallyConnectedTo: 5
    case .suppliedBy: 6
    case .partOf: 7
    case .observes: 8
    case .controls: 9
    }
  }

  package init?(code: Int) {
    switch code {
    case 1: self = .feeds
    case 2: self = .dependsOn
    case 3: self = .regulatedBy
    case 4: self = .owns
    case 5: self = .electricallyConnectedTo
    case 6: self = .suppliedBy
    case 7: self = .partOf
    case 8: self = .observes
    case 9: self = .controls
    default: return nil
    }
  }

  /// Whether it holds both ways.
  public var isSymmetric: Bool {
    switch self {
    case .electricallyConnectedTo: true
    default: false
    }
  }

  /// Whether following it may never lead back to where one began.
  public var isAcyclic: Bool {
    switch self {
    case .feeds, .dependsOn, .partOf: true
    default: false
    }
  }

  /// Whether a beginning may have one end at most.
  public var isTree: Bool {
    switch self {
    case .partOf: true
    default: false
    }
  }

  /// Whether it follows from the points and is never declared.
  public var isDerived: Bool {
    switch self {
    case .observes, .controls: true
    default: false
    }
  }

  /// Beginnings with the same value of this property as their end: an end has one of them at most.
  public var treeAmong: String? {
    switch self {
    case .feeds: "meter"
    default: nil
    }
  }

  /// The types that may stand at its beginning.
  public var from: Set<NodeType> { NodeType.set(fromCodes) }

  /// As `from`, a bit for each code.
  package var fromCodes: UInt64 {
    switch self {
    case .feeds: 0xC
    case .dependsOn: 0xE
    case .regulatedBy: 0xE
    case .owns: 0x20
    case .electricallyConnectedTo: 0xC
    case .suppliedBy: 0xE
    case .partOf: 0x1C
    case .observes: 0x10
    case .controls: 0x10
    }
  }

  /// The types that may stand at its end.
  public var to: Set<NodeType> { NodeType.set(toCodes) }

  /// As `to`, a bit for each code.
  package var toCodes: UInt64 {
    switch self {
    case .feeds: 0xE
    case .dependsOn: 0x28C
    case .regulatedBy: 0x100
    case .owns: 0x7DE
    case .electricallyConnectedTo: 0xC
    case .suppliedBy: 0x280
    case .partOf: 0xE
    case .observes: 0xC
    case .controls: 0xC
    }
  }
}

extension Ontology {
  /// Counts up whenever what is stored would mean something else.
  public static let version = 2

  static let table: [NodeType: [PropertySpec]] = [
    .site: [
      PropertySpec(code: 1, name: "brick", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "haystack", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "area", kind: .number(.known("m2")), isRequired: false),
      PropertySpec(code: 4, name: "latitude", kind: .number(.known("deg")), isRequired: false),
      PropertySpec(code: 5, name: "longitude", kind: .number(.known("deg")), isRequired: false),
      PropertySpec(code: 6, name: "elevation", kind: .number(.known("m")), isRequired: false),
      PropertySpec(code: 7, name: "built", kind: .integer, isRequired: false),
      PropertySpec(code: 8, name: "connection_power", kind: .number(.known("kW")), isRequired: false),
    ],
    .asset: [
      PropertySpec(code: 1, name: "brick", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "haystack", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "manufacturer", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "model", kind: .text, isRequired: false),
      PropertySpec(code: 5, name: "serial", kind: .text, isRequired: false),
      PropertySpec(code: 6, name: "commissioned", kind: .instant, isRequired: false),
      PropertySpec(code: 7, name: "rated_power", kind: .number(.known("kW")), isRequired: false),
      PropertySpec(code: 8, name: "rated_capacity", kind: .number(.known("kW")), isRequired: false),
      PropertySpec(code: 9, name: "rated_flow", kind: .number(.known("m3/h")), isRequired: false),
      PropertySpec(code: 10, name: "volume", kind: .number(.known("m3")), isRequired: false),
      PropertySpec(code: 11, name: "critical", kind: .boolean, isRequired: false),
      PropertySpec(code: 12, name: "meter", kind: .choice(["electricity", "heat", "cooling", "water", "gas"]), isRequired: false),
    ],
    .component: [
      PropertySpec(code: 1, name: "brick", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "haystack", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "manufacturer", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "model", kind: .text, isRequired: false),
      PropertySpec(code: 5, name: "serial", kind: .text, isRequired: false),
      PropertySpec(code: 6, name: "installed", kind: .instant, isRequired: false),
      PropertySpec(code: 7, name: "rated_power", kind: .number(.known("kW")), isRequired: false),
      PropertySpec(code: 8, name: "service_life", kind: .number(.known("h")), isRequired: false),
      PropertySpec(code: 9, name: "meter", kind: .choice(["electricity", "heat", "cooling", "water", "gas"]), isRequired: false),
    ],
    .sensor: [
      PropertySpec(code: 1, name: "unit", kind: .unit, isRequired: false),
      PropertySpec(code: 2, name: "brick", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "haystack", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "calibrated", kind: .instant, isRequired: false),
      PropertySpec(code: 5, name: "calibration_due", kind: .instant, isRequired: false),
    ],
    .person: [
      PropertySpec(code: 1, name: "role", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "organisation", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "on_call", kind: .boolean, isRequired: false),
    ],
    .procedure: [
      PropertySpec(code: 1, name: "title", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "doc", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "revision", kind: .integer, isRequired: false),
      PropertySpec(code: 4, name: "reviewed", kind: .instant, isRequired: false),
      PropertySpec(code: 5, name: "takes", kind: .number(.known("min")), isRequired: false),
    ],
    .contract: [
      PropertySpec(code: 1, name: "with", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "ends", kind: .instant, isRequired: false),
      PropertySpec(code: 3, name: "title", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "doc", kind: .text, isRequired: false),
      PropertySpec(code: 5, name: "begins", kind: .instant, isRequired: false),
      PropertySpec(code: 6, name: "covers", kind: .choice(["supply", "feed_in", "maintenance", "lease", "service"]), isRequired: false),
      PropertySpec(code: 7, name: "contracted_power", kind: .number(.known("kW")), isRequired: false),
      PropertySpec(code: 8, name: "energy_price", kind: .number(.known("EUR/kW.h")), isRequired: false),
      PropertySpec(code: 9, name: "demand_price", kind: .number(.known("EUR/kW")), isRequired: false),
    ],
    .regulation: [
      PropertySpec(code: 1, name: "title", kind: .text, isRequired: false),
      PropertySpec(code: 2, name: "doc", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "citation", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "authority", kind: .text, isRequired: false),
      PropertySpec(code: 5, name: "in_force", kind: .instant, isRequired: false),
      PropertySpec(code: 6, name: "interval", kind: .number(.known("d")), isRequired: false),
    ],
    .marketSignal: [
      PropertySpec(code: 1, name: "unit", kind: .unit, isRequired: false),
      PropertySpec(code: 2, name: "title", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "zone", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "source", kind: .text, isRequired: false),
      PropertySpec(code: 5, name: "step", kind: .number(.known("min")), isRequired: false),
    ],
    .simulationRun: [
      PropertySpec(code: 1, name: "of", kind: .reference([.site, .asset, .component]), isRequired: true),
      PropertySpec(code: 2, name: "title", kind: .text, isRequired: false),
      PropertySpec(code: 3, name: "scenario", kind: .text, isRequired: false),
      PropertySpec(code: 4, name: "seed", kind: .integer, isRequired: false),
      PropertySpec(code: 5, name: "started", kind: .instant, isRequired: false),
      PropertySpec(code: 6, name: "ended", kind: .instant, isRequired: false),
      PropertySpec(code: 7, name: "outcome", kind: .choice(["passed", "failed", "aborted"]), isRequired: false),
    ],
  ]

  /// In order of the version that each leads to.
  public static let migrations: [Migration] = [
    // Properties have types; until then each was a text.
    Migration(to: 2, steps: [
      Migration.Step(type: .contract, property: 2, .parse),
    ]),
  ]
}
