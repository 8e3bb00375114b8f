import Glibc
import Provenance
import SiteKernel
import SitePack
import Testing
import TwinCore

@Suite struct `Damaged packs` {
  /// Pieces that turn one thing into another: YAML's own marks, traps, numbers at the ends, words of the schema.
  static let pieces = [
    ":", "- ", "[", "]", "{", "}", ",", "\"", "'", "#", "\n", "\n  ", "&a ", "*a", "!x ", "|", ">", "~", "null", "yes",
    "off",
    "-1", "0", "65536", "1e308", "-9223372036854775808", "18446744073709551616", "0x8000", "017", "1_000", "17:00",
    ".nan",
    "Cel", "K/min", "kW", "mon-fri", "24:00", "if(", "(", ")", "==", "chiller-1.power", "\u{0}", "\u{FEFF}", "é", "1h",
    "0s",
  ].map { Array($0.utf8) }

  /// For a long run: `TWIND_FUZZ_ROUNDS=5000`.
  static let rounds = unsafe getenv("TWIND_FUZZ_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 60

  static func damage(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var bytes = bytes
    for _ in 0...dice.roll(4) {
      guard !bytes.isEmpty else { return pieces[dice.roll(pieces.count)] }
      let at = dice.roll(bytes.count)
      switch dice.roll(5) {
      case 0: bytes[at] = UInt8(dice.roll(256))
      case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + dice.roll(30)))
      case 2: bytes.insert(contentsOf: pieces[dice.roll(pieces.count)], at: at)
      case 3:
        // A number becomes another one.
        if let digit = bytes[at...].firstIndex(where: { (48...57).contains($0) }) {
          let piece = pieces[dice.roll(pieces.count)]
          bytes.replaceSubrange(digit...digit, with: piece)
        }
      default:
        let from = dice.roll(bytes.count)
        bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + dice.roll(60))], at: at)
      }
    }
    return bytes
  }

  @Test(arguments: 0..<8) func `give problems or a pack, never a trap`(part: Int) throws {
    let packs = [try shipped("demo"), try shipped("amphitheatre")]
    for round in 0..<Self.rounds {
      let seed = part * 100_000 + round + 1
      var dice = Dice(seed)
      var pack = packs[dice.roll(2)]
      let victim = dice.roll(pack.count)
      pack[victim] = PackFile(path: pack[victim].path, bytes: Self.damage(pack[victim].bytes, &dice))
      if dice.roll(6) == 0 { pack.remove(at: dice.roll(pack.count)) }
      let result = Pack.load(pack)
      #expect((result.pack == nil) == result.hasErrors, "seed \(seed)")
      #expect(result.problems.allSatisfy { $0.line >= 1 && $0.column >= 1 && !$0.message.isEmpty }, "seed \(seed)")
      // What is accepted can be compiled and tested.
      if let accepted = result.pack {
        _ = accepted.test()
        _ = try? accepted.compile(timeZone: .utc, hash: testHash)
      }
    }
  }

  @Test func `problems come in the same order every time`() throws {
    var pack = try shipped("demo")
    for index in pack.indices {
      let text = String(decoding: pack[index].bytes, as: UTF8.self)
      pack[index] = PackFile(path: pack[index].path, bytes: Array(String(text.map { $0 == "1" ? "l" : $0 }).utf8))
    }
    let first = Pack.load(pack).problems
    #expect(first.count > 10)
    #expect(Pack.load(pack.reversed()).problems == first)
  }
}

@Suite struct `Large packs` {
  static func site(points: Int) -> [PackFile] {
    let devices = points / 100
    let lines = (0..<100).map { "  p\($0): {ref: \(30_001 + 2 * $0), type: float32, unit: kW, range: [-1, 5000]}" }
    let names = (0..<devices).map { "  d\($0): {profile: big, modbus_tcp: {host: 10.0.0.1, unit: \(1 + $0 % 247)}}" }
    let alarms = (0..<devices).map { "  a\($0): {when: d\($0).p0 > 10 kW and d\($0).p99 < 3, for: 10s, action: look}" }
    return files([
      "site.yaml": "pack: 1\nversion: 1\nsite: {id: big, tenant: example, name: Big, tz: UTC}\n",
      "profiles/big.yaml": "profile: big\npoints:\n" + lines.joined(separator: "\n"),
      "devices.yaml": "devices:\n" + names.joined(separator: "\n"),
      "alarms.yaml": "alarms:\n" + alarms.joined(separator: "\n"),
    ])
  }

  @Test(.timeLimit(.minutes(1))) func `of 10,000 points compile`() throws {
    let result = Pack.load(Self.site(points: 10_000))
    #expect(result.problems == [])
    let compiled = try #require(result.pack).compile(timeZone: .utc, hash: testHash)
    #expect(compiled.definition.points.count == 10_000 && compiled.definition.groups.count == 100)
  }

  @Test func `beyond the limit are refused`() {
    let result = Pack.load(Self.site(points: 20_100))
    #expect(result.problems.contains { $0.code == "pack.too_large" })
    #expect(result.pack == nil)
  }

  @Test(.timeLimit(.minutes(1))) func `full of mistakes tell a thousand and count the rest`() {
    let lines = (0..<3000).map { "  p\($0): {ref: \(30_001 + $0), type: int16, unit: kwh, evry: 1s}" }
    let result = Pack.load(
      files([
        "site.yaml": "pack: 1\nversion: 1\nsite: {id: big, tenant: example, name: Big, tz: UTC}\n",
        "profiles/big.yaml": "profile: big\npoints:\n" + lines.joined(separator: "\n"), "devices.yaml": "devices: {}\n",
      ]))
    #expect(result.problems.count == 1001)
    #expect(result.problems.last?.code == "pack.too_many_problems")
  }

  /// A long word in every place that looks names up: far beyond what is read, and just below.
  @Test(.timeLimit(.minutes(1)), arguments: ["a-", "a.", "(", "1 K", "é"], [100_000, 1300])
  func `of one long word end in time`(piece: String, count: Int) {
    let word = String(repeating: piece, count: count)
    let graph = "nodes: {a: {type: \"\(word)\"}}\nedges: [[\"\(word)\", feeds, b], [a, \"\(word)\", b]]\n"
    let result = Pack.load(
      files([
        "site.yaml": "pack: 1\nversion: 1\nsite: {id: big, tenant: example, name: Big, tz: UTC}\n",
        "devices.yaml": "devices: {}\n", "graph.yaml": graph,
        "envelopes.yaml": "envelopes: {a: {point: \"\(word)\", hard: {min: \"\(word)\", rate: \"\(word)/s\"}}}\n",
        "alarms.yaml": "alarms: {a: {when: \"\(word)\", for: \"\(word)\", action: look, cause: \"\(word)\"}}\n",
      ]))
    #expect(result.pack == nil)
    #expect(result.problems.allSatisfy { $0.description.utf8.count < 20_000 })
  }
}
