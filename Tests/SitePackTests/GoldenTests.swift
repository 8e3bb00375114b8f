import Glibc
import Provenance
import SitePack
import Testing

/// Each folder of `Golden` is a pack with mistakes and `expected.txt`, what is said of them.
///
/// `TWIND_UPDATE_GOLDEN=1` writes what is said now; read the difference before it is committed.
@Suite struct `Mistakes in a pack` {
  static let cases: [String: [PackFile]] = {
    guard let all = try? PackReader.read("\(root)/Tests/SitePackTests/Golden") else { return [:] }
    var cases: [String: [PackFile]] = [:]
    for file in all {
      let parts = file.path.split(separator: "/", maxSplits: 1)
      cases[String(parts[0]), default: []].append(PackFile(path: String(parts[1]), bytes: file.bytes))
    }
    return cases
  }()

  @Test(arguments: cases.keys.sorted()) func `are all told at once, each at its place`(name: String) throws {
    let all = try #require(Self.cases[name])
    let expected = all.first { $0.path == "expected.txt" }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
    let result = Pack.load(all.filter { $0.path != "expected.txt" }) { $0 == "Europe/Paris" }
    let got = result.problems.map { "\($0)\n" }.joined()
    #expect((result.pack == nil) == result.hasErrors)
    if unsafe getenv("TWIND_UPDATE_GOLDEN") != nil {
      let file = PackFile(path: "expected.txt", bytes: Array(got.utf8))
      try file.write(into: "\(root)/Tests/SitePackTests/Golden/\(name)")
    } else {
      #expect(got == expected)
      #expect(!got.isEmpty)
    }
  }

  @Test func `there are cases`() { #expect(Self.cases.count >= 12) }
}
