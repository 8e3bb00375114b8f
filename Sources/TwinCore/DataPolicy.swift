/// What may become of a point's values: whether they may leave the site, what for, how long they are kept.
public struct DataPolicy: Hashable, Sendable {
  /// How far values may go. Each allows what stands before it.
  public enum Export: UInt8, Sendable, CaseIterable, Comparable {
    /// Nothing leaves the site: no value, no mean, no file made for somebody else.
    case never
    /// Means, extremes and counts over a minute or more; parameters learned from them.
    case aggregate
    /// The samples themselves.
    case raw

    public static func < (a: Export, b: Export) -> Bool { a.rawValue < b.rawValue }

    public var name: String {
      switch self {
      case .never: "never"
      case .aggregate: "aggregate"
      case .raw: "raw"
      }
    }
  }

  public var export: Export
  /// For people and the record: why the value is kept at all.
  public var purpose: String
  /// Nil: as long as the store keeps anything.
  public var keepNanoseconds: Int64?

  /// Where nobody said more, nothing leaves.
  public init(export: Export = .never, purpose: String = "operation", keepNanoseconds: Int64? = nil) {
    (self.export, self.purpose, self.keepNanoseconds) = (export, purpose, keepNanoseconds)
  }

  /// Canonical: version, export, purpose, keep (0 for none).
  public var canonicalBytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(4)
    writer.integer(1)
    writer.integer(Int64(export.rawValue))
    writer.text(purpose)
    writer.integer(keepNanoseconds ?? 0)
    return writer.bytes
  }

  public init(canonicalBytes: [UInt8]) throws(CanonicalFault) {
    var reader = CanonicalReader(canonicalBytes)
    try reader.structure(3, version: 1)
    let (code, purpose, keep) = (
      try reader.integer(), try reader.text(limit: Self.purposeBytesMax), try reader.integer()
    )
    guard let raw = UInt8(exactly: code), let export = Export(rawValue: raw), keep >= 0, reader.isAtEnd else {
      throw CanonicalFault("data policy with export \(code), keep \(keep)")
    }
    self.init(export: export, purpose: purpose, keepNanoseconds: keep == 0 ? nil : keep)
  }

  public static let purposeBytesMax = 200
}
