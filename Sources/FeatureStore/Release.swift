public import TwinCore

/// What may become of values, by point: said by the pack, kept with the record, so that whoever opens the record later
/// is bound by it too.
///
/// A point of which nothing is said is never given away. The latest word counts for all of a point's past: what may no
/// longer leave does not leave, whenever it was measured.
extension SiteStore {
  /// Records what differs from what is recorded; part of the next commit.
  public func register(policies: [String: DataPolicy]) throws(StoreError) {
    keepingState.isStale = true
    let known = try reader.policies()
    for point in policies.keys.sorted() {
      guard let policy = policies[point], known[point] != policy else { continue }
      try append(
        version: VersionEntry(
          family: Release.family, subject: point, effective: .distantPast ..< .distantFuture, tick: 0,
          bytes: policy.canonicalBytes))
    }
    // A point that the pack no longer has keeps its values, and loses the leave that it had.
    for point in known.keys.sorted() where policies[point] == nil && known[point]?.export != .never {
      try append(
        version: VersionEntry(
          family: Release.family, subject: point, effective: .distantPast ..< .distantFuture, tick: 0,
          bytes: DataPolicy(purpose: known[point]?.purpose ?? "", keepNanoseconds: known[point]?.keepNanoseconds)
            .canonicalBytes))
    }
  }
}

extension StoreReader {
  /// By point. One that cannot be read counts as "never".
  public func policies() throws(StoreError) -> [String: DataPolicy] {
    var policies: [String: DataPolicy] = [:]
    for entry in try versions(
      family: Release.family, subject: nil, overlapping: .distantPast ..< .distantFuture)
    {
      policies[entry.subject] = (try? DataPolicy(canonicalBytes: entry.bytes)) ?? DataPolicy()
    }
    return policies
  }
}

/// What may leave, by what the pack has last said of each point.
struct Release {
  static let family = "release"

  private let policies: [String: DataPolicy]

  init(_ policies: [String: DataPolicy]) { self.policies = policies }

  func lets(_ point: String, _ export: DataPolicy.Export) -> Bool { (policies[point] ?? DataPolicy()).export >= export }

  /// A body goes as a whole or not at all. One whose layout is not known is not known to be harmless.
  func lets(_ kind: BodyKind, _ layout: FrameLayout?) -> Bool {
    switch kind {
    case .frames: layout?.points.allSatisfy { lets($0, .raw) } ?? false
    case .rollup: layout?.points.allSatisfy { lets($0, .aggregate) } ?? false
    case .ticks, .lapse: false
    }
  }
}
