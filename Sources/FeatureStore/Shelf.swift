import Seams
import SeriesCodec
import TwinCore

/// A sealed body and where it lies.
struct StoredBody {
  enum Place {
    case file(DayFile.Form, DayFile.Entry)
    /// Sealed, and not yet in a file: the bytes.
    case memory([UInt8])
  }

  let day: Int64
  let key: BodyKey
  let place: Place

  /// For people.
  var name: String {
    switch place {
    case .file(let form, let entry): "data/\(Shelf.name(day, form)) \(entry.offset)"
    case .memory: "body of day \(Days.name(day))"
    }
  }
}

/// The day files of a site.
///
/// Bodies that are not flushed yet lie in one file alone: before another file is begun the first is flushed. So what a
/// loss of power takes is the end of what was sealed, and never a body from its middle.
final class Shelf {
  /// Closed days whose index is held in memory.
  static let closedHeld = 8

  /// What is known of one day.
  private struct Day {
    var open: DayFile?
    var closed: DayFile?
    var hasOpen = false
    var hasClosed = false
    /// Of bodies of frames; nil while the day was not looked into.
    var tickRange: ClosedRange<Int64>??
    var size: Int64 = 0
  }

  struct Waiting {
    let day: Int64
    let key: BodyKey
    let bytes: [UInt8]
  }

  let files: any FileStore
  let directory: String
  private let isWriter: Bool
  private let bad: BadRows
  /// While a site starts, what is taken for missing is brought from the log again, or cut off.
  var patience: Patience
  private var days: [Int64: Day] = [:]
  /// Closed days whose index is held, the least used first.
  private var recent: [Int64] = []
  /// Sealed bodies that are in no file yet, in order of sealing.
  private(set) var waiting: ArraySlice<Waiting> = []
  private(set) var waitingBytes = 0
  /// The day whose file has bodies that are not flushed.
  private var unflushed: Int64?
  private var spans: [TickSpan]?
  private var openSpans: [TickSpan]?
  /// No closed file holds a tick after this.
  var closedTick: Int64 = .max
  /// The latest instant of ticks whose day is gone.
  var instantFloor = Int64.min
  /// How often values went from files that stayed: what was worked out from a day before may tell of them.
  var lapseCount: Int64 = 0
  /// Days of which something could not be read: their files stay as they are, for the fault may pass.
  private(set) var damaged: Set<Int64> = []

  /// A writer makes the folder, takes away what an interrupted closing left, and flushes what was appended last.
  init(
    files: any FileStore, directory: String, isWriter: Bool, bad: BadRows, patience: Patience = .readsAround
  ) throws(StoreError) {
    (self.files, self.directory) = (files, directory + "/data")
    (self.isWriter, self.bad, self.patience) = (isWriter, bad, patience)
    if isWriter {
      try filing { () throws(FileFault) in
        try files.makeDirectory(self.directory)
        try files.syncDirectory(directory)
      }
    }
    try list()
    guard isWriter else { return }
    for name in try filing({ () throws(FileFault) in try files.names(in: self.directory) }) {
      // A rollup outlives its day where the power goes while that is removed.
      let isOrphan = name.hasSuffix(".twr") && Days.number(named: name.dropLast(4)).flatMap { days[$0] } == nil
      guard name.hasSuffix(".tmp") || isOrphan else { continue }
      try filing { () throws(FileFault) in try files.remove("\(self.directory)/\(name)") }
    }
    for day in numbers where days[day]?.hasOpen == true { _ = try self.files(of: day) }
  }

  static func name(_ day: Int64, _ form: DayFile.Form) -> String { Days.name(day) + (form == .open ? ".tws" : ".twc") }
  func path(_ day: Int64, _ form: DayFile.Form) -> String { "\(directory)/\(Self.name(day, form))" }

  func rollupPath(_ day: Int64) -> String { "\(directory)/\(Days.name(day)).twr" }

  /// Days that have a file, rising.
  var numbers: [Int64] { days.keys.sorted() }

  func has(_ day: Int64, _ form: DayFile.Form) -> Bool {
    (form == .open ? days[day]?.hasOpen : days[day]?.hasClosed) ?? false
  }

  /// Looks into the folder again: another process writes it.
  func refresh() throws(StoreError) {
    (days, recent, spans, openSpans) = ([:], [], nil, nil)
    try list()
  }

  private func list() throws(StoreError) {
    for name in try filing({ () throws(FileFault) in try files.names(in: directory) }) {
      guard let day = Days.number(named: name.dropLast(4)) else { continue }
      if name.hasSuffix(".tws") { days[day, default: Day()].hasOpen = true }
      if name.hasSuffix(".twc") { days[day, default: Day()].hasClosed = true }
    }
  }

  /// Files of the day, the closed one first; nothing where a file cannot be read at all, which is noted.
  private func files(of number: Int64) throws(StoreError) -> [DayFile] {
    guard var day = days[number] else { return [] }
    if day.hasClosed, day.closed == nil {
      day.closed = try opening(number, .closed)
      day.hasClosed = day.closed != nil
    }
    if day.hasOpen, day.open == nil {
      day.open = try opening(number, .open)
      day.hasOpen = day.open != nil
    }
    if let open = day.open, let closed = day.closed, Self.isLeftover(open, of: closed) {
      // The day was closed, and then the file that it replaces could not be removed any more.
      (day.open, day.hasOpen) = (nil, false)
      if isWriter { try? files.remove(path(number, .open)) }
    }
    days[number] = day
    if day.closed != nil { use(number) }
    return [day.closed, day.open].compactMap { $0 }
  }

  private func opening(_ day: Int64, _ form: DayFile.Form) throws(StoreError) -> DayFile? {
    let path = path(day, form)
    let note = { (body: BadBody) in
      self.bad.note(body)
      self.damaged.insert(day)
    }
    do throws(StoreError) {
      if isWriter, form == .open {
        return try DayFile(files: files, appending: path, day: day, patience: patience, bad: note)
      }
      return try DayFile(files: files, reading: path, patience: patience, bad: note)
    } catch {
      guard error.kind == .corrupt else { throw error }
      note(BadBody(row: "data/\(Self.name(day, form))", reason: error.message))
      return nil
    }
  }

  /// Rows of a group rise by tick over all its bodies, so a body whose ticks the closed file has is in it, or was and
  /// lapsed.
  private static func isLeftover(_ open: DayFile, of closed: DayFile) -> Bool {
    guard let key = open.entries.first?.key else { return true }
    return [key.kind, .lapse].contains {
      !closed.entries($0, group: key.group, ticks: key.tickLast...Int64.max).isEmpty
    }
  }

  private func use(_ day: Int64) {
    recent.removeAll { $0 == day }
    recent.append(day)
    while recent.count > Self.closedHeld { days[recent.removeFirst()]?.closed = nil }
  }

  // Looking for bodies.

  func bodies(
    _ kind: BodyKind, group: Int32, effective: ClosedRange<Int64>, day: Int64
  ) throws(StoreError) -> [StoredBody] {
    var found: [StoredBody] = []
    for file in try files(of: day) {
      for entry in file.entries(kind, group: group, effective: effective) { found.append(Self.body(day, file, entry)) }
    }
    for body in waiting where body.day == day && body.key.kind == kind && body.key.group == group {
      if body.key.effectiveMax < effective.lowerBound || body.key.effectiveMin > effective.upperBound { continue }
      found.append(StoredBody(day: day, key: body.key, place: .memory(body.bytes)))
    }
    return found
  }

  func bodies(
    _ kind: BodyKind, group: Int32, ticks: ClosedRange<Int64>, day: Int64
  ) throws(StoreError) -> [StoredBody] {
    var found: [StoredBody] = []
    for file in try files(of: day) {
      for entry in file.entries(kind, group: group, ticks: ticks) { found.append(Self.body(day, file, entry)) }
    }
    for body in waiting where body.day == day && body.key.kind == kind && body.key.group == group {
      if body.key.tickLast < ticks.lowerBound || body.key.tickFirst > ticks.upperBound { continue }
      found.append(StoredBody(day: day, key: body.key, place: .memory(body.bytes)))
    }
    return found
  }

  private static func body(_ day: Int64, _ file: DayFile, _ entry: DayFile.Entry) -> StoredBody {
    StoredBody(day: day, key: entry.key, place: .file(file.form, entry))
  }

  /// Every body of a day.
  func bodies(day: Int64) throws(StoreError) -> [StoredBody] {
    var found: [StoredBody] = []
    for file in try files(of: day) { for entry in file.entries { found.append(Self.body(day, file, entry)) } }
    for body in waiting where body.day == day {
      found.append(StoredBody(day: day, key: body.key, place: .memory(body.bytes)))
    }
    return found
  }

  /// Days with bodies, in a file or waiting for one.
  var daysWithBodies: [Int64] {
    guard !waiting.isEmpty else { return numbers }
    return Set(days.keys).union(waiting.map(\.day)).sorted()
  }

  /// Whether a body of the day is in no file yet.
  func isWaiting(_ day: Int64) -> Bool { waiting.contains { $0.day == day } }

  func groups(_ kind: BodyKind, day: Int64) throws(StoreError) -> [Int32] {
    var found: Set<Int32> = []
    for file in try files(of: day) { found.formUnion(file.groups(kind)) }
    for body in waiting where body.day == day && body.key.kind == kind { found.insert(body.key.group) }
    return found.sorted()
  }

  /// From the first to the last tick of frames of a day; nil where it has none.
  func frameTicks(day: Int64) throws(StoreError) -> ClosedRange<Int64>? {
    var range: ClosedRange<Int64>?
    if let known = days[day]?.tickRange {
      range = known
    } else {
      for file in try files(of: day) {
        for entry in file.entries where entry.key.kind == .frames { range = Self.joined(range, entry.key) }
      }
      days[day]?.tickRange = .some(range)
    }
    for body in waiting where body.day == day && body.key.kind == .frames { range = Self.joined(range, body.key) }
    return range
  }

  private static func joined(_ range: ClosedRange<Int64>?, _ key: BodyKey) -> ClosedRange<Int64> {
    guard let range else { return key.tickFirst...key.tickLast }
    return min(range.lowerBound, key.tickFirst)...max(range.upperBound, key.tickLast)
  }

  func read(_ body: StoredBody) throws(StoreError) -> [UInt8] {
    switch body.place {
    case .memory(let bytes): return bytes
    case .file(let form, let entry):
      guard let file = try files(of: body.day).first(where: { $0.form == form }) else {
        throw StoreError(.notFound, "\(path(body.day, form)) is gone")
      }
      return try file.read(entry)
    }
  }

  /// In bytes, of all files of a day.
  func size(day: Int64) throws(StoreError) -> Int64 {
    guard let known = days[day] else { return 0 }
    if let open = known.open { return open.bytes + (known.hasClosed ? known.size : 0) }
    guard known.size == 0 else { return known.size }
    let size = try sizeOfClosed(day)
    days[day]?.size = size
    return size
  }

  private func sizeOfClosed(_ day: Int64) throws(StoreError) -> Int64 {
    try filing { () throws(FileFault) in
      let form: DayFile.Form = days[day]?.hasClosed == true ? .closed : .open
      let rollups = (try? files.open(rollupPath(day), .read).size) ?? 0
      return try files.open(path(day, form), .read).size + rollups
    }
  }

  /// The size of a day that is known counts no longer.
  func rollupsChanged(day: Int64) { days[day]?.size = 0 }
}

/// Rows that cannot be trusted, each named once.
final class BadRows {
  private(set) var list: [BadBody] = []
  private(set) var count = 0
  private var seen: Set<String> = []

  func note(_ body: BadBody) {
    guard !seen.contains(body.row) else { return }
    count += 1
    guard list.count < StoreReader.badBodiesMax else { return }
    seen.insert(body.row)
    list.append(body)
  }
}

extension Shelf {
  /// A body of ticks.
  struct TickSpan {
    let body: StoredBody
    /// The latest instant of this body and of all before it; only where all are listed.
    var instantMax: Int64

    var first: Int64 { body.key.tickFirst }
    var last: Int64 { body.key.tickLast }
  }

  /// Bodies of ticks by number, at least those with ticks from `tick` on.
  func tickSpans(from tick: Int64) throws(StoreError) -> [TickSpan] {
    var found: [TickSpan]
    if let spans {
      found = spans
    } else if tick > closedTick {
      if openSpans == nil { openSpans = try listTickSpans { days[$0]?.hasOpen == true } }
      found = openSpans ?? []
    } else {
      spans = try listTickSpans { _ in true }
      found = spans ?? []
    }
    for body in waiting where body.key.kind == .ticks {
      let stored = StoredBody(day: body.day, key: body.key, place: .memory(body.bytes))
      found.append(TickSpan(body: stored, instantMax: max(found.last?.instantMax ?? .min, body.key.effectiveMax)))
    }
    return found
  }

  /// All bodies of ticks, so that what was known at an instant can be told.
  func allTickSpans() throws(StoreError) -> [TickSpan] { try tickSpans(from: .min) }

  private func listTickSpans(_ isWanted: (Int64) -> Bool) throws(StoreError) -> [TickSpan] {
    var found: [TickSpan] = []
    for day in numbers where isWanted(day) {
      for file in try files(of: day) {
        for entry in file.entries where entry.key.kind == .ticks {
          found.append(TickSpan(body: Self.body(day, file, entry), instantMax: .min))
        }
      }
    }
    found.sort { $0.first < $1.first }
    var latest = instantFloor
    for index in found.indices {
      latest = max(latest, found[index].body.key.effectiveMax)
      found[index].instantMax = latest
    }
    return found
  }
}

/// What only the writer does.
extension Shelf {
  /// Takes a sealed body. It never fails: while the disk refuses it, the body waits in memory.
  func put(_ bytes: [UInt8], _ key: BodyKey, day: Int64) {
    waiting.append(Waiting(day: day, key: key, bytes: bytes))
    waitingBytes += bytes.count
    // A reader beside a writer that is about to seal the same rows keeps what it would write until it looks again.
    if isWriter, waiting.count == 1 { try? place() }
  }

  /// Beside a writer: what was sealed in memory alone is on the shelf by now, or in the log still.
  func forgetWaiting() {
    precondition(!isWriter, "what a writer has sealed must come to the disk")
    (waiting, waitingBytes) = ([], 0)
  }

  /// Brings what waits into its files.
  func place() throws(StoreError) {
    while let next = waiting.first {
      if let unflushed, unflushed != next.day { try flush() }
      let file = try appending(next.day)
      let entry = try file.append(next.bytes, next.key)
      unflushed = next.day
      note(entry, of: file, day: next.day)
      waiting.removeFirst()
      waitingBytes -= next.bytes.count
    }
  }

  /// Makes everything sealed durable.
  func sync() throws(StoreError) {
    try place()
    try flush()
  }

  private func flush() throws(StoreError) {
    guard let day = unflushed else { return }
    try days[day]?.open?.sync()
    unflushed = nil
  }

  private func appending(_ day: Int64) throws(StoreError) -> DayFile {
    if let open = days[day]?.open { return open }
    if has(day, .closed), !has(day, .open) {
      // One that could not be removed when the day was closed: a body behind those would go with them at the next
      // start.
      try filing { () throws(FileFault) in try files.remove(path(day, .open)) }
    }
    let file = try DayFile(files: files, appending: path(day, .open), day: day, bad: { bad.note($0) })
    days[day, default: Day()].hasOpen = true
    days[day]?.open = file
    return file
  }

  private func note(_ entry: DayFile.Entry, of file: DayFile, day: Int64) {
    if entry.key.kind == .frames, let known = days[day]?.tickRange {
      days[day]?.tickRange = Self.joined(known, entry.key)
    }
    guard entry.key.kind == .ticks else { return }
    let body = Self.body(day, file, entry)
    let latest = max(spans?.last?.instantMax ?? instantFloor, entry.key.effectiveMax)
    spans?.append(TickSpan(body: body, instantMax: latest))
    openSpans?.append(TickSpan(body: body, instantMax: latest))
  }

  /// Leaves the day's files as they are from now on.
  func keep(day: Int64) { damaged.insert(day) }

  /// The closed file is complete: it takes the place of the open one.
  func replaced(day: Int64, isLapse: Bool = false) throws(StoreError) {
    if unflushed == day { unflushed = nil }
    if isLapse { lapseCount += 1 }
    days[day] = Day(hasClosed: true)
    recent.removeAll { $0 == day }
    (spans, openSpans) = (nil, nil)
    try filing { () throws(FileFault) in try files.remove(path(day, .open)) }
  }

  /// Durable on return.
  func removeRollups(day: Int64) throws(StoreError) {
    rollupsChanged(day: day)
    try filing { () throws(FileFault) in
      try files.remove(rollupPath(day))
      try files.syncDirectory(directory)
    }
  }

  /// Removes a day's files; a rollup of it goes with them.
  func unlink(day: Int64) throws(StoreError) {
    if unflushed == day { unflushed = nil }
    days[day] = nil
    recent.removeAll { $0 == day }
    (spans, openSpans) = (nil, nil)
    try filing { () throws(FileFault) in
      for suffix in ["twc", "tws", "twr"] { try files.remove("\(directory)/\(Days.name(day)).\(suffix)") }
      try files.syncDirectory(directory)
    }
  }
}
