public import TwinCore

extension StoreReader {
  /// Labels of one join, and columns of one.
  public static let labelsMax = 10_000_000
  public static let joinColumnsMax = 4096

  /// For each label the last value that is not after it: a training set's columns, in the order asked, with a row for
  /// each label, in the order given.
  ///
  /// By default a row holds only what was observed at its label's time or before: late frames, corrections, retractions
  /// and meanings count from when they were known. The recipe of a feature is its newest one, for it is no observation.
  /// Values older than `maxAge` do not count; without one the whole history is read. `store.too_big` beyond the bounds,
  /// `store.not_found` of a feature that is not defined, or is made of no numbers.
  public func join(
    labels: [Instant], _ sources: [JoinSource], maxAge: Duration? = nil, leakage: Leakage = .forbidden
  ) throws(StoreError) -> [JoinedColumn] {
    guard labels.count <= Self.labelsMax, sources.count <= Self.joinColumnsMax else {
      throw StoreError(.tooBig, "a join of \(labels.count) labels with \(sources.count) columns")
    }
    return try retrying { () throws(StoreError) in
      let (sorted, rows) = Self.sorted(labels)
      let knownThrough: [Int64]
      switch leakage {
      case .forbidden: knownThrough = try archive.ticks(asOf: sorted)
      case .asOf(let instant):
        knownThrough = Array(repeating: try archive.tick(asOf: instant.nanoseconds), count: labels.count)
      }
      let ageMax = maxAge.map { max(0, $0.wholeNanoseconds) } ?? .max
      return try joined(
        JoinLabels(instants: sorted, knownThrough: knownThrough, ageMax: ageMax, rows: rows), sources)
    }
  }

  /// The labels in order of time, and where each came from; nothing where they are in order.
  private static func sorted(_ labels: [Instant]) -> (instants: [Int64], rows: [Int32]) {
    let instants = labels.map(\.nanoseconds)
    if zip(instants, instants.dropFirst()).allSatisfy({ $0 <= $1 }) { return (instants, []) }
    // Labels of one instant have the same rows, so their order is free.
    var keyed = instants.enumerated().map { (instant: $1, row: Int32(truncatingIfNeeded: $0)) }
    keyed.sort { $0.instant < $1.instant }
    return (keyed.map(\.instant), keyed.map(\.row))
  }

  private func joined(_ labels: JoinLabels, _ sources: [JoinSource]) throws(StoreError) -> [JoinedColumn] {
    guard let first = labels.instants.first, let last = labels.instants.last else {
      return sources.map { JoinedColumn(source: $0, values: [], qualities: [], effective: []) }
    }
    var revisions: [FeatureRevision?] = []
    var points: [String] = []
    var span: Int64 = 0
    for source in sources {
      let revision = try revision(of: source)
      revisions.append(revision)
      points.append(revision?.definition.point ?? source.name)
      span = max(span, revision?.definition.spanNanoseconds ?? 0, revision?.definition.everyNanoseconds ?? 0)
    }
    let low = Instant(nanoseconds: first).advanced(byNanoseconds: -labels.ageMax).advanced(byNanoseconds: -span)
    let range = low..<Instant(nanoseconds: last).advanced(byNanoseconds: 1)
    let tick = labels.knownThrough[labels.knownThrough.count - 1]
    let distinct = Array(Set(points)).sorted()
    let arrivals = try arrivals(of: distinct, within: range, through: tick)
    var columns: [JoinedColumn?] = sources.map { _ in nil }
    var walk: JoinWalk?
    for (point, found) in zip(distinct, arrivals) {
      let stack = try overlays(of: point, within: range, through: nil)
      if let blur = stack.blurs.first(where: { labels.meets($0, span: span) }) { throw blur.fault(of: point) }
      let overlays = stack.overlays.filter { $0.tick <= tick }
      let meanings = try meanings(of: point, within: range, through: tick)
      let samples = KnownSamples(frames: found.frames, overlays: overlays)
      for index in sources.indices where points[index] == point {
        columns[index] = labels.column(
          of: sources[index], samples, meanings: meanings, storedUnit: storedUnit(of: point),
          revision: revisions[index], sharing: &walk)
      }
    }
    return columns.compactMap(\.self)
  }

  private func revision(of source: JoinSource) throws(StoreError) -> FeatureRevision? {
    guard case .feature(let name) = source else { return nil }
    guard let revision = try definitions(of: name, through: nil).last, revision.definition.point != nil else {
      throw StoreError(.notFound, "no feature \(name) that is made of numbers")
    }
    return revision
  }
}

extension Archive {
  /// As `tick(asOf:)` of many instants, which must not fall: one walk along the ticks.
  func ticks(asOf instants: [Int64]) throws(StoreError) -> [Int64] {
    let spans = try shelf.allTickSpans()
    var known: [Int64] = []
    known.reserveCapacity(instants.count)
    var (span, row, last): (Int, Int, Int64) = (0, 0, .min)
    var times: TickTimes?
    for instant in instants {
      while span < spans.count, spans[span].instantMax <= instant {
        last = spans[span].last
        (span, row, times) = (span + 1, 0, nil)
      }
      if span < spans.count {
        if times == nil { times = try tickTimes(spans[span].body) ?? TickTimes([], []) }
        while let found = times, row < found.instants.count, found.instants[row] <= instant {
          last = found.numbers[row]
          row += 1
        }
      } else {
        while row < ticks.records.count, ticks.records[row].instant.nanoseconds <= instant {
          last = ticks.records[row].number
          row += 1
        }
      }
      known.append(last)
    }
    return known
  }
}
