/// What a supervisor looks at every second; costs nothing.
public struct StoreCondition: Sendable, Equatable {
  public var badCount: Int
  public var firstBad: BadBody?
  /// Why sealing or flushing is being tried again; nil when it works.
  public var upkeepFault: StoreError?
}

extension SiteStore {
  public var condition: StoreCondition {
    StoreCondition(badCount: reader.badBodyCount, firstBad: reader.badBodies.first, upkeepFault: upkeep.fault)
  }
}
