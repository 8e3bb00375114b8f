import Sodium
import Testing

@testable import Provenance

@Suite struct `A signed pack is believed only as it was signed` {
  @Test func `Signing then checking gives both keys`() throws {
    let expected = PackSeal(
      site: "lyon-01", version: 15, envelopesVersion: 15, packKeyID: KeyID(key(1).publicKey),
      safetyKeyID: KeyID(key(2).publicKey))
    #expect(PackTrust.check(try sealedPack(), keys: ring(), site: "lyon-01") == .signed(expected))
    #expect(verdict(try sealedPack().reversed()) == ["signed"])
  }

  /// Made by CPython's hashlib and the `cryptography` package from the layouts alone; the seeds are 32 times 1 and 2.
  @Test func `Another implementation writes the same bytes`() throws {
    let pack = """
      twind-pack-1 site=lyon-01 version=15
      0f137095f49fee5e0dd3c293ca552f4bc4e1df6d8bdbee33a785b2a33ff0895b  14  profiles/acme.yaml
      78da744c97fc6c8454d1eac4a42f0dd567fad4b3bde21be1a9d59613577824d0  20  site.yaml

      4e84e42c20c7c5e76aa10c31936a0b5d \
      FHk55qDs77Dy7iFkd1Z1EXgK0tHdHXuvxiVV+NUUSnLB3usD0qCb421FsO/mPfi/3CY6LywilzR8qzETD8cNBA==

      """
    let envelopes = """
      twind-envelopes-1 site=lyon-01 version=15
      367f8e9e0982ee279d53e1b7bd1651df2d8790fcf5c1b4a7bbb775c65a0183b1  14  envelopes.yaml

      71f45571ee556fb08817970c571f4370 \
      HTLhkrWyhXuC4YpwDcVpgjblhKAc6L1fVsHFpvO/9tLO4mjL3233Ab+ncgQA7ObzZnfOUzVI/r3cUYA8ireKBA==

      """
    let files = try sealedPack()
    #expect(files["pack.sig"] == Array(pack.utf8))
    #expect(files["envelopes.sig"] == Array(envelopes.utf8))
  }

  @Test func `Every flipped bit of a file is named`() throws {
    let files = try sealedPack()
    for path in ["site.yaml", "profiles/acme.yaml", "envelopes.yaml"] {
      for bit in 0..<files[path].count * 8 {
        var changed = files
        changed[path] = flipped(files[path], bit)
        #expect(verdict(changed) == ["file_changed \(path)"], "bit \(bit)")
      }
    }
  }

  @Test(arguments: ["pack.sig", "envelopes.sig"]) func `Every flipped bit of a seal is named`(_ path: String) throws {
    let files = try sealedPack()
    let codes = ["seal_malformed \(path)", "signature_wrong \(path)", "signer_unknown \(path)"]
    let manifestEnd = files[path].firstIndex(of: 10)!
    for bit in 0..<files[path].count * 8 {
      var changed = files
      changed[path] = flipped(files[path], bit)
      let seen = verdict(changed)
      #expect(seen.count == 1 && codes.contains(seen[0]), "bit \(bit): \(seen)")
      if bit < manifestEnd * 8, flipped(files[path], bit)[bit / 8] != 10 {
        #expect(seen == ["signature_wrong \(path)"], "bit \(bit)")
      }
    }
  }

  @Test(arguments: ["pack.sig", "envelopes.sig"]) func `A truncated or lengthened seal is refused`(_ path: String)
    throws
  {
    let files = try sealedPack()
    for length in 0..<files[path].count {
      var changed = files
      changed[path] = Array(files[path].prefix(length))
      #expect(verdict(changed).count == 1 && verdict(changed)[0].hasSuffix(" \(path)"), "length \(length)")
    }
    var changed = files
    changed[path] += [10]
    #expect(verdict(changed) == ["seal_malformed \(path)"])
    changed[path] = [UInt8](repeating: 10, count: Seal.bytesMax + 1)
    #expect(verdict(changed) == ["seal_malformed \(path)"])
  }

  @Test func `Envelopes signed by the targets key are refused`() throws {
    var files = try sealedPack()
    files["envelopes.sig"] =
      try PackSigner.sealEnvelopes(unsealed, site: "lyon-01", version: 15, safety: key(1)).bytes
    #expect(verdict(files) == ["signer_unknown envelopes.sig"])
    guard case .broken(let problems) = PackTrust.check(files, keys: ring(), site: "lyon-01") else { return }
    #expect(
      problems[0].message
        == "envelopes.sig is signed by the targets key \(KeyID(key(1).publicKey)), wanted a safety key of keys.pub")
  }

  @Test func `A pack signed by the safety key or the root key is refused`() throws {
    for signer in [2, 3] as [UInt8] {
      var files = try sealedPack()
      files["pack.sig"] = try PackSigner.sealPack(unsealed, site: "lyon-01", version: 15, targets: key(signer)).bytes
      #expect(verdict(files) == ["signer_unknown pack.sig"])
    }
  }

  @Test func `One kind of seal never passes for the other`() throws {
    var files = try sealedPack()
    files["pack.sig"] = files["envelopes.sig"]
    #expect(verdict(files) == ["signer_unknown pack.sig"])
    // The right key, the right text, the other kind's type under the signature.
    let manifest = Manifest(.envelopes, site: "lyon-01", version: 15, files: unsealed).text
    let signature = key(2).sign(Seal.encoding(.pack, manifest))
    files = try sealedPack()
    files["envelopes.sig"] = seal(manifest, [(KeyID(key(2).publicKey), signature)])
    #expect(verdict(files) == ["signature_wrong envelopes.sig"])
  }

  @Test func `Files added, removed and renamed are named`() throws {
    let files = try sealedPack()
    let added = file("tests/chw.yaml", "tests: []\n")
    #expect(verdict(files + [added]) == ["file_extra tests/chw.yaml"])
    #expect(verdict(files.filter { $0.path != "site.yaml" }) == ["file_missing site.yaml"])
    #expect(verdict(files.filter { $0.path != "envelopes.yaml" }) == ["file_missing envelopes.yaml"])
    let renamed = files.filter { $0.path != "site.yaml" } + [PackFile(path: "Site.yaml", bytes: files["site.yaml"])]
    #expect(verdict(renamed) == ["file_extra Site.yaml", "file_missing site.yaml"])
    var several = files + [added]
    several["site.yaml"] = []
    several["envelopes.yaml"] = []
    #expect(
      verdict(several) == ["file_changed envelopes.yaml", "file_changed site.yaml", "file_extra tests/chw.yaml"])
  }

  @Test func `Swapped contents are named`() throws {
    var files = try sealedPack()
    (files["site.yaml"], files["profiles/acme.yaml"]) = (files["profiles/acme.yaml"], files["site.yaml"])
    #expect(verdict(files) == ["file_changed profiles/acme.yaml", "file_changed site.yaml"])
  }

  @Test func `Without a seal the pack is unsigned, unless what is there is wrong`() throws {
    let files = try sealedPack()
    let noPack = "unsigned: pack.sig is missing: not signed by the targets key"
    let noEnvelopes = "unsigned: envelopes.sig is missing: not signed by the safety key"
    #expect(verdict(unsealed) == [noPack, noEnvelopes])
    #expect(verdict(files.filter { $0.path != "pack.sig" }) == [noPack])
    var halfSigned = files.filter { $0.path != "envelopes.sig" }
    #expect(verdict(halfSigned) == [noEnvelopes])
    halfSigned["site.yaml"] = []
    #expect(verdict(halfSigned) == ["file_changed site.yaml"])
  }

  @Test func `A pack or its envelopes of another site are refused`() throws {
    #expect(verdict(try sealedPack(), site: "oslo-02") == ["other_site envelopes.sig", "other_site pack.sig"])
    var files = try sealedPack()
    files["envelopes.sig"] =
      try PackSigner.sealEnvelopes(unsealed, site: "oslo-02", version: 15, safety: key(2)).bytes
    #expect(verdict(files) == ["other_site envelopes.sig"])
  }

  @Test func `Unchanged envelopes keep their signature under later packs only`() throws {
    var files = try sealedPack()
    files["pack.sig"] = try PackSigner.sealPack(unsealed, site: "lyon-01", version: 16, targets: key(1)).bytes
    guard case .signed(let seal) = PackTrust.check(files, keys: ring(), site: "lyon-01") else {
      Issue.record("not signed")
      return
    }
    #expect(seal.version == 16 && seal.envelopesVersion == 15)
    files["pack.sig"] = try PackSigner.sealPack(unsealed, site: "lyon-01", version: 14, targets: key(1)).bytes
    #expect(verdict(files) == ["envelopes_newer envelopes.sig"])
  }

  @Test func `Keys that the gateway does not know do not count`() throws {
    let strangers = KeyRing([
      .init(role: .targets, key: key(8).publicKey), .init(role: .safety, key: key(9).publicKey),
    ])!
    #expect(verdict(try sealedPack(), keys: strangers) == ["signer_unknown envelopes.sig", "signer_unknown pack.sig"])
  }

  @Test func `An unknown second signature is passed over, a wrong known one is not`() throws {
    let manifest = Manifest(.pack, site: "lyon-01", version: 15, files: unsealed).text
    let message = Seal.encoding(.pack, manifest)
    let good = (KeyID(key(1).publicKey), key(1).sign(message))
    var files = try sealedPack()
    files["pack.sig"] = seal(manifest, [(KeyID(key(8).publicKey), key(8).sign(message)), good])
    #expect(verdict(files) == ["signed"])
    files["pack.sig"] = seal(manifest, [good, good])
    #expect(verdict(files) == ["seal_malformed pack.sig"])
    files["pack.sig"] = seal(manifest, [])
    #expect(verdict(files) == ["seal_malformed pack.sig"])
    // Key 1 claimed, key 8 signed.
    files["pack.sig"] = seal(manifest, [(good.0, key(8).sign(message))])
    #expect(verdict(files) == ["signature_wrong pack.sig"])
    let many = (10..<27).map { (KeyID(key($0).publicKey), good.1) } as [(KeyID, [UInt8])]
    files["pack.sig"] = seal(manifest, many + [good])
    #expect(verdict(files) == ["seal_malformed pack.sig"])
  }

  /// Texts that the targets key itself signed, but that say something in a second way or cannot be.
  @Test(arguments: [
    ("version=15", "version=015"), ("version=15", "version=+15"), ("version=15", "version=-15"),
    ("site=lyon-01", "site=Lyon"), ("site=lyon-01", "site="), ("  14  ", "  014  "), ("  14  ", " 14  "),
    ("  14  ", "  14   "), ("0f13", "0F13"), ("profiles/acme.yaml", "../acme.yaml"),
    ("profiles/acme.yaml", "/acme.yaml"), ("profiles/acme.yaml", "profiles//acme.yaml"),
    ("profiles/acme.yaml", "zz.yaml"), ("profiles/acme.yaml", "site.yaml"), ("profiles/acme.yaml", "envelopes.yaml"),
    ("profiles/acme.yaml", "pack.sig"), ("twind-pack-1", "twind-pack-2"), ("site.yaml\n", "site.yaml\r\n"),
    ("  14  ", "  99999999999999999999  "), ("site=lyon-01 version=15", "version=15 site=lyon-01"),
  ]) func `A manifest has one form`(_ old: String, _ new: String) throws {
    let text = String(decoding: Manifest(.pack, site: "lyon-01", version: 15, files: unsealed).text, as: UTF8.self)
    let changed = Array(text.replacing(old, with: new).utf8)
    #expect(changed != Array(text.utf8))
    var files = try sealedPack()
    files["pack.sig"] = seal(changed, [(KeyID(key(1).publicKey), key(1).sign(Seal.encoding(.pack, changed)))])
    #expect(verdict(files) == ["seal_malformed pack.sig"])
  }

  @Test func `Two files of one path are refused`() throws {
    let files = try sealedPack()
    #expect(verdict(files + [file("site.yaml", "pack: 2\n")]) == ["file_extra site.yaml"])
    #expect(verdict(files + [file("../x", "")]) == ["path_refused ../x"])
    let many = (0...PackReader.filesMax).map { file("f\($0)", "") }
    #expect(verdict(many) == ["too_many_files "])
  }

  @Test func `What cannot be a pack is not signed`() throws {
    let noEnvelopes = unsealed.filter { $0.path != "envelopes.yaml" }
    #expect(sealing(noEnvelopes, site: "lyon-01") == "provenance.envelopes_missing")
    #expect(sealing(unsealed, site: "Lyon 1") == "provenance.site_refused")
    #expect(sealing(unsealed, site: "") == "provenance.site_refused")
    #expect(sealing(unsealed + [file("a b", "")], site: "lyon-01") == "provenance.path_refused")
  }

  private func sealing(_ files: [PackFile], site: String) -> String {
    outcome { () throws(ProvenanceFault) in
      _ = try PackSigner.sealPack(files, site: site, version: 1, targets: key(1))
      _ = try PackSigner.sealEnvelopes(files, site: site, version: 1, safety: key(2))
    }
  }

  private func seal(_ manifest: [UInt8], _ signatures: [(KeyID, [UInt8])]) -> [UInt8] {
    manifest + [10] + signatures.flatMap { Array("\($0.0) ".utf8) + Base64.encode($0.1) + [10] }
  }
}
