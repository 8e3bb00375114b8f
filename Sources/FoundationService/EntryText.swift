import Ledger
import Provenance
import Sync
import TwinCore

/// Entries in words, for lists.
enum EntryText {
  static func name(_ kind: LogKind) -> String {
    switch kind {
    case .epochOpened: "epoch opened"
    case .gapDeclared: "gap declared"
    case .keyRotated: "key rotated"
    case .decision: "decision"
    case .audit: "event"
    case .ladder: "trust"
    case .packInstalled: "pack"
    case .keysOrdered: "new keys ordered"
    case .featureSegment: "features"
    default: "kind \(kind.rawValue)"
    }
  }

  /// The bodies are those of `RecordShipper`, `SitePeer` and `DeltaLog`; one that cannot be read is told by its size.
  static func line(_ kind: LogKind, _ body: [UInt8]?) -> String {
    guard let body else { return "the body is not kept" }
    let text: String? =
      switch kind {
      case .decision: fields(body).flatMap { map in join(map.text(3), map.text(4)) }
      case .audit: fields(body).flatMap { map in join(map.text(2), map.text(3)) }
      case .ladder: fields(body).flatMap { $0.text(0) }
      case .packInstalled: (try? PackOutcome(body: body)).map(outcome)
      case .featureSegment: fields(body).flatMap { map in join(map.text(1), map.text(0)) }
      default: nil
      }
    return text ?? "\(body.count) bytes"
  }

  static func leaf(_ leaf: FoundationLeaf) -> String {
    if leaf.kind == .siteCheckpoint,
      let checkpoint = try? Checkpoint(body: SignedNote(parse: leaf.bytes).text)
    {
      return "\(checkpoint.size) entries of \(checkpoint.origin)"
    }
    if leaf.kind == .enrolment { return "enrolled \(leaf.site?.description ?? "")" }
    guard let map = fields(leaf.bytes), let what = map.text(0) else { return "\(leaf.bytes.count) bytes" }
    let detail = map.text(3).flatMap { $0.isEmpty ? nil : " (\($0))" } ?? ""
    return "\(what)\(detail) by \(map.text(1) ?? "?"): \(map.text(2) ?? "")"
  }

  private static func outcome(_ outcome: PackOutcome) -> String {
    outcome.isTaken
      ? "pack \(outcome.version), envelopes of \(outcome.envelopesVersion), taken up"
      : "pack \(outcome.version) refused: \(outcome.why)"
  }

  private static func join(_ a: String?, _ b: String?) -> String? {
    guard let a else { return nil }
    return b.map { $0.isEmpty ? a : "\(a) \($0)" } ?? a
  }

  private struct Texts {
    var entries: [CBORMapEntry]

    func text(_ key: UInt64) -> String? {
      guard case .text(let text)? = entries.first(where: { $0.key == key })?.value else { return nil }
      return text
    }
  }

  private static func fields(_ body: [UInt8]) -> Texts? {
    guard case .map(let entries)? = try? CBORItem.decode(body) else { return nil }
    return Texts(entries: entries)
  }
}
