public import TwinCore

/// What the stored numbers of a point mean: late bound, so that a wrong scale is put right by one row and no sample is
/// written again.
///
/// A value as stored, v in the unit of its layout, is read as v × factor + offset in `unit`: one rounding for the
/// product and one for the sum, none for a factor of 1 and none for an offset of 0. A point without a meaning is read
/// as stored.
public struct Meaning: Sendable, Equatable {
  /// UCUM code of what is read.
  public var unit: String
  public var factor: Double
  /// In `unit`.
  public var offset: Double
  /// In `unit`. A good value outside is read as suspect; no value becomes better by it.
  public var valid: ClosedRange<Double>?

  public init(unit: String, factor: Double = 1, offset: Double = 0, valid: ClosedRange<Double>? = nil) {
    (self.unit, self.factor, self.offset, self.valid) = (unit, factor, offset, valid)
  }

  /// Why it cannot be; nil when it can.
  public var defect: String? {
    if !factor.isFinite || factor == 0 { return "factor \(factor) where a finite one, not 0, may be" }
    if !offset.isFinite { return "offset \(offset) where a finite one may be" }
    if let valid, valid.lowerBound.isNaN || valid.upperBound.isNaN { return "a valid range without an end" }
    return UnitCode(ucum: unit) == nil ? "unit \"\(unit)\", which is not in the units table" : nil
  }

  @inlinable public func read(_ stored: Double) -> Double {
    let product = factor == 1 ? stored : stored * factor
    return offset == 0 ? product : product + offset
  }

  /// The value as read, with the quality that it then has.
  @inlinable public func read(_ stored: Double, _ quality: Quality) -> (value: Double, quality: Quality) {
    guard quality.hasValue else { return (.nan, quality) }
    let value = read(stored)
    if quality == .good, let valid, !valid.contains(value) { return (value, .suspect) }
    return (value, quality)
  }
}

/// A meaning and since when it was known.
public struct MeaningRevision: Sendable, Equatable {
  public var meaning: Meaning
  /// Of what it speaks.
  public var effective: Range<Instant>
  /// When it was said.
  public var tick: Int64
  public var reason: String

  public init(meaning: Meaning, effective: Range<Instant>, tick: Int64, reason: String) {
    (self.meaning, self.effective, self.tick, self.reason) = (meaning, effective, tick, reason)
  }

  /// The family of its version entries; the subject is the point.
  static let family = "meaning"

  /// The entry's body, canonical: [1, unit, factor, offset, low, high, reason], the ends null where there is no range.
  var bytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(7)
    writer.integer(1)
    writer.text(meaning.unit)
    writer.double(meaning.factor)
    writer.double(meaning.offset)
    if let valid = meaning.valid {
      writer.double(valid.lowerBound)
      writer.double(valid.upperBound)
    } else {
      writer.null()
      writer.null()
    }
    writer.text(reason)
    return writer.bytes
  }

  init(_ bytes: [UInt8], tick: Int64, effective: Range<Instant>) throws(CanonicalFault) {
    var reader = CanonicalReader(bytes)
    try reader.structure(6, version: 1)
    let unit = try reader.text(limit: 64)
    let (factor, offset) = (try reader.double(), try reader.double())
    let low = try reader.takeNull() ? nil : try reader.double()
    let high = try reader.takeNull() ? nil : try reader.double()
    let reason = try reader.text(limit: Grounds.textBytesMax)
    var meaning = Meaning(unit: unit, factor: factor, offset: offset)
    if let low, let high {
      guard low <= high else { throw CanonicalFault("valid range from \(low) to \(high)") }
      meaning.valid = low...high
    }
    guard reader.isAtEnd, (low == nil) == (high == nil) else { throw CanonicalFault("meaning with a tail") }
    if let defect = meaning.defect { throw CanonicalFault("meaning with \(defect)") }
    self.init(meaning: meaning, effective: effective, tick: tick, reason: reason)
  }
}

/// A run of samples of one series that are in one unit.
public struct UnitStretch: Sendable, Equatable {
  /// The first sample of the run; it goes on to the next stretch or the end.
  public var start: Int
  /// UCUM code.
  public var unit: String
  /// The tick of the meaning that was applied; nil where the samples are as stored.
  public var revision: Int64?

  public init(start: Int, unit: String, revision: Int64? = nil) {
    (self.start, self.unit, self.revision) = (start, unit, revision)
  }
}

/// The meanings of one point as known at some tick, ready to be applied to its samples.
struct MeaningStack {
  private let revisions: [MeaningRevision]
  private let strata: Strata

  /// `revisions` in the order in which they were said.
  init(_ revisions: [MeaningRevision]) {
    self.revisions = revisions
    strata = Strata(revisions.map { $0.effective.lowerBound.nanoseconds..<$0.effective.upperBound.nanoseconds })
  }

  var isEmpty: Bool { revisions.isEmpty }

  func revision(at instant: Int64) -> MeaningRevision? { strata.statement(at: instant).map { revisions[$0] } }

  /// The first stretch that meets a range, whole, and what was said of it.
  func stretch(meeting range: Range<Int64>) -> (range: Range<Int64>, revision: MeaningRevision)? {
    let index = strata.index(endingAfter: range.lowerBound)
    guard index < strata.stretches.count, strata.stretches[index].range.lowerBound < range.upperBound else {
      return nil
    }
    return (strata.stretches[index].range, revisions[strata.stretches[index].statement])
  }

  /// Turns stored samples, rising, into samples as read. `units` are the stored units by runs, and come back as those
  /// of what is read.
  func apply(to samples: inout SampleColumns, units: inout [UnitStretch]) {
    guard !revisions.isEmpty, samples.count > 0 else { return }
    var read: [UnitStretch] = []
    var (row, run) = (0, 0)
    var stretch = strata.index(endingAfter: samples.effective[0])
    while row < samples.count {
      while stretch < strata.stretches.count, strata.stretches[stretch].range.upperBound <= samples.effective[row] {
        stretch += 1
      }
      while run + 1 < units.count, units[run + 1].start <= row { run += 1 }
      var end = run + 1 < units.count ? units[run + 1].start : samples.count
      let stored = run < units.count ? units[run].unit : ""
      guard stretch < strata.stretches.count else {
        Self.append(UnitStretch(start: row, unit: stored), to: &read)
        row = end
        continue
      }
      let range = strata.stretches[stretch].range
      if range.lowerBound > samples.effective[row] {
        Self.append(UnitStretch(start: row, unit: stored), to: &read)
        row = min(end, samples.row(from: row, notBefore: range.lowerBound))
        continue
      }
      let revision = revisions[strata.stretches[stretch].statement]
      end = min(end, samples.row(from: row, notBefore: range.upperBound))
      Self.append(UnitStretch(start: row, unit: revision.meaning.unit, revision: revision.tick), to: &read)
      for index in row..<end {
        (samples.values[index], samples.qualities[index]) =
          revision.meaning.read(samples.values[index], samples.qualities[index])
      }
      row = end
    }
    units = read
  }

  private static func append(_ stretch: UnitStretch, to stretches: inout [UnitStretch]) {
    if let last = stretches.last, last.unit == stretch.unit, last.revision == stretch.revision { return }
    stretches.append(stretch)
  }
}
