public import TwinCore

/// One thing that was ever said of a point at an instant.
public struct SampleVersion: Sendable, Equatable {
  public enum Origin: Sendable, Equatable {
    case frame
    /// A correction, or a sample that came late.
    case correction(Grounds)
    /// From here on nothing was known of the instant.
    case retraction(Grounds)
  }

  public var tick: Int64
  /// When it was learned.
  public var observed: Instant
  /// As stored, before any meaning; NaN unless `quality.hasValue`.
  public var value: Double
  /// `never` of a retraction.
  public var quality: Quality
  public var origin: Origin

  public static func == (a: SampleVersion, b: SampleVersion) -> Bool {
    a.tick == b.tick && a.observed == b.observed && a.value.bitPattern == b.value.bitPattern && a.quality == b.quality
      && a.origin == b.origin
  }
}

extension StoreReader {
  /// Every version of one sample, in the order in which it was known.
  public func history(point: String, at instant: Instant) throws(StoreError) -> [SampleVersion] {
    try retrying { () throws(StoreError) in
      let range = instant..<instant.advanced(byNanoseconds: 1)
      let frames = try arrivals(of: [point], within: range, through: nil)[0].frames
      var found: [(isChange: Bool, version: SampleVersion)] = []
      for row in 0..<frames.count {
        found.append(
          (
            false,
            SampleVersion(
              tick: frames.ticks[row], observed: .distantPast, value: frames.values[row],
              quality: frames.qualities[row], origin: .frame)
          ))
      }
      for overlay in try overlays(of: point, within: range, through: nil).overlays {
        var version = SampleVersion(
          tick: overlay.tick, observed: .distantPast, value: .nan, quality: .never,
          origin: .retraction(overlay.grounds))
        if case .replace(let samples) = overlay.operation {
          let row = samples.row(notBefore: instant.nanoseconds)
          guard row < samples.count, samples.effective[row] == instant.nanoseconds else { continue }
          (version.value, version.quality) = (samples.values[row], samples.qualities[row])
          version.origin = .correction(overlay.grounds)
        }
        found.append((true, version))
      }
      // Stable: within a tick frames and changes keep their own orders, frames first.
      let order = found.indices.sorted {
        (found[$0].version.tick, found[$0].isChange ? 1 : 0, $0) < (
          found[$1].version.tick, found[$1].isChange ? 1 : 0, $1
        )
      }
      let observed = try archive.instants(of: order.map { found[$0].version.tick })
      return zip(order, observed).map { place, at in
        var version = found[place].version
        version.observed = Instant(nanoseconds: at)
        return version
      }
    }
  }

  /// The meanings that a point was ever given, in the order in which they were said.
  public func meanings(of point: String) throws(StoreError) -> [MeaningRevision] {
    try retrying { () throws(StoreError) in
      try meanings(of: point, within: .distantPast ..< .distantFuture, through: nil)
    }
  }

  func meanings(
    of point: String, within range: Range<Instant>, through tick: Int64?
  ) throws(StoreError) -> [MeaningRevision] {
    var found: [MeaningRevision] = []
    for entry in try versions(family: MeaningRevision.family, subject: point, overlapping: range, through: tick) {
      do throws(CanonicalFault) {
        found.append(try MeaningRevision(entry.bytes, tick: entry.tick, effective: entry.effective))
      } catch {
        noteBad("meaning of \(point), tick \(entry.tick)", error.message)
      }
    }
    return found
  }

  /// Turns resolved samples of a point, rising, into what they mean as far as that is known at `tick`; gives their
  /// units by runs. A point without a meaning costs one look at an index.
  func bind(
    _ point: String, _ columns: inout SampleColumns, within range: Range<Instant>, through tick: Int64?
  ) throws(StoreError) -> [UnitStretch] {
    guard columns.count > 0 else { return [] }
    var units = try storedUnits(of: point, columns, within: range, through: tick)
    MeaningStack(try meanings(of: point, within: range, through: tick)).apply(to: &columns, units: &units)
    return units
  }
}

/// Frames in order of arrival.
extension StoreReader {
  /// All that frames ever said of one point, not only the last word on each instant.
  struct Arrivals {
    /// By tick, and within a tick by group.
    var frames = SampleColumns()
    /// The layout of each row.
    var layouts: [Int64] = []
  }

  /// At most `samplesCeiling` rows a point, else `store.too_big`.
  func arrivals(
    of points: [String], within range: Range<Instant>, through tick: Int64?
  ) throws(StoreError) -> [Arrivals] {
    try readLayouts()
    var found = points.map { _ in Arrivals() }
    guard !range.isEmpty else { return found }
    var wanted: [Int64: [(column: Int, point: Int)]] = [:]
    for (index, point) in points.enumerated() {
      for place in places(of: point) { wanted[place.layout, default: []].append((place.column, index)) }
    }
    let effective = range.lowerBound.nanoseconds...range.upperBound.nanoseconds - 1
    let groups = Set(wanted.keys.compactMap { layouts[$0]?.layout.group }).sorted()
    var sources: [RowSource] = []
    for day in archive.shelf.daysWithBodies where Days.range(day).overlaps(effective) {
      sources += try archive.sources(groups, effective: effective, day: day)
    }
    sources = (sources + archive.windowSources(groups, effective: effective)).sorted { $0.rank < $1.rank }
    var gathered = points.map { _ in Gathered(limit: Self.samplesCeiling) }
    for source in sources {
      guard let columns = wanted[source.layout] else { continue }
      try source.pour(columns, of: archive, within: effective, through: tick ?? .max, into: &gathered)
      for (_, point) in columns {
        let count = gathered[point].columns.count
        guard count <= Self.samplesCeiling else {
          throw StoreError(.tooBig, "more than \(Self.samplesCeiling) samples of \(points[point]) in \(range)")
        }
        found[point].layouts.append(
          contentsOf: repeatElement(source.layout, count: count - found[point].layouts.count))
      }
    }
    for point in points.indices {
      found[point].frames = gathered[point].columns
      found[point].sortByTick()
    }
    return found
  }

  /// The unit of a layout's column for a point.
  func storedUnit(of point: String, in layout: Int64) -> String? {
    places(of: point).first { $0.layout == layout }.flatMap { layouts[layout]?.layout.units[$0.column] }
  }

  /// The unit in which a point is stored; nil where layouts changed it, or there is no such point.
  func storedUnit(of point: String) -> String? {
    let units = Set(places(of: point).compactMap { layouts[$0.layout]?.layout.units[$0.column] })
    return units.count == 1 ? units.first : nil
  }

  /// The decimal step of the point's first layout: the same for ever. 0 where it has none.
  func decimalStep(of point: String) -> Double {
    places(of: point).min { $0.layout < $1.layout }.flatMap { layouts[$0.layout]?.layout.scales[$0.column] } ?? 0
  }

  /// Where layouts changed the unit, a sample is in that of the last frame of its instant; one of an instant that has
  /// no frame is in that of the layout that was registered last when it was learned.
  func storedUnits(
    of point: String, _ columns: SampleColumns, within range: Range<Instant>, through tick: Int64?
  ) throws(StoreError) -> [UnitStretch] {
    if let unit = storedUnit(of: point) { return [UnitStretch(start: 0, unit: unit)] }
    guard !places(of: point).isEmpty else { return [UnitStretch(start: 0, unit: "")] }
    let arrivals = try arrivals(of: [point], within: range, through: tick)[0]
    var layoutAt: [Int64: Int64] = [:]
    for row in 0..<arrivals.frames.count { layoutAt[arrivals.frames.effective[row]] = arrivals.layouts[row] }
    let versions = places(of: point).map(\.layout).sorted()
    let observed = try archive.instants(of: columns.ticks)
    var units: [UnitStretch] = []
    for row in 0..<columns.count {
      let registered = versions.last { layouts[$0]?.registered.nanoseconds ?? .max <= observed[row] } ?? versions[0]
      let unit = storedUnit(of: point, in: layoutAt[columns.effective[row]] ?? registered) ?? ""
      if units.last?.unit != unit { units.append(UnitStretch(start: row, unit: unit)) }
    }
    return units
  }
}

extension StoreReader.Arrivals {
  /// Only where a point stands in several groups do rows come out of order.
  fileprivate mutating func sortByTick() {
    let ticks = frames.ticks
    guard !zip(ticks, ticks.dropFirst()).allSatisfy({ $0 <= $1 }) else { return }
    var sorted = StoreReader.Arrivals()
    sorted.frames.reserve(frames.count)
    for row in ticks.indices.sorted(by: { (ticks[$0], $0) < (ticks[$1], $1) }) {
      sorted.frames.append(frames, row..<row + 1)
      sorted.layouts.append(layouts[row])
    }
    self = sorted
  }
}
