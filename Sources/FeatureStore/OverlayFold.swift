// The body of an overlay entry that was folded: what is left of several changes of one point that begin in one day, all
// of them beyond the history horizon. What a later one of them covered is gone; the others are as they were made. The
// entry's tick is the first of those folded, its stretch all of theirs.
//
//   byte     format, 1
//   byte     operation: 3
//   zigzag   the last tick of those folded
//   varint   how many were folded
//   32       BLAKE2b-256 of the hashes of their units, in the order in which they were made
//   varint   changes
// and for each, in the order in which they were made
//   zigzag   tick, minus the one before (0 at first)
//   zigzag   number of its row when it was recorded, minus the one before
//   zigzag   from, nanoseconds, minus the one before
//   varint   until minus from
//   varint   bytes, then its body as in OverlayBody.swift

import SeriesCodec
import Sodium
import TwinCore

/// Changes as one entry.
struct OverlayFold: Equatable {
  /// One change and its place among all.
  struct Change: Equatable {
    var number: Int64
    var overlay: Overlay
  }

  static let operation: UInt8 = 3
  private static let changesMax = 1 << 20

  var tickLast: Int64
  var folded: Int
  var digest: Digest
  var changes: [Change]

  static func isFold(_ bytes: [UInt8]) -> Bool { bytes.count > 2 && bytes[1] == operation }

  /// Nanoseconds.
  var effective: Range<Int64> {
    let from = changes.map(\.overlay.effective.lowerBound).min() ?? 0
    return from..<max(from, changes.map(\.overlay.effective.upperBound).max() ?? 0)
  }

  func encode(step: Double) -> [UInt8] {
    var writer = ByteWriter()
    writer.byte(Overlay.format)
    writer.byte(Self.operation)
    writer.zigzag(tickLast)
    writer.varint(UInt64(folded))
    writer.append(digest.bytes)
    writer.varint(UInt64(changes.count))
    var (tick, number, from): (Int64, Int64, Int64) = (0, 0, 0)
    for change in changes {
      let range = change.overlay.effective
      writer.zigzag(change.overlay.tick &- tick)
      writer.zigzag(change.number &- number)
      writer.zigzag(range.lowerBound &- from)
      writer.varint(UInt64(bitPattern: range.upperBound &- range.lowerBound))
      let body = change.overlay.encode(step: step)
      writer.varint(UInt64(body.count))
      writer.append(body)
      (tick, number, from) = (change.overlay.tick, change.number, range.lowerBound)
    }
    return writer.bytes
  }

  init(tickLast: Int64, folded: Int, digest: Digest, changes: [Change]) {
    (self.tickLast, self.folded, self.digest, self.changes) = (tickLast, folded, digest, changes)
  }

  init(_ bytes: [UInt8]) throws(CodecFault) {
    var reader = ByteReader(bytes)
    let (format, operation) = (try reader.byte(), try reader.byte())
    guard format == Overlay.format, operation == Self.operation else {
      throw CodecFault("format \(format), operation \(operation) of a fold")
    }
    tickLast = try reader.zigzag()
    folded = try reader.count(max: Int(Int32.max))
    guard let digest = Digest(bytes: try reader.bytes(32)) else { throw CodecFault("hash of a fold") }
    self.digest = digest
    changes = []
    var (tick, number, from): (Int64, Int64, Int64) = (0, 0, 0)
    for _ in 0..<(try reader.count(max: Self.changesMax)) {
      tick &+= try reader.zigzag()
      number &+= try reader.zigzag()
      from &+= try reader.zigzag()
      let until = from &+ Int64(bitPattern: try reader.varint())
      guard from <= until, tick <= tickLast else { throw CodecFault("a change of a fold, tick \(tick)") }
      let body = try reader.bytes(try reader.count(max: reader.remaining))
      changes.append(Change(number: number, overlay: try Overlay(body, tick: tick, effective: from..<until)))
    }
    guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
  }

  /// What is left of changes of one point, which stand in the order in which they were made: a sample unless a later
  /// one is of its instant or a later retraction covers it, and of retractions what no later one covers.
  static func survivors(_ changes: [Change]) -> [Change] {
    var last: [Int64: Int] = [:]
    for (place, change) in changes.enumerated() {
      guard case .replace(let samples) = change.overlay.operation else { continue }
      for instant in samples.effective { last[instant] = place }
    }
    let retractions = changes.indices.filter { changes[$0].overlay.operation == .retract }
    let retracted = Strata(retractions.map { changes[$0].overlay.effective })
    var left: [(place: Int, change: Change)] = []
    for (place, change) in changes.enumerated() {
      guard case .replace(let samples) = change.overlay.operation else { continue }
      let kept = change.overlay.keeping { row in
        let instant = samples.effective[row]
        return last[instant] == place && retracted.statement(at: instant).map { retractions[$0] < place } ?? true
      }
      if let kept { left.append((place, Change(number: change.number, overlay: kept))) }
    }
    for stretch in retracted.stretches {
      let place = retractions[stretch.statement]
      var change = changes[place]
      change.overlay.effective = stretch.range
      left.append((place, change))
    }
    let from = { (item: (place: Int, change: Change)) in item.change.overlay.effective.lowerBound }
    return left.sorted { ($0.place, from($0)) < ($1.place, from($1)) }.map(\.change)
  }
}

extension Overlay {
  /// A replacement with some of its rows; nil where none stays.
  func keeping(_ isKept: (Int) -> Bool) -> Overlay? {
    guard case .replace(let samples) = operation else { return self }
    var kept = SampleColumns()
    for row in 0..<samples.count where isKept(row) { kept.append(samples, row..<row + 1) }
    guard let first = kept.effective.first, let last = kept.effective.last else { return nil }
    var overlay = self
    (overlay.operation, overlay.effective) = (.replace(kept), first..<last.saturatingAdd(1))
    return overlay
  }

  /// Without what it says of the time before `cut`; nil where nothing is left.
  func since(_ cut: Int64) -> Overlay? {
    guard effective.lowerBound < cut else { return self }
    guard effective.upperBound > cut else { return nil }
    if case .replace(let samples) = operation { return keeping { samples.effective[$0] >= cut } }
    var overlay = self
    overlay.effective = cut..<effective.upperBound
    return overlay
  }
}

extension JoinLabels {
  /// Whether a label sees a time of which it cannot be told what was known then. `span`: what a feature looks back
  /// beside the greatest age.
  func meets(_ blur: Blur, span: Int64) -> Bool {
    let seen = knownThrough.partitionedIndex { $0 >= blur.ticks.lowerBound }
    let end = knownThrough.partitionedIndex { $0 >= blur.ticks.upperBound }
    let first = max(seen, instants.partitionedIndex { $0 >= blur.effective.lowerBound })
    return first < end
      && instants[first].saturatingSubtract(ageMax).saturatingSubtract(span) < blur.effective.upperBound
  }
}

extension [Int64] {
  /// The first place from which on `isBehind` holds; the numbers must not fall.
  fileprivate func partitionedIndex(_ isBehind: (Int64) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
