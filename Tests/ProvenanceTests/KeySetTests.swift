import Glibc
import Sodium
import Testing

@testable import Provenance

@Suite struct `Keys are made once and kept private` {
  @Test func `One call makes every file with its mode`() throws {
    let scratch = Scratch()
    let ring = try KeySet.initialise(scratch.path + "/keys")
    #expect(ring.entries.map(\.role) == [.root, .targets, .safety])
    #expect(Set(ring.entries.map(\.id)).count == 3)
    for name in ["root.secret", "targets.secret", "safety.secret"] { #expect(scratch.mode("keys/\(name)") == 0o600) }
    #expect(scratch.mode("keys/keys.pub") == 0o644)
    let keys = try Descriptor.directory(scratch.path + "/keys").names(max: 10, shown: "keys")
    #expect(keys == ["keys.pub", "root.secret", "safety.secret", "targets.secret"])
    #expect(try KeyRing.read(scratch.path + "/keys/keys.pub") == ring)
    for entry in ring.entries {
      let secret = try KeySet.secretKey(entry.role, in: scratch.path + "/keys")
      let publicKey = secret.publicKey
      #expect(publicKey == entry.key)
    }
  }

  @Test func `The public file shows no secret`() throws {
    let scratch = Scratch()
    let ring = try KeySet.initialise(scratch.path)
    let text = String(decoding: try scratch.read("keys.pub"), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 3)
    for (line, entry) in zip(lines, ring.entries) {
      #expect(line.hasPrefix("twind-key-1 \(entry.role.rawValue) ") && line.hasSuffix(" \(entry.id)"))
      let secret = String(decoding: try scratch.read("\(entry.role.rawValue).secret"), as: UTF8.self)
      let seed = secret.split(separator: " ")[2]
      #expect(seed.utf8.count == 44 && !text.contains(seed))
    }
  }

  @Test(arguments: ["root.secret", "targets.secret", "safety.secret", "keys.pub"])
  func `Any file in the way stops it, untouched`(_ name: String) throws {
    let scratch = Scratch()
    scratch.write(name, [1, 2, 3])
    let fault = #expect(throws: ProvenanceFault.self) { try KeySet.initialise(scratch.path) }
    #expect(fault?.kind == .keyExists)
    #expect(fault?.path == "\(scratch.path)/\(name)")
    #expect(try scratch.read(name) == [1, 2, 3])
    #expect(try scratch.names() == [name])
  }

  @Test func `A dangling link is in the way too`() throws {
    let scratch = Scratch()
    scratch.link("keys.pub", to: "nowhere")
    #expect(outcome { () throws(ProvenanceFault) in try KeySet.initialise(scratch.path) } == "provenance.key_exists")
    #expect(try scratch.names() == ["keys.pub"])
  }

  @Test func `A second set never replaces the first`() throws {
    let scratch = Scratch()
    try KeySet.initialise(scratch.path)
    let before = try scratch.names().map { try scratch.read($0) }
    #expect(outcome { () throws(ProvenanceFault) in try KeySet.initialise(scratch.path) } == "provenance.key_exists")
    #expect(try scratch.names().map { try scratch.read($0) } == before)
  }

  @Test func `Placing without replacing loses to a file that came in between`() throws {
    let scratch = Scratch()
    scratch.write("a", [1])
    let directory = try Descriptor.directory(scratch.path)
    #expect(throws: ProvenanceFault.self) {
      try directory.place("a", [2], mode: 0o600, replacing: false, shown: "a")
    }
    #expect(try scratch.read("a") == [1])
    try directory.place("a", [3], mode: 0o600, replacing: true, shown: "a")
    #expect(try scratch.read("a") == [3])
    #expect(try scratch.names() == ["a"])
  }

  @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o601] as [mode_t]) func `An exposed key is refused`(_ mode: mode_t)
    throws
  {
    let scratch = Scratch()
    try KeySet.initialise(scratch.path)
    #expect(unsafe chmod(scratch.path + "/safety.secret", mode) == 0)
    #expect(load(.safety, scratch) == "provenance.key_exposed")
    #expect(unsafe chmod(scratch.path + "/safety.secret", 0o400) == 0)
    #expect(load(.safety, scratch) == "accepted")
  }

  @Test func `A missing, swapped or damaged key is refused`() throws {
    let scratch = Scratch()
    #expect(load(.root, scratch) == "provenance.key_missing")
    try KeySet.initialise(scratch.path)
    let good = try scratch.read("targets.secret")
    scratch.write("safety.secret", good)
    #expect(load(.safety, scratch) == "provenance.key_malformed")
    for bit in 0..<good.count * 8 {
      scratch.write("targets.secret", flipped(good, bit))
      #expect(load(.targets, scratch) == "provenance.key_malformed", "bit \(bit)")
    }
    for content in [[], Array(good.dropLast()), good + good, good + [10]] {
      scratch.write("targets.secret", content)
      #expect(load(.targets, scratch) == "provenance.key_malformed")
    }
    scratch.write("targets.secret", good + [UInt8](repeating: 32, count: 300))
    #expect(load(.targets, scratch) == "provenance.file_too_large")
    scratch.write("targets.secret", good)
    #expect(load(.targets, scratch) == "accepted")
  }

  @Test func `A ring is read strictly`() throws {
    let good = ring().text
    #expect(try KeyRing(text: good) == ring())
    #expect(try KeyRing(text: Array("# site keys\n\n".utf8) + good) == ring())
    let text = String(decoding: good, as: UTF8.self)
    let bad = [
      "", "# none\n", text.replacing("targets", with: "target"), text.replacing("twind-key-1", with: "twind-key-2"),
      text + text, text.replacing(" safety ", with: "  safety "), text.replacing("=", with: ""),
      text + text.replacing("targets", with: "root"),
    ]
    for text in bad {
      #expect(
        outcome { () throws(ProvenanceFault) in _ = try KeyRing(text: Array(text.utf8)) } == "provenance.ring_malformed"
      )
    }
    let keyStart = Array(text.utf8).firstIndex(of: 32)! + "targets ".utf8.count + 1
    for bit in keyStart * 8..<(keyStart + 77) * 8 {
      #expect(throws: ProvenanceFault.self, "bit \(bit)") { try KeyRing(text: flipped(good, bit)) }
    }
    #expect(KeyRing([.init(role: .root, key: key(1).publicKey), .init(role: .safety, key: key(1).publicKey)]) == nil)
  }

  private func load(_ role: Role, _ scratch: Scratch) -> String {
    outcome { () throws(ProvenanceFault) in _ = try KeySet.secretKey(role, in: scratch.path) }
  }
}

@Suite struct `Base 64 has one text for each value` {
  /// RFC 4648 §10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ]) func vectors(_ text: String, _ digits: String) {
    #expect(Base64.encode(Array(text.utf8)) == Array(digits.utf8))
    #expect(Base64.decode(digits.utf8) == Array(text.utf8))
  }

  @Test(arguments: [
    "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_", "=Zm9", "Zm=v",
  ])
  func `Other spellings are refused`(_ digits: String) {
    #expect(Base64.decode(digits.utf8) == nil)
  }

  @Test func `Every byte comes back`() {
    for count in 250...256 {
      let bytes = (0..<count).map { UInt8($0) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }
}
