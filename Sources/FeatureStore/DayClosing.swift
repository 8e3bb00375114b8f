import SQLite
import Seams
import SeriesCodec
import Sodium
public import TwinCore

/// A day that is being written again for good: larger bodies, packed as well as can be, without what is not kept any
/// more.
///
/// A step packs one body of about `rows` rows, so that commits do not wait long between two of them. Bodies of the
/// closed file, where there is one already, are taken over as they are, unless values in them lapse.
struct DayClosing {
  static let rows = 8192
  /// Wide groups have fewer rows in a body, so that a step's memory is bounded.
  static let cellsMax = 1 << 21
  /// Numbers that a step packs at least, unless there are no more.
  static let cells = 65_536

  let day: Int64
  private let writer: ClosedDayWriter
  /// What there was at the beginning; when more has come the day begins again.
  private let count: Int
  private var left: ArraySlice<(kind: BodyKind, group: Int32)>
  /// Bodies of the group at hand, in order of their ticks.
  private var bodies: ArraySlice<StoredBody> = []
  private var block: Block?
  private var ticks: [TickRecord] = []
  private var orders: [Int64: [Int]] = [:]
  private var lapses: LapseList

  /// `over`: the columns of a layout whose values of the day are not kept any more.
  init(_ day: Int64, _ archive: Archive, _ over: (FrameLayout) -> [Int] = { _ in [] }) throws(StoreError) {
    let shelf = archive.shelf
    self.day = day
    lapses = try LapseList(day, archive, over)
    count = try shelf.bodies(day: day).count
    var parts: [(kind: BodyKind, group: Int32)] = []
    for kind in [BodyKind.ticks, .frames] {
      for group in try shelf.groups(kind, day: day) { parts.append((kind, group)) }
    }
    left = parts[...]
    writer = try ClosedDayWriter(files: shelf.files, path: shelf.path(day, .closed), day: day)
  }

  func cancel() { writer.cancel() }

  /// Packs on; true when the closed file is in its place.
  mutating func step(_ archive: Archive) throws(StoreError) -> Bool {
    var cells = 0
    while cells < Self.cells {
      if let stored = bodies.popFirst() {
        cells += try take(stored, archive)
        continue
      }
      cells += try flush()
      guard let part = left.popFirst() else { return try finish(archive) }
      bodies = try archive.shelf.bodies(part.kind, group: part.group, ticks: Int64.min...Int64.max, day: day)
        .sorted { Self.order($0) < Self.order($1) }[...]
    }
    return false
  }

  private static func order(_ body: StoredBody) -> (Int64, Int64, Int64) {
    guard case .file(let form, let entry) = body.place else { return (.max, .max, .max) }
    // A closed file has the earlier rows.
    return form == .closed
      ? (.min, body.key.tickFirst, entry.offset) : (body.key.tickFirst, body.key.tickLast, entry.offset)
  }

  private mutating func take(_ stored: StoredBody, _ archive: Archive) throws(StoreError) -> Int {
    var lost: Set<Int> = []
    if stored.key.kind == .frames {
      switch lapses.judge(stored) {
      case .stays: break
      case .goes: return 1
      case .loses(let columns): lost = columns
      }
    }
    if stored.key.tier == Tier.cold.rawValue, lost.isEmpty {
      // Rows that wait come before these.
      let packed = try flush()
      guard let bytes = try archive.bytes(of: stored) else { throw unreadable(stored) }
      try writer.append(bytes, stored.key)
      return packed + stored.key.length / 8
    }
    guard stored.key.kind == .frames else { return try takeTicks(stored, archive) }
    guard let opened = try archive.open(stored), var more = archive.block(of: opened, stored) else {
      throw unreadable(stored)
    }
    more.clear(lost)
    var packed = 0
    let most = min(Self.rows, max(256, Self.cellsMax / max(1, more.columns.count)))
    if block.map({ $0.layout != more.layout }) ?? false { packed += try flush() }
    block?.append(more)
    if block == nil { block = more }
    while let known = block, known.effective.count >= most {
      let (head, tail) = known.split(at: most)
      packed += try write(head)
      block = tail
    }
    return packed
  }

  private mutating func takeTicks(_ stored: StoredBody, _ archive: Archive) throws(StoreError) -> Int {
    guard let body = try archive.openTicks(stored) else { throw unreadable(stored) }
    var packed = 0
    // Ticks in between are in another day, for the clock was set: bodies of ticks never reach over one another.
    if let last = ticks.last, stored.key.tickFirst != last.number + 1 { packed += try flush() }
    for row in 0..<body.count {
      ticks.append(body.record(row))
      if let order = body.order(row) { orders[body.numbers[row]] = order }
      if ticks.count == TickBody.coldTicksMax { packed += try flush() }
    }
    if ticks.reduce(0, { $0 + $1.bytes.count }) > 4 * TickBody.bytesTarget { packed += try flush() }
    return packed
  }

  /// What cannot be read now may be readable later: the open file must not go without it.
  private func unreadable(_ stored: StoredBody) -> StoreError {
    StoreError(.corrupt, "\(stored.name) cannot be read; its day stays open")
  }

  /// Packs what is left of a group; gives how many numbers that were.
  private mutating func flush() throws(StoreError) -> Int {
    var packed = 0
    if let rest = block {
      block = nil
      packed += try write(rest)
    }
    if let first = ticks.first, let last = ticks.last {
      let bytes = TickBody.encode(ticks[...], orders: orders, tier: .cold)
      let instants = ticks.map(\.instant.nanoseconds)
      let key = BodyKey(
        kind: .ticks, group: TickBody.group, layout: 0,
        effective: (instants.min() ?? 0)...(instants.max() ?? 0), ticks: first.number...last.number, rows: ticks.count,
        tier: Tier.cold.rawValue, hash: Sodium.blake2b256(bytes), length: bytes.count)
      packed += ticks.count * 8
      (ticks, orders) = ([], [:])
      try writer.append(bytes, key)
    }
    return packed
  }

  private func write(_ block: Block) throws(StoreError) -> Int {
    let rows = block.effective.count
    guard rows > 0, let low = block.effective.min(), let high = block.effective.max() else { return 0 }
    let bytes = BodyCodec.encode(block, tier: .cold)
    let key = BodyKey(
      kind: .frames, group: block.group, layout: block.layout, effective: low...high,
      ticks: block.ticks[0]...block.ticks[rows - 1], rows: rows, tier: Tier.cold.rawValue,
      hash: Sodium.blake2b256(bytes), length: bytes.count)
    try writer.append(bytes, key)
    return rows * (block.columns.count + 3)
  }

  private func finish(_ archive: Archive) throws(StoreError) -> Bool {
    guard try archive.shelf.bodies(day: day).count == count else {
      throw StoreError(.busy, "bodies came to \(Days.name(day)) while it was closed")
    }
    for (bytes, key) in lapses.bodies() { try writer.append(bytes, key) }
    // Means of what goes must not outlive it; rollups are made anew.
    if lapses.isNew { try archive.shelf.removeRollups(day: day) }
    try writer.finish()
    try archive.shelf.replaced(day: day, isLapse: lapses.isNew)
    return true
  }
}

extension Block {
  /// Adds the rows of a block of the same layout, which come after these.
  mutating func append(_ more: Block) {
    let rows = effective.count
    effective += more.effective
    ticks += more.ticks
    leads += more.leads
    for index in columns.indices { columns[index].append(more.columns[index], after: rows) }
  }

  /// The first `row` rows, and the others; nil where there are none.
  func split(at row: Int) -> (Block, Block?) {
    let rows = effective.count
    guard row < rows else { return (self, nil) }
    return (part(0..<row), part(row..<rows))
  }

  private func part(_ rows: Range<Int>) -> Block {
    Block(
      group: group, layout: layout, effective: Array(effective[rows]), ticks: Array(ticks[rows]),
      leads: Array(leads[rows]), columns: columns.map { $0.part(rows) })
  }
}

extension Column {
  fileprivate mutating func append(_ more: Column, after rows: Int) {
    let moreRows = more.counts.count
    if !qualities.isEmpty || !more.qualities.isEmpty {
      let good = { (count: Int) in [UInt8](repeating: Quality.good.rawValue, count: count) }
      qualities =
        (qualities.isEmpty ? good(rows) : qualities) + (more.qualities.isEmpty ? good(moreRows) : more.qualities)
    }
    counts += more.counts
    exceptions += more.exceptions.map { Exception(row: $0.row + Int32(rows), bits: $0.bits) }
    if measures != nil || more.measures != nil {
      var joined = measures ?? Measures()
      joined.append(more.measures ?? Measures(), rows, moreRows)
      measures = joined
    }
  }

  fileprivate func part(_ rows: Range<Int>) -> Column {
    var part = Column(form: form, counts: Array(counts[rows]))
    if !qualities.isEmpty, qualities[rows].contains(where: { $0 != Quality.good.rawValue }) {
      part.qualities = Array(qualities[rows])
    }
    for exception in exceptions where rows.contains(Int(exception.row)) {
      part.exceptions.append(Exception(row: exception.row - Int32(rows.lowerBound), bits: exception.bits))
    }
    part.measures = measures.map { $0.part(rows) }
    return part
  }
}

extension Measures {
  fileprivate mutating func append(_ more: Measures, _ rows: Int, _ moreRows: Int) {
    variances = Self.joined(variances, more.variances, 0, rows, moreRows)
    confidences = Self.joined(confidences, more.confidences, 255, rows, moreRows)
    provenances = Self.joined(provenances, more.provenances, 0, rows, moreRows)
    stamps = Self.joined(stamps, more.stamps, 0, rows, moreRows)
  }

  private static func joined<T>(_ a: [T], _ b: [T], _ usual: T, _ rows: Int, _ moreRows: Int) -> [T] {
    if a.isEmpty, b.isEmpty { return [] }
    return (a.isEmpty ? Array(repeating: usual, count: rows) : a)
      + (b.isEmpty ? Array(repeating: usual, count: moreRows) : b)
  }

  fileprivate func part(_ rows: Range<Int>) -> Measures {
    Measures(
      variances: variances.isEmpty ? [] : Array(variances[rows]),
      confidences: confidences.isEmpty ? [] : Array(confidences[rows]),
      provenances: provenances.isEmpty ? [] : Array(provenances[rows]),
      stamps: stamps.isEmpty ? [] : Array(stamps[rows]))
  }
}

extension SiteStore {
  /// After a day is over it stays open for what comes late.
  public static let graceNanoseconds: Int64 = 7_200_000_000_000

  /// One bounded step of what can wait: flushing, letting go of the log, closing days that are over, writing closed
  /// ones again without values that are not kept any more. Gives whether more is left.
  public func upkeep(now: Instant) throws(StoreError) -> Bool {
    try settle()
    try archive.shelf.place()
    if upkeep.rotatedAt > .min, upkeep.isDue(now: archive.now, bytes: log.fileBytes) {
      tend()
      return true
    }
    if upkeep.closing == nil, let day = try closable(before: now.advanced(byNanoseconds: -Self.graceNanoseconds)) {
      upkeep.closing = try closing(day, now: now.nanoseconds)
    }
    if upkeep.closing == nil {
      let (day, isMore) = try lapsing(now: now.nanoseconds)
      if let day { upkeep.closing = try closing(day, now: now.nanoseconds) } else if isMore { return true }
    }
    guard upkeep.closing != nil else { return keepOn() }
    try closeOn()
    return true
  }

  /// One tile of the rollups of a day that was closed; false when there is none. They are derived: where the disk
  /// refuses them the day goes without.
  private func keepOn() -> Bool {
    if upkeep.keeping == nil, upkeep.unrolled.isEmpty { return false }
    do throws(StoreError) {
      if upkeep.keeping == nil { upkeep.keeping = try RollupKeeping(upkeep.unrolled.removeFirst(), archive) }
      guard var keeping = upkeep.keeping else { return false }
      upkeep.keeping = try step(&keeping) ? nil : keeping
    } catch {
      upkeep.keeping = nil
      upkeep.fault = error
    }
    return true
  }

  /// Closes every day that ends at or before `instant`, sealing what is left of them.
  public func closeDays(before instant: Instant) throws(StoreError) {
    try settle()
    for group in archive.groups {
      if let window = archive.windows[group], Days.range(window.day).upperBound < instant.nanoseconds {
        archive.close(window)
      }
    }
    if !archive.ticks.isEmpty, Days.range(archive.ticks.day).upperBound < instant.nanoseconds { archive.closeTicks() }
    try archive.shelf.place()
    while true {
      if upkeep.closing == nil, let day = try closable(before: instant) {
        upkeep.closing = try closing(day, now: instant.nanoseconds)
      }
      guard upkeep.closing != nil else { return }
      try closeOn()
    }
  }

  private func closeOn() throws(StoreError) {
    let lapses = archive.shelf.lapseCount
    defer { if archive.shelf.lapseCount != lapses { tellLapses() } }
    do throws(StoreError) {
      guard let day = upkeep.closing?.day, try upkeep.closing?.step(archive) == true else { return }
      upkeep.closing = nil
      if archive.shelf.lapseCount != lapses, upkeep.keeping?.day == day { upkeep.keeping = nil }
      if !upkeep.unrolled.contains(day) { upkeep.unrolled.append(day) }
    } catch {
      let day = upkeep.closing?.day
      upkeep.closing?.cancel()
      upkeep.closing = nil
      if error.kind == .corrupt, let day { return archive.shelf.keep(day: day) }
      guard error.kind == .busy else { throw error }
    }
  }

  /// The earliest open day that ends at or before `instant` and that no window holds rows of.
  private func closable(before instant: Instant) throws(StoreError) -> Int64? {
    var held = Set(archive.windows.values.filter { !$0.isEmpty }.map(\.day))
    if !archive.ticks.isEmpty { held.insert(archive.ticks.day) }
    for day in archive.shelf.numbers
    where archive.shelf.has(day, .open) && Days.range(day).upperBound < instant.nanoseconds {
      guard !held.contains(day), !archive.shelf.isWaiting(day) else { continue }
      let last = try archive.shelf.bodies(day: day).map(\.key.tickLast).max()
      guard !archive.shelf.damaged.contains(day) else { continue }
      if let last, last > archive.shelf.closedTick {
        // Before the file is there: a bound that is too high only costs a look.
        try storing { () throws(SQLiteFault) in
          try database.transaction { () throws(SQLiteFault) in try tables.set(mark: "closed_tick", last) }
        }
        archive.shelf.closedTick = last
      }
      // Flushed, for without it the next start would take rows of the log for new that the closed file has.
      guard try flushRecords() else { return nil }
      return day
    }
    return nil
  }
}
