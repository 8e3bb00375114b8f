import Sodium
import Testing
import TwinCore

@testable import Provenance

@Suite struct `An artefact is what its manifest says` {
  @Test func `A manifest comes back as it was`() throws {
    let manifest = try modelManifest(1)
    #expect(try ReleaseManifest(payload: manifest.payload) == manifest)
    #expect(manifest.chunks == 3 && manifest.describes(modelBytes(1)) && !manifest.describes(modelBytes(2)))
    let envelope = try ReleaseManifest.envelope(manifest.sealed(by: key(91)))
    try envelope.verify(by: [key(91).publicKey])
    #expect(throws: ProvenanceFault.self) { try ReleaseManifest.envelope(forged("text/plain", [], 91)) }
  }

  @Test func `Chunks are checked before a byte is written`() throws {
    let (manifest, content) = (try modelManifest(1), modelBytes(1))
    for index in 0..<3 as Range<UInt64> {
      let chunk = ReleaseManifest.chunk(Int(index), of: content)
      let proof = ReleaseManifest.proof(chunk: index, of: content)
      #expect(manifest.holds(chunk: chunk, at: index, proof: proof))
      #expect(!manifest.holds(chunk: flipped(chunk, 5), at: index, proof: proof))
      #expect(!manifest.holds(chunk: Array(chunk.dropLast()), at: index, proof: proof))
      #expect(!manifest.holds(chunk: chunk, at: (index + 1) % 4, proof: proof))
      #expect(!manifest.holds(chunk: chunk, at: index, proof: proof + [.zero]))
    }
  }

  @Test func `What cannot be is refused`() throws {
    func made(_ change: (inout ArtefactOrigin) -> Void, size: UInt64? = nil) -> String {
      var origin = ArtefactOrigin(madeBy: "t", codeVersion: "1")
      change(&origin)
      return slug { () throws(ProvenanceFault) in
        _ = try ReleaseManifest(
          name: "models/a", version: 1, kind: "gaussian", bytes: [1], rawLength: size, origin: origin)
      }
    }
    #expect(made({ _ in }) == "accepted")
    #expect(made({ _ in }, size: 2) == "artefact_refused")
    #expect(made({ $0.scores = [NamedScore("x", .nan)] }) == "artefact_refused")
    #expect(made({ $0.scores = [NamedScore("x", 1), NamedScore("x", 2)] }) == "artefact_refused")
    #expect(made({ $0.madeBy = String(repeating: "x", count: 257) }) == "artefact_refused")
    #expect(
      made({ $0.trainedOn = [DataWindow(source: "s", from: day(1), to: day(0), digest: .zero)] }) == "artefact_refused")
    #expect(
      slug { () throws(ProvenanceFault) in
        _ = try ReleaseManifest(
          name: "models/a", version: 1, kind: "gaussian", bytes: [],
          origin: ArtefactOrigin(madeBy: "t", codeVersion: ""))
      } == "artefact_refused")
  }

  @Test func `A manifest is admitted when it is the listed one, assigned, with its attestations`() throws {
    var fleet = try Fleet()
    var store = try fleet.current()
    let time = store.time.time(day(0))
    func admit(_ bytes: [UInt8], _ site: SiteName = lyon) -> String {
      slug { () throws(ProvenanceFault) in
        let admitted = try store.admit(manifest: bytes, "models/thermal", for: site, at: time)
        #expect(admitted.stage == .canary && admitted.manifest.version == 2)
      }
    }
    #expect(admit(manifestBytes[2]!) == "accepted")
    #expect(admit(manifestBytes[2]!, oslo) == "accepted")
    #expect(admit(manifestBytes[1]!) == "artefact_refused")
    #expect(admit(try modelManifest(2).sealed(by: key(92))) == "artefact_refused")
    #expect(admit(manifestBytes[2]!, SiteName("zeta.one")!) == "not_assigned")
    // Listed by its digest, but about another artefact; or without what the listing asks for.
    let other = try modelManifest(3, name: "models/other")
    let bytes = other.sealed(by: key(91))
    for (kind, predicates, sealed) in [
      ("gaussian", [], bytes), ("linear", [], manifestBytes[3]!),
      ("gaussian", ["https://example.com/v"], manifestBytes[3]!),
    ] as [(String, [String], [UInt8])] {
      fleet.artefacts[.models] = [
        Artefact(
          name: "models/thermal", kind: kind, lowest: 1, predicates: predicates,
          releases: [
            Release(version: 3, digest: other.digest, size: other.size, manifest: TrustStore.digest(sealed))
          ])
      ]
      fleet.assignments[0] = Assignment(.fleet, artefact: "models/thermal", version: 3, stage: .canary)
      store = try fleet.current()
      #expect(admit(sealed) == "artefact_refused")
    }
  }

  @Test func `A stale site installs nothing`() throws {
    let store = try Fleet().current()
    let time = store.time.time(day(8))
    #expect(store.installables(for: lyon, at: time).refused.map(\.kind) == [.installsOff, .installsOff])
    guard case .refuse(let problems) = store.admit(pack: try fleetPack(1), for: lyon, packSite: "lyon", at: time) else {
      Issue.record("installed")
      return
    }
    #expect(problems.map(\.kind) == [.installsOff])
    #expect(
      problems[0].message
        == "nothing is installed while the site is stale: timestamp expired 1 d ago")
  }

  @Test func `A pack is admitted by listing, assignment and both thresholds`() throws {
    let store = try Fleet().current()
    let time = store.time.time(day(0))
    func judge(_ files: [PackFile]) -> [ProvenanceFault.Kind] {
      guard case .refuse(let problems) = store.admit(pack: files, for: lyon, packSite: "lyon", at: time) else {
        return []
      }
      return problems.map(\.kind)
    }
    #expect(judge(try fleetPack(1)) == [])
    #expect(judge(try fleetPack(1).reversed()) == [])
    // Another pack, sealed by all holders, but not the one that is listed and assigned.
    #expect(judge(try fleetPack(2)) == [.artefactRefused, .artefactRefused])
    #expect(judge(try fleetPack(1, targets: [121])) == [.artefactRefused, .thresholdMissed])
    #expect(judge(try fleetPack(1, safety: [111])) == [.artefactRefused, .thresholdMissed])
    #expect(judge(try fleetPack(1, targets: [111, 112])).contains(.signerUnknown))
    #expect(judge(try fleetPack(1, targets: [121, 121])) == [.artefactRefused, .thresholdMissed])
    var changed = try fleetPack(1)
    changed["envelopes.yaml"] = Array("envelopes: {a: b}\n".utf8)
    #expect(judge(changed) == [.artefactRefused, .fileChanged])
    #expect(judge(unsealed) == [.artefactRefused, .artefactRefused, .artefactRefused])
  }

  @Test func `Two envelopes of one version are one too many`() throws {
    var store = try Fleet().current()
    let time = store.time.time(day(0))
    try store.noteInstalled(.init(version: 1, digest: .zero))
    guard case .refuse(let problems) = store.admit(pack: try fleetPack(1), for: lyon, packSite: "lyon", at: time) else {
      Issue.record("installed")
      return
    }
    #expect(problems.map(\.kind) == [.versionChanged])
    #expect(
      slug { () throws(ProvenanceFault) in try store.noteInstalled(.init(version: 0, digest: .zero)) }
        == "envelope_older")
  }

  @Test func `The key ring of a root is the one of keys pub`() throws {
    let ring = try Fleet().root().keyRing
    #expect(ring.entries.count == 9)
    #expect(Set(ring.entries.map(\.role)) == [.root, .safety, .targets])
    #expect(try KeyRing(text: ring.text) == ring)
    let files = try sealedPack()
    var fleet = try Fleet()
    fleet.seeds[.targets] = [1]
    fleet.seeds[.safety] = [2]
    fleet.thresholds[.targets] = 1
    fleet.thresholds[.safety] = 1
    #expect(verdict(files, keys: try fleet.root().keyRing) == ["signed"])
  }
}

@Suite struct `Other tools read and write statements` {
  @Test func `A statement goes out and comes in`() throws {
    let manifest = try modelManifest(2)
    let envelope = InTotoStatement.sealed(manifest, by: key(91))
    let statement = try InTotoStatement.open(envelope, by: [key(91).publicKey])
    #expect(statement.describes(manifest) && statement.predicateType == InTotoStatement.provenance)
    #expect(!statement.describes(try modelManifest(1)))
    let item = try #require(JSONItem(InTotoStatement.json(manifest), bytesMax: 1 << 20))
    let external = item["predicate"]?["buildDefinition"]?["externalParameters"]
    #expect(external?["seed"]?.string == "18446744073709551615")
    #expect(external?["hyperparameters"]?["ridge"]?.string == "0.5")
    #expect(item["subject"]?.items?.first?["digest"]?["sha256"]?.string == manifest.sha256.hex)
  }

  @Test func `A changed statement, a stranger and too few are refused`() throws {
    let envelope = InTotoStatement.sealed(try modelManifest(2), by: key(91))
    let keys = [key(91).publicKey]
    func open(_ bytes: [UInt8], _ keys: [Ed25519.PublicKey], _ threshold: Int = 1) -> String {
      slug { () throws(ProvenanceFault) in _ = try InTotoStatement.open(bytes, by: keys, threshold: threshold) }
    }
    #expect(open(envelope, keys) == "accepted")
    #expect(open(envelope, [key(92).publicKey]) == "signer_unknown")
    #expect(open(envelope, keys + keys, 2) == "threshold_missed")
    for bit in stride(from: 0, to: envelope.count * 8, by: 41) {
      let seen = open(flipped(envelope, bit), keys)
      // A key id is a hint; only there a flip changes nothing.
      let isHint = String(decoding: envelope, as: UTF8.self).range(of: "\"keyid\":\"\(KeyID(keys[0]))", at: bit / 8)
      #expect(["statement_malformed", "signer_unknown"].contains(seen) || isHint, "bit \(bit): \(seen)")
    }
    // Both alphabets, no key id, spaces, other members.
    let text = String(decoding: envelope, as: UTF8.self)
    let foreign = text.replacing("+", with: "-").replacing("/", with: "_")
      .replacing("application_vnd.in-toto-json", with: "application/vnd.in-toto+json")
      .replacing("\"keyid\":\"\(KeyID(keys[0]).hex)\",", with: "\"extra\" : [1, {\"a\": null}] , ")
    #expect(foreign != text && open(Array(foreign.utf8), keys) == "accepted")
  }

  @Test(arguments: [
    "{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"subject\":[],\"predicateType\":\"x\"}",
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[],\"predicateType\":\"x\"}",
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"a\"}],\"predicateType\":\"x\"}",
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"a\":\"b\"}}]}", "[]", "", "{",
  ]) func `What is no statement is refused`(_ text: String) {
    #expect(
      slug { () throws(ProvenanceFault) in _ = try InTotoStatement(json: Array(text.utf8)) } == "statement_malformed")
  }

  @Test(
    arguments: [
      ("{\"a\":1,\"a\":2}", nil), ("[1,]", nil), ("[01]", nil), ("[1.]", nil), ("[-]", nil), ("\"\\ud800\"", nil),
      ("\"\\u12\"", nil), ("\"\u{1}\"", nil), ("nul", nil), ("1 2", nil), ("{\"a\"}", nil),
      (String(repeating: "[", count: 30), nil), ("[1e5,-0.5,0,\"\\ud83d\\ude00\\n\"]", "[1e5,-0.5,0,\"😀\\n\"]"),
      (" { \"a\" : [ ] } ", "{\"a\":[]}"), ("\"\\u0001\"", "\"\\u0001\""),
    ] as [(String, String?)]) func `JSON is read strictly`(_ text: String, _ again: String?)
  {
    #expect(JSONItem(Array(text.utf8), bytesMax: 1_000)?.text == again)
  }
}

extension String {
  /// Whether the byte at `offset` lies in an occurrence of `part`.
  fileprivate func range(of part: String, at offset: Int) -> Bool {
    let (whole, part) = (Array(utf8), Array(part.utf8))
    return (max(0, offset - part.count + 1)...offset).contains { whole[$0...].starts(with: part) }
  }
}

@Suite struct `Numbers of a model are checked before use` {
  private let check = ModelCheck(bytesMax: 1_000, valuesMax: 10, normMax: 10)

  @Test(
    arguments: [
      ([1, 2, 3], [2, 1], 100, nil), ([], [], 100, nil), ([6, 8], [2], 100, nil), ([6, 8.01], [2], 100, "norm"),
      ([.nan, 1], [2], 100, "not finite"), ([1, -.infinity], [2], 100, "not finite"),
      ([.leastNonzeroMagnitude], [1], 100, "denormal"), ([1, 2, 3], [3], 1_001, "bytes"), ([1, 2], [3], 100, "fit"),
      ([1, 2], [Int.max, 3], 100, "fit"), ([1, 2], [3, -1], 100, "fit"),
      (Array(repeating: 0, count: 11), [11], 100, "fit"), ([1e300, 1e300], [2], 100, "norm"),
    ] as [([Double], [Int], UInt64, String?)])
  func `One wrong value refuses the whole`(_ values: [Double], _ shape: [Int], _ size: UInt64, _ text: String?) {
    let problem = check.problem(values, shape: shape, wantedShape: shape, size: size, name: "models/a")
    #expect(
      problem == nil ? text == nil : text.map { problem!.message.contains($0) } ?? false, "\(problem?.message ?? "")")
  }

  @Test func `The shape is the wanted one`() {
    #expect(check.problem([1, 2], shape: [2], wantedShape: [1, 1], size: 1, name: "m")?.kind == .artefactRefused)
  }

  @Test func `The norm neither overflows nor hides a NaN`() {
    #expect(ModelCheck.norm([3, -4]) == 5)
    #expect(ModelCheck.norm([1e200, 0]) == 1e200 && ModelCheck.norm([]) == 0)
    #expect(ModelCheck.norm([1, .nan]).isNaN && ModelCheck.norm([.infinity]) == .infinity)
  }
}
