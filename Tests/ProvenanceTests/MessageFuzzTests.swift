import Sodium
import Testing

@testable import Provenance

@Suite struct `Damaged messages` {
  /// Heads, lengths and marks that turn one thing into another.
  static let pieces: [[UInt8]] = [
    [0x00], [0x17], [0x18, 0x18], [0x20], [0x40], [0x60], [0x80], [0x81], [0x9f], [0xa0], [0xa1, 0x00], [0xbf], [0xc0],
    [0xf4], [0xf6], [0xf7], [0xf9, 0x7e, 0x00], [0xff], [0x58, 0x20], [0x5b] + [UInt8](repeating: 0xff, count: 8),
    [0x9b, 0x7f] + [UInt8](repeating: 0xff, count: 7), [0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0],
    [0x1b, 0, 0, 0, 0, 0, 0, 0, 0],
    [0xc3, 0x28], [0xed, 0xa0, 0x80], Array("\n".utf8), Array("\n\n".utf8), Array("— ".utf8), Array("+".utf8),
    Array("=".utf8), Array("0".utf8), Array("18446744073709551616".utf8), [0x00, 0x01],
  ]

  static func damage(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var bytes = bytes
    for _ in 0...dice.roll(4) {
      guard !bytes.isEmpty else { return pieces[dice.roll(pieces.count)] }
      let at = dice.roll(bytes.count)
      switch dice.roll(6) {
      case 0: bytes[at] = UInt8(dice.roll(256))
      case 1: bytes[at] ^= 1 << UInt8(dice.roll(8))
      case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + dice.roll(20)))
      case 3: bytes.insert(contentsOf: pieces[dice.roll(pieces.count)], at: at)
      case 4:
        let piece = pieces[dice.roll(pieces.count)]
        bytes.replaceSubrange(at..<min(bytes.count, at + piece.count), with: piece)
      default:
        let from = dice.roll(bytes.count)
        bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + dice.roll(40))], at: at)
      }
    }
    return bytes
  }

  /// What is accepted must give the same bytes again; gives whether it was.
  typealias Reader = @Sendable ([UInt8]) -> Bool

  private func run(part: Int, _ samples: [[UInt8]], mustAccept: Bool = true, _ read: Reader) {
    for sample in samples { #expect(read(sample), "the samples themselves") }
    var accepted = 0
    for round in 0..<fuzzRounds {
      let seed = part * 10_000_000 + round + 1
      var dice = Dice(seed)
      let damaged = Self.damage(samples[dice.roll(samples.count)], &dice)
      if read(damaged) { accepted += 1 }
    }
    // A mutator that never gives anything readable would test the first check only.
    #expect(!mustAccept || fuzzRounds < 400 || accepted > 0)
  }

  @Test(arguments: 0..<4) func `An item`(part: Int) {
    let samples =
      CBORCorpus.accepted.map { bytes($0.hex) } + [entry(5).bytes, entry(.max).bytes]
      + [SignedEnvelope.seal(type: "a/b", payload: entry(1).bytes, by: key(1))]
    run(part: part, samples) { data in
      guard let item = try? CBORItem.decode(data) else { return false }
      #expect(item.encoded == data, "\(hex(data))")
      #expect(itemCount(item) <= data.count, "\(hex(data))")
      return true
    }
  }

  @Test func `An envelope`() throws {
    let one = SignedEnvelope.seal(type: "application/x", payload: entry(1).bytes, by: key(1))
    let two = try SignedEnvelope(one, max: 1 << 16).adding(signature: key(2)).bytes
    let keys = [key(1).publicKey, key(2).publicKey]
    run(part: 5, [one, two]) { data in
      guard let envelope = try? SignedEnvelope(data, max: 1 << 16) else { return false }
      #expect(envelope.bytes == data, "\(hex(data))")
      let isSigned = (try? envelope.verify(by: keys)) != nil
      // Nothing that was not signed is ever taken for signed.
      #expect(!isSigned || (envelope.type == "application/x" && envelope.payload == entry(1).bytes), "\(hex(data))")
      return true
    }
  }

  @Test func `An entry`() {
    run(part: 6, [entry(0).bytes, entry(5).bytes, entry(.max, kind: .debug, body: []).bytes]) { data in
      guard let entry = try? LogEntry(data) else { return false }
      #expect(entry.bytes == data, "\(hex(data))")
      return true
    }
  }

  @Test func `A note and a checkpoint`() throws {
    let checkpoint = Checkpoint(origin: "twind/acme.lyon-01/audit/00", size: 12_345, root: Merkle.emptyRoot)
    let note = checkpoint.signed(name: checkpoint.origin, by: key(1))
    let cosigned = note + (try Checkpoint.cosign(note, name: "w", by: key(2), at: 1_700_000_000))
    let publicKey = key(2).publicKey
    run(part: 7, [Array(note.utf8), Array(cosigned.utf8), Array(`Checkpoints are those of C2SP`.note.utf8)]) { data in
      guard let note = try? SignedNote(parse: data) else { return false }
      #expect(Array(note.encode().utf8) == data, "\(hex(data))")
      if let checkpoint = try? Checkpoint(body: note.text) {
        #expect(checkpoint.body.utf8.elementsEqual(note.text.utf8), "\(hex(data))")
      }
      let text = String(decoding: data, as: UTF8.self)
      let isSigned = (try? Checkpoint.verifyCosignature(of: text, name: "w", key: publicKey)) != nil
      #expect(!isSigned || note.text.utf8.elementsEqual(checkpoint.body.utf8), "\(hex(data))")
      return true
    }
  }

  @Test func `A note's key`() {
    let texts = [`Notes are those of C2SP`.peter, `Notes are those of C2SP`.enoch].map { Array($0.utf8) }
    // The id in it is a hash of the rest, so that hardly a change is accepted.
    run(part: 8, texts, mustAccept: false) { data in
      guard let text = String(validating: data, as: UTF8.self), let key = try? NoteKey(parse: text) else {
        return false
      }
      #expect(Array(key.text.utf8) == data, "\(hex(data))")
      return true
    }
  }

  /// Every item, keys included.
  private func itemCount(_ item: CBORItem) -> Int {
    switch item {
    case .array(let items): items.reduce(1) { $0 + itemCount($1) }
    case .map(let entries): entries.reduce(1) { $0 + 1 + itemCount($1.value) }
    default: 1
    }
  }
}
