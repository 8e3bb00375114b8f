import TwinCore

/// One point's samples as they become known, tick by tick: the same answers as reading anew as of every tick, for the
/// cost of one walk along its history.
struct KnownSamples {
  /// The instants of which anything was ever said, rising.
  let effective: [Int64]
  /// Per instant, what is known now; of no account where the instant is not alive.
  private(set) var values: [Double]
  private(set) var qualities: [Quality]
  private let frames: SampleColumns
  /// Frames came in order and alone, so that each is its own place and the known ones are the first.
  private let isPlain: Bool
  /// Per frame its place in `effective`; empty where it is plain.
  private let places: [Int32]
  private let overlays: [Overlay]
  private var alive: RankedBits
  private var frameNext = 0
  private var overlayNext = 0

  /// `frames` in the order in which they came: ticks do not fall. `overlays` in the order in which they were made.
  init(frames: SampleColumns, overlays: [Overlay]) {
    self.frames = frames
    self.overlays = overlays
    let isRising = Self.isRising(frames.effective)
    isPlain = overlays.isEmpty && isRising
    if isPlain {
      (effective, values, qualities, places) = (frames.effective, frames.values, frames.qualities, [])
      alive = RankedBits(count: 0)
      return
    }
    var instants = frames.effective
    for overlay in overlays {
      if case .replace(let samples) = overlay.operation { instants.append(contentsOf: samples.effective) }
    }
    if !Self.isRising(instants) {
      instants.sort()
      var kept: [Int64] = []
      kept.reserveCapacity(instants.count)
      for instant in instants where instant != kept.last { kept.append(instant) }
      instants = kept
    }
    effective = instants
    values = Array(repeating: .nan, count: instants.count)
    qualities = Array(repeating: .never, count: instants.count)
    alive = RankedBits(count: instants.count)
    var cursor = 0
    places = frames.effective.map { instant in
      // Mostly the next one.
      if cursor + 1 < instants.count, instants[cursor + 1] == instant { cursor += 1 }
      if instants[cursor] != instant { cursor = Self.place(of: instant, in: instants) }
      return Int32(truncatingIfNeeded: cursor)
    }
  }

  private static func isRising(_ instants: [Int64]) -> Bool {
    var previous = instants.first ?? 0
    for index in 1..<max(1, instants.count) {
      if instants[index] <= previous { return false }
      previous = instants[index]
    }
    return true
  }

  /// The first place whose instant is not before `instant`.
  private static func place(of instant: Int64, in instants: [Int64]) -> Int {
    var (low, high) = (0, instants.count)
    while low < high {
      let middle = (low + high) / 2
      if instants[middle] < instant { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The frames, where they came in order, each instant once, and were never changed.
  var plain: SampleColumns? { isPlain ? frames : nil }

  /// Takes in what became known up to `tick`, frames of a tick before its changes. Ticks must not fall from call to
  /// call.
  @inline(__always)
  mutating func learn(through tick: Int64) {
    if overlayNext < overlays.count { learnOverlays(through: tick) }
    learnFrames(through: tick)
  }

  private mutating func learnOverlays(through tick: Int64) {
    while overlayNext < overlays.count, overlays[overlayNext].tick <= tick {
      let overlay = overlays[overlayNext]
      overlayNext += 1
      learnFrames(through: overlay.tick)
      switch overlay.operation {
      case .retract:
        let first = Self.place(of: overlay.effective.lowerBound, in: effective)
        alive.remove(first..<Self.place(of: overlay.effective.upperBound, in: effective))
      case .replace(let samples):
        for row in 0..<samples.count {
          let place = Self.place(of: samples.effective[row], in: effective)
          values[place] = samples.values[row]
          qualities[place] = samples.qualities[row]
          alive.insert(place)
        }
      }
    }
  }

  @inline(__always)
  private mutating func learnFrames(through tick: Int64) {
    if isPlain {
      while frameNext < frames.count, frames.ticks[frameNext] <= tick { frameNext += 1 }
      return
    }
    while frameNext < frames.count, frames.ticks[frameNext] <= tick {
      let place = Int(places[frameNext])
      values[place] = frames.values[frameNext]
      qualities[place] = frames.qualities[frameNext]
      alive.insert(place)
      frameNext += 1
    }
  }

  /// The place of the last known sample that is not after the instant at `place`; nil where there is none.
  @inline(__always)
  func last(through place: Int) -> Int? {
    if isPlain {
      let known = min(place, frameNext - 1)
      return known >= 0 ? known : nil
    }
    return alive.last(through: place)
  }

  /// The known good samples of (end − span, end], rising, into `window`; `place` is the last one whose instant is not
  /// after `end`. False where there are more than `limit`.
  func gather(
    through place: Int, end: Int64, span: Int64, limit: Int, into window: inout FeatureWindow
  ) -> Bool {
    window.removeAll()
    let floor = end.saturatingSubtract(span)
    var next = last(through: place)
    while let found = next, effective[found] > floor {
      if qualities[found].isUsable {
        guard window.count < limit else { return false }
        window.append(effective[found], values[found])
      }
      next = found > 0 ? last(through: found - 1) : nil
    }
    window.reverse()
    return true
  }
}
