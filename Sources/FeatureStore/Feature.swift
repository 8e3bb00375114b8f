public import TwinCore

/// A feature over a range of time, by stretches of one definition each.
public struct FeatureSeries: Sendable, Equatable {
  public struct Value: Sendable, Equatable {
    /// Of a window, its end.
    public var effective: Instant
    /// NaN unless `quality.hasValue`.
    public var value: Double
    public var quality: Quality

    public static func == (a: Value, b: Value) -> Bool {
      a.effective == b.effective && a.quality == b.quality && a.value.bitPattern == b.value.bitPattern
    }
  }

  public struct Stretch: Sendable, Equatable {
    public var revision: FeatureRevision
    /// What of the range asked for this definition covers.
    public var effective: Range<Instant>
    /// Rising; empty for what is made of objects.
    public var values: [Value]
    /// The unit of the values by runs.
    public var units: [UnitStretch]
    /// What an embedding refers to, in order of effective time.
    public var objects: [ObjectVersion]
  }

  public var name: String
  public var stretches: [Stretch]
  /// Whether there were more values than the limit; the earliest were given.
  public var isTruncated: Bool
}

/// Makes a feature's values of samples that are resolved and, where the recipe says so, converted.
struct FeatureCalculator {
  let definition: FeatureDefinition
  /// Rising, from a window before the range on.
  let samples: SampleColumns
  /// Of the samples, by runs.
  let units: [UnitStretch]
  private(set) var values: [FeatureSeries.Value] = []
  private(set) var valueUnits: [UnitStretch] = []
  private(set) var isTruncated = false
  private let limit: Int

  init(
    _ definition: FeatureDefinition, _ samples: SampleColumns, units: [UnitStretch], in range: Range<Int64>, limit: Int
  ) {
    (self.definition, self.samples, self.units, self.limit) = (definition, samples, units, limit)
    if definition.spanNanoseconds == 0 {
      for row in samples.row(notBefore: range.lowerBound)..<samples.row(notBefore: range.upperBound) {
        guard append(samples.effective[row], samples.values[row], samples.qualities[row], unit: unit(of: row)) else {
          return
        }
      }
    } else if definition.everyNanoseconds == 0 {
      let rows = samples.row(notBefore: range.lowerBound)..<samples.row(notBefore: range.upperBound)
      for row in rows {
        guard appendWindow(end: samples.effective[row], last: row) else { return }
      }
    } else {
      fillSteps(in: range)
    }
  }

  private mutating func fillSteps(in range: Range<Int64>) {
    let (span, every) = (definition.spanNanoseconds, definition.everyNanoseconds)
    var end = range.lowerBound.ceiledMultiple(of: every)
    while end < range.upperBound {
      let past = samples.row(notBefore: end.saturatingAdd(1))
      if past == 0 || samples.effective[past - 1] <= end.saturatingSubtract(span) {
        // Nothing in the window: on to the first step that has the next sample.
        guard past < samples.count else { return }
        end = max(samples.effective[past].ceiledMultiple(of: every), end.saturatingAdd(every))
        continue
      }
      guard appendWindow(end: end, last: past - 1), end <= .max - every else { return }
      end += every
    }
  }

  /// False at the limit.
  private mutating func appendWindow(end: Int64, last: Int) -> Bool {
    let floor = end.saturatingSubtract(definition.spanNanoseconds)
    let first = samples.row(notBefore: floor.saturatingAdd(1))
    var window = FeatureWindow()
    var (isOneUnit, unit): (Bool, UnitStretch?) = (true, nil)
    for row in first...last where samples.qualities[row].isUsable {
      guard window.count < FeatureDefinition.windowSamplesMax else {
        return append(end, .nan, .failed, unit: self.unit(of: row))
      }
      let own = self.unit(of: row)
      isOneUnit = isOneUnit && (unit == nil || unit?.unit == own.unit)
      unit = own
      window.append(samples.effective[row], samples.values[row])
    }
    let found = definition.value(of: window, end: end, isOneUnit: isOneUnit)
    return append(end, found.value, found.quality, unit: unit ?? self.unit(of: last))
  }

  private mutating func append(_ end: Int64, _ value: Double, _ quality: Quality, unit: UnitStretch) -> Bool {
    guard values.count < limit else {
      isTruncated = true
      return false
    }
    let told = definition.unit(of: unit.unit)
    if valueUnits.last?.unit != told || valueUnits.last?.revision != unit.revision {
      valueUnits.append(UnitStretch(start: values.count, unit: told, revision: unit.revision))
    }
    values.append(FeatureSeries.Value(effective: Instant(nanoseconds: end), value: value, quality: quality))
    return true
  }

  private func unit(of row: Int) -> UnitStretch {
    var (low, high) = (0, units.count)
    while low < high {
      let middle = (low + high) / 2
      if units[middle].start <= row { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? units[low - 1] : UnitStretch(start: 0, unit: "")
  }
}

extension Int64 {
  /// The least multiple of `step` that is not below, saturating; `step` above 0.
  func ceiledMultiple(of step: Int64) -> Int64 {
    let floor = flooredMultiple(of: step)
    return floor == self ? self : floor.saturatingAdd(step)
  }
}
