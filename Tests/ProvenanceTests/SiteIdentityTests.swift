import Glibc
import Sodium
import Testing

@testable import Provenance

@Suite struct `A site's keys are made once and kept private` {
  @Test func `What is made is what is opened`() throws {
    let scratch = Scratch()
    let isNone = try SiteIdentity.open(directory: scratch.path) == nil
    #expect(isNone)
    let made = try SiteIdentity.make(directory: scratch.path)
    let (signing, sealing) = (made.signing.publicKey, made.sealing.publicKey)
    #expect(try scratch.names() == ["site-1.secret"])
    #expect(scratch.mode("site-1.secret") == 0o600)
    #expect(try publicKeys(scratch) == "1 \(hex(signing.bytes)) \(hex(sealing.bytes))")
    #expect(signing.bytes != sealing.bytes)
  }

  @Test func `Rotation adds keys and leaves the old ones`() throws {
    let scratch = Scratch()
    _ = try SiteIdentity.make(directory: scratch.path)
    let first = try publicKeys(scratch)
    _ = try SiteIdentity.make(directory: scratch.path, keyEpoch: 2)
    #expect(try publicKeys(scratch).hasPrefix("2 "))
    #expect(try publicKeys(scratch, keyEpoch: 1) == first)
    let isNone = try SiteIdentity.open(directory: scratch.path, keyEpoch: 3) == nil
    #expect(isNone)
    _ = try SiteIdentity.make(directory: scratch.path, keyEpoch: 10)
    #expect(try publicKeys(scratch).hasPrefix("10 "))
  }

  @Test func `Nothing is overwritten`() throws {
    let scratch = Scratch()
    scratch.write("site-1.secret", [1, 2, 3])
    let code = outcome { () throws(ProvenanceFault) in _ = try SiteIdentity.make(directory: scratch.path) }
    #expect(code == "provenance.key_exists")
    #expect(try scratch.read("site-1.secret") == [1, 2, 3])
    #expect(try scratch.names() == ["site-1.secret"])
  }

  @Test(arguments: [0o640, 0o604, 0o660, 0o601] as [mode_t]) func `An exposed file is refused`(_ mode: mode_t) throws {
    let scratch = Scratch()
    _ = try SiteIdentity.make(directory: scratch.path)
    #expect(unsafe chmod(scratch.path + "/site-1.secret", mode) == 0)
    #expect(load(scratch) == "provenance.key_exposed")
  }

  @Test func `A damaged or renamed file is refused`() throws {
    let scratch = Scratch()
    _ = try SiteIdentity.make(directory: scratch.path)
    let good = try scratch.read("site-1.secret")
    #expect(unsafe rename(scratch.path + "/site-1.secret", scratch.path + "/site-2.secret") == 0)
    #expect(load(scratch) == "provenance.key_malformed")
    #expect(unsafe unlink(scratch.path + "/site-2.secret") == 0)
    scratch.write("site-1.secret", good, mode: 0o600)
    let keys = try publicKeys(scratch)
    for bit in 0..<good.count * 8 {
      scratch.write("site-1.secret", flipped(good, bit), mode: 0o600)
      let code = load(scratch)
      // X25519 overlooks five bits of a scalar: without them it is the same key.
      let isSame = try code == "accepted" && publicKeys(scratch) == keys
      #expect(code == "provenance.key_malformed" || isSame, "bit \(bit)")
    }
    for content in [[], Array(good.dropLast()), good + good.prefix(100), good + [10]] {
      scratch.write("site-1.secret", content, mode: 0o600)
      #expect(load(scratch) == "provenance.key_malformed")
    }
    scratch.write("site-1.secret", good + [UInt8](repeating: 32, count: 300), mode: 0o600)
    #expect(load(scratch) == "provenance.file_too_large")
    #expect(unsafe unlink(scratch.path + "/site-1.secret") == 0)
    scratch.link("site-1.secret", to: "elsewhere")
    #expect(load(scratch) == "provenance.not_a_file")
  }

  @Test func `Other files are passed over`() throws {
    let scratch = Scratch()
    for name in ["site-.secret", "site-01.secret", "site-0.secret", "site-x.secret", "site-1.secret.bak"] {
      scratch.write(name, [1])
    }
    #expect(load(scratch) == "accepted")
    let isNone = try SiteIdentity.open(directory: scratch.path) == nil
    #expect(isNone)
  }

  private func load(_ scratch: Scratch) -> String {
    outcome { () throws(ProvenanceFault) in _ = try SiteIdentity.open(directory: scratch.path) }
  }

  private func publicKeys(_ scratch: Scratch, keyEpoch: UInt32? = nil) throws -> String {
    guard let identity = try SiteIdentity.open(directory: scratch.path, keyEpoch: keyEpoch) else { return "none" }
    return "\(identity.keyEpoch) \(hex(identity.signing.publicKey.bytes)) \(hex(identity.sealing.publicKey.bytes))"
  }
}
