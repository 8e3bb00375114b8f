public import TwinCore

/// The same reads as a `StoreReader`'s, on the writing connection: they see what is committed, not what is buffered.
extension SiteStore {
  public func history(point: String, at instant: Instant) throws(StoreError) -> [SampleVersion] {
    try reader.history(point: point, at: instant)
  }

  public func meanings(of point: String) throws(StoreError) -> [MeaningRevision] { try reader.meanings(of: point) }

  public func definitions(of feature: String, asOf: Instant? = nil) throws(StoreError) -> [FeatureRevision] {
    try reader.definitions(of: feature, asOf: asOf)
  }

  public func compute(
    feature: String, effective: Range<Instant>, asOf: Instant? = nil, limit: Int = StoreReader.samplesMax
  ) throws(StoreError) -> FeatureSeries {
    try reader.compute(feature: feature, effective: effective, asOf: asOf, limit: limit)
  }

  public func join(
    labels: [Instant], _ sources: [JoinSource], maxAge: Duration? = nil, leakage: Leakage = .forbidden
  ) throws(StoreError) -> [JoinedColumn] {
    try reader.join(labels: labels, sources, maxAge: maxAge, leakage: leakage)
  }

  public func objects(
    _ name: String, effective: Range<Instant>, asOf: Instant? = nil
  ) throws(StoreError) -> [ObjectVersion] {
    try reader.objects(name, effective: effective, asOf: asOf)
  }

  public func content(of object: ObjectVersion) throws(StoreError) -> [UInt8] { try reader.content(of: object) }

  public func vectors(
    point: String, effective: Range<Instant>, asOf: Instant? = nil, limit: Int = StoreReader.samplesMax
  ) throws(StoreError) -> VectorSeries {
    try reader.vectors(point: point, effective: effective, asOf: asOf, limit: limit)
  }
}
