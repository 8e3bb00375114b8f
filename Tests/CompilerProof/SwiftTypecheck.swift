import Glibc
public import Testing

/// Asks the toolchain whether a snippet compiles against the modules that these tests were built from.
///
/// To prove that something must not compile, show with `expectCompiles` that its neighbour does: a snippet that fails
/// for another reason proves nothing.
public enum SwiftTypecheck {
  /// What the compiler said; empty when the snippet compiles.
  public static func diagnostics(of snippet: String) throws -> String {
    let modules = try #require(modulesDirectory, "these tests run from a SwiftPM test bundle")
    let file = try temporaryFile(snippet)
    defer { unsafe _ = unlink(file) }
    // -typecheck stops before the checks of ownership, which are made on SIL.
    return try output(
      of: [
        "/usr/bin/env", "swiftc", "-emit-sil", "-o", "/dev/null", "-swift-version", "6", "-parse-as-library", "-I",
        modules,
      ] + clang(beside: modules) + [
        "-module-name", "Snippet", file,
      ])
  }

  public static func expectCompiles(_ snippet: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let said = try diagnostics(of: snippet)
    #expect(!said.contains("error:"), "\(said)", sourceLocation: sourceLocation)
  }

  /// Expects an error whose text contains `reason`, and no complaint about an unknown name or module.
  public static func expectRefuses(
    _ snippet: String, because reason: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let said = try diagnostics(of: snippet)
    let errors = said.split(separator: "\n").filter { $0.contains(": error:") }
    #expect(!errors.isEmpty, "it compiles", sourceLocation: sourceLocation)
    #expect(errors.allSatisfy { $0.contains(reason) }, "\(said)", sourceLocation: sourceLocation)
  }

  /// Where the C modules are that ours are made of.
  private static func clang(beside modules: String) -> [String] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let build = modules.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let systems = ["CSQLite", "CSodium", "CModbus", "CYAML"].flatMap { ["-I", "\(root)/Sources/\($0)"] }
    return systems + [
      "-Xcc", "-I/usr/include/modbus", "-Xcc", "-fmodule-map-file=\(build)/CLinux.build/module.modulemap",
    ]
  }

  /// The bundle lies beside the modules: `.build/…/debug/twindPackageTests.xctest` and `.build/…/debug/Modules`.
  private static var modulesDirectory: String? {
    for argument in CommandLine.arguments where argument.contains(".xctest") {
      let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
      guard let bundle = parts.firstIndex(where: { $0.hasSuffix(".xctest") }) else { continue }
      return (parts[..<bundle] + ["Modules"]).joined(separator: "/")
    }
    return nil
  }

  private static func temporaryFile(_ text: String) throws -> String {
    var path = Array("/tmp/twind-snippet-XXXXXX.swift".utf8CString)
    let file = unsafe mkstemps(&path, 6)
    try #require(file >= 0)
    defer { _ = close(file) }
    let bytes = Array(text.utf8)
    try #require(unsafe write(file, bytes, bytes.count) == bytes.count)
    return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Standard output and error of a program that ends by itself.
  private static func output(of words: [String]) throws -> String {
    let command = words.map { "'\($0)'" }.joined(separator: " ") + " 2>&1"
    let stream = unsafe try #require(popen(command, "r"))
    defer { unsafe _ = pclose(stream) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while text.count < 1 << 20 {
      let count = unsafe fread(&chunk, 1, chunk.count, stream)
      guard count > 0 else { break }
      text += chunk[..<count]
    }
    return String(decoding: text, as: UTF8.self)
  }
}
