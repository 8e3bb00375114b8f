/// What a node stands for.
public enum NodeType: String, Sendable, CaseIterable {
  case site = "Site"
  case asset = "Asset"
  case component = "Component"
  /// A measured or written point.
  case sensor = "Sensor"
  case person = "Person"
  case procedure = "Procedure"
  case contract = "Contract"
  case regulation = "Regulation"
  case marketSignal = "MarketSignal"
  case simulationRun = "SimulationRun"
}

/// How two nodes hang together, read from the first to the second.
public enum EdgeType: String, Sendable, CaseIterable {
  case feeds
  case dependsOn = "depends_on"
  case regulatedBy = "regulated_by"
  case owns
  /// Both ways.
  case electricallyConnectedTo = "electrically_connected_to"
  case suppliedBy = "supplied_by"
  case partOf = "part_of"
  /// From the sensor to the asset; derived from the points, never declared.
  case observes
  /// From the writable point to the asset; derived from the points, never declared.
  case controls

  /// Whether a pack may write it.
  public var isDeclared: Bool { self != .observes && self != .controls }
  public var isSymmetric: Bool { self == .electricallyConnectedTo }
  /// Whether following it may never lead back to where one began.
  public var isAcyclic: Bool { self == .feeds || self == .dependsOn || self == .partOf }

  /// The types that may stand at the edge's beginning.
  public var from: Set<NodeType> {
    switch self {
    case .feeds, .electricallyConnectedTo: [.asset, .component]
    case .dependsOn, .regulatedBy, .suppliedBy: [.site, .asset, .component]
    case .owns: [.person]
    case .partOf: [.asset, .component, .sensor]
    case .observes, .controls: [.sensor]
    }
  }

  /// The types that may stand at its end.
  public var to: Set<NodeType> {
    switch self {
    case .feeds: [.asset, .component, .site]
    case .electricallyConnectedTo, .observes, .controls: [.asset, .component]
    case .dependsOn: [.asset, .component, .contract, .marketSignal]
    case .regulatedBy: [.regulation]
    case .owns: Set(NodeType.allCases).subtracting([.person])
    case .suppliedBy: [.contract, .marketSignal]
    case .partOf: [.site, .asset, .component]
    }
  }
}

/// One thing of the site.
public struct GraphNode: Hashable, Sendable {
  /// Unique in the graph: `chiller-1`, `chiller-1.chw_supply_t`, `m.durand`.
  public var id: String
  public var type: NodeType
  /// For people; empty where the id says it all.
  public var name: String
  /// What else the pack says of it (role, brick class, document), by key.
  public var attributes: [String: String]

  public init(id: String, type: NodeType, name: String = "", attributes: [String: String] = [:]) {
    (self.id, self.type, self.name, self.attributes) = (id, type, name, attributes)
  }
}

/// One statement: `from` `type` `to`.
public struct GraphEdge: Hashable, Sendable {
  public var from: String
  public var type: EdgeType
  public var to: String

  public init(_ from: String, _ type: EdgeType, _ to: String) { (self.from, self.type, self.to) = (from, type, to) }
}

extension GraphEdge: CustomStringConvertible {
  public var description: String { "\(from) \(type.rawValue) \(to)" }
}
