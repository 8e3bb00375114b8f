import Provenance
import Sodium
import Sync

/// A secret key that closures may share.
final class KeyBox {
  let secret: Ed25519.SecretKey

  init(_ seed: UInt8) { secret = Ed25519.SecretKey(seed: Array(repeating: seed, count: 32))! }

  var publicKey: Ed25519.PublicKey { secret.publicKey }
  var seal: Seal { { SignedEnvelope.seal(type: $0, payload: $1, by: self.secret) } }

  var sign: HeadSeal { { $0.signed(name: $0.origin, by: self.secret) } }

  /// A note with this key's cosignature.
  func cosign(_ name: String) -> (_ note: String, _ seconds: UInt64) -> String? {
    { note, seconds in
      guard let line = try? Checkpoint.cosign(note, name: name, by: self.secret, at: seconds) else { return nil }
      return note + line
    }
  }
}

extension LogEpoch {
  static func test(_ number: UInt8) -> LogEpoch { LogEpoch(bytes: Array(repeating: number, count: 16))! }
}

extension SiteName {
  static let a = SiteName("acme.a")!
  static let b = SiteName("acme.b")!
}
