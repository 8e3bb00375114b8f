// What a seal states, as text, every line ended by a line feed, no other spaces than shown:
//
//     twind-pack-1 site=SITE version=N            (or: twind-envelopes-1 site=SITE version=N)
//     DIGEST  LENGTH  PATH                        (one line for each file, by path in strictly ascending byte order)
//
// DIGEST is the BLAKE2b-256 of the file in 64 lower-case hexadecimal digits, LENGTH its size in bytes in decimal
// without leading zeros, PATH as `PackFile.isAllowed(path:)` has it. Between the fields of a file line are two spaces.
// SITE is 1 to 64 of a-z, 0-9 and . _ -; N is decimal without leading zeros. The text is canonical: one meaning has
// one form.

import Sodium
import TwinCore

/// The two signed statements about a pack.
enum SealKind: CaseIterable {
  /// All files but the envelopes and the seals, by the targets key.
  case pack
  /// `envelopes.yaml` alone, by the safety key.
  case envelopes

  static let envelopesFile = "envelopes.yaml"

  /// The seal's own file.
  var file: String {
    switch self {
    case .pack: "pack.sig"
    case .envelopes: "envelopes.sig"
    }
  }

  var headerWord: String {
    switch self {
    case .pack: "twind-pack-1"
    case .envelopes: "twind-envelopes-1"
    }
  }

  var role: Role {
    switch self {
    case .pack: .targets
    case .envelopes: .safety
    }
  }

  /// Under the signature, so that one kind's signature never passes for the other's.
  var payloadType: String {
    switch self {
    case .pack: "application/vnd.twind.pack.v1+text"
    case .envelopes: "application/vnd.twind.envelopes.v1+text"
    }
  }

  /// Whether this seal speaks for the file at `path`.
  func covers(_ path: String) -> Bool {
    switch self {
    case .pack: path != Self.envelopesFile && !Self.allCases.contains { $0.file == path }
    case .envelopes: path == Self.envelopesFile
    }
  }
}

struct Manifest: Equatable {
  struct Line: Equatable {
    var digest: Digest
    var length: Int
    var path: String
  }

  static let siteBytesMax = 64

  var kind: SealKind
  var site: String
  var version: Int
  var lines: [Line]

  static func isAllowed(site: String) -> Bool {
    !site.isEmpty && site.utf8.count <= siteBytesMax
      && site.utf8.allSatisfy { byte in
        (97...122).contains(byte) || (48...57).contains(byte)
          || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains(byte)
      }
  }

  var text: [UInt8] {
    var text = "\(kind.headerWord) site=\(site) version=\(version)\n"
    for line in lines { text += "\(line.digest.hex)  \(line.length)  \(line.path)\n" }
    return Array(text.utf8)
  }

  /// The statement about those of `files` that `kind` covers.
  init(_ kind: SealKind, site: String, version: Int, files: [PackFile]) {
    (self.kind, self.site, self.version) = (kind, site, version)
    lines = files.filter { kind.covers($0.path) }
      .map { Line(digest: Sodium.blake2b256($0.bytes), length: $0.bytes.count, path: $0.path) }
      .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// Nil for anything that `text` would not have written.
  init?(_ kind: SealKind, text: ArraySlice<UInt8>) {
    guard let decoded = String(validating: text, as: UTF8.self), decoded.utf8.last == UInt8(ascii: "\n") else {
      return nil
    }
    let rows = decoded.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    guard let header = rows.first, rows.count <= PackReader.filesMax + 1 else { return nil }
    let words = header.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[0] == kind.headerWord, words[1].hasPrefix("site="), words[2].hasPrefix("version="),
      let version = Int(words[2].dropFirst(8))
    else { return nil }
    var lines: [Line] = []
    for row in rows.dropFirst() {
      let fields = row.split(separator: " ", omittingEmptySubsequences: false)
      guard fields.count == 5, let digest = Digest(hex: String(fields[0])), let length = Int(fields[2]) else {
        return nil
      }
      lines.append(Line(digest: digest, length: length, path: String(fields[4])))
    }
    (self.kind, self.site, self.version, self.lines) = (kind, String(words[1].dropFirst(5)), version, lines)
    let isAscending = zip(lines, lines.dropFirst()).allSatisfy { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    // Writing it again catches every other spelling: signs, zeros, capitals, spaces.
    guard isAscending, version >= 0, Self.isAllowed(site: site),
      lines.allSatisfy({ $0.length >= 0 && PackFile.isAllowed(path: $0.path) && kind.covers($0.path) }),
      self.text.elementsEqual(text)
    else { return nil }
  }

  /// Every difference between this statement and the files read.
  func problems(with files: [PackFile]) -> [ProvenanceFault] {
    let signer = "the \(kind.role.rawValue) key"
    var problems: [ProvenanceFault] = []
    var remaining = Dictionary(uniqueKeysWithValues: lines.map { ($0.path, $0) })
    for file in files where kind.covers(file.path) {
      guard let line = remaining.removeValue(forKey: file.path) else {
        problems.append(
          ProvenanceFault(
            .fileExtra, path: file.path, "\(file.path) is not in \(kind.file)",
            remedy: "remove it, or sign the pack again with \(signer)"))
        continue
      }
      guard line.length != file.bytes.count || line.digest != Sodium.blake2b256(file.bytes) else { continue }
      problems.append(
        ProvenanceFault(
          .fileChanged, path: file.path,
          "\(file.path) (\(file.bytes.count) bytes) is not what was signed (\(line.length) bytes)",
          remedy: "restore it, or review the change and sign again with \(signer)"))
    }
    for line in lines where remaining[line.path] != nil {
      problems.append(
        ProvenanceFault(
          .fileMissing, path: line.path, "\(line.path) is in \(kind.file) but not in the pack",
          remedy: "restore it, or sign the pack again with \(signer)"))
    }
    return problems.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }
}
