import SeriesCodec
import Sodium
import TwinCore

/// All frames and ticks that are committed: sealed bodies on the shelf, and the windows that are open.
///
/// Every frame is in exactly one of them. Rows of a group rise by tick from body to body and into its window.
final class Archive {
  /// How long a window is open. Groups take turns in sealing: each has a phase of its own, the same every time.
  static let windowNanoseconds: Int64 = 600_000_000_000

  /// The last frame under one layout, with the tick that carried it.
  struct Latest {
    var frame: Frame
    var tick: Int64
    var instant: Int64
  }

  let shelf: Shelf
  let bad: BadRows
  private(set) var windows: [Int32: Window] = [:]
  /// Groups that have a window, rising.
  private(set) var groups: [Int32] = []
  private(set) var ticks = TickWindow()
  /// Sum of what the windows take.
  private(set) var windowBytes = 0
  var layouts: [Int64: FrameLayout] = [:]
  /// By layout; one that was not looked for is missing, nil where there is none.
  var latest: [Int64: Latest?] = [:]
  /// The instant of the last tick.
  private(set) var now = Int64.min
  private var opened = BodyCache<RowTimes>(costMax: 3 << 20)
  private var instants = BodyCache<TickTimes>(costMax: 1 << 20)
  private var turn = 0

  init(shelf: Shelf, bad: BadRows) { (self.shelf, self.bad) = (shelf, bad) }

  /// Takes what a commit made durable. Where rows cannot share a body a window is closed; what comes of it waits on the
  /// shelf if the disk refuses it.
  func take(_ record: LogRecord) {
    for (tick, frames) in record.carried {
      for laid in frames { take(laid, of: tick, commit: record.commit) }
      take(tick, order: TickBody.order(of: frames), commit: record.commit)
    }
  }

  func take(_ tick: TickRecord, order: [Int]?, commit: Int64) {
    if !ticks.takes(tick) { closeTicks() }
    ticks.append(tick, order: order, commit: commit)
    now = tick.instant.nanoseconds
  }

  func take(_ laid: LaidFrame, of tick: TickRecord, commit: Int64) {
    let frame = laid.frame
    guard let window = window(frame.group, laid.layout) else { return }
    if !window.takes(frame.effective.nanoseconds) { close(window) }
    let before = window.bytes
    window.append(frame, tick: tick, commit: commit)
    windowBytes += window.bytes - before
    latest[laid.layout] = Latest(frame: frame, tick: tick.number, instant: tick.instant.nanoseconds)
  }

  private func window(_ group: Int32, _ version: Int64) -> Window? {
    let known = windows[group]
    if let known, known.layout == version { return known }
    guard let layout = layouts[version] else {
      bad.note(BadBody(row: "log, group \(group)", reason: "its layout \(version) is unknown"))
      return nil
    }
    if let known {
      close(known)
      windowBytes -= known.bytes
    } else {
      groups.insert(group, at: groups.firstIndex { $0 > group } ?? groups.count)
    }
    let window = Window(group: group, layout: version, layout)
    windows[group] = window
    return window
  }

  /// What was the last of a layout may be gone.
  func forgetLatest() {
    let open = Set(windows.values.filter { !$0.isEmpty }.map(\.layout))
    for version in latest.keys where !open.contains(version) { latest[version] = nil }
  }

  /// Forgets what is not sealed, before it is read again.
  func clearWindows() {
    (windows, groups, windowBytes, now, turn) = ([:], [], 0, .min, 0)
    ticks = TickWindow()
    latest = [:]
  }
}

/// Sealing.
extension Archive {
  /// Seals the window of a group.
  func close(_ window: Window, releasing: Bool = false) {
    guard !window.isEmpty else { return }
    let block = window.block()
    let bytes = BodyCodec.encode(block, tier: .hot)
    let key = BodyKey(
      kind: .frames, group: window.group, layout: window.layout, effective: window.effectiveMin...window.effectiveMax,
      ticks: block.ticks[0]...block.ticks[block.ticks.count - 1], rows: window.rows, tier: Tier.hot.rawValue,
      hash: Sodium.blake2b256(bytes), length: bytes.count)
    let before = window.bytes
    let day = window.day
    window.clear(releasing: releasing)
    windowBytes += window.bytes - before
    shelf.put(bytes, key, day: day)
  }

  func closeTicks() {
    guard let first = ticks.records.first, let last = ticks.records.last else { return }
    let bytes = TickBody.encode(ticks.records[...], orders: ticks.orders, tier: .hot)
    let key = BodyKey(
      kind: .ticks, group: TickBody.group, layout: 0, effective: ticks.instantMin...ticks.instantMax,
      ticks: first.number...last.number, rows: ticks.records.count, tier: Tier.hot.rawValue,
      hash: Sodium.blake2b256(bytes), length: bytes.count)
    let day = ticks.day
    ticks.clear()
    shelf.put(bytes, key, day: day)
  }

  /// Seals windows whose time is over, about `cells` numbers of them at most, and more where `bytesMax` is exceeded.
  func sealDue(cells: Int, bytesMax: Int) {
    if !ticks.isEmpty, isDue(ticks.openedAt, group: TickBody.group) { closeTicks() }
    var left = cells
    for _ in groups.indices where left > 0 {
      turn = turn + 1 < groups.count ? turn + 1 : 0
      guard let window = windows[groups[turn]], !window.isEmpty, isDue(window.openedAt, group: window.group) else {
        continue
      }
      left -= window.rows * window.forms.count
      close(window)
    }
    guard windowBytes > bytesMax else { return }
    // The fullest first, and their memory given back: the site has more points than fit a whole window.
    for window in windows.values.sorted(by: { ($0.bytes, $0.group) > ($1.bytes, $1.group) }) {
      guard windowBytes > bytesMax * 3 / 4 else { return }
      close(window, releasing: true)
    }
  }

  func sealAll() {
    for group in groups { if let window = windows[group] { close(window) } }
    closeTicks()
  }

  /// Whether a boundary of the group's own lies between the window's beginning and now, either way.
  private func isDue(_ openedAt: Int64, group: Int32) -> Bool {
    period(openedAt, group) != period(now, group)
  }

  private func period(_ instant: Int64, _ group: Int32) -> Int64 {
    // The golden ratio spreads neighbours over the period.
    let turn = (UInt64(UInt32(bitPattern: group &+ 1)) &* 0x9E37_79B9_7F4A_7C15) >> 32
    let phase = Int64(turn) * (Self.windowNanoseconds >> 32)
    let shifted = instant.saturatingSubtract(phase)
    return shifted / Self.windowNanoseconds - (shifted % Self.windowNanoseconds < 0 ? 1 : 0)
  }

  /// The earliest commit that some window still needs the log for; nil when all is sealed.
  var earliestUnsealed: Int64? {
    var earliest: Int64? = ticks.isEmpty ? nil : ticks.firstCommit
    for window in windows.values where !window.isEmpty {
      earliest = min(earliest ?? window.firstCommit, window.firstCommit)
    }
    return earliest
  }
}

/// Opening bodies.
extension Archive {
  /// A body of frames; nil, and noted, where it cannot be trusted.
  func open(_ body: StoredBody) throws(StoreError) -> OpenBody? {
    guard let layout = layouts[body.key.layout] else {
      bad.note(BadBody(row: body.name, reason: "its layout \(body.key.layout) is unknown"))
      return nil
    }
    guard let bytes = try bytes(of: body) else { return nil }
    do throws(CodecFault) {
      // Its bytes have just been compared with their checksum, or never left the memory.
      let reader = try BodyReader(bytes, forms: layout.forms, isChecked: true)
      guard reader.group == body.key.group, reader.layout == body.key.layout else {
        throw CodecFault("of group \(reader.group), layout \(reader.layout)")
      }
      if let times = opened[body], times.rows == reader.rows { return OpenBody(reader, times) }
      let (effective, ticks) = try reader.instants()
      let times = RowTimes(effective, ticks, unit: reader.unit)
      opened.insert(times, for: body, cost: times.bytes)
      return OpenBody(reader, times)
    } catch {
      bad.note(BadBody(row: body.name, reason: error.reason))
      return nil
    }
  }

  /// The rows before `end` of a column, without measures; nil, and noted, where it cannot be trusted.
  func column(_ index: Int, of body: OpenBody, _ stored: StoredBody, through end: Int) -> Column? {
    do throws(CodecFault) { return try body.reader.column(index, through: end) } catch {
      bad.note(BadBody(row: stored.name, reason: error.reason))
      return nil
    }
  }

  func block(of body: OpenBody, _ stored: StoredBody) -> Block? {
    do throws(CodecFault) { return try body.reader.block() } catch {
      bad.note(BadBody(row: stored.name, reason: error.reason))
      return nil
    }
  }

  /// A body of ticks; nil, and noted, where it cannot be trusted.
  func openTicks(_ body: StoredBody) throws(StoreError) -> TickBody? {
    guard let bytes = try bytes(of: body) else { return nil }
    do throws(CodecFault) { return try TickBody(bytes) } catch {
      bad.note(BadBody(row: body.name, reason: error.reason))
      return nil
    }
  }

  /// Numbers and instants of a body of ticks.
  func tickTimes(_ body: StoredBody) throws(StoreError) -> TickTimes? {
    if let known = instants[body] { return known }
    guard let opened = try openTicks(body) else { return nil }
    let times = TickTimes(opened.numbers, opened.instants)
    instants.insert(times, for: body, cost: 16 * opened.count)
    return times
  }

  /// A body as it is stored; nil, and noted, where it does not match its checksum.
  func bytes(of body: StoredBody) throws(StoreError) -> [UInt8]? {
    do throws(StoreError) { return try shelf.read(body) } catch {
      guard error.kind == .corrupt else { throw error }
      bad.note(BadBody(row: body.name, reason: error.message))
      return nil
    }
  }
}

/// A body of frames whose times are unpacked.
struct OpenBody {
  let reader: BodyReader
  let times: RowTimes

  init(_ reader: BodyReader, _ times: RowTimes) { (self.reader, self.times) = (reader, times) }
}

final class TickTimes {
  let numbers: [Int64]
  let instants: [Int64]
  /// No number is left out.
  private let isWhole: Bool

  init(_ numbers: [Int64], _ instants: [Int64]) {
    precondition(numbers.count == instants.count, "an instant a tick")
    (self.numbers, self.instants) = (numbers, instants)
    isWhole = numbers.isEmpty || numbers[numbers.count - 1].saturatingSubtract(numbers[0]) == numbers.count - 1
  }

  /// Turns numbers from `start` on into the instants of the last ticks that are not after them, up to the first one
  /// outside of `reach`, of which it gives the place; `Int64.min` where all ticks are later.
  func answer(_ rows: inout MutableSpan<Int64>, from start: Int, while reach: ClosedRange<Int64>) -> Int {
    let (numbers, instants) = (numbers, instants)
    let known = numbers.span
    let at = instants.span
    var (row, place) = (start, 0)
    if isWhole, !known.isEmpty, rows[start] >= known[0] {
      let (first, last) = (known[0], UInt64(known.count &- 1))
      let from = max(first, reach.lowerBound)
      while row < rows.count {
        // In bounds: the row is below the count, and the place between the first and the last.
        let number = unsafe rows[unchecked: row]
        guard number >= from, number <= reach.upperBound else { break }
        unsafe rows[unchecked: row] = at[unchecked: Int(min(UInt64(bitPattern: number &- first), last))]
        row &+= 1
      }
      if row > start { return row }
    }
    while row < rows.count {
      // In bounds in what follows: the row is below the count, and a place is looked at only where it is too.
      let number = unsafe rows[unchecked: row]
      guard row == start || reach.contains(number) else { break }
      // Mostly the same tick as the sample before, or the next.
      if place < known.count, unsafe known[unchecked: place] < number { place &+= 1 }
      let isThere = place < known.count ? unsafe known[unchecked: place] == number : false
      if !isThere { place = index(atOrBefore: number) ?? known.count }
      unsafe rows[unchecked: row] = place < known.count ? at[unchecked: place] : Int64.min
      row &+= 1
    }
    return row
  }

  /// The place of the last tick that is not after `number`; nil where all are.
  func index(atOrBefore number: Int64) -> Int? {
    guard let first = numbers.first, first <= number else { return nil }
    // Numbers mostly rise by one.
    let guess = Int(clamping: number.saturatingSubtract(first))
    if guess < numbers.count, numbers[guess] == number { return guess }
    var (low, high) = (0, numbers.count)
    while low < high {
      let middle = (low + high) / 2
      if numbers[middle] <= number { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }
}

/// What was unpacked of bodies, by their hashes; the least recently used is let go beyond a bound.
private struct BodyCache<Content: AnyObject> {
  private struct Slot {
    var content: Content
    var cost: Int
    var use: Int
  }

  private let costMax: Int
  private var slots: [Digest: Slot] = [:]
  private var (cost, uses) = (0, 0)

  /// In bytes.
  init(costMax: Int) { self.costMax = costMax }

  subscript(_ body: StoredBody) -> Content? {
    mutating get {
      guard let place = slots.index(forKey: body.key.hash) else { return nil }
      uses += 1
      slots.values[place].use = uses
      return slots.values[place].content
    }
  }

  mutating func insert(_ content: Content, for body: StoredBody, cost: Int) {
    guard cost < costMax / 2 else { return }
    uses += 1
    let slot = Slot(content: content, cost: cost, use: uses)
    if let old = slots.updateValue(slot, forKey: body.key.hash) { self.cost -= old.cost }
    self.cost += cost
    guard self.cost > costMax else { return }
    // An eighth at a time, so that it costs little each time.
    for (hash, slot) in slots.sorted(by: { $0.value.use < $1.value.use }) where self.cost > costMax / 8 * 7 {
      slots[hash] = nil
      self.cost -= slot.cost
    }
  }
}

extension LogRecord {
  /// The ticks, each with the frames that it carries.
  var carried: [(tick: TickRecord, frames: ArraySlice<LaidFrame>)] {
    var next = 0
    return ticks.map { tick in
      var end = next
      while end < frames.count, frames[end].frame.sequence < tick.frames.upperBound { end += 1 }
      defer { next = end }
      return (tick, frames[next..<end])
    }
  }
}
