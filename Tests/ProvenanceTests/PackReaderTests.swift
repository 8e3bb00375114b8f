import Glibc
import Testing

@testable import Provenance

@Suite struct `A pack is read once, bounded, and not beyond its directory` {
  @Test func `Files come sorted, and a written seal is read back as signed`() throws {
    let scratch = Scratch()
    scratch.makeDirectory("profiles")
    scratch.makeDirectory(".twind")
    scratch.makeDirectory("empty")
    for file in unsealed { scratch.write(file.path, file.bytes) }
    scratch.write(".twind/a.json", [])
    let files = try PackReader.read(scratch.path)
    #expect(files.map(\.path) == [".twind/a.json", "envelopes.yaml", "profiles/acme.yaml", "site.yaml"])
    #expect(files["site.yaml"] == unsealed["site.yaml"])
    try PackSigner.sealPack(files, site: "lyon-01", version: 15, targets: key(1)).write(into: scratch.path)
    try PackSigner.sealEnvelopes(files, site: "lyon-01", version: 15, safety: key(2)).write(into: scratch.path)
    #expect(verdict(try PackReader.read(scratch.path)) == ["signed"])
    try PackSigner.sealPack(files, site: "lyon-01", version: 16, targets: key(1)).write(into: scratch.path)
    #expect(verdict(try PackReader.read(scratch.path)) == ["signed"])
    scratch.write("site.yaml", [])
    #expect(verdict(try PackReader.read(scratch.path)) == ["file_changed site.yaml"])
  }

  @Test func `The pack itself may be behind a link, nothing inside may`() throws {
    let scratch = Scratch()
    scratch.makeDirectory("release")
    scratch.write("release/site.yaml", [1])
    scratch.link("current", to: "release")
    #expect(try PackReader.read(scratch.path + "/current").map(\.path) == ["site.yaml"])
    scratch.link("release/inside.yaml", to: "site.yaml")
    #expect(read(scratch, "release") == "not_a_file inside.yaml")
    scratch.makeDirectory("other")
    scratch.link("other/outside", to: "/etc")
    #expect(read(scratch, "other") == "not_a_file outside")
    scratch.makeDirectory("third")
    scratch.link("third/dangling", to: "nowhere")
    #expect(read(scratch, "third") == "not_a_file dangling")
  }

  @Test func `A pipe is refused without waiting for its other end`() throws {
    let scratch = Scratch()
    #expect(unsafe mkfifo(scratch.path + "/pipe", 0o644) == 0)
    #expect(read(scratch, ".") == "not_a_file pipe")
  }

  @Test(arguments: ["a b", "é.yaml", "back\\slash", "tab\t"]) func `Odd names are refused`(_ name: String) {
    let scratch = Scratch()
    scratch.write(name, [])
    #expect(read(scratch, ".") == "path_refused \(name)")
  }

  @Test func `Depth is bounded`() {
    let scratch = Scratch()
    var path = "d"
    for _ in 0..<7 {
      scratch.makeDirectory(path)
      path += "/d"
    }
    scratch.write(path, [])
    #expect(read(scratch, ".") == "accepted")
    let deeper = Scratch()
    path = "d"
    for _ in 0..<8 {
      deeper.makeDirectory(path)
      path += "/d"
    }
    deeper.write(path, [])
    #expect(read(deeper, ".") == "path_refused \(path)")
  }

  @Test func `Number and size of files are bounded`() throws {
    let many = Scratch()
    for index in 0..<PackReader.filesMax { many.write("f\(index)", []) }
    #expect(try PackReader.read(many.path).count == PackReader.filesMax)
    many.write("one-more", [])
    #expect(read(many, ".").hasPrefix("too_many_files"))
    let large = Scratch()
    large.write("large", [])
    #expect(unsafe truncate(large.path + "/large", off_t(PackFile.bytesMax)) == 0)
    #expect(try PackReader.read(large.path)[0].bytes.count == PackFile.bytesMax)
    #expect(unsafe truncate(large.path + "/large", off_t(PackFile.bytesMax) + 1) == 0)
    #expect(read(large, ".") == "file_too_large large")
    #expect(unsafe truncate(large.path + "/large", off_t(PackFile.bytesMax)) == 0)
    for index in 0..<4 {
      large.write("l\(index)", [])
      #expect(unsafe truncate(large.path + "/l\(index)", off_t(PackFile.bytesMax)) == 0)
    }
    #expect(read(large, ".") == "file_too_large large" || read(large, ".") == "file_too_large l3")
  }

  @Test func `Version control at the top is passed over, and only there`() throws {
    let scratch = Scratch()
    scratch.makeDirectory(".git")
    scratch.write(".git/HEAD", [1])
    scratch.makeDirectory("sub")
    scratch.makeDirectory("sub/.git")
    scratch.write("sub/.git/HEAD", [1])
    #expect(try PackReader.read(scratch.path).map(\.path) == ["sub/.git/HEAD"])
  }

  @Test func `A directory that is not there says so`() {
    let scratch = Scratch()
    #expect(read(scratch, "none") == "io \(scratch.path)/none")
  }

  @Test(arguments: [
    ("site.yaml", true), ("a/b/c.yaml", true), (".twind/x", true), ("..a", true), ("a/../b", false), ("..", false),
    (".", false), ("", false), ("/a", false), ("a/", false), ("a//b", false), ("a/./b", false), ("a\nb", false),
    ("a\u{0}", false), ("1/2/3/4/5/6/7/8", true), ("1/2/3/4/5/6/7/8/9", false),
    (String(repeating: "a", count: 255), true), (String(repeating: "a", count: 256), false),
  ]) func paths(_ path: String, _ isAllowed: Bool) {
    #expect(PackFile.isAllowed(path: path) == isAllowed)
  }

  @Test func `Only a plain name is written`() {
    let scratch = Scratch()
    for path in ["../pack.sig", "sub/pack.sig", "/tmp/pack.sig", ""] {
      let code = outcome { () throws(ProvenanceFault) in try PackFile(path: path, bytes: []).write(into: scratch.path) }
      #expect(code == "provenance.path_refused")
    }
  }

  private func read(_ scratch: Scratch, _ name: String) -> String {
    do throws(ProvenanceFault) {
      _ = try PackReader.read("\(scratch.path)/\(name)")
      return "accepted"
    } catch {
      return "\(error.kind.rawValue) \(error.path)"
    }
  }
}
