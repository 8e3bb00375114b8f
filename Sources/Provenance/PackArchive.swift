// A pack in one piece, as it travels and as a gateway keeps what it was sent; strict CBOR:
//
//     {0: 1, 1: [[path text, bytes], …]}, ascending by the bytes of the paths
//
// The files are as they were signed: what is verified, and parsed, are these bytes.

/// A pack's files in one piece.
public enum PackArchive {
  public static let bytesMax = 8 << 20

  public static func encode(_ files: [PackFile]) -> [UInt8] {
    let sorted = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    let rows = sorted.map { CBORItem.array([.text($0.path), .bytes($0.bytes)]) }
    return CBORItem.map((0, .unsigned(1)), (1, .array(rows))).encoded
  }

  /// Faults: `provenance.message_malformed`, `message_too_large`, `path_refused`. Nothing is believed yet: that is
  /// `PackTrust.check`'s part.
  public static func decode(_ bytes: [UInt8]) throws(ProvenanceFault) -> [PackFile] {
    let limits = CBORLimits(bytes: bytesMax, depth: 4, items: 3 * PackReader.filesMax + 8)
    var fields = try CBORItem.decode(bytes, limits: limits).fields("pack archive")
    let version = try fields.unsigned(0)
    guard version == 1 else { throw .messageMalformed("pack archive", "version \(version), wanted 1") }
    var files: [PackFile] = []
    for row in try fields.array(1, max: PackReader.filesMax) {
      let pair = try row.asArray(max: 2, "pack archive")
      guard pair.count == 2 else { throw .messageMalformed("pack archive", "a file is a path and its bytes") }
      let path = try pair[0].asText(max: PackFile.pathBytesMax, "pack archive")
      guard PackFile.isAllowed(path: path) else { throw .pathRefused(path) }
      if let last = files.last, !last.path.utf8.lexicographicallyPrecedes(path.utf8) {
        throw .messageMalformed("pack archive", "\(path) is out of order")
      }
      files.append(PackFile(path: path, bytes: try pair[1].asBytes(max: PackFile.bytesMax, "pack archive")))
    }
    try fields.finish()
    return files
  }
}
