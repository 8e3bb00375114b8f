public import TwinCore

extension StoreReader {
  /// The definitions of a feature, in the order in which they were made: the first is version 1.
  public func definitions(of feature: String, asOf: Instant? = nil) throws(StoreError) -> [FeatureRevision] {
    try retrying { () throws(StoreError) in
      let tick = try asOf.map { (instant) throws(StoreError) in try archive.tick(asOf: instant.nanoseconds) }
      return try definitions(of: feature, through: tick)
    }
  }

  func definitions(of feature: String, through tick: Int64?) throws(StoreError) -> [FeatureRevision] {
    let entries = try versions(
      family: FeatureRevision.family, subject: feature, overlapping: .distantPast ..< .distantFuture, through: tick)
    var found: [FeatureRevision] = []
    for (index, entry) in entries.enumerated() {
      do throws(CanonicalFault) {
        found.append(
          try FeatureRevision(
            entry.bytes, name: feature, version: index + 1, tick: entry.tick, effective: entry.effective))
      } catch {
        noteBad("feature \(feature), version \(index + 1)", error.message)
      }
    }
    return found
  }

  /// The feature over a range, made of what was known at `asOf` by the definitions that were known then: samples,
  /// corrections, meanings. At most `limit` values, the earliest. `store.not_found` where nothing by that name was
  /// defined then.
  public func compute(
    feature: String, effective: Range<Instant>, asOf: Instant? = nil, limit: Int = samplesMax
  ) throws(StoreError) -> FeatureSeries {
    try retrying { () throws(StoreError) in
      let tick = try asOf.map { (instant) throws(StoreError) in try archive.tick(asOf: instant.nanoseconds) }
      let revisions = try definitions(of: feature, through: tick)
      guard !revisions.isEmpty else { throw StoreError(.notFound, "no feature \(feature) is defined") }
      var series = FeatureSeries(name: feature, stretches: [], isTruncated: false)
      var left = min(max(0, limit), Self.samplesCeiling)
      let strata = Strata(revisions.map { $0.effective.lowerBound.nanoseconds..<$0.effective.upperBound.nanoseconds })
      for stretch in strata.stretches {
        let low = max(stretch.range.lowerBound, effective.lowerBound.nanoseconds)
        let high = min(stretch.range.upperBound, effective.upperBound.nanoseconds)
        guard low < high, !series.isTruncated else { continue }
        let range = Instant(nanoseconds: low)..<Instant(nanoseconds: high)
        let found = try compute(revisions[stretch.statement], range, through: tick, limit: left)
        left -= found.stretch.values.count
        series.stretches.append(found.stretch)
        series.isTruncated = found.isTruncated
      }
      return series
    }
  }

  private func compute(
    _ revision: FeatureRevision, _ range: Range<Instant>, through tick: Int64?, limit: Int
  ) throws(StoreError) -> (stretch: FeatureSeries.Stretch, isTruncated: Bool) {
    var stretch = FeatureSeries.Stretch(revision: revision, effective: range, values: [], units: [], objects: [])
    let definition = revision.definition
    guard let point = definition.point else {
      if case .embedding(let object, _) = definition.recipe {
        stretch.objects = try objects(object, effective: range, through: tick)
      }
      return (stretch, false)
    }
    let span = definition.spanNanoseconds
    let wide = range.lowerBound.advanced(byNanoseconds: -span)..<range.upperBound
    var (samples, units) = try samples(of: point, within: wide, through: tick, asStored: !definition.readsMeaning)
    let isCut = samples.count > Self.samplesCeiling
    if isCut {
      // What lies beyond the cut is not known here.
      var kept = SampleColumns()
      kept.append(samples, 0..<Self.samplesCeiling)
      samples = kept
      units.removeAll { $0.start >= kept.count }
    }
    let high = isCut ? samples.effective[samples.count - 1] : range.upperBound.nanoseconds
    let found = FeatureCalculator(
      definition, samples, units: units,
      in: range.lowerBound.nanoseconds..<max(range.lowerBound.nanoseconds, high), limit: limit)
    (stretch.values, stretch.units) = (found.values, found.valueUnits)
    return (stretch, found.isTruncated || isCut)
  }

  /// A point's samples, corrections laid over them, with their units by runs: as stored, or as they are read.
  func samples(
    of point: String, within range: Range<Instant>, through tick: Int64?, asStored: Bool
  ) throws(StoreError) -> (columns: SampleColumns, units: [UnitStretch]) {
    var columns = try samples(of: [point], within: range, through: tick, limit: Self.samplesCeiling)[0].columns
    guard asStored else {
      let units = try bind(point, &columns, within: range, through: tick)
      return (columns, units)
    }
    return (columns, columns.count > 0 ? try storedUnits(of: point, columns, within: range, through: tick) : [])
  }
}
