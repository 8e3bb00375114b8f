import Testing
import YAML

@Suite struct `Damaged texts never crash the reader` {
  static let sample = """
    pack: 1
    site: {id: lyon-01, name: "Lyon \\u00e9 hall", tz: Europe/Paris}
    ---
    points:
      chw_supply_t: {ref: 30011, type: int16, range: [-10, 60], invalid: [0x8000]}
      notes: |
        block text
         more
      folded: >-
        one
        two
    list:
      - a
      - 'b'
      - ? key
        : value
      - &x 1
      - *x
      - !t 2
    # comment
    """

  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func mutations(_ seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    let original = Array(Self.sample.utf8)
    let tokens = Array("[]{},:?-&*!|>'\"%@`#\\ \n\t\r~<".utf8) + [0x00, 0x80, 0xC3, 0xE2, 0xEF, 0xFF]
    var accepted = 0
    for round in 0..<1_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[at] = tokens.randomElement(using: &generator)!
        case 2: bytes.insert(tokens.randomElement(using: &generator)!, at: at)
        case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...9, using: &generator)))
        default:
          let end = min(bytes.count, at + Int.random(in: 1...20, using: &generator))
          bytes.insert(contentsOf: Array(bytes[at..<end]), at: Int.random(in: 0...bytes.count, using: &generator))
        }
        if bytes.isEmpty { bytes = original }
      }
      do throws(YAMLFault) {
        let documents = try Node.documents(in: bytes, file: "f")
        accepted += 1
        documents.forEach(walk)
      } catch {
        let lines = bytes.count { $0 == 0x0A || $0 == 0x0D || $0 == 0x85 || $0 == 0xA8 || $0 == 0xA9 } + 2
        let isInside = (1...lines).contains(error.mark.line) && (1...(bytes.count + 2)).contains(error.mark.column)
        #expect(isInside && !error.problem.isEmpty && !error.remedy.isEmpty, "seed \(seed) round \(round): \(error)")
      }
    }
    // The sample itself holds an anchor: most mutants fail there, few lose it.
    #expect(accepted < 1_000, "seed \(seed)")
  }

  /// Reads every scalar in every way; each may refuse, none may trap.
  private func walk(_ node: Node) {
    switch node {
    case .scalar(let scalar):
      _ = try? scalar.bool
      _ = try? scalar.integer
      _ = try? scalar.double
      _ = try? scalar.text
    case .sequence(let items, _): items.forEach(walk)
    case .mapping(let mapping):
      for entry in mapping.entries {
        walk(.scalar(entry.key))
        walk(entry.value)
      }
    }
  }

  @Test(arguments: [11, 12] as [UInt64]) func `Noise of number characters is never read wrongly`(_ seed: UInt64) throws
  {
    var generator = SeededGenerator(state: seed)
    let letters = Array("0123456789.+-eExX_:onfaib")
    for _ in 0..<20_000 {
      let raw = String(
        (0..<Int.random(in: 1...8, using: &generator)).map { _ in letters.randomElement(using: &generator)! })
      let scalar = Scalar(raw, isPlain: true, at: Mark(file: "f", line: 1, column: 1))
      if let double = try? scalar.double { #expect(double == Double(raw), "seed \(seed): \(raw)") }
      if let integer = try? scalar.integer, !raw.hasPrefix("0x") {
        #expect(integer == Int(raw) && (try? scalar.double) != nil, "seed \(seed): \(raw)")
      }
      // Plain text that passes is no number, or the number in the form it is printed in.
      if let text = try? scalar.text, let number = Double(text), !text.contains(where: { "inX".contains($0) }) {
        let shown = String(number)
        #expect(shown == text || shown == text + ".0" || text.count > 6, "seed \(seed): \(raw)")
      }
    }
  }
}
