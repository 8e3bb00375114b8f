import Sodium
import Testing

@testable import Provenance

@Suite struct `A message is what its keys signed` {
  static let type = "application/vnd.twind.batch.v1+cbor"
  static let payload = Array("a payload".utf8)

  private func sealed() -> [UInt8] { SignedEnvelope.seal(type: Self.type, payload: Self.payload, by: key(1)) }

  private func open(_ bytes: [UInt8], by numbers: [UInt8] = [1], threshold: Int = 1) -> String {
    outcome { () throws(ProvenanceFault) in
      try SignedEnvelope(bytes, max: 1 << 16).verify(by: numbers.map { key($0).publicKey }, threshold: threshold)
    }
  }

  /// secure-systems-lab/dsse, protocol.md, "Test Vectors".
  @Test func `What is signed is DSSE's`() {
    let encoding = SignedEnvelope.preAuthentication(
      type: "http://example.com/HelloWorld", payload: Array("hello world".utf8))
    #expect(encoding == Array("DSSEv1 29 http://example.com/HelloWorld 11 hello world".utf8))
    #expect(SignedEnvelope.preAuthentication(type: "t", payload: []) == Array("DSSEv1 1 t 0 ".utf8))
  }

  @Test func `The layout is as written down`() throws {
    let message = SignedEnvelope.preAuthentication(type: Self.type, payload: Self.payload)
    let expected =
      "84" + "01" + "7823" + hex(Array(Self.type.utf8)) + "49" + hex(Self.payload) + "81" + "82" + "50"
      + KeyID(key(1).publicKey).hex + "5840" + hex(key(1).sign(message))
    #expect(hex(sealed()) == expected)
    let envelope = try SignedEnvelope(sealed(), max: 1 << 16)
    #expect(envelope.type == Self.type && envelope.payload == Self.payload && envelope.bytes == sealed())
    #expect(KeyID(bytes: envelope.signatures[0].keyID) == KeyID(key(1).publicKey))
    #expect(KeyID(bytes: [1]) == nil)
  }

  @Test func `Every flipped bit is refused`() {
    let good = sealed()
    #expect(open(good) == "accepted")
    let codes = ["message_malformed", "signer_unknown", "signature_wrong"].map { "provenance.\($0)" }
    for bit in 0..<good.count * 8 { #expect(codes.contains(open(flipped(good, bit))), "bit \(bit)") }
    for count in 0..<good.count { #expect(open(Array(good.prefix(count))) == "provenance.message_malformed") }
    #expect(open(good + [0]) == "provenance.message_malformed")
  }

  @Test func `A type is part of what is signed`() throws {
    let message = SignedEnvelope.preAuthentication(type: Self.type, payload: Self.payload)
    let other = envelope(type: "application/vnd.twind.ack.v1+cbor", [(1, key(1).sign(message))])
    #expect(open(other) == "provenance.signature_wrong")
    // The same bytes divided otherwise between type and payload.
    #expect(
      SignedEnvelope.preAuthentication(type: "a", payload: Array("1 b".utf8))
        != SignedEnvelope.preAuthentication(type: "a 3 1", payload: Array("b".utf8)))
  }

  @Test func `Each key counts once toward the threshold`() throws {
    let one = try SignedEnvelope(sealed(), max: 1 << 16)
    let two = one.adding(signature: key(2))
    #expect(two.signatures.count == 2)
    #expect(open(two.bytes, by: [1, 2], threshold: 2) == "accepted")
    #expect(open(two.bytes, by: [2, 1, 3], threshold: 2) == "accepted")
    #expect(open(one.bytes, by: [1, 2], threshold: 2) == "provenance.threshold_missed")
    #expect(open(one.bytes, by: [1, 1], threshold: 2) == "provenance.threshold_missed")
    #expect(open(two.bytes, by: [1, 1, 3], threshold: 2) == "provenance.threshold_missed")
    #expect(open(two.bytes, by: [3], threshold: 1) == "provenance.signer_unknown")
    #expect(open(two.bytes, by: [], threshold: 1) == "provenance.signer_unknown")
    #expect(one.adding(signature: key(1)) == one)
  }

  @Test func `One signature twice is malformed, under two ids it counts once`() {
    let message = SignedEnvelope.preAuthentication(type: Self.type, payload: Self.payload)
    let signature = key(1).sign(message)
    #expect(open(envelope([(1, signature), (1, signature)])) == "provenance.message_malformed")
    let twice = envelope([(1, signature), (2, signature)])
    #expect(open(twice, by: [1, 2], threshold: 2) == "provenance.signature_wrong")
    #expect(open(twice, by: [1, 2], threshold: 1) == "accepted")
  }

  @Test func `A wrong signature of one key does not undo those of enough others`() {
    let message = SignedEnvelope.preAuthentication(type: Self.type, payload: Self.payload)
    let mixed = envelope([(1, key(9).sign(message)), (2, key(2).sign(message)), (3, key(3).sign(message))])
    #expect(open(mixed, by: [1, 2, 3], threshold: 2) == "accepted")
    #expect(open(mixed, by: [1, 2, 3], threshold: 3) == "provenance.signature_wrong")
    #expect(open(mixed, by: [1]) == "provenance.signature_wrong")
  }

  @Test func `Structure is exact`() {
    let row = CBORItem.array([.bytes([UInt8](repeating: 1, count: 16)), .bytes([UInt8](repeating: 2, count: 64))])
    func code(_ items: CBORItem...) -> String { open(CBORItem.array(items).encoded) }
    let type = CBORItem.text(Self.type)
    let bad = "provenance.message_malformed"
    #expect(code(.unsigned(1), type, .bytes([]), .array([row])) == "provenance.signer_unknown")
    #expect(code(.unsigned(2), type, .bytes([]), .array([row])) == bad)
    #expect(code(.unsigned(1), type, .bytes([]), .array([])) == bad)
    #expect(code(.unsigned(1), type, .bytes([])) == bad)
    #expect(code(.unsigned(1), type, .bytes([]), .array([row]), .null) == bad)
    #expect(code(.unsigned(1), type, .text(""), .array([row])) == bad)
    for name in ["", "a b", "é", "a\n", String(repeating: "a", count: 129)] {
      #expect(code(.unsigned(1), .text(name), .bytes([]), .array([row])) == bad, "\(name.debugDescription)")
    }
    let rows = (0..<17).map { number in
      CBORItem.array([
        .bytes([UInt8](repeating: UInt8(number), count: 16)), .bytes([UInt8](repeating: 2, count: 64)),
      ])
    }
    #expect(code(.unsigned(1), type, .bytes([]), .array(rows)) == bad)
    #expect(code(.unsigned(1), type, .bytes([]), .array(rows.dropLast())) == "provenance.signer_unknown")
    let short = CBORItem.array([.bytes([1]), .bytes([UInt8](repeating: 2, count: 64))])
    #expect(code(.unsigned(1), type, .bytes([]), .array([short])) == bad)
    let long = CBORItem.array([.bytes([UInt8](repeating: 1, count: 16)), .bytes([UInt8](repeating: 2, count: 65))])
    #expect(code(.unsigned(1), type, .bytes([]), .array([long])) == bad)
  }

  @Test func `The bound holds for the whole`() throws {
    let large = SignedEnvelope.seal(type: Self.type, payload: [UInt8](repeating: 7, count: 60_000), by: key(1))
    #expect(large.count <= 60_000 + Self.type.utf8.count + SignedEnvelope.overheadBytesMax)
    #expect(try SignedEnvelope(large, max: large.count).payload.count == 60_000)
    let code = outcome { () throws(ProvenanceFault) in _ = try SignedEnvelope(large, max: large.count - 1) }
    #expect(code == "provenance.message_too_large")
    var full = try SignedEnvelope(large, max: large.count)
    for number in 2...16 { full = full.adding(signature: key(UInt8(number))) }
    #expect(full.bytes.count <= 60_000 + Self.type.utf8.count + SignedEnvelope.overheadBytesMax)
    #expect(open(full.bytes, by: Array(1...16), threshold: 16) == "accepted")
  }

  private func envelope(type: String = type, _ signatures: [(UInt8, [UInt8])]) -> [UInt8] {
    let rows = signatures.map { CBORItem.array([.bytes(KeyID.bytes(of: key($0.0).publicKey)), .bytes($0.1)]) }
    return CBORItem.array([.unsigned(1), .text(type), .bytes(Self.payload), .array(rows)]).encoded
  }
}
