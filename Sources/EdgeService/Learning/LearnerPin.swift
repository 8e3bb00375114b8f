import FeatureStore
import Provenance
import Seams
import Sodium
import Training
import TwinCore

/// The learner's key as the daemon knows it: made here, its public half kept in the store.
///
/// What is verified is the pinned half. A key file that somebody else put there signs nothing that is taken.
struct LearnerPin: Sendable {
  let key: Ed25519.PublicKey
  /// Whether the file holds another key than the pinned one.
  let isOther: Bool

  private static let fact = "learner_key"

  /// Makes folder and key where they are missing; a key that is made anew is pinned anew.
  static func open(_ folder: LearnFolder, in store: SiteStore) throws(EdgeFault) -> LearnerPin {
    do throws(TrainingFault) { try folder.make() } catch { throw EdgeFault(error) }
    let (found, isMade) = try key(in: folder)
    do throws(StoreError) {
      if !isMade, let bytes = try store.fact(fact), let pinned = Ed25519.PublicKey(bytes: bytes) {
        return LearnerPin(key: pinned, isOther: pinned != found)
      }
      try store.setFact(fact, found.bytes)
      try store.commit()
    } catch {
      throw EdgeFault(error)
    }
    return LearnerPin(key: found, isOther: false)
  }

  private static func key(in folder: LearnFolder) throws(EdgeFault) -> (Ed25519.PublicKey, isMade: Bool) {
    do throws(ProvenanceFault) {
      if let key = try LearnerKey.open(directory: folder.path) { return (key.publicKey, false) }
      return (try LearnerKey.make(directory: folder.path).publicKey, true)
    } catch {
      throw EdgeFault(error)
    }
  }
}
