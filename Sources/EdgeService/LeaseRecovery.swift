import Actuation
import Collectors
public import FeatureStore
import Seams
public import TwinCore

/// Gives back what an earlier life left open: at every start, and when the unit stops.
public enum LeaseRecovery {
  /// One lease that was open, and what became of it.
  public struct Reverted: Sendable, Equatable {
    public var point: String
    public var value: Double
    public var outcome: WriteOutcome
  }

  /// Reverts every open lease in the store of `directory` and closes those that are confirmed; the others stay open for
  /// the next attempt. Blocking: for a process that does nothing else yet.
  public static func revert(directory: String) throws(StoreError) -> [Reverted] {
    let store = try SiteStore(directory: directory)
    return try revert(in: store)
  }

  static func revert(in store: SiteStore) throws(StoreError) -> [Reverted] {
    var done: [Reverted] = []
    for lease in try store.openLeases() {
      guard let order = try? RevertOrder(decoding: lease.bytes) else {
        // Bytes that cannot be read cannot be acted on; they stay, so that a person sees them.
        done.append(Reverted(point: lease.point, value: .nan, outcome: .notSent))
        continue
      }
      let link = order.link.makeLink()
      let outcome = order.carryOut(over: link)
      link.close()
      if outcome == .confirmed { try store.closeLease(lease.point) }
      done.append(Reverted(point: lease.point, value: order.value, outcome: outcome))
    }
    return done
  }
}
