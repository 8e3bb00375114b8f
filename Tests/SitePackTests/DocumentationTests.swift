import Provenance
import SitePack
import Testing

@Suite struct `The manual of site packs` {
  @Test func `has an example that checks clean and passes its tests`() throws {
    let page = try #require(PackReader.read("\(root)/docs").first { $0.path == "site-pack.md" })
    var texts: [String: String] = [:]
    for block in String(decoding: page.bytes, as: UTF8.self).split(separator: "```yaml\n# file: ").dropFirst() {
      let lines = block.split(separator: "\n", omittingEmptySubsequences: false)
      texts[String(lines[0])] = lines.dropFirst().prefix { $0 != "```" }.joined(separator: "\n") + "\n"
    }
    #expect(texts.count == 5)
    let result = Pack.load(files(texts)) { $0 == "Europe/Paris" }
    #expect(result.problems.map(\.description) == [])
    let report = try #require(result.pack).test()
    #expect(report.isPassed, "\(report)")
  }

  @Test func `a pack without tests has not passed`() throws {
    let pack = try #require(Pack.load(try shipped("demo").filter { !$0.path.hasPrefix("tests/") }).pack)
    #expect(!pack.test().isPassed)
  }
}
