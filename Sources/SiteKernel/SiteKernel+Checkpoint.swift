import Agents
import Guard
import Models
public import TwinCore

extension SiteKernel {
  /// Everything that the next step depends on. Restoring it and going on gives the same bits as never having stopped.
  public func checkpoint() -> [UInt8] {
    var writer = CanonicalWriter(reservingBytes: 1 << 16)
    writer.array(14)
    writer.integer(1)
    writer.text(definition.id)
    writer.integer(lastTick)
    writer.uptime(image.now)
    writer.integer(Int64(wantedMode.rawValue))
    writer.integer(Int64(ceiling.rawValue))
    writer.digest(fingerprint)
    if let lastRecordAt { writer.uptime(lastRecordAt) } else { writer.null() }
    encodePoints(to: &writer)
    safety.encodeMemory(to: &writer)
    router.encode(to: &writer)
    alarms.encode(to: &writer)
    encodeHolds(to: &writer)
    encodeLatest(to: &writer)
    return writer.bytes
  }

  /// A kernel of `definition` that goes on where the checkpoint was taken. Points, envelopes, policies and alarms are matched by id,
  /// so that a changed pack keeps what it still has; then the bits are those of a changed site, of course.
  public init(_ definition: SiteDefinition, resuming bytes: [UInt8], hash: @escaping Hash) throws(CanonicalFault) {
    self.init(definition, hash: hash)
    var reader = CanonicalReader(bytes)
    try reader.structure(13, version: 1)
    let site = try reader.text()
    guard site == definition.id else { throw CanonicalFault("checkpoint of site \(site), not of \(definition.id)") }
    lastTick = try reader.integer()
    image.now = try reader.uptime()
    wantedMode = try Self.mode(try reader.integer())
    ceiling = try Self.mode(try reader.integer())
    fingerprint = try reader.digest()
    lastRecordAt = try reader.takeNull() ? nil : try reader.uptime()
    try restorePoints(from: &reader)
    try safety.restoreMemory(from: &reader)
    try router.restore(from: &reader)
    try alarms.restore(from: &reader)
    try restoreHolds(from: &reader)
    try restoreLatest(from: &reader)
    guard reader.isAtEnd else { throw CanonicalFault("bytes after the checkpoint's end") }
  }

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
      writer.array(6)
      writer.text(envelope.id)
      writer.double(hold.value)
      writer.uptime(hold.until)
      writer.text(hold.by)
      writer.text(hold.reason)
      writer.uptime(hold.renewAt)
    }
  }

  private mutating func restoreHolds(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 16)) {
      guard try reader.array() == 6 else { throw CanonicalFault("a hold has six items") }
      let id = try reader.text(limit: 256)
      let hold = OperatorHold(
        value: try reader.double(), until: try reader.uptime(), by: try reader.text(), reason: try reader.text(),
        renewAt: try reader.uptime())
      if let position = definition.envelopes.firstIndex(where: { $0.id == id }) { holds[position] = hold }
    }
  }

  private func encodeLatest(to writer: inout CanonicalWriter) {
    writer.array(latest.count)
    for (envelope, decision) in zip(definition.envelopes, latest) {
      writer.array(5)
      writer.text(envelope.id)
      writer.integer(Int64(decision.disposition?.rawValue ?? 255))
      writer.double(decision.value)
      writer.integer(Int64(decision.binding?.rawValue ?? 255))
      writer.bool(decision.isPerson)
    }
  }

  private mutating func restoreLatest(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 16)) {
      guard try reader.array() == 5 else { throw CanonicalFault("a latest decision has five items") }
      let id = try reader.text(limit: 256)
      var decision = LatestDecision()
      decision.disposition = UInt8(exactly: try reader.integer()).flatMap(Verdict.Disposition.init(rawValue:))
      decision.value = try reader.double()
      decision.binding = UInt8(exactly: try reader.integer()).flatMap(Rule.init(rawValue:))
      decision.isPerson = try reader.bool()
      if let position = definition.envelopes.firstIndex(where: { $0.id == id }) { latest[position] = decision }
    }
  }

  private static func mode(_ raw: Int64) throws(CanonicalFault) -> Mode {
    guard let byte = UInt8(exactly: raw), let mode = Mode(rawValue: byte) else { throw CanonicalFault("mode \(raw)") }
    return mode
  }
}
