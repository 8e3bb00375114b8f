public import TwinCore

/// A text, a picture, a document or whatever else is no number, as it was at some time: content by hash.
public struct ObjectVersion: Sendable, Equatable {
  public var name: String
  /// RFC 6838, `text/plain; charset=utf-8`.
  public var mediaType: String
  /// BLAKE2b-256 of the content.
  public var hash: Digest
  /// In bytes.
  public var size: Int
  public var effective: Range<Instant>
  /// When it was learned.
  public var tick: Int64
  public var reason: String

  public init(
    name: String, mediaType: String, hash: Digest, size: Int, effective: Range<Instant>, tick: Int64, reason: String
  ) {
    (self.name, self.mediaType, self.hash, self.size) = (name, mediaType, hash, size)
    (self.effective, self.tick, self.reason) = (effective, tick, reason)
  }

  /// The family of its version entries; the subject is the name.
  static let family = "object"
  /// The family of contents that stand in `site.db`; the subject is the hash.
  static let contentFamily = "content"
  /// Larger contents are files of their own.
  public static let inlineMax = 100_000
  /// Of one content.
  public static let sizeMax = 64 << 20
  static let mediaTypeMax = 255

  /// The entry's body, canonical: [1, media type, hash, size, reason].
  var bytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(5)
    writer.integer(1)
    writer.text(mediaType)
    writer.digest(hash)
    writer.integer(size)
    writer.text(reason)
    return writer.bytes
  }

  init(_ bytes: [UInt8], name: String, tick: Int64, effective: Range<Instant>) throws(CanonicalFault) {
    var reader = CanonicalReader(bytes)
    try reader.structure(4, version: 1)
    let mediaType = try reader.text(limit: Self.mediaTypeMax)
    let hash = try reader.digest()
    let size = try reader.int()
    let reason = try reader.text(limit: Grounds.textBytesMax)
    guard reader.isAtEnd, (0...Self.sizeMax).contains(size) else { throw CanonicalFault("object of \(size) bytes") }
    self.init(
      name: name, mediaType: mediaType, hash: hash, size: size, effective: effective, tick: tick, reason: reason)
  }
}

/// A point of several numbers that belong together: the columns `p[0]` … `p[n-1]` of one layout.
public struct VectorSeries: Sendable, Equatable {
  public var point: String
  /// Numbers in each vector; 0 where there is no such point.
  public var dimension: Int
  /// Rising.
  public var effective: [Instant]
  /// Row by row; NaN unless the vector's quality has a value.
  public var values: [Double]
  /// Of a vector, the worst of its numbers; `never` where one of them is missing.
  public var qualities: [Quality]
  public var isTruncated: Bool

  /// The numbers of one vector.
  public subscript(row: Int) -> ArraySlice<Double> { values[row * dimension..<(row + 1) * dimension] }

  /// Puts the series of the columns together by their instants.
  init(point: String, of columns: [PointSeries]) {
    (self.point, dimension) = (point, columns.count)
    (effective, values, qualities) = ([], [], [])
    isTruncated = columns.contains { $0.isTruncated }
    // Where one column was cut off, the others are too long.
    let end = columns.filter(\.isTruncated).compactMap { $0.samples.last?.effective }.min()
    var next = Array(repeating: 0, count: columns.count)
    while true {
      let heads = columns.indices.compactMap { index in
        next[index] < columns[index].samples.count ? columns[index].samples[next[index]].effective : nil
      }
      guard let instant = heads.min(), end.map({ instant <= $0 }) ?? true else { return }
      var (row, worst): ([Double], Quality) = ([], .good)
      for index in columns.indices {
        guard next[index] < columns[index].samples.count,
          columns[index].samples[next[index]].effective == instant
        else {
          (worst, row) = (.never, row + [.nan])
          continue
        }
        let sample = columns[index].samples[next[index]]
        row.append(sample.value)
        if sample.quality.rawValue > worst.rawValue { worst = sample.quality }
        next[index] += 1
      }
      effective.append(instant)
      values.append(contentsOf: worst.hasValue ? row : Array(repeating: .nan, count: row.count))
      qualities.append(worst)
    }
  }
}
