// Targets, one document for each name, after the first three fields of every document (see TrustDocument.swift):
//
//     3: name         0 targets, 1 models, 2 policies, 3 packs
//     4: delegations  only in `targets`: array of {0: name, 1: array of [algorithm, public bytes], 2: threshold},
//                     ascending by name
//     5: artefacts    only in the others: array, ascending by name, of
//                     {0: name, 1: kind, 2: lowest version, 3: array of predicate types, ascending, 4: releases}
//                     a release is {0: version, 1: digest, 2: size, 3: digest of the manifest's envelope}, the last
//                     field absent for packs; releases ascend by version
//
// An artefact's name is `models/…`, `policies/…` or `packs/TENANT.SITE`, each part of a-z 0-9 . _ -.

public import Sodium
public import TwinCore

/// The documents that a snapshot lists.
public enum DocumentName: UInt8, Sendable, CaseIterable, Comparable {
  /// Who signs the next three.
  case targets = 0
  case models = 1
  case policies = 2
  case packs = 3
  case rollout = 4

  public var name: String {
    switch self {
    case .targets: "targets"
    case .models: "models"
    case .policies: "policies"
    case .packs: "packs"
    case .rollout: "rollout"
    }
  }

  /// Whether the document lists artefacts, signed by keys that `targets` names.
  public var isDelegated: Bool { self == .models || self == .policies || self == .packs }

  public static func < (a: DocumentName, b: DocumentName) -> Bool { a.rawValue < b.rawValue }

  init(_ item: CBORItem) throws(ProvenanceFault) {
    let number = try item.asUnsigned("document")
    guard let name = UInt8(exactly: number).flatMap(Self.init(rawValue:)) else {
      throw .document("document", "name \(number) is not known")
    }
    self = name
  }

  var item: CBORItem { .unsigned(UInt64(rawValue)) }
}

/// The keys to which the targets keys hand one class of artefacts.
public struct Delegation: Equatable, Sendable {
  public let name: DocumentName
  /// Under the role `targets`; they may be the targets keys themselves.
  public let keys: [TrustKey]
  public let threshold: Int

  public init(_ name: DocumentName, keys: [Ed25519.PublicKey], threshold: Int) {
    self.name = name
    self.keys = keys.map { TrustKey(.targets, $0) }.sorted(by: TrustKey.precedes)
    self.threshold = threshold
  }

  /// Those that this build can check.
  public var usableKeys: [Ed25519.PublicKey] { keys.compactMap(\.key) }
}

/// One build of an artefact.
public struct Release: Equatable, Sendable {
  public let version: UInt64
  /// Of the artefact's bytes; of a pack, see `PackListing`.
  public let digest: Digest
  public let size: UInt64
  /// Of the envelope of its `ReleaseManifest`; nil for packs.
  public let manifest: Digest?

  public init(version: UInt64, digest: Digest, size: UInt64, manifest: Digest? = nil) {
    (self.version, self.digest, self.size, self.manifest) = (version, digest, size, manifest)
  }
}

/// An artefact in the versions that may be installed.
public struct Artefact: Equatable, Sendable {
  public static let releasesMax = 32
  public static let predicatesMax = 8
  static let nameBytesMax = 128

  public let name: String
  public let kind: String
  /// No older release may be installed, whoever asks. Never falls from one document to the next.
  public let lowest: UInt64
  /// The in-toto predicate types that the manifest must carry as attestations.
  public let predicates: [String]
  /// Empty for an artefact that was taken back: its name stays.
  public let releases: [Release]

  public init(name: String, kind: String, lowest: UInt64, predicates: [String] = [], releases: [Release]) {
    self.name = name
    self.kind = kind
    self.lowest = lowest
    self.predicates = predicates.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    self.releases = releases.sorted { $0.version < $1.version }
  }

  /// The release of `version` if it may be installed.
  public func release(_ version: UInt64) -> Release? {
    version < lowest ? nil : releases.first { $0.version == version }
  }

  public static func isName(_ name: String, in document: DocumentName) -> Bool {
    guard document.isDelegated, name.utf8.count <= nameBytesMax else { return false }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count >= 2 && parts[0] == document.name
      && parts.dropFirst().allSatisfy { part in
        !part.isEmpty && part != "." && part != ".."
          && part.utf8.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46 || $0 == 95
          }
      } && (document != .packs || parts.count == 2 && SiteName(String(parts[1])) != nil)
  }
}

/// What may be installed at all, signed offline.
public struct TargetsMetadata: TrustDocument {
  public static let type = "application/vnd.twind.targets.v1+cbor"
  public static let title = "targets"
  public static let bytesMax = 2 << 20
  public static let artefactsMax = 1_024

  public let header: DocumentHeader
  public let name: DocumentName
  public let delegations: [Delegation]
  public let artefacts: [Artefact]

  /// The document that says who signs the classes. Fault: `provenance.document_malformed`.
  public init(header: DocumentHeader, delegations: [Delegation]) throws(ProvenanceFault) {
    (self.header, name, artefacts) = (header, .targets, [])
    self.delegations = delegations.sorted { $0.name < $1.name }
    try check()
  }

  /// One class of artefacts. Fault: `provenance.document_malformed`.
  public init(header: DocumentHeader, _ name: DocumentName, artefacts: [Artefact]) throws(ProvenanceFault) {
    (self.header, self.name, delegations) = (header, name, [])
    self.artefacts = artefacts.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    try check()
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload, limits: .document).fields(Self.title)
    header = try DocumentHeader(&fields)
    name = try DocumentName(try fields.item(3))
    var delegations: [Delegation] = []
    for item in try fields.arrayIfPresent(4, max: DocumentName.allCases.count) ?? [] {
      delegations.append(try Delegation(item))
    }
    var artefacts: [Artefact] = []
    for item in try fields.arrayIfPresent(5, max: Self.artefactsMax) ?? [] { artefacts.append(try Artefact(item)) }
    (self.delegations, self.artefacts) = (delegations, artefacts)
    try fields.finish()
    try check()
    // An absent list and an empty one would be two forms of one meaning.
    guard self.payload == payload else { throw .document(Self.title, "not in its one form") }
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(fleet)), (1, .unsigned(version)), (2, .integer(expires.nanoseconds)), (3, name.item),
      (4, name == .targets ? .array(delegations.map(\.item)) : nil),
      (5, name == .targets ? nil : .array(artefacts.map(\.item)))
    ).encoded
  }

  public func delegation(_ name: DocumentName) -> Delegation? { delegations.first { $0.name == name } }

  public func artefact(_ name: String) -> Artefact? { artefacts.first { $0.name == name } }

  private func check() throws(ProvenanceFault) {
    try header.check(name.name)
    func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws(ProvenanceFault) {
      guard condition else { throw .document(name.name, problem()) }
    }
    try require(name != .rollout, "a rollout is another document")
    try require(
      zip(delegations, delegations.dropFirst()).allSatisfy { $0.name < $1.name }, "delegations are out of order")
    for delegation in delegations {
      let title = delegation.name.name
      try require(delegation.name.isDelegated, "\(title) is not delegated")
      try require(delegation.keys.count <= 16 && delegation.keys.allSatisfy(\.isWellFormed), "keys of \(title)")
      try require(
        zip(delegation.keys, delegation.keys.dropFirst()).allSatisfy(TrustKey.precedes),
        "keys of \(title) are out of order or one appears twice")
      try require(
        (1...max(1, delegation.usableKeys.count)).contains(delegation.threshold) && !delegation.usableKeys.isEmpty,
        "\(title) wants \(delegation.threshold) of \(delegation.usableKeys.count) usable keys")
    }
    try require(artefacts.count <= Self.artefactsMax, "more than \(Self.artefactsMax) artefacts")
    try require(
      zip(artefacts, artefacts.dropFirst()).allSatisfy { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) },
      "artefacts are out of order or one appears twice")
    for artefact in artefacts {
      if let problem = artefact.problem(in: name) { throw .document(name.name, "\(artefact.name): \(problem)") }
    }
  }
}

extension Artefact {
  fileprivate func problem(in document: DocumentName) -> String? {
    guard Self.isName(name, in: document) else { return "no name of an artefact of \(document.name)" }
    guard Identifier.isName(kind) else { return "its kind is \(kind.debugDescription)" }
    guard releases.count <= Self.releasesMax, predicates.count <= Self.predicatesMax else {
      return "more than \(Self.releasesMax) releases or \(Self.predicatesMax) predicates"
    }
    guard zip(releases, releases.dropFirst()).allSatisfy({ $0.version < $1.version }),
      zip(predicates, predicates.dropFirst()).allSatisfy({ $0.utf8.lexicographicallyPrecedes($1.utf8) }),
      predicates.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 256 })
    else { return "releases or predicates are out of order" }
    guard releases.allSatisfy({ $0.version >= 1 && $0.version <= DocumentHeader.versionMax && $0.size >= 1 }) else {
      return "a release of version 0 or without bytes"
    }
    // A floor above everything could only be a mistake, and no later document may lower it.
    guard lowest <= releases.last?.version ?? DocumentHeader.versionMax else {
      return "the lowest version \(lowest) is above every release"
    }
    guard releases.allSatisfy({ ($0.manifest == nil) == (document == .packs) }) else {
      return document == .packs ? "a pack has seals, not a manifest" : "a release without a manifest"
    }
    return nil
  }

  fileprivate init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("artefact")
    name = try fields.text(0, max: Self.nameBytesMax)
    kind = try fields.text(1, max: 64)
    lowest = try fields.unsigned(2)
    var predicates: [String] = []
    for item in try fields.array(3, max: Self.predicatesMax) { predicates.append(try item.asText(max: 256)) }
    var releases: [Release] = []
    for item in try fields.array(4, max: Self.releasesMax) { releases.append(try Release(item)) }
    (self.predicates, self.releases) = (predicates, releases)
    try fields.finish()
  }

  fileprivate var item: CBORItem {
    .map(
      (0, .text(name)), (1, .text(kind)), (2, .unsigned(lowest)), (3, .array(predicates.map { .text($0) })),
      (4, .array(releases.map(\.item))))
  }
}

extension Release {
  fileprivate init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("release")
    version = try fields.unsigned(0)
    digest = try fields.digest(1)
    size = try fields.unsigned(2)
    manifest = try fields.digestIfPresent(3)
    try fields.finish()
  }

  fileprivate var item: CBORItem {
    .map((0, .unsigned(version)), (1, .digest(digest)), (2, .unsigned(size)), (3, manifest.map { .digest($0) }))
  }
}

extension Delegation {
  init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("delegation")
    name = try DocumentName(try fields.item(0))
    var keys: [TrustKey] = []
    for item in try fields.array(1, max: 16) {
      let pair = try item.asArray(max: 2)
      guard pair.count == 2 else { throw .document("delegation", "a key is an algorithm and its bytes") }
      keys.append(
        TrustKey(
          algorithm: try pair[0].asUnsigned(), role: .targets, bytes: try pair[1].asBytes(max: TrustKey.bytesMax),
          name: nil))
    }
    self.keys = keys
    threshold = Int(clamping: try fields.unsigned(2))
    try fields.finish()
  }

  var item: CBORItem {
    .map(
      (0, name.item), (1, .array(keys.map { .array([.unsigned($0.algorithm), .bytes($0.bytes)]) })),
      (2, .unsigned(UInt64(threshold))))
  }
}
