import Glibc
import Sodium
import Testing
import TwinCore

@testable import Provenance

/// `docs/vectors`: what another implementation needs to check itself against this one.
///
/// `TWIND_UPDATE_GOLDEN=1` writes what the code gives now; read the difference before it is committed.
@Suite struct `Published vectors are what the code gives` {
  @Test(arguments: ["cbor.json", "envelope.json", "log.json"]) func files(_ name: String) throws {
    let value =
      switch name {
      case "cbor.json": cborVectors()
      case "envelope.json": try envelopeVectors()
      default: try logVectors()
      }
    let text = value.text(indent: 0) + "\n"
    let directory = "\(split(split(testDirectory).directory).directory)/docs/vectors"
    if unsafe getenv("TWIND_UPDATE_GOLDEN") != nil {
      try Descriptor.directory(directory).place(
        name, Array(text.utf8), mode: 0o644, replacing: true, shown: "\(directory)/\(name)")
    }
    #expect(String(decoding: try content(of: "\(directory)/\(name)"), as: UTF8.self) == text)
  }
}

/// JSON to be written: keys in the order given.
private indirect enum JSON {
  case text(String)
  case number(UInt64)
  case list([JSON])
  case object([(String, JSON)])

  static func hex(_ bytes: [UInt8]) -> JSON { .text(Hex.text(bytes)) }
  static func digests(_ digests: [Digest]) -> JSON { .list(digests.map { .text($0.hex) }) }

  func text(indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    switch self {
    case .text(let text): return Self.quoted(text)
    case .number(let number): return String(number)
    case .list(let items) where items.isEmpty: return "[]"
    case .list(let items):
      return "[\n" + items.map { "\(margin)  \($0.text(indent: indent + 2))" }.joined(separator: ",\n") + "\n\(margin)]"
    case .object(let pairs):
      let lines = pairs.map { "\(margin)  \(Self.quoted($0.0)): \($0.1.text(indent: indent + 2))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(margin)}"
    }
  }

  /// ASCII alone, so that no editor changes a letter's spelling.
  private static func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case "\n": "\\n"
      case " "..."~": String(scalar)
      default:
        String(scalar).utf16.map { unit in
          "\\u" + String(repeating: "0", count: 4 - String(unit, radix: 16).count) + String(unit, radix: 16)
        }.joined()
      }
    }
    return "\"\(escaped.joined())\""
  }
}

private func cborVectors() -> JSON {
  .object([
    (
      "about", .text("Strict CBOR of twind's messages (RFC 8949, a subset): what is accepted, what is refused and why.")
    ),
    (
      "limits",
      .object([("bytes", .number(1 << 20)), ("depth", .number(8)), ("items", .number(4096))])
    ),
    (
      "accept",
      .list(
        CBORCorpus.accepted.map { .object([("hex", .text($0.hex)), ("diagnostic", .text(diagnostic($0.item)))]) })
    ),
    (
      "reject",
      .list(
        CBORCorpus.rejected.filter { $0.hex.utf8.count <= 200 }.map {
          .object([
            ("hex", .text($0.hex)), ("problem", .text($0.problem.rawValue)), ("what", .text($0.what)),
          ])
        })
    ),
  ])
}

/// RFC 8949 §8.
private func diagnostic(_ item: CBORItem) -> String {
  switch item {
  case .unsigned(let value): "\(value)"
  case .negative(let value): "\(value)"
  case .bytes(let bytes): "h'\(Hex.text(bytes))'"
  case .text(let text): "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  case .array(let items): "[\(items.map(diagnostic).joined(separator: ", "))]"
  case .map(let entries): "{\(entries.map { "\($0.key): \(diagnostic($0.value))" }.joined(separator: ", "))}"
  case .bool(let value): "\(value)"
  case .null: "null"
  }
}

private func envelopeVectors() throws -> JSON {
  let type = "application/vnd.twind.example.v1+cbor"
  let payload = CBORItem.map((0, .text("acme.lyon-01")), (1, .unsigned(7))).encoded
  let message = SignedEnvelope.preAuthentication(type: type, payload: payload)
  let one = try SignedEnvelope(SignedEnvelope.seal(type: type, payload: payload, by: key(1)), max: 1 << 16)
  let two = one.adding(signature: key(2))
  func raw(_ type: String, _ rows: [(UInt8, [UInt8])]) -> [UInt8] {
    let rows = rows.map { CBORItem.array([.bytes(KeyID.bytes(of: key($0.0).publicKey)), .bytes($0.1)]) }
    return CBORItem.array([.unsigned(1), .text(type), .bytes(payload), .array(rows)]).encoded
  }
  let cases: [(String, [UInt8], [UInt8], Int)] = [
    ("one signature", one.bytes, [1], 1), ("two of two", two.bytes, [1, 2], 2),
    ("two of three", two.bytes, [1, 2, 3], 2), ("one where two are asked", one.bytes, [1, 2], 2),
    ("a key given twice counts once", one.bytes, [1, 1], 2), ("a stranger's signature", one.bytes, [2], 1),
    ("the type changed", raw("application/vnd.twind.other.v1+cbor", [(1, key(1).sign(message))]), [1], 1),
    ("the payload signed without its type", raw(type, [(1, key(1).sign(payload))]), [1], 1),
    ("a signature under another key's id", raw(type, [(2, key(1).sign(message))]), [1, 2], 1),
    ("one signature under two ids", raw(type, [(1, key(1).sign(message)), (2, key(1).sign(message))]), [1, 2], 2),
    ("an id twice", raw(type, [(1, key(1).sign(message)), (1, key(1).sign(message))]), [1], 1),
    ("no signature", raw(type, []), [1], 1), ("a byte more", one.bytes + [0], [1], 1),
    ("the last bit of the signature", flipped(one.bytes, one.bytes.count * 8 - 1), [1], 1),
  ]
  return .object([
    ("about", .text("Signed messages: Ed25519 over DSSE's pre-authentication encoding, carried in strict CBOR.")),
    (
      "keys",
      .list(
        ([1, 2, 3] as [UInt8]).map { number in
          .object([
            ("seed", .hex([UInt8](repeating: number, count: 32))), ("public", .hex(key(number).publicKey.bytes)),
            ("id", .text(KeyID(key(number).publicKey).hex)),
          ])
        })
    ),
    ("type", .text(type)), ("payload", .hex(payload)), ("encoding", .hex(message)),
    ("signatures", .list([.hex(key(1).sign(message)), .hex(key(2).sign(message))])),
    (
      "cases",
      .list(
        cases.map { what, envelope, numbers, threshold in
          let result = outcome { () throws(ProvenanceFault) in
            let keys = numbers.map { key($0).publicKey }
            try SignedEnvelope(envelope, max: 1 << 16).verify(by: keys, threshold: threshold)
          }
          return .object([
            ("what", .text(what)), ("envelope", .hex(envelope)),
            ("keys", .list(numbers.map { .number(UInt64($0)) })), ("threshold", .number(UInt64(threshold))),
            ("result", .text(result)),
          ])
        })
    ),
  ])
}

private func logVectors() throws -> JSON {
  let epoch = LogEpoch(bytes: Array(0..<16))!
  var head = LogHead(epoch: epoch, stream: .audit)
  var leaves: [Digest] = []
  let kinds: [LogKind] = [.epochOpened, .birth, .decision, .audit, .command, .gapDeclared, .keyRotated, .ladder]
  let entries = kinds.enumerated().map { index, kind -> JSON in
    let body = Array("body \(index)".utf8)
    let data = entry(UInt64(index), kind: kind, body: body).bytes
    head.append(data)
    leaves.append(Merkle.leafHash(data))
    return .object([
      ("body", .hex(body)), ("entry", .hex(data)), ("leaf", .text(leaves[index].hex)), ("chain", .text(head.chain.hex)),
      ("root", .text(head.root.hex)),
    ])
  }
  let size = UInt64(leaves.count)
  let inclusion = ([0, 5, 7] as [UInt64]).map { index -> JSON in
    let proof = Merkle.inclusionProof(index: index, size: size) { leaves[Int($0)] }
    return .object([("index", .number(index)), ("size", .number(size)), ("proof", .digests(proof))])
  }
  let consistency = ([0, 1, 3, 4, 6, 7, 8] as [UInt64]).map { from -> JSON in
    let proof = Merkle.consistencyProof(from: from, to: size) { leaves[Int($0)] }
    return .object([("from", .number(from)), ("to", .number(size)), ("proof", .digests(proof))])
  }
  let origin = Checkpoint.origin(site: SiteName("acme.lyon-01")!, stream: .audit, epoch: epoch)
  let note = Checkpoint(origin: origin, size: size, root: head.root).signed(name: origin, by: key(1))
  return .object([
    ("about", .text("A log of one site: leaves, chain, tree, proofs, and its checkpoint signed and cosigned.")),
    ("site", .text("acme.lyon-01")), ("stream", .text("audit")), ("epoch", .text(epoch.hex)),
    ("chain_before", .text(Digest.zero.hex)), ("root_before", .text(Merkle.emptyRoot.hex)),
    ("entries", .list(entries)), ("inclusion", .list(inclusion)), ("consistency", .list(consistency)),
    (
      "checkpoint",
      .object([
        ("key", .text(NoteKey(name: origin, key: key(1).publicKey)!.text)),
        ("note", .text(note)),
        ("cosigner", .text(NoteKey(name: "fleet/ingest", key: key(2).publicKey, algorithm: .cosignature)!.text)),
        ("seconds", .number(1_700_000_000)),
        ("line", .text(try Checkpoint.cosign(note, name: "fleet/ingest", by: key(2), at: 1_700_000_000))),
      ])
    ),
  ])
}
