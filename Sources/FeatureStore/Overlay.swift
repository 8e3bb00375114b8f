import TwinCore

/// One change of a point's past: an entry of the family "overlay", decoded.
struct Overlay: Sendable, Equatable {
  enum Operation: Sendable, Equatable {
    /// These samples are what is known of their instants from the tick on; rising, each of the entry's tick.
    case replace(SampleColumns)
    /// Nothing that was known before is known any more of the stretch.
    case retract
  }

  /// The family of its version entries; the subject is the point.
  static let family = "overlay"
  /// In one entry; more samples become more entries.
  static let samplesMax = 4096

  var tick: Int64
  /// Nanoseconds. Of a replacement, from its first sample to just after its last.
  var effective: Range<Int64>
  var operation: Operation
  var grounds: Grounds
}

/// Changes that were folded into one.
struct Blur: Sendable, Equatable {
  /// From the first of them to just before the last.
  var ticks: Range<Int64>
  /// Nanoseconds.
  var effective: Range<Int64>
}

/// The changes of one point, as many as are known at some tick, ready to be laid over its samples.
///
/// Time runs by ticks, and within a tick frames come before changes. So a change counts over what frames of its own and
/// earlier ticks said of an instant, and a frame of a later tick counts over the change.
struct OverlayStack {
  /// In the order in which they were made.
  let overlays: [Overlay]
  /// Of which ticks what was known of which time is not told apart any more.
  private(set) var blurs: [Blur] = []
  /// Retractions as strata; a statement's number is the place in `retractions`.
  private let retracted: Strata
  /// Places in `overlays`.
  private let retractions: [Int]

  /// `overlays` in the order in which they were made: by tick, then by number.
  init(_ overlays: [Overlay]) {
    self.overlays = overlays
    retractions = overlays.indices.filter { overlays[$0].operation == .retract }
    retracted = Strata(retractions.map { overlays[$0].effective })
  }

  init(_ overlays: [Overlay], blurs: [Blur]) {
    self.init(overlays)
    self.blurs = blurs
  }

  var isEmpty: Bool { overlays.isEmpty }

  /// What is known of the instants of `range`, rising.
  ///
  /// `base` rises, and has of each instant the last frame alone. Linear in both, and what no change touches is copied
  /// in runs; without changes nothing is copied.
  func resolve(_ base: SampleColumns, within range: Range<Int64>) -> SampleColumns {
    guard !overlays.isEmpty else { return base }
    let kept = withoutRetracted(base)
    let added = replacements(within: range)
    guard added.count > 0 else { return kept }
    // A correction mostly has the instants of frames; what came late is put in between.
    var result = kept
    let late = result.correct(by: added)
    guard !late.isEmpty else { return result }
    var between = SampleColumns()
    for index in late { between.append(added, index..<index + 1) }
    return result.merged(with: between)
  }

  /// `base` without the frames that a retraction of their own or a later tick covers.
  private func withoutRetracted(_ base: SampleColumns) -> SampleColumns {
    guard !retracted.stretches.isEmpty, let first = base.effective.first else { return base }
    var result = SampleColumns()
    var row = 0
    for stretch in retracted.stretches[retracted.index(endingAfter: first)...] {
      let start = base.row(from: row, notBefore: stretch.range.lowerBound)
      let end = base.row(from: start, notBefore: stretch.range.upperBound)
      result.append(base, row..<start)
      let tick = overlays[retractions[stretch.statement]].tick
      for index in start..<end where base.ticks[index] > tick { result.append(base, index..<index + 1) }
      row = end
      if row == base.count { break }
    }
    result.append(base, row..<base.count)
    return result
  }

  /// As `replacements`, where nothing is retracted and none begins before the one before it ends; else nil.
  private func plainReplacements(within range: Range<Int64>) -> SampleColumns? {
    guard retractions.isEmpty else { return nil }
    var found: SampleColumns?
    for overlay in overlays where overlay.effective.overlaps(range) {
      guard case .replace(let samples) = overlay.operation else { continue }
      let rows = samples.row(notBefore: range.lowerBound)..<samples.row(notBefore: range.upperBound)
      guard !rows.isEmpty else { continue }
      guard let last = found?.effective.last else {
        found = samples
        if rows.count < samples.count { found = samples.part(rows) }
        continue
      }
      guard last < samples.effective[rows.lowerBound] else { return nil }
      found?.append(samples, rows)
    }
    return found ?? SampleColumns()
  }

  /// The last replacement of each instant of `range`, unless a later retraction covers it.
  private func replacements(within range: Range<Int64>) -> SampleColumns {
    if let plain = plainReplacements(within: range) { return plain }
    var places: [(effective: Int64, overlay: Int, row: Int)] = []
    for (index, overlay) in overlays.enumerated() {
      guard case .replace(let samples) = overlay.operation, overlay.effective.overlaps(range) else { continue }
      let end = samples.row(notBefore: range.upperBound)
      for row in samples.row(notBefore: range.lowerBound)..<end {
        places.append((samples.effective[row], index, row))
      }
    }
    let isRising = zip(places, places.dropFirst()).allSatisfy { $0.effective < $1.effective }
    if !isRising { places.sort { ($0.effective, $0.overlay) < ($1.effective, $1.overlay) } }
    var result = SampleColumns()
    result.reserve(places.count)
    for (index, place) in places.enumerated() {
      if index + 1 < places.count, places[index + 1].effective == place.effective { continue }
      if let statement = retracted.statement(at: place.effective), retractions[statement] > place.overlay { continue }
      guard case .replace(let samples) = overlays[place.overlay].operation else { continue }
      result.append(samples, place.row..<place.row + 1)
    }
    return result
  }
}
