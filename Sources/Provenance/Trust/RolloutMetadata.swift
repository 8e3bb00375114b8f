// The rollout, after the first three fields of every document (see TrustDocument.swift):
//
//     3: assignments  array, ascending by artefact, then scope, of
//                     {0: scope, 1: artefact's name, 2: version, 3: stage}
//
// A scope is `TENANT.SITE`, `TENANT.*` or `*`. For one artefact a site obeys the narrowest scope that holds it. Stages:
// 0 shadow, 1 canary, 2 active, 3 rollback.

import TwinCore

/// How far an artefact may go on a site.
public enum RolloutStage: UInt8, Sendable, CaseIterable, Comparable {
  /// Runs beside, writes nothing.
  case shadow = 0
  case canary = 1
  /// The site's own, after the site's own health checks.
  case active = 2
  /// Like active, for a version below the one that runs.
  case rollback = 3

  public var name: String {
    switch self {
    case .shadow: "shadow"
    case .canary: "canary"
    case .active: "active"
    case .rollback: "rollback"
    }
  }

  public static func < (a: RolloutStage, b: RolloutStage) -> Bool { a.rawValue < b.rawValue }
}

/// The sites that an assignment is for.
public enum RolloutScope: Hashable, Sendable, CustomStringConvertible {
  case fleet
  case tenant(String)
  case site(SiteName)

  static let bytesMax = 64

  public init?(_ text: String) {
    if text == "*" {
      self = .fleet
    } else if text.hasSuffix(".*"), let site = SiteName(String(text.dropLast()) + "x") {
      self = .tenant(site.tenant)
    } else if let site = SiteName(text) {
      self = .site(site)
    } else {
      return nil
    }
  }

  public var description: String {
    switch self {
    case .fleet: "*"
    case .tenant(let tenant): "\(tenant).*"
    case .site(let site): site.description
    }
  }

  public func holds(_ site: SiteName) -> Bool {
    switch self {
    case .fleet: true
    case .tenant(let tenant): tenant == site.tenant
    case .site(let other): other == site
    }
  }

  var narrowness: Int {
    switch self {
    case .fleet: 0
    case .tenant: 1
    case .site: 2
    }
  }
}

public struct Assignment: Equatable, Sendable {
  public let scope: RolloutScope
  public let artefact: String
  public let version: UInt64
  public let stage: RolloutStage

  public init(_ scope: RolloutScope, artefact: String, version: UInt64, stage: RolloutStage) {
    (self.scope, self.artefact, self.version, self.stage) = (scope, artefact, version, stage)
  }

  static func precedes(_ a: Assignment, _ b: Assignment) -> Bool {
    a.artefact == b.artefact
      ? a.scope.description.utf8.lexicographicallyPrecedes(b.scope.description.utf8)
      : a.artefact.utf8.lexicographicallyPrecedes(b.artefact.utf8)
  }
}

/// Which sites get which signed artefacts. Signed online: it chooses, and can add nothing to what may be chosen.
public struct RolloutMetadata: TrustDocument {
  public static let type = "application/vnd.twind.rollout.v1+cbor"
  public static let title = "rollout"
  public static let bytesMax = 1 << 20
  public static let assignmentsMax = 4_096

  public let header: DocumentHeader
  public let assignments: [Assignment]

  /// Fault: `provenance.document_malformed`.
  public init(header: DocumentHeader, assignments: [Assignment]) throws(ProvenanceFault) {
    self.header = header
    self.assignments = assignments.sorted(by: Assignment.precedes)
    try check()
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload, limits: .document).fields(Self.title)
    header = try DocumentHeader(&fields)
    var assignments: [Assignment] = []
    for item in try fields.array(3, max: Self.assignmentsMax) {
      var row = try item.fields("assignment")
      let scope = try row.text(0, max: RolloutScope.bytesMax)
      let artefact = try row.text(1, max: Artefact.nameBytesMax)
      let version = try row.unsigned(2)
      let stage = try row.unsigned(3)
      try row.finish()
      guard let scope = RolloutScope(scope), let stage = UInt8(exactly: stage).flatMap(RolloutStage.init(rawValue:))
      else { throw .document(Self.title, "scope \(scope.debugDescription) or stage \(stage) is not known") }
      assignments.append(Assignment(scope, artefact: artefact, version: version, stage: stage))
    }
    self.assignments = assignments
    try fields.finish()
    try check()
  }

  public var payload: [UInt8] {
    let rows = assignments.map { row in
      CBORItem.map(
        (0, .text(row.scope.description)), (1, .text(row.artefact)), (2, .unsigned(row.version)),
        (3, .unsigned(UInt64(row.stage.rawValue))))
    }
    return CBORItem.map(
      (0, .text(fleet)), (1, .unsigned(version)), (2, .integer(expires.nanoseconds)), (3, .array(rows))
    ).encoded
  }

  /// What the narrowest scope says for each artefact that is assigned to `site`, by name.
  public func assignments(for site: SiteName) -> [Assignment] {
    var chosen: [Assignment] = []
    for row in assignments where row.scope.holds(site) {
      if let last = chosen.last, last.artefact == row.artefact {
        if last.scope.narrowness < row.scope.narrowness { chosen[chosen.count - 1] = row }
      } else {
        chosen.append(row)
      }
    }
    return chosen
  }

  private func check() throws(ProvenanceFault) {
    try header.check(Self.title)
    guard assignments.count <= Self.assignmentsMax,
      zip(assignments, assignments.dropFirst()).allSatisfy(Assignment.precedes)
    else { throw .document(Self.title, "assignments are out of order, twice or more than \(Self.assignmentsMax)") }
  }
}
