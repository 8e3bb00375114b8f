import Provenance
import Sodium
import Testing

/// A site's word that a new key follows its old one.
struct KeyRotationTests {
  private let site = SiteName("acme.lyon-01")!

  private func rotated(_ body: (SiteName, Ed25519.PublicKey, [UInt8]) throws -> Void) throws {
    let directory = Scratch()
    let old = try SiteIdentity.make(directory: directory.path)
    let new = try SiteIdentity.make(directory: directory.path, keyEpoch: 2)
    try body(site, old.signing.publicKey, KeyRotation.body(of: site, old: old.signing.publicKey, new: new))
  }

  @Test("is believed when both keys have signed")
  func good() throws {
    try rotated { site, old, body in
      let rotation = try KeyRotation(body: body, of: site, known: [old])
      #expect(rotation.keyEpoch == 2)
    }
  }

  @Test("is refused for another site, for another old key, and with any bit flipped")
  func foreign() throws {
    try rotated { site, old, body in
      #expect(throws: ProvenanceFault.self) {
        try KeyRotation(body: body, of: SiteName("acme.oslo-01")!, known: [old])
      }
      #expect(throws: ProvenanceFault.self) {
        try KeyRotation(body: body, of: site, known: [Ed25519.SecretKey().publicKey])
      }
      for index in body.indices {
        var bent = body
        bent[index] ^= 1
        #expect(throws: ProvenanceFault.self) { try KeyRotation(body: bent, of: site, known: [old]) }
      }
    }
  }
}
