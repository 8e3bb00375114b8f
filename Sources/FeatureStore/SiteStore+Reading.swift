public import TwinCore

/// The same reads as a `StoreReader`'s, on the writing connection: they see what is committed, not what is buffered.
extension SiteStore {
  public var layouts: [Int64: StoreReader.Layout] { reader.layouts }

  public func read(
    points: [String], effective: Range<Instant>, asOf: Instant? = nil, limit: Int = StoreReader.samplesMax
  ) throws(StoreError) -> [PointSeries] {
    try reader.read(points: points, effective: effective, asOf: asOf, limit: limit)
  }

  public func latest(points: [String]) throws(StoreError) -> [PointSeries.Sample?] {
    try reader.latest(points: points)
  }

  public func ticks(from first: Int64, through last: Int64? = nil) throws(StoreError) -> TickCursor {
    try reader.ticks(from: first, through: last)
  }

  public func ticks(
    from first: Int64, through last: Int64? = nil,
    _ body: (TickRecord, [Frame]) throws(StoreError) -> Bool
  ) throws(StoreError) {
    try reader.ticks(from: first, through: last, body)
  }

  public func decision(id: String) throws(StoreError) -> DecisionEntry { try reader.decision(id: id) }

  public func decisions(limit: Int, before: String? = nil, point: String? = nil) throws(StoreError) -> [DecisionEntry] {
    try reader.decisions(limit: limit, before: before, point: point)
  }

  public func events(limit: Int, before: Instant = .distantFuture) throws(StoreError) -> [EventEntry] {
    try reader.events(limit: limit, before: before)
  }

  public func decisions(after number: Int64, limit: Int) throws(StoreError) -> [(number: Int64, entry: DecisionEntry?)]
  {
    try reader.decisions(after: number, limit: limit)
  }

  public func events(after number: Int64, limit: Int) throws(StoreError) -> [(number: Int64, entry: EventEntry?)] {
    try reader.events(after: number, limit: limit)
  }

  public func checkpoint(atOrBefore tick: Int64) throws(StoreError) -> Checkpoint? {
    try reader.checkpoint(atOrBefore: tick)
  }

  public func latestCheckpoint() throws(StoreError) -> Checkpoint? { try reader.latestCheckpoint() }

  public func openLeases() throws(StoreError) -> [LeaseEntry] {
    var open = Dictionary(try reader.openLeases().map { ($0.point, $0) }, uniquingKeysWith: { $1 })
    // Durable in the log, though `site.db` refuses them for now.
    for lease in unapplied?.batch.leases ?? [] {
      open[lease.name] = lease.bytes.map { LeaseEntry(point: lease.name, bytes: $0) }
    }
    return open.values.sorted { $0.point < $1.point }
  }

  public func facts(prefix: String) throws(StoreError) -> [(key: String, bytes: [UInt8])] {
    try reader.facts(prefix: prefix)
  }
}
