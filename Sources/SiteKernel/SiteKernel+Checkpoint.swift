import Agents
import Guard
import Models
public import TwinCore

extension SiteKernel {
  /// Everything that the next step depends on. Restoring it and going on gives the same bits as never having stopped.
  public func checkpoint() -> [UInt8] {
    var writer = CanonicalWriter(reservingBytes: 1 << 16)
    writer.array(17)
    writer.integer(3)
    writer.text(definition.id)
    writer.digest(definition.digests.pack)
    writer.integer(lastTick)
    writer.uptime(image.now)
    writer.integer(Int64(wantedMode.rawValue))
    writer.integer(Int64(ceiling.rawValue))
    writer.digest(fingerprint)
    writer.integer(graphThrough)
    if let lastRecordAt { writer.uptime(lastRecordAt) } else { writer.null() }
    encodePoints(to: &writer)
    safety.encodeMemory(to: &writer)
    router.encode(to: &writer)
    alarms.encode(to: &writer)
    encodeHolds(to: &writer)
    encodeLatest(to: &writer)
    encodeModels(to: &writer)
    return writer.bytes
  }

  /// A kernel of `definition` that goes on where the checkpoint was taken. Points, envelopes, policies and alarms are
  /// matched by id, so that a changed pack keeps what it still has; then the bits are those of a changed site, of
  /// course.
  public init(_ definition: SiteDefinition, resuming bytes: [UInt8], hash: @escaping Hash) throws(CanonicalFault) {
    self.init(definition, hash: hash)
    var reader = CanonicalReader(bytes)
    let (site, _, version) = try Self.head(of: &reader)
    guard site == definition.id else { throw CanonicalFault("checkpoint of site \(site), not of \(definition.id)") }
    lastTick = try reader.integer()
    image.now = try reader.uptime()
    wantedMode = try Self.mode(try reader.integer())
    ceiling = try Self.mode(try reader.integer())
    fingerprint = try reader.digest()
    graphThrough = try reader.integer()
    lastRecordAt = try reader.takeNull() ? nil : try reader.uptime()
    try restorePoints(from: &reader)
    try safety.restoreMemory(from: &reader)
    try router.restore(from: &reader)
    try alarms.restore(from: &reader)
    try restoreHolds(from: &reader)
    try restoreLatest(from: &reader)
    if version >= 3 { try restoreModels(from: &reader) }
    guard reader.isAtEnd else { throw CanonicalFault("bytes after the checkpoint's end") }
  }

  /// Which pack the checkpoint was taken under: ticks after it replay to the same bits under that pack alone.
  public static func pack(ofCheckpoint bytes: [UInt8]) throws(CanonicalFault) -> Digest {
    var reader = CanonicalReader(bytes)
    return try head(of: &reader).pack
  }

  /// Version 2 had no models.
  private static func head(
    of reader: inout CanonicalReader
  ) throws(CanonicalFault) -> (site: String, pack: Digest, version: Int64) {
    let count = try reader.array(limit: 32)
    let version = try reader.integer()
    guard (count, version) == (16, 2) || (count, version) == (17, 3) else {
      throw CanonicalFault("checkpoint of version \(version) with \(count) items")
    }
    return (try reader.text(), try reader.digest(), version)
  }

  /// Writes that were let out after the checkpoint, for a start that cannot replay the ticks in between (the pack has
  /// changed): they count as made now, their outcomes as open.
  public mutating func remember(writes: [(point: String, value: Double)]) {
    for write in writes {
      guard
        let position = definition.envelopes.firstIndex(where: { definition.points[$0.point.position].id == write.point }
        )
      else { continue }
      safety.gaveBack(envelope: position, value: write.value, at: image.now)
    }
  }

  /// A tick that was lost, or belongs to another pack, is passed over: its number stays taken.
  public mutating func skip(toTick tick: Int64) { lastTick = max(lastTick, tick) }

  private func encodePoints(to writer: inout CanonicalWriter) {
    writer.array(image.states.count)
    for (position, state) in image.states.enumerated() {
      writer.array(7)
      writer.text(definition.points[position].id)
      writer.double(state.value)
      writer.integer(Int64(state.quality.rawValue))
      writer.instant(state.effective)
      writer.uptime(state.uptime)
      writer.uptime(state.freshUntil)
      filters[position].encode(to: &writer)
    }
  }

  private mutating func restorePoints(from reader: inout CanonicalReader) throws(CanonicalFault) {
    let positions = Dictionary(
      definition.points.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    for _ in 0..<(try reader.array()) {
      guard try reader.array() == 7 else { throw CanonicalFault("a point's state has seven items") }
      let id = try reader.text(limit: 256)
      let value = try reader.double()
      let raw = try reader.integer()
      guard let byte = UInt8(exactly: raw), let quality = Quality(rawValue: byte) else {
        throw CanonicalFault("quality \(raw)")
      }
      let state = PointImage.State(
        value: value, quality: quality, effective: try reader.instant(), uptime: try reader.uptime(),
        freshUntil: try reader.uptime())
      let filter = try LevelFilter(from: &reader)
      guard let position = positions[id] else { continue }
      image.states[position] = state
      filters[position] = filter
    }
  }

  private func encodeHolds(to writer: inout CanonicalWriter) {
    writer.array(holds.count { $0 != nil })
    for (envelope, hold) in zip(definition.envelopes, holds) {
      guard let hold else { continue }
      writer.array(7)
      writer.text(envelope.id)
      writer.double(hold.value)
      writer.uptime(hold.until)
      writer.text(hold.by)
      writer.text(hold.reason)
      writer.instant(hold.since)
      writer.uptime(hold.renewAt)
    }
  }

  private mutating func restoreHolds(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 16)) {
      guard try reader.array() == 7 else { throw CanonicalFault("a hold has seven items") }
      let id = try reader.text(limit: 256)
      let hold = OperatorHold(
        value: try reader.double(), until: try reader.uptime(), by: try reader.text(), reason: try reader.text(),
        since: try reader.instant(), renewAt: try reader.uptime())
      if let position = definition.envelopes.firstIndex(where: { $0.id == id }) { holds[position] = hold }
    }
  }

  private func encodeLatest(to writer: inout CanonicalWriter) {
    writer.array(definition.envelopes.count)
    for (position, envelope) in definition.envelopes.enumerated() {
      writer.array(9)
      writer.text(envelope.id)
      for isPerson in [false, true] {
        let decision = latest[latestSlot(position, isPerson: isPerson)]
        writer.integer(Int64(decision.disposition?.rawValue ?? 255))
        writer.double(decision.value)
        writer.integer(Int64(decision.binding?.rawValue ?? 255))
      }
      writer.integer(awaited[position]?.tick ?? -1)
      writer.integer(Int64(awaited[position]?.ordinal ?? 0))
    }
  }

  private mutating func restoreLatest(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 16)) {
      guard try reader.array() == 9 else { throw CanonicalFault("what was last decided has nine items") }
      let id = try reader.text(limit: 256)
      var told: [LatestDecision] = []
      for _ in 0..<2 {
        var decision = LatestDecision()
        decision.disposition = UInt8(exactly: try reader.integer()).flatMap(Verdict.Disposition.init(rawValue:))
        decision.value = try reader.double()
        decision.binding = UInt8(exactly: try reader.integer()).flatMap(Rule.init(rawValue:))
        told.append(decision)
      }
      let (tick, ordinal) = (try reader.integer(), try reader.integer())
      guard let position = definition.envelopes.firstIndex(where: { $0.id == id }) else { continue }
      for isPerson in [false, true] { latest[latestSlot(position, isPerson: isPerson)] = told[isPerson ? 1 : 0] }
      awaited[position] = tick < 0 ? nil : DecisionID(tick: tick, ordinal: Int32(clamping: ordinal))
    }
  }

  private static func mode(_ raw: Int64) throws(CanonicalFault) -> Mode {
    guard let byte = UInt8(exactly: raw), let mode = Mode(rawValue: byte) else { throw CanonicalFault("mode \(raw)") }
    return mode
  }
}
