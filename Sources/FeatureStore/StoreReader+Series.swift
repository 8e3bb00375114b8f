import SeriesCodec
public import TwinCore

extension StoreReader {
  /// Samples for one point that `read` gives unless told otherwise.
  public static let samplesMax = 100_000
  /// What no `limit` may exceed: 40 bytes a sample are held at a time, twice.
  public static let samplesCeiling = 2_000_000

  /// What was known at `asOf` (nil: what is known now) of each point over a range of effective time, as asked for.
  ///
  /// Known at an instant is what ticks up to it had carried. Of readings with the same effective instant the last
  /// observed counts, and corrections and meanings are those known then. A point that never was has no samples. At most
  /// `limit` samples a point, the earliest.
  public func read(
    points: [String], effective: Range<Instant>, asOf: Instant? = nil, limit: Int = samplesMax
  ) throws(StoreError) -> [PointSeries] {
    try retrying { () throws(StoreError) in
      let tick = try asOf.map { (instant) throws(StoreError) in try archive.tick(asOf: instant.nanoseconds) }
      let most = min(max(0, limit), Self.samplesCeiling)
      var series: [PointSeries] = []
      for resolved in try samples(of: points, within: effective, through: tick, limit: most) {
        var found = resolved
        let isTruncated = found.columns.count > most
        let count = min(most, found.columns.count)
        if isTruncated { found.columns = found.columns.prefix(count) }
        let units = try bind(found.point, &found.columns, within: effective, through: tick)
        let observed = try archive.instants(of: found.columns.ticks)
        var samples: [PointSeries.Sample] = []
        let (effective, values, qualities) = (found.columns.effective, found.columns.values, found.columns.qualities)
        samples.append(addingCapacity: count) { span in
          for row in 0..<count {
            span.append(
              PointSeries.Sample(
                effective: Instant(nanoseconds: effective[row]), observed: Instant(nanoseconds: observed[row]),
                value: values[row], quality: qualities[row]))
          }
        }
        series.append(PointSeries(point: found.point, samples: samples, isTruncated: isTruncated, units: units))
      }
      return series
    }
  }

  /// As `read`, corrections laid over the frames, in columns with the tick of each sample; of more than `limit` samples
  /// at least one more than `limit` is given. `tick` nil: what is known now.
  func samples(
    of points: [String], within range: Range<Instant>, through tick: Int64?, limit: Int
  ) throws(StoreError) -> [(point: String, columns: SampleColumns)] {
    var stacks: [OverlayStack] = []
    for point in points { stacks.append(try overlays(of: point, within: range, through: tick)) }
    let bounds = stacks.map { $0.isEmpty ? limit : Self.samplesCeiling }
    let base = try frames(of: points, within: range, through: tick, limits: bounds)
    return zip(points, zip(stacks, base)).map { point, found in
      let bounds = range.lowerBound.nanoseconds..<range.upperBound.nanoseconds
      return (point, found.0.isEmpty ? found.1 : found.0.resolve(found.1, within: bounds))
    }
  }

  /// What frames say alone, no correction laid over: rising, of each instant the last one observed.
  func frames(
    of points: [String], within range: Range<Instant>, through tick: Int64?, limits: [Int]
  ) throws(StoreError) -> [SampleColumns] {
    try readLayouts()
    let places = points.map { self.places(of: $0) }
    var gathered = limits.map { Gathered(limit: $0) }
    guard !range.isEmpty else { return points.map { _ in SampleColumns() } }
    let effective = range.lowerBound.nanoseconds...range.upperBound.nanoseconds - 1
    var wanted: [Int64: [(column: Int, point: Int)]] = [:]
    for (point, places) in places.enumerated() {
      for place in places { wanted[place.layout, default: []].append((place.column, point)) }
    }
    let groups = Set(wanted.keys.compactMap { layouts[$0]?.layout.group }).sorted()
    let days = archive.shelf.daysWithBodies
    let known = Set(places.indices.filter { !places[$0].isEmpty })
    for day in days where Days.range(day).overlaps(effective) {
      let sources = try archive.sources(groups, effective: effective, day: day)
      for (layout, columns) in wanted {
        let rows = sources.reduce(0) { $0 + ($1.layout == layout ? $1.rows : 0) }
        for (_, point) in columns { gathered[point].reserve(rows) }
      }
      for source in sources {
        guard let columns = wanted[source.layout] else { continue }
        if known.allSatisfy({ gathered[$0].isComplete(before: source.effectiveMin) }) { break }
        try source.pour(columns, of: archive, within: effective, through: tick ?? .max, into: &gathered)
      }
      if known.allSatisfy({ gathered[$0].isComplete(before: Days.range(day).upperBound) }) { break }
    }
    for source in archive.windowSources(groups, effective: effective) {
      guard let columns = wanted[source.layout] else { continue }
      try source.pour(columns, of: archive, within: effective, through: tick ?? .max, into: &gathered)
    }
    for point in gathered.indices { gathered[point].settle() }
    return gathered.map(\.columns)
  }
}

/// The last values.
extension StoreReader {
  /// The last recorded sample of each point, corrections aside, in the order asked; nil where there is none.
  public func latest(points: [String]) throws(StoreError) -> [PointSeries.Sample?] {
    try retrying { () throws(StoreError) in
      try readLayouts()
      var found: [PointSeries.Sample?] = []
      found.reserveCapacity(points.count)
      for point in points {
        var last: (row: Archive.Latest, column: Int)?
        for place in places(of: point) {
          guard let row = try archive.latest(ofLayout: place.layout) else { continue }
          if let known = last, known.row.isAfter(row) { continue }
          last = (row, place.column)
        }
        found.append(last.map { $0.row.sample(ofColumn: $0.column) })
      }
      return found
    }
  }

  /// The changes of a point's past that touch a range and are known at `tick`.
  func overlays(of point: String, within range: Range<Instant>, through tick: Int64?) throws(StoreError) -> OverlayStack
  {
    var changes: [OverlayFold.Change] = []
    var blurs: [Blur] = []
    var hasFolds = false
    let asked = range.lowerBound.nanoseconds..<range.upperBound.nanoseconds
    for (number, entry) in try versionRows(
      family: Overlay.family, subject: point, overlapping: range, through: tick)
    {
      let effective = entry.effective.lowerBound.nanoseconds..<entry.effective.upperBound.nanoseconds
      do throws(CodecFault) {
        guard OverlayFold.isFold(entry.bytes) else {
          let overlay = try Overlay(entry.bytes, tick: entry.tick, effective: effective)
          changes.append(OverlayFold.Change(number: number, overlay: overlay))
          continue
        }
        let fold = try OverlayFold(entry.bytes)
        hasFolds = true
        changes += fold.changes.filter { $0.overlay.effective.overlaps(asked) }
        if fold.tickLast > entry.tick { blurs.append(Blur(ticks: entry.tick..<fold.tickLast, effective: effective)) }
      } catch {
        noteBad("overlay of \(point), tick \(entry.tick)", error.reason)
      }
    }
    if let tick, let blur = blurs.first(where: { $0.ticks.contains(tick) }) { throw blur.fault(of: point) }
    if hasFolds { changes.sort { ($0.overlay.tick, $0.number) < ($1.overlay.tick, $1.number) } }
    return OverlayStack(changes.map(\.overlay), blurs: blurs)
  }
}

extension Blur {
  func fault(of point: String) -> StoreError {
    let (from, until) = (Instant(nanoseconds: effective.lowerBound), Instant(nanoseconds: effective.upperBound))
    return StoreError(
      .folded,
      "corrections of \(point) from \(from.rfc3339) to \(until.rfc3339), made at ticks \(ticks.lowerBound) to"
        + " \(ticks.upperBound), were folded: what was known between these ticks is not told apart")
  }
}

extension Archive.Latest {
  func isAfter(_ other: Archive.Latest) -> Bool {
    (tick, frame.group) > (other.tick, other.frame.group)
  }

  func sample(ofColumn column: Int) -> PointSeries.Sample {
    let quality = frame.qualities[column]
    return PointSeries.Sample(
      effective: frame.effective, observed: Instant(nanoseconds: instant),
      value: quality.hasValue ? frame.values[column] : .nan, quality: quality)
  }
}

extension Archive {
  /// The last frame under a layout; looked for on the shelf once, newest day first.
  func latest(ofLayout version: Int64) throws(StoreError) -> Latest? {
    if let known = latest[version] { return known }
    var found: Latest?
    if let group = layouts[version]?.group {
      for day in shelf.daysWithBodies.reversed() {
        // A step of the clock can have put later ticks into earlier days.
        if let known = found, known.tick > shelf.closedTick, !shelf.has(day, .open) { continue }
        if let known = found, try shelf.frameTicks(day: day).map({ $0.upperBound <= known.tick }) ?? true { continue }
        let bodies = try shelf.bodies(.frames, group: group, ticks: Int64.min...Int64.max, day: day)
        for stored in bodies.reversed() where stored.key.layout == version && stored.key.tickLast > found?.tick ?? .min
        {
          guard let body = try open(stored), let block = block(of: body, stored) else { continue }
          let tick = body.times.tick(body.reader.rows - 1)
          let instant = try instants(of: [tick])[0]
          let frame = block.frame(body.reader.rows - 1, observed: Instant(nanoseconds: instant))
          found = Latest(frame: frame, tick: tick, instant: instant)
        }
      }
    }
    latest[version] = .some(found)
    return found
  }
}

extension Column {
  /// NaN where the quality has no value.
  func cell(_ row: Int) -> (value: Double, quality: Quality) {
    let quality = qualities.isEmpty ? Quality.good : Quality(rawValue: qualities[row]) ?? .never
    guard quality.hasValue else { return (.nan, quality) }
    if !exceptions.isEmpty {
      var (low, high) = (0, exceptions.count)
      while low < high {
        let middle = (low + high) / 2
        if exceptions[middle].row < Int32(row) { low = middle + 1 } else { high = middle }
      }
      if low < exceptions.count, exceptions[low].row == Int32(row) {
        return (Double(bitPattern: exceptions[low].bits), quality)
      }
    }
    return (Self.value(counts[row], form), quality)
  }

  @inline(__always) static func value(_ count: Int64, _ form: ValueForm) -> Double {
    switch form {
    case .decimal(let scale): Double(count) * scale
    case .double: Double(bitPattern: UInt64(bitPattern: count))
    case .integer: Double(count)
    }
  }
}

extension SampleColumns {
  func prefix(_ count: Int) -> SampleColumns {
    var head = SampleColumns()
    head.append(self, 0..<min(count, self.count))
    return head
  }
}
