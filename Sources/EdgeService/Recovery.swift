import FeatureStore
import Guard
import Harnesses
import SiteKernel
import Sodium
import TwinCore

/// Brings the kernel back to where it was: last checkpoint, then the ticks that the log holds after it.
enum Recovery {
  struct Recovered: Sendable {
    var kernel: SiteKernel
    var report = ReplayReport()
    /// What could not be carried over, in words for the status; nil when everything was.
    var loss: String?
  }

  static func kernel(of site: SiteDefinition, from store: SiteStore) throws(StoreError) -> Recovered {
    guard let checkpoint = try store.latestCheckpoint() else {
      return try fresh(site, store, loss: store.lastTickNumber > 0 ? "no checkpoint can be read" : nil)
    }
    var kernel: SiteKernel
    let pack: Digest
    do throws(CanonicalFault) {
      kernel = try SiteKernel(site, resuming: checkpoint.bytes, hash: Sodium.blake2b256)
      pack = try SiteKernel.pack(ofCheckpoint: checkpoint.bytes)
    } catch {
      return try fresh(site, store, loss: "the last checkpoint cannot be used: \(error.message)")
    }
    guard pack == site.digests.pack else {
      // The ticks since then were made under another pack; only what was written must not be forgotten.
      kernel.remember(writes: try writes(after: checkpoint.tick, in: store))
      kernel.skip(toTick: store.lastTickNumber)
      return Recovered(kernel: kernel)
    }
    let report = try Replay.run(
      &kernel, over: try store.ticks(from: checkpoint.tick + 1), stopsAtDifference: false)
    var recovered = Recovered(kernel: kernel, report: report)
    if let difference = report.difference {
      recovered.loss = "tick \(difference.tick) came out otherwise than recorded; the site goes on from what came out"
    } else if let gap = report.gapAfter {
      recovered.loss = "the tick log has a gap after tick \(gap)"
      recovered.kernel.remember(writes: try writes(after: gap, in: store))
    }
    recovered.kernel.skip(toTick: store.lastTickNumber)
    return recovered
  }

  private static func fresh(
    _ site: SiteDefinition, _ store: SiteStore, loss: String?
  ) throws(StoreError) -> Recovered {
    var kernel = SiteKernel(site, hash: Sodium.blake2b256)
    if loss != nil { kernel.remember(writes: try writes(after: 0, in: store)) }
    kernel.skip(toTick: store.lastTickNumber)
    return Recovered(kernel: kernel, loss: loss)
  }

  /// What the decision log says was let out after a tick, oldest first. Bounded: wear budgets look back a day at most.
  private static func writes(
    after tick: Int64, in store: SiteStore
  ) throws(StoreError) -> [(point: String, value: Double)] {
    var writes: [(point: String, value: Double)] = []
    for entry in try store.decisions(limit: 1000).reversed() where entry.tick > tick {
      var reader = CanonicalReader(entry.bytes)
      guard let record = try? DecisionRecord(from: &reader), record.isCarriedOut, record.disposition != .keep else {
        continue
      }
      writes.append((record.point, record.value))
    }
    return writes
  }
}
