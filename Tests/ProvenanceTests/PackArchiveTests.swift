import Provenance
import Testing

/// A pack in one piece.
struct PackArchiveTests {
  private let files = [
    PackFile(path: "points.yaml", bytes: [1, 2, 3]), PackFile(path: "devices/chiller.yaml", bytes: []),
  ]

  @Test("files come back in the order of their paths")
  func roundTrip() throws {
    #expect(try PackArchive.decode(PackArchive.encode(files)) == files.reversed())
  }

  @Test(
    "a path that leads out of the pack is refused", arguments: ["../etc/passwd", "/etc/passwd", "a/../b", "", "a b"])
  func escape(path: String) {
    let bytes = CBORItem.map(
      (0, .unsigned(1)), (1, .array([.array([.text(path), .bytes([1])])]))
    ).encoded
    #expect { try PackArchive.decode(bytes) } throws: { ($0 as? ProvenanceFault)?.kind == .pathRefused }
  }

  @Test("one file twice, or files out of order, are refused")
  func order() {
    for paths in [["a", "a"], ["b", "a"]] {
      let rows = paths.map { CBORItem.array([.text($0), .bytes([])]) }
      #expect(throws: ProvenanceFault.self) {
        try PackArchive.decode(CBORItem.map((0, .unsigned(1)), (1, .array(rows))).encoded)
      }
    }
  }

  @Test("every cut and every flipped bit is refused or gives other files, and never traps")
  func bent() {
    let bytes = PackArchive.encode(files)
    for count in bytes.indices {
      #expect(throws: ProvenanceFault.self) { try PackArchive.decode(Array(bytes.prefix(count))) }
      for bit in 0..<8 {
        var bent = bytes
        bent[count] ^= 1 << UInt8(bit)
        if let read = try? PackArchive.decode(bent) { #expect(PackArchive.encode(read) == bent) }
      }
    }
  }
}
