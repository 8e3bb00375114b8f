public import TwinCore

/// What a training set's column is made of.
public enum JoinSource: Sendable, Hashable {
  /// A point, as its meaning reads it.
  case point(String)
  /// A feature by its name.
  case feature(String)

  public var name: String {
    switch self {
    case .point(let name), .feature(let name): name
    }
  }
}

/// Until when a joined value must have been known.
public enum Leakage: Sendable, Equatable {
  /// Observed at the label's time or before: what is learned from the rows could have been used then.
  case forbidden
  /// Observed at this instant or before, for every row: for looking back, not for training.
  case asOf(Instant)
}

/// One column of a training set: a row for each label, in the order of the labels.
public struct JoinedColumn: Sendable, Equatable {
  public var source: JoinSource
  /// The unit of all rows; nil where they are not all in one, because a meaning or a layout changed it.
  public var unit: String?
  /// The version of the feature's definition; nil for a point.
  public var version: Int?
  /// NaN unless `qualities[row].hasValue`.
  public var values: [Double]
  /// `never` where nothing was known, or it was too old.
  public var qualities: [Quality]
  /// When it was so; `distantPast` where nothing was known.
  public var effective: [Instant]

  public static func == (a: JoinedColumn, b: JoinedColumn) -> Bool {
    a.source == b.source && a.unit == b.unit && a.version == b.version && a.qualities == b.qualities
      && a.effective == b.effective && a.values.elementsEqual(b.values) { $0.bitPattern == $1.bitPattern }
  }
}

/// Labels in order of time, and what was known at each: the sorted side of the join.
struct JoinLabels {
  /// Nanoseconds, never falling.
  let instants: [Int64]
  /// Per label the last tick that may be seen; never falls.
  let knownThrough: [Int64]
  /// Older samples do not count, nanoseconds.
  let ageMax: Int64
  /// Per label its row in the columns; empty: its own place.
  let rows: [Int32]

  init(instants: [Int64], knownThrough: [Int64], ageMax: Int64, rows: [Int32] = []) {
    (self.instants, self.knownThrough, self.ageMax, self.rows) = (instants, knownThrough, ageMax, rows)
  }

  @inline(__always)
  private func row(_ label: Int) -> Int { rows.isEmpty ? label : Int(rows[label]) }

  /// Per label the last sample that is not after it and was known. One walk along the labels and one along the history;
  /// points whose frames share their times share the walk.
  ///
  /// `storedUnit` is that of the frames, nil where they are in several. A definition with a window makes its value of
  /// the samples as they were known at the label.
  func column(
    of source: JoinSource, _ samples: KnownSamples, meanings: [MeaningRevision], storedUnit: String?,
    revision: FeatureRevision? = nil, sharing walk: inout JoinWalk?
  ) -> JoinedColumn {
    var column = JoinedColumn(
      source: source, unit: storedUnit, version: revision?.version, values: [], qualities: [], effective: [])
    let definition = revision?.definition
    var reading = JoinReading(meanings: definition?.readsMeaning == false ? [] : meanings, storedUnit: storedUnit)
    if let frames = samples.plain, reading.isAsStored, definition?.spanNanoseconds ?? 0 == 0 {
      if walk?.isAlong(frames) != true { walk = JoinWalk(self, along: frames) }
      walk?.fill(from: frames, into: &column)
    } else {
      column.values = Array(repeating: .nan, count: instants.count)
      column.qualities = Array(repeating: .never, count: instants.count)
      column.effective = Array(repeating: .distantPast, count: instants.count)
      if let definition, definition.spanNanoseconds > 0 {
        fillWindows(of: definition, samples, &reading, into: &column)
      } else {
        fill(samples, &reading, into: &column)
      }
    }
    column.unit = reading.unit.flatMap { unit in definition.map { $0.unit(of: unit) } ?? unit }
    return column
  }

  /// Per row of the columns the place of its sample in frames that came in order, -1 where there is none.
  fileprivate func places(in frames: SampleColumns) -> [Int32] {
    var places = [Int32](repeating: -1, count: instants.count)
    let (effective, ticks) = (frames.effective, frames.ticks)
    var (known, cursor) = (0, -1)
    for (label, instant) in instants.enumerated() {
      let tick = knownThrough[label]
      while known < ticks.count, ticks[known] <= tick { known += 1 }
      while cursor + 1 < effective.count, effective[cursor + 1] <= instant { cursor += 1 }
      let place = min(cursor, known - 1)
      if place >= 0, instant.saturatingSubtract(effective[place]) <= ageMax {
        places[row(label)] = Int32(truncatingIfNeeded: place)
      }
    }
    return places
  }

  private func fill(_ samples: KnownSamples, _ reading: inout JoinReading, into column: inout JoinedColumn) {
    var samples = samples
    let effective = samples.effective
    var cursor = -1
    for (index, label) in instants.enumerated() {
      samples.learn(through: knownThrough[index])
      while cursor + 1 < effective.count, effective[cursor + 1] <= label { cursor += 1 }
      guard let place = samples.last(through: cursor) else { continue }
      let instant = effective[place]
      guard label.saturatingSubtract(instant) <= ageMax else { continue }
      let row = row(index)
      column.effective[row] = Instant(nanoseconds: instant)
      let quality = samples.qualities[place]
      if reading.isAsStored {
        column.qualities[row] = quality
        if quality.hasValue { column.values[row] = samples.values[place] }
      } else {
        reading.learn(through: knownThrough[index])
        (column.values[row], column.qualities[row]) = reading.read(samples.values[place], quality, at: instant)
      }
    }
  }

  private func fillWindows(
    of definition: FeatureDefinition, _ samples: KnownSamples, _ reading: inout JoinReading,
    into column: inout JoinedColumn
  ) {
    var samples = samples
    let effective = samples.effective
    let (span, every) = (definition.spanNanoseconds, definition.everyNanoseconds)
    var window = FeatureWindow()
    var cursor = -1
    for (index, label) in instants.enumerated() {
      samples.learn(through: knownThrough[index])
      reading.learn(through: knownThrough[index])
      var end = every > 0 ? label.flooredMultiple(of: every) : label
      while cursor + 1 < effective.count, effective[cursor + 1] <= end { cursor += 1 }
      guard let place = samples.last(through: cursor) else { continue }
      if every == 0 { end = effective[place] }
      guard label.saturatingSubtract(end) <= ageMax, effective[place] > end.saturatingSubtract(span) else { continue }
      let row = row(index)
      column.effective[row] = Instant(nanoseconds: end)
      guard
        samples.gather(
          through: place, end: end, span: span, limit: FeatureDefinition.windowSamplesMax, into: &window)
      else {
        column.qualities[row] = .failed
        continue
      }
      let isOneUnit = reading.read(&window)
      (column.values[row], column.qualities[row]) = definition.value(of: window, end: end, isOneUnit: isOneUnit)
    }
  }
}

/// The way of the labels along frames that came in order, each once: points of one group have the same.
struct JoinWalk {
  private let times: [Int64]
  private let ticks: [Int64]
  private let places: [Int32]
  private let effective: [Instant]

  init(_ labels: JoinLabels, along frames: SampleColumns) {
    (times, ticks, places) = (frames.effective, frames.ticks, labels.places(in: frames))
    let times = times
    effective = places.map { $0 < 0 ? .distantPast : Instant(nanoseconds: times[Int($0)]) }
  }

  func isAlong(_ frames: SampleColumns) -> Bool { frames.effective == times && frames.ticks == ticks }

  func fill(from frames: SampleColumns, into column: inout JoinedColumn) {
    let (values, qualities) = (frames.values, frames.qualities)
    column.effective = effective
    column.values = places.map { $0 < 0 ? .nan : values[Int($0)] }
    column.qualities = places.map { $0 < 0 ? .never : qualities[Int($0)] }
  }
}

/// The meanings of one point as they become known, tick by tick.
struct JoinReading {
  private let meanings: [MeaningRevision]
  private var next = 0
  private var stack = MeaningStack([])
  private let storedUnit: String?
  /// Of what was read under a meaning, or beside one.
  private var units: Set<String?> = []

  init(meanings: [MeaningRevision], storedUnit: String?) {
    (self.meanings, self.storedUnit) = (meanings, storedUnit)
  }

  var isAsStored: Bool { meanings.isEmpty }

  /// The one unit of everything that was read; nil where there were several.
  var unit: String? {
    units.isEmpty ? storedUnit : units.count == 1 ? units.first.flatMap(\.self) : nil
  }

  mutating func learn(through tick: Int64) {
    guard next < meanings.count, meanings[next].tick <= tick else { return }
    while next < meanings.count, meanings[next].tick <= tick { next += 1 }
    stack = MeaningStack(Array(meanings[..<next]))
  }

  mutating func read(_ value: Double, _ quality: Quality, at instant: Int64) -> (value: Double, quality: Quality) {
    guard let revision = stack.revision(at: instant) else {
      note(storedUnit)
      return (quality.hasValue ? value : .nan, quality)
    }
    note(revision.meaning.unit)
    return revision.meaning.read(value, quality)
  }

  /// Leaves of a window's good samples those that their meaning does not call doubtful. The unit of the result is that
  /// of the last; false where others are in another.
  mutating func read(_ window: inout FeatureWindow) -> Bool {
    guard !stack.isEmpty else { return storedUnit != nil }
    var (last, isOneUnit, isFirst): (String?, Bool, Bool) = (nil, true, true)
    window.filter { instant, value in
      let revision = stack.revision(at: instant)
      let found = revision?.meaning.read(value, .good) ?? (value, .good)
      guard found.quality.isUsable else { return nil }
      let unit = revision?.meaning.unit ?? storedUnit
      isOneUnit = isOneUnit && unit != nil && (isFirst || unit == last)
      (last, isFirst) = (unit, false)
      return found.value
    }
    if !isFirst { note(last) }
    return isOneUnit
  }

  private mutating func note(_ unit: String?) { units.insert(unit) }
}

extension Int64 {
  /// The largest multiple of `step` that is not above; `step` above 0.
  func flooredMultiple(of step: Int64) -> Int64 {
    let rest = self % step
    return rest >= 0 ? self - rest : (self - rest).saturatingSubtract(step)
  }
}
