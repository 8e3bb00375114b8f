public import TwinCore

/// Where a point's values come from, as its newest layout says.
public struct PointColumn: Sendable, Equatable {
  public var layout: Int64
  public var group: Int32
  /// The decimal step of the register; 0 where there is none.
  public var scale: Double
  /// UCUM, as stored.
  public var unit: String
  public var variance: Double
  /// Device, registers and the request that fetches them.
  public var provenance: String
}

extension StoreReader {
  /// Every point that ever had a column, sorted.
  public func points() throws(StoreError) -> [String] {
    try readLayouts()
    return Set(layouts.values.flatMap(\.layout.points)).sorted()
  }

  /// Nil for a point that no layout has.
  public func column(of point: String) -> PointColumn? {
    guard let place = places(of: point).max(by: { $0.layout < $1.layout }), let known = layouts[place.layout] else {
      return nil
    }
    let layout = known.layout
    return PointColumn(
      layout: place.layout, group: layout.group, scale: layout.scales[place.column], unit: layout.units[place.column],
      variance: layout.variances[place.column], provenance: layout.provenance[place.column])
  }

  /// From the beginning of the first day of which there is something to the last frame; nil where there is nothing.
  public func extent() throws(StoreError) -> Range<Instant>? {
    try retrying { () throws(StoreError) in
      let days = archive.shelf.daysWithBodies
      var low = days.first.map { Days.range($0).lowerBound }
      var high = days.last.map { Days.range($0).upperBound }
      for window in archive.windows.values where !window.isEmpty {
        low = Swift.min(low ?? .max, window.effectiveMin)
        high = Swift.max(high ?? .min, window.effectiveMax)
      }
      guard let low, let high else { return nil }
      return Instant(nanoseconds: low)..<Instant(nanoseconds: high.saturatingAdd(1))
    }
  }
}
