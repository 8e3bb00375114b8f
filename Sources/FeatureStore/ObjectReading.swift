import Sodium
public import TwinCore

extension StoreReader {
  /// The versions of an object that touch a range, as known at `asOf`: at each instant the last one counts, and each is
  /// given with the stretches for which it does.
  public func objects(
    _ name: String, effective: Range<Instant>, asOf: Instant? = nil
  ) throws(StoreError) -> [ObjectVersion] {
    try retrying { () throws(StoreError) in
      let tick = try asOf.map { (instant) throws(StoreError) in try archive.tick(asOf: instant.nanoseconds) }
      return try objects(name, effective: effective, through: tick)
    }
  }

  func objects(_ name: String, effective: Range<Instant>, through tick: Int64?) throws(StoreError) -> [ObjectVersion] {
    var said: [ObjectVersion] = []
    for entry in try versions(family: ObjectVersion.family, subject: name, overlapping: effective, through: tick) {
      do throws(CanonicalFault) {
        said.append(try ObjectVersion(entry.bytes, name: name, tick: entry.tick, effective: entry.effective))
      } catch {
        noteBad("object \(name), tick \(entry.tick)", error.message)
      }
    }
    let strata = Strata(said.map { $0.effective.lowerBound.nanoseconds..<$0.effective.upperBound.nanoseconds })
    return strata.stretches.compactMap { stretch in
      let low = max(stretch.range.lowerBound, effective.lowerBound.nanoseconds)
      let high = min(stretch.range.upperBound, effective.upperBound.nanoseconds)
      guard low < high else { return nil }
      var version = said[stretch.statement]
      version.effective = Instant(nanoseconds: low)..<Instant(nanoseconds: high)
      return version
    }
  }

  /// The bytes of an object, checked against their hash. `store.corrupt`, and the content named in `badBodies`, where
  /// they are not what they were or are gone; everything else stays readable.
  public func content(of object: ObjectVersion) throws(StoreError) -> [UInt8] {
    let found: [UInt8]?
    if object.size > ObjectVersion.inlineMax {
      found = try objectFiles.read(object.hash, size: object.size)
    } else {
      found = try inlineContent(object.hash)
    }
    if let found, found.count == object.size { return found }
    noteBad("content \(object.hash.hex)", "missing, or not what its hash says")
    throw StoreError(.corrupt, "the content \(object.hash.short) of \(object.name) is missing or damaged")
  }

  /// nil where there is none that is whole.
  func inlineContent(_ hash: Digest) throws(StoreError) -> [UInt8]? {
    let entries = try versions(
      family: ObjectVersion.contentFamily, subject: hash.hex, overlapping: .distantPast ..< .distantFuture)
    return entries.lazy.map(\.bytes).first { Sodium.blake2b256($0) == hash }
  }

  private var objectFiles: ObjectFiles {
    // The shelf's folder is `data` in the site's.
    ObjectFiles(files: archive.shelf.files, directory: String(archive.shelf.directory.dropLast("/data".utf8.count)))
  }

  /// The vectors of a point whose numbers are the columns `point[0]` … `point[n-1]` of one layout, as `read` gives
  /// them.
  public func vectors(
    point: String, effective: Range<Instant>, asOf: Instant? = nil, limit: Int = samplesMax
  ) throws(StoreError) -> VectorSeries {
    try readLayouts()
    let newest = places(of: "\(point)[0]").max { $0.layout < $1.layout }
    var names: [String] = []
    if let newest, let layout = layouts[newest.layout]?.layout {
      for (index, name) in layout.points[newest.column...].enumerated() {
        guard name == "\(point)[\(index)]" else { break }
        names.append(name)
      }
    }
    return VectorSeries(point: point, of: try read(points: names, effective: effective, asOf: asOf, limit: limit))
  }
}
