// A manifest for other tools: an in-toto Statement v1 with a SLSA provenance v1 predicate, JSON, in a DSSE v1.0.2
// envelope of JSON:
//
//     {"payloadType":"application/vnd.in-toto+json","payload":BASE64,"signatures":[{"keyid":HEX,"sig":BASE64},…]}
//
//     {"_type":"https://in-toto.io/Statement/v1",
//      "subject":[{"name":NAME,"digest":{"sha256":HEX,"blake2b256":HEX}}],
//      "predicateType":"https://slsa.dev/provenance/v1",
//      "predicate":{"buildDefinition":{"buildType":"urn:twind:training:v1",
//          "externalParameters":{"name","version","kind","seed","hyperparameters":{…}},
//          "internalParameters":{"codec","rawLength","size","chunk","merkleRoot"},
//          "resolvedDependencies":[{"name","digest","annotations":{"fromNs","toNs"}},…]},
//        "runDetails":{"builder":{"id":"urn:twind:builder:NAME","version":{"code":VERSION}},
//          "metadata":{"twind_scores":{…},"twind_attestations":[…]}}}}
//
// Integers are strings, for JSON readers round them at 2^53. The signature is over the pre-authentication encoding, as
// in SignedEnvelope.swift. Reading takes base 64 in both alphabets, as DSSE asks.

public import Sodium
import TwinCore

/// What other tools call an attestation.
public struct InTotoStatement: Equatable, Sendable {
  public struct Subject: Equatable, Sendable {
    public let name: String
    /// By algorithm, in hexadecimal.
    public let digests: [String: String]
  }

  public static let type = "https://in-toto.io/Statement/v1"
  public static let payloadType = "application/vnd.in-toto+json"
  public static let provenance = "https://slsa.dev/provenance/v1"
  public static let bytesMax = 1 << 20

  public let subjects: [Subject]
  public let predicateType: String

  /// Reads a statement, passing over what it does not know. Fault: `provenance.statement_malformed`.
  public init(json: [UInt8]) throws(ProvenanceFault) {
    guard let item = JSONItem(json, bytesMax: Self.bytesMax) else { throw Self.fault("it is no JSON") }
    guard item["_type"]?.string == Self.type else { throw Self.fault("it is no Statement v1") }
    guard let predicateType = item["predicateType"]?.string, !predicateType.isEmpty,
      let rows = item["subject"]?.items, !rows.isEmpty
    else { throw Self.fault("it has no subject or no predicate type") }
    var subjects: [Subject] = []
    for row in rows {
      guard case .object(let digests)? = row["digest"], !digests.isEmpty else {
        throw Self.fault("a subject has no digest")
      }
      var byName: [String: String] = [:]
      for digest in digests { byName[digest.name] = digest.value.string }
      subjects.append(Subject(name: row["name"]?.string ?? "", digests: byName))
    }
    (self.subjects, self.predicateType) = (subjects, predicateType)
  }

  /// Whether a subject is the manifest's artefact: it has a digest that we know, and no such digest differs.
  public func describes(_ manifest: ReleaseManifest) -> Bool {
    let known = ["sha256": manifest.sha256.hex, "blake2b256": manifest.digest.hex]
    return subjects.contains { subject in
      let shared = known.filter { subject.digests[$0.key] != nil }
      return !shared.isEmpty && shared.allSatisfy { subject.digests[$0.key] == $0.value }
    }
  }

  /// The manifest's statement as JSON.
  public static func json(_ manifest: ReleaseManifest) -> [UInt8] { Array(item(manifest).text.utf8) }

  /// The manifest's statement, signed, in a DSSE envelope of JSON.
  public static func sealed(_ manifest: ReleaseManifest, by key: borrowing Ed25519.SecretKey) -> [UInt8] {
    let payload = json(manifest)
    let signature = key.sign(SignedEnvelope.preAuthentication(type: payloadType, payload: payload))
    let row = JSONItem.fields([
      "keyid": .string(KeyID(key.publicKey).hex), "sig": .string(text64(signature)),
    ])
    let envelope = JSONItem.fields([
      "payloadType": .string(payloadType), "payload": .string(text64(payload)), "signatures": .array([row]),
    ])
    return Array(envelope.text.utf8)
  }

  /// Opens a DSSE envelope of JSON: verifies, and only then reads the statement.
  ///
  /// Key ids are hints and may be absent or wrong. Faults: `provenance.statement_malformed`, `signer_unknown`,
  /// `threshold_missed`.
  public static func open(
    _ envelope: [UInt8], by keys: [Ed25519.PublicKey], threshold: Int = 1
  ) throws(ProvenanceFault) -> InTotoStatement {
    precondition(threshold >= 1, "a threshold below 1 would accept anything")
    guard let item = JSONItem(envelope, bytesMax: 2 * bytesMax) else { throw fault("the envelope is no JSON") }
    guard item["payloadType"]?.string == payloadType else { throw fault("the payload type is not \(payloadType)") }
    guard let payload = item["payload"]?.string.flatMap(bytes64), let rows = item["signatures"]?.items,
      (1...SignedEnvelope.signaturesMax).contains(rows.count)
    else { throw fault("no payload, or not 1 to 16 signatures") }
    let signatures = rows.compactMap { $0["sig"]?.string.flatMap(bytes64) }
    guard signatures.count == rows.count else { throw fault("a signature is not in base 64") }
    let message = SignedEnvelope.preAuthentication(type: payloadType, payload: payload)
    let count = Set(keys).count { key in signatures.contains { Ed25519.verify($0, of: message, by: key) } }
    guard count >= threshold else {
      throw ProvenanceFault(
        count == 0 ? .signerUnknown : .thresholdMissed, path: payloadType,
        "the statement is signed by \(count) of the keys, wanted \(threshold)",
        remedy: "have more of the key holders sign it, or look who made it")
    }
    return try InTotoStatement(json: payload)
  }

  private static func item(_ manifest: ReleaseManifest) -> JSONItem {
    let origin = manifest.origin
    let windows = origin.trainedOn.map { window in
      JSONItem.fields([
        "name": .string(window.source), "digest": .fields(["blake2b256": .string(window.digest.hex)]),
        "annotations": .fields([
          "fromNs": .string("\(window.from.nanoseconds)"), "toNs": .string("\(window.to.nanoseconds)"),
        ]),
      ])
    }
    let base = origin.base.map { base in
      JSONItem.fields(["name": .string("base"), "digest": .fields(["blake2b256": .string(base.hex)])])
    }
    let definition = JSONItem.fields([
      "buildType": .string("urn:twind:training:v1"),
      "externalParameters": .fields([
        "name": .string(manifest.name), "version": .string("\(manifest.version)"), "kind": .string(manifest.kind),
        "seed": .string("\(origin.seed)"),
        "hyperparameters": .object(
          origin.hyperparameters.map { JSONField(name: $0.name, value: .string($0.value)) }),
      ]),
      "internalParameters": .fields([
        "codec": .string("\(manifest.codec)"), "rawLength": .string("\(manifest.rawLength)"),
        "size": .string("\(manifest.size)"), "chunk": .string("\(ReleaseManifest.chunkBytes)"),
        "merkleRoot": .string(manifest.merkleRoot.hex),
      ]),
      "resolvedDependencies": .array(windows + (base.map { [$0] } ?? [])),
    ])
    let attestations = origin.attestations.map { attestation in
      JSONItem.fields([
        "predicateType": .string(attestation.predicateType), "blake2b256": .string(attestation.digest.hex),
      ])
    }
    let run = JSONItem.fields([
      "builder": .fields([
        "id": .string("urn:twind:builder:\(origin.madeBy)"),
        "version": .fields(["code": .string(origin.codeVersion)]),
      ]),
      "metadata": .fields([
        "twind_scores": .object(origin.scores.map { JSONField(name: $0.name, value: .number("\($0.value)")) }),
        "twind_attestations": .array(attestations),
      ]),
    ])
    let subject = JSONItem.fields([
      "name": .string(manifest.name),
      "digest": .fields(["sha256": .string(manifest.sha256.hex), "blake2b256": .string(manifest.digest.hex)]),
    ])
    return .fields([
      "_type": .string(type), "subject": .array([subject]), "predicateType": .string(provenance),
      "predicate": .fields(["buildDefinition": definition, "runDetails": run]),
    ])
  }

  private static func text64(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }

  private static func bytes64(_ text: String) -> [UInt8]? {
    Base64.decode(
      text.utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "+") : $0 == UInt8(ascii: "_") ? UInt8(ascii: "/") : $0 })
  }

  private static func fault(_ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .statementMalformed, path: payloadType, "the statement cannot be used: \(problem)",
      remedy: "have the tool that made it write an in-toto Statement v1 in DSSE")
  }
}
