public import TwinCore

/// The shapes of `twind/v1`: what the socket answers and what `-o json` prints.
///
/// Additive within v1: fields come, none goes or changes its meaning; every enumeration is open. Keys are snake_case
/// and sorted, times RFC 3339 in UTC, spans seconds with the suffix `_s`, units UCUM codes. What is missing is null
/// with a quality, never 0.
public enum API {
  public static let version = "twind/v1"
  /// Of the programs: daemon and client are released together.
  public static let release = "0.1.0"

  /// What every answer carries about the site beside its data.
  public struct Header: Sendable, Equatable {
    public var site: String
    /// Offset of the site's civil time from UTC now, seconds east; clients show times in it.
    public var utcOffsetS: Int
    public var clockTrusted: Bool

    public init(site: String, utcOffsetS: Int = 0, clockTrusted: Bool = true) {
      (self.site, self.utcOffsetS, self.clockTrusted) = (site, utcOffsetS, clockTrusted)
    }
  }

  /// One answer: `data` is of the type that `kind` names.
  public struct Document<Content: Codable & Sendable & Equatable>: Codable, Sendable, Equatable {
    public var api: String
    public var kind: String
    public var generatedAt: Timestamp
    public var site: String
    public var utcOffsetS: Int?
    public var clockTrusted: Bool?
    public var data: Content

    public init(_ data: Content, header: Header, at: Instant) {
      (api, kind, generatedAt) = (API.version, Self.kind, Timestamp(at))
      (site, utcOffsetS, clockTrusted) = (header.site, header.utcOffsetS, header.clockTrusted)
      self.data = data
    }

    /// The unqualified name of the type: `Status` for `API.Status`.
    public static var kind: String { String(describing: Content.self) }
  }
}

/// An instant as RFC 3339 text in UTC, milliseconds kept.
public struct Timestamp: Hashable, Sendable, Codable, Comparable {
  public var instant: Instant

  public init(_ instant: Instant) { self.instant = instant }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let instant = Instant(rfc3339: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no RFC 3339 time")
    }
    self.instant = instant
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(instant.rfc3339)
  }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.instant < b.instant }
}

extension API {
  /// A number with everything that is needed to believe it.
  ///
  /// `value` is null exactly when there is none; `quality` then says why. Never NaN: a number that is not finite is
  /// none.
  public struct Quantity: Codable, Sendable, Equatable {
    public var value: Double?
    public var unit: String
    public var quality: String
    public var at: Timestamp?
    public var ageS: Double?

    public init(_ value: Double?, unit: String, quality: Quality = .good, at: Timestamp? = nil, ageS: Double? = nil) {
      let kept = value.flatMap { $0.isFinite && quality.hasValue ? $0 : nil }
      self.value = kept
      self.quality = (kept == nil && quality.hasValue ? Quality.absent : quality).name
      (self.unit, self.at, self.ageS) = (unit, at, ageS.flatMap { $0.isFinite ? $0 : nil })
    }

    private enum CodingKeys: String, CodingKey { case value, unit, quality, at, ageS }

    /// Writes `value` also when it is null.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(value, forKey: .value)
      try container.encode(unit, forKey: .unit)
      try container.encode(quality, forKey: .quality)
      try container.encodeIfPresent(at, forKey: .at)
      try container.encodeIfPresent(ageS, forKey: .ageS)
    }
  }
}
