import FeatureStore
import SQLite
import Seams
import Simulation
import TwinCore

/// A site that lives on a simulated disk: it appends, commits, seals, prunes and fails by its seed, and knows what its
/// store must still hold after a cut.
struct SiteWorkload {
  static let directory = "/site"
  /// Far more steps than there are days and rows.
  private static let pruneRoundsMax = 1000
  /// Some frames come late: up to two days.
  private static let latenessMsMax = 200_000_000
  private static let day: Int64 = 86_400_000_000_000

  /// Whether frames come in any order: days late, also several of one group in one tick.
  let hasBackfill: Bool
  var random: SeededRandom
  /// Acknowledged by receipts.
  private(set) var durable = SiteMemory()
  /// Appended, and not acknowledged.
  private var waiting = SiteMemory()
  /// What calls tried to make durable and threw; each may be there after a cut, whole.
  private var attempts: [SiteMemory] = []
  /// Checkpoints whose saving threw since the last that was saved.
  private var unflushed: [Checkpoint] = []
  /// What must not still be there.
  private var cuts = Cuts()
  private var layouts: [FrameLayout] = []
  private var boot: Int64 = 0
  private var now: Int64
  private var serial: Int64 = 0
  /// A flush has failed since the machine's start: what the page cache shows is not to be trusted any more.
  private(set) var hasSyncFailed = false
  private(set) var commits = 0
  /// Days found without what points do not keep, and entries that were folded; over all starts.
  private(set) var lapses = 0
  private(set) var folds = 0

  init(seed: UInt64, hasBackfill: Bool) {
    self.hasBackfill = hasBackfill
    random = SeededRandom(seed: seed)
    now = 1_780_000_000_000_000_000 + Int64(random.below(86_400)) * 1_000_000_000
    for group: Int32 in 0..<3 { layouts.append(layout(group)) }
  }

  static func open(_ files: any FileStore, seed: UInt64) throws(StoreError) -> SiteStore {
    var limits = StoreLimits()
    limits.checkpointsKept = 5
    return try SiteStore(
      directory: directory, limits: limits, files: files, vfs: FileStoreVFS(files: files, seed: seed))
  }

  private mutating func layout(_ group: Int32) -> FrameLayout {
    serial += 1
    let scales = (0..<1 + random.below(4)).map { _ in [0.1, 0, 1, 0.01][random.below(4)] } + (group < 2 ? [0.1] : [])
    var points = scales.indices.map { "g\(group).\($0)" }
    // Those whose past is changed.
    if group < 2 { points[points.count - 1] = StoredChange.points[Int(group)] }
    return FrameLayout(
      group: group, points: points, scales: scales, units: scales.map { _ in "Cel" },
      variances: scales.map { _ in 0.01 }, provenance: scales.map { _ in "layout \(serial)" })
  }

  private mutating func bytes(_ max: Int) -> [UInt8] {
    (0..<random.below(max)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  // What a start must find.

  /// Compares with what is there and takes it as the truth from now on. Gives what is wrong; nil when nothing is.
  mutating func adopt(_ store: SiteStore) throws(StoreError) -> String? {
    let found = try SiteMemory(of: store)
    var allowed = [durable]
    for attempt in attempts { allowed += allowed.map { $0.adding(attempt) } }
    // A checkpoint that could not be flushed may be kept all the same.
    for checkpoint in unflushed.suffix(4) {
      allowed += allowed.map { memory in
        var memory = memory
        if memory.checkpoint?.tick ?? .min <= checkpoint.tick { memory.checkpoint = checkpoint }
        return memory
      }
    }
    for index in allowed.indices { allowed[index].events = SiteMemory.sorted(allowed[index].events) }
    let recent = found.since(cuts)
    guard let match = allowed.last(where: { $0.since(cuts) == recent }) else {
      return (allowed.first ?? durable).since(cuts).difference(to: recent)
    }
    if let stranger = strangers(in: found, of: match) { return stranger }
    for day in store.unitDays where try !store.lapses(day: day).isEmpty { lapses += 1 }
    let changes = try store.versions(family: "overlay", subject: nil, overlapping: .distantPast ..< .distantFuture)
    folds += changes.count { $0.bytes.count > 1 && $0.bytes[1] == 3 }
    let (frameLast, tickLast) = (match.ticks.last { !$0.tick.frames.isEmpty }, match.ticks.last)
    if store.lastTickNumber < tickLast?.tick.number ?? 0 { return "tick numbers begin anew at \(store.lastTickNumber)" }
    if store.nextFrameSequence < frameLast?.tick.frames.upperBound ?? 1 {
      return "sequences begin anew at \(store.nextFrameSequence)"
    }
    if let series = try seriesDefect(store, found) { return series }
    // Found in the page cache and never acknowledged: the next cut may take it.
    unflushed = match.checkpoint == durable.checkpoint ? [] : match.checkpoint.map { [$0] } ?? []
    let acknowledged = durable.checkpoint
    (durable, waiting, attempts) = (match, SiteMemory(), [])
    durable.checkpoint = acknowledged
    return nil
  }

  /// Rows beyond the retention may be there still; then as they were.
  private func strangers(in found: SiteMemory, of match: SiteMemory) -> String? {
    let known = Dictionary(uniqueKeysWithValues: match.ticks.map { ($0.tick.number, $0) })
    for stored in found.ticks {
      guard let given = known[stored.tick.number], given.tick == stored.tick else { return "a tick of nobody's" }
      let isWhole = stored.frames.count == stored.tick.frames.count
      let frames = given.frames.map { (isWhole ? $0 : $0.withoutSequence).since(cuts) }
      guard stored.frames.allSatisfy({ frames.contains($0.since(cuts)) }) else {
        return "frames of nobody's in tick \(stored.tick.number)"
      }
    }
    return nil
  }

  /// Whether reading by point tells the same as the ticks do.
  private mutating func seriesDefect(_ store: SiteStore, _ found: SiteMemory) throws(StoreError) -> String? {
    let group = Int32(random.below(3))
    let point = "g\(group).0"
    // The last word on each instant counts; a frame without a value has none.
    var words: [Int64: (quality: UInt8, bits: UInt64)] = [:]
    for tick in found.ticks {
      for frame in tick.frames where frame.group == group {
        words[frame.effective] = (frame.qualities[0], frame.bits[0])
      }
    }
    let from = words.keys.sorted().randomElement(using: &random) ?? 0
    let range = Instant(nanoseconds: from)..<Instant(nanoseconds: from + Int64(1 + random.below(7_200)) * 1_000_000_000)
    let wanted = words.filter { range.contains(Instant(nanoseconds: $0.key)) }.sorted { $0.key < $1.key }
    let series = try store.read(points: [point], effective: range)
    let samples = series.first?.samples ?? []
    guard samples.map(\.effective.nanoseconds) == wanted.map(\.key),
      zip(samples, wanted).allSatisfy({ sample, word in
        sample.quality.rawValue == word.value.quality
          && (!sample.quality.hasValue || sample.value.bitPattern == word.value.bits)
      })
    else { return "\(point) from \(from): \(samples.count) samples where \(wanted.count) are in the ticks" }
    return try rollupDefect(store, point, near: from, words.keys)
  }

  /// Whether rollups, kept ones too, have each sample once.
  private func rollupDefect(
    _ store: SiteStore, _ point: String, near instant: Int64, _ effective: some Sequence<Int64>
  ) throws(StoreError) -> String? {
    let hour = Rollup.Step.hour.nanoseconds
    let first = instant / hour * hour
    let range = Instant(nanoseconds: first)..<Instant(nanoseconds: first + 8 * hour)
    var wanted: [Int64: Int] = [:]
    for time in effective where range.contains(Instant(nanoseconds: time)) {
      wanted[time / hour * hour, default: 0] += 1
    }
    let rollups = try RollupReader(store).rollup(points: [point], effective: range, step: .hour)
    let found = rollups[0].rows.map { [$0.start.nanoseconds, Int64($0.count + $0.bad)] }
    let due = wanted.sorted { $0.key < $1.key }.map { [$0.key, Int64($0.value)] }
    return found == due ? nil : "rollups of \(point): \(found) where \(due) are in the ticks"
  }

  // What it does.

  /// What the page cache holds is what the device holds.
  mutating func machineStarts() { hasSyncFailed = false }

  /// The process has started.
  mutating func begin(_ store: SiteStore) throws(StoreError) {
    boot += 1
    for layout in layouts { try store.register(layout, at: Instant(nanoseconds: now)) }
    let day = DataPolicy(keepNanoseconds: Self.day)
    var policies = ["g2.0": day, "d": DataPolicy(keepNanoseconds: 2 * Self.day)]
    for column in 0..<4 { policies["g1.\(column)"] = DataPolicy(keepNanoseconds: 2 * Self.day) }
    try store.register(policies: policies)
  }

  /// Before a call that may take what single points do not keep.
  private mutating func pass(_ instant: Int64) {
    let start = { (instant: Int64) in instant / Self.day * Self.day }
    cuts.first2 = max(cuts.first2, start(instant - Self.day))
    cuts.group1 = max(cuts.group1, start(instant - 2 * Self.day))
  }

  /// Some word on the past.
  private mutating func change(_ store: SiteStore) throws(StoreError) {
    let point = StoredChange.points[random.below(2)]
    // A point that no commit brought yet has no past.
    guard store.layouts.values.contains(where: { $0.layout.points.contains(point) }) else { return }
    let start = (now / 3_600_000_000_000 - Int64(random.below(96))) * 3_600_000_000_000
    if random.chance(0.3) {
      let range = start..<start + Int64(1 + random.below(40)) * 3_600_000_000_000
      try store.retract(
        point: point, effective: Instant(nanoseconds: range.lowerBound)..<Instant(nanoseconds: range.upperBound),
        reason: "test", by: "test")
      waiting.changes.append(StoredChange(point: point, what: .nothing(range)))
      return
    }
    let instants = Set((0..<1 + random.below(6)).map { _ in start + Int64(random.below(30)) * 3_600_000_000_000 })
    let samples = instants.sorted().map { instant in
      CorrectedSample(
        effective: Instant(nanoseconds: instant + StoredChange.mark), value: Double(random.below(1000)) * 0.1)
    }
    try store.correct(point: point, samples: samples, reason: "test", by: "test")
    waiting.changes += samples.map {
      StoredChange(point: point, what: .sample($0.effective.nanoseconds, $0.value.bitPattern))
    }
  }

  /// One thing more; throws what the store throws.
  mutating func step(_ store: SiteStore, _ disk: SimulatedDisk, hasFaults: Bool) throws(StoreError) {
    switch random.below(100) {
    case 0..<5:
      let point = "p\(random.below(3))"
      let value: [UInt8]? = random.chance(0.6) ? bytes(40) : nil
      try attempt(only: lease(point, value)) { (_) throws(StoreError) in
        if let value {
          try store.openLease(LeaseEntry(point: point, bytes: value))
        } else {
          try store.closeLease(point)
        }
      }
    case 5..<8:
      let checkpoint = Checkpoint(
        tick: store.lastTickNumber, instant: Instant(nanoseconds: now), reason: "test", bytes: bytes(6000))
      // Two commits: what waits, and then the checkpoint.
      attempts.append(waiting)
      unflushed.append(checkpoint)
      try attempt(with: checkpoint) { (_) throws(StoreError) in try store.save(checkpoint) }
      unflushed = []
    case 8..<10:
      let group = random.below(3)
      layouts[group] = layout(Int32(group))
      try store.register(layouts[group], at: Instant(nanoseconds: now))
    case 10:
      let keep = Int64(1 + random.below(4)) * 86_400_000_000_000
      cuts.all = max(cuts.all, now - keep)
      pass(now)
      var retention = Retention(keep: .nanoseconds(keep), keepDecisions: .nanoseconds(keep))
      if random.chance(0.5) { retention.history = .nanoseconds(Self.day / 2) }
      var rounds = 0
      while try !store.prune(retention, now: Instant(nanoseconds: now)).isDone {
        rounds += 1
        guard rounds < Self.pruneRoundsMax else { throw StoreError(.failed, "pruning comes to no end") }
      }
    case 11:
      pass(now)
      try store.closeDays(before: Instant(nanoseconds: now - Int64(random.below(90_000)) * 1_000_000_000))
    case 12:
      pass(now)
      _ = try store.upkeep(now: Instant(nanoseconds: now))
    case 13 where random.chance(0.5):
      // Few contents, so that one is put again whose first putting failed.
      let (name, byte) = (SiteMemory.objectNames[random.below(2)], UInt8(random.below(3)))
      try store.put(
        object: name, mediaType: "text/plain", Array(repeating: byte, count: SiteMemory.objectBytes), reason: "test")
      waiting.objects[name] = byte
    case 14..<18 where hasFaults: plan(disk)
    case 18..<26: try change(store)
    default:
      try live(store)
      if random.chance(0.85) { try attempt(with: nil) { (_) throws(StoreError) in try store.commit() } }
    }
  }

  private func lease(_ point: String, _ bytes: [UInt8]?) -> SiteMemory {
    var memory = SiteMemory()
    memory.leases.updateValue(bytes, forKey: point)
    return memory
  }

  /// Runs a call that makes one thing durable and leaves waiting what waits.
  private mutating func attempt(
    only memory: SiteMemory, _ call: (SiteStore?) throws(StoreError) -> Void
  ) throws(StoreError) {
    attempts.append(memory)
    try call(nil)
    for point in memory.leases.keys { waiting.leases.removeValue(forKey: point) }
    settle(memory)
  }

  /// Runs a call that makes durable all that waits.
  private mutating func attempt(
    with checkpoint: Checkpoint?, _ call: (SiteStore?) throws(StoreError) -> Void
  ) throws(StoreError) {
    var memory = waiting
    memory.checkpoint = checkpoint
    attempts.append(memory)
    try call(nil)
    waiting = SiteMemory()
    settle(memory)
  }

  private mutating func settle(_ memory: SiteMemory) {
    durable = durable.adding(memory)
    attempts = []
    commits += 1
  }

  /// A fault of the disk in a while.
  private mutating func plan(_ disk: SimulatedDisk) {
    let (skip, times) = (random.below(6), 1 + random.below(3))
    switch random.below(6) {
    case 0:
      disk.fail(.sync, skip: skip, times: times, path: [".twl", ".tws", ".tmp"][random.below(3)])
      hasSyncFailed = true
    case 1: disk.fail(.write, .full, skip: skip, times: times * 3)
    case 2: disk.fail(.write, skip: skip, times: times)
    case 3: disk.fail(.open, skip: skip, times: times)
    case 4: disk.fail([.rename, .remove, .syncDirectory, .truncate][random.below(4)], times: times)
    default: disk.fail(.read, skip: skip, times: times)
    }
  }

  /// Some ticks with their frames and records.
  private mutating func live(_ store: SiteStore) throws(StoreError) {
    for _ in 0..<1 + random.below(3) {
      now += Int64(1 + random.below(random.chance(0.05) ? 40_000_000 : random.chance(0.1) ? 900_000 : 2000)) * 1_000_000
      if random.chance(0.01), hasBackfill || now % 86_400_000_000_000 > 3_600_000_000_000 {
        now -= 3_600_000_000_000
      }
      let first = store.nextFrameSequence
      var frames: [Frame] = []
      for layout in layouts where random.chance(0.8) {
        let count = random.chance(0.1) ? 3 : 1
        for _ in 0..<count { frames.append(frame(layout, mayBeLate: hasBackfill || count == 1)) }
      }
      for index in frames.indices { frames[index].sequence = try store.append(frames[index]) }
      let tick = TickRecord(
        number: store.lastTickNumber + 1 + Int64(random.chance(0.1) ? random.below(5) : 0),
        instant: Instant(nanoseconds: now), uptime: Uptime(nanoseconds: now / 3), boot: boot,
        frames: frames.isEmpty ? 0..<0 : first..<store.nextFrameSequence, mustBeKept: random.chance(0.1),
        bytes: bytes(60))
      try store.append(tick: tick)
      waiting.ticks.append(
        StoredTick(tick: tick, frames: frames.map { StoredFrame($0, observed: tick.instant) }))
    }
    try records(store)
  }

  private mutating func frame(_ layout: FrameLayout, mayBeLate: Bool) -> Frame {
    var lateness = random.below(900)
    if mayBeLate, random.chance(0.03) { lateness = random.below(Self.latenessMsMax) }
    let sinceMidnight = Int(now % 86_400_000_000_000 / 1_000_000)
    if !hasBackfill { lateness = min(lateness, sinceMidnight) }
    let odd = random.chance(0.02) ? Int64(random.below(1_000_000)) : 0
    let values = layout.scales.map { scale -> Double in
      if random.chance(0.02) { return [.nan, -0.0, .infinity, 0.1 + 0.2, 1e300][random.below(5)] }
      return scale > 0 ? Double(Int64(random.below(500))) * scale : Double(random.below(1000)) / 7
    }
    let qualities = layout.scales.map { _ in random.chance(0.05) ? Quality.allCases[random.below(4)] : .good }
    return Frame(
      group: layout.group, effective: Instant(nanoseconds: now - Int64(lateness) * 1_000_000 + odd),
      observed: Instant(nanoseconds: now), uptime: Uptime(nanoseconds: now / 3 - 5_000_000), values: values,
      qualities: qualities)
  }

  private mutating func records(_ store: SiteStore) throws(StoreError) {
    serial += 1
    let (tick, instant, id) = (store.lastTickNumber, Instant(nanoseconds: now), serial)
    if random.chance(0.2) {
      let decision = DecisionEntry(
        id: "d\(id)", tick: tick, instant: instant, kind: "proposal", point: "g0.0", bytes: bytes(200))
      try store.append(decision: decision)
      waiting.decisions.append(decision)
    }
    if random.chance(0.2) {
      let event = EventEntry(tick: tick, instant: instant, kind: "problem", subject: "e\(id)", bytes: bytes(90))
      try store.append(events: [event])
      waiting.events.append(event)
    }
    if random.chance(0.15) {
      let (key, value): (String, [UInt8]?) = ("f\(random.below(4))", random.chance(0.8) ? bytes(50) : nil)
      try store.setFact(key, value)
      waiting.facts.updateValue(value, forKey: key)
    }
    if random.chance(0.1) {
      let point = "p\(random.below(3))"
      let value = bytes(40)
      try store.append(lease: LeaseEntry(point: point, bytes: value))
      waiting.leases.updateValue(value, forKey: point)
    }
    if random.chance(0.1) {
      let version = VersionEntry(
        family: "test", subject: "v\(id)", effective: instant..<instant.advanced(byNanoseconds: 1 + Int64(id)),
        tick: tick + 1, bytes: bytes(80))
      try store.append(version: version)
      waiting.versions.append(version)
    }
  }
}
