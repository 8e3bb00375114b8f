import Models
public import TwinCore

/// Everything that comes from outside in one step.
public struct Tick: Sendable, Equatable {
  /// Strictly increasing.
  public var number: Int64
  public var instant: Instant
  public var uptime: Uptime
  /// Whether UTC is believed. Nothing but records and schedules rests on UTC.
  public var isClockTrusted: Bool
  /// In the order of arrival, in their stored form.
  public var frames: [Frame]
  public var commands: [Command]
  /// Frames lost between the collectors and this tick.
  public var dropped: Int

  public init(
    number: Int64, instant: Instant, uptime: Uptime, isClockTrusted: Bool = true, frames: [Frame] = [],
    commands: [Command] = [], dropped: Int = 0
  ) {
    (self.number, self.instant, self.uptime) = (number, instant, uptime)
    (self.isClockTrusted, self.frames, self.commands, self.dropped) = (isClockTrusted, frames, commands, dropped)
  }
}

/// What people, the harness and the actuators tell the kernel.
public enum Command: Sendable, Equatable {
  /// A harness begins to feed the kernel. `isNewBoot`: the monotonic clock began anew. The mode is the one kept, or the
  /// configured one; no mode passes the ceiling.
  case session(isNewBoot: Bool, mode: Mode?, ceiling: Mode)
  case setMode(Mode, by: String)
  /// A person holds a point. `request` names the call that waits for an answer.
  case override(request: Int64, point: PointIndex, value: Double, forNanoseconds: Int64, by: String, reason: String)
  case release(request: Int64, point: PointIndex, by: String)
  /// A person has looked and resets the latches of a point.
  case reset(point: PointIndex, by: String)
  case acknowledge(alarm: Int32, by: String)
  case shelve(alarm: Int32, forNanoseconds: Int64, by: String, reason: String)
  case unshelve(alarm: Int32, by: String)
  /// An actuator reports what became of a decision.
  case settled(DecisionID, point: PointIndex, outcome: WriteOutcome, readBack: Double?)
  /// A lease was given back outside of the kernel: it lapsed, or the daemon went down.
  case gaveBack(point: PointIndex, value: Double, outcome: WriteOutcome)
  /// The site's graph changed: everything up to this number of its feed of changes holds from this tick on.
  case graph(through: Int64)
  /// A trained model asks to run beside the one at work: `candidate` as it was handed over.
  case admit(model: Int32, candidate: [UInt8])
  /// A person makes the challenger the model at work.
  case promote(model: Int32, by: String)
  /// A person puts the model before back to work.
  case rollBack(model: Int32, by: String)
  /// A person lets the challenger go.
  case retire(model: Int32, by: String)
  /// A person has mended what a model's watch found, or lives with it.
  case watchAnew(model: Int32, by: String)
}

extension Tick {
  /// Canonical form without the frames: what the tick log keeps beside the frames themselves.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(7)
    writer.integer(1)
    writer.integer(number)
    writer.instant(instant)
    writer.uptime(uptime)
    writer.bool(isClockTrusted)
    writer.integer(dropped)
    writer.array(commands.count)
    for command in commands { command.encode(to: &writer) }
  }

  /// The tick without its frames.
  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(6, version: 1)
    number = try reader.integer()
    instant = try reader.instant()
    uptime = try reader.uptime()
    isClockTrusted = try reader.bool()
    dropped = try reader.int()
    frames = []
    commands = []
    for _ in 0..<(try reader.array(limit: 1 << 16)) { commands.append(try Command(from: &reader)) }
  }
}

extension Command {
  public func encode(to writer: inout CanonicalWriter) {
    switch self {
    case .session(let isNewBoot, let mode, let ceiling):
      head(&writer, 0, 3)
      writer.bool(isNewBoot)
      writer.integer(Int64(mode?.rawValue ?? 255))
      writer.integer(Int64(ceiling.rawValue))
    case .setMode(let mode, let person):
      head(&writer, 1, 2)
      writer.integer(Int64(mode.rawValue))
      writer.text(person)
    case .override(let request, let point, let value, let span, let person, let reason):
      head(&writer, 2, 6)
      writer.integer(request)
      writer.integer(Int64(point.raw))
      writer.double(value)
      writer.integer(span)
      writer.text(person)
      writer.text(reason)
    case .release(let request, let point, let person):
      head(&writer, 3, 3)
      writer.integer(request)
      writer.integer(Int64(point.raw))
      writer.text(person)
    case .reset(let point, let person):
      head(&writer, 4, 2)
      writer.integer(Int64(point.raw))
      writer.text(person)
    case .acknowledge(let alarm, let person):
      head(&writer, 5, 2)
      writer.integer(Int64(alarm))
      writer.text(person)
    case .shelve(let alarm, let span, let person, let reason):
      head(&writer, 6, 4)
      writer.integer(Int64(alarm))
      writer.integer(span)
      writer.text(person)
      writer.text(reason)
    case .unshelve(let alarm, let person):
      head(&writer, 7, 2)
      writer.integer(Int64(alarm))
      writer.text(person)
    case .settled(let decision, let point, let outcome, let readBack):
      head(&writer, 8, 5)
      writer.integer(decision.tick)
      writer.integer(Int64(decision.ordinal))
      writer.integer(Int64(point.raw))
      writer.integer(Int64(outcome.rawValue))
      if let readBack { writer.double(readBack) } else { writer.null() }
    case .gaveBack(let point, let value, let outcome):
      head(&writer, 9, 3)
      writer.integer(Int64(point.raw))
      writer.double(value)
      writer.integer(Int64(outcome.rawValue))
    case .graph(let number):
      head(&writer, 10, 1)
      writer.integer(number)
    case .admit(let model, let candidate):
      head(&writer, 11, 2)
      writer.integer(Int64(model))
      writer.bytes(candidate)
    case .promote(let model, let person): about(model, person, 12, &writer)
    case .rollBack(let model, let person): about(model, person, 13, &writer)
    case .retire(let model, let person): about(model, person, 14, &writer)
    case .watchAnew(let model, let person): about(model, person, 15, &writer)
    }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    let count = try reader.array(limit: 16)
    let kind = try reader.integer()
    switch (kind, count) {
    case (0, 4):
      let isNewBoot = try reader.bool()
      let kept = try reader.integer()
      self = .session(
        isNewBoot: isNewBoot, mode: kept == 255 ? nil : try Self.mode(kept),
        ceiling: try Self.mode(try reader.integer()))
    case (1, 3): self = .setMode(try Self.mode(try reader.integer()), by: try reader.text())
    case (2, 7):
      self = .override(
        request: try reader.integer(), point: try Self.point(&reader), value: try reader.double(),
        forNanoseconds: try reader.integer(), by: try reader.text(), reason: try reader.text())
    case (3, 4): self = .release(request: try reader.integer(), point: try Self.point(&reader), by: try reader.text())
    case (4, 3): self = .reset(point: try Self.point(&reader), by: try reader.text())
    case (5, 3): self = .acknowledge(alarm: try Self.small(&reader), by: try reader.text())
    case (6, 5):
      self = .shelve(
        alarm: try Self.small(&reader), forNanoseconds: try reader.integer(), by: try reader.text(),
        reason: try reader.text())
    case (7, 3): self = .unshelve(alarm: try Self.small(&reader), by: try reader.text())
    case (8, 6):
      let decision = DecisionID(tick: try reader.integer(), ordinal: try Self.small(&reader))
      self = .settled(
        decision, point: try Self.point(&reader), outcome: try Self.outcome(&reader),
        readBack: try reader.takeNull() ? nil : try reader.double())
    case (9, 4):
      self = .gaveBack(point: try Self.point(&reader), value: try reader.double(), outcome: try Self.outcome(&reader))
    case (10, 2): self = .graph(through: try reader.integer())
    case (11, 3):
      self = .admit(model: try Self.small(&reader), candidate: try reader.bytes(limit: ModelCandidate.bytesMax))
    case (12, 3): self = .promote(model: try Self.small(&reader), by: try reader.text())
    case (13, 3): self = .rollBack(model: try Self.small(&reader), by: try reader.text())
    case (14, 3): self = .retire(model: try Self.small(&reader), by: try reader.text())
    case (15, 3): self = .watchAnew(model: try Self.small(&reader), by: try reader.text())
    default: throw CanonicalFault("command of kind \(kind) with \(count) items")
    }
  }

  private func head(_ writer: inout CanonicalWriter, _ kind: Int64, _ items: Int) {
    writer.array(items + 1)
    writer.integer(kind)
  }

  private func about(_ model: Int32, _ person: String, _ kind: Int64, _ writer: inout CanonicalWriter) {
    head(&writer, kind, 2)
    writer.integer(Int64(model))
    writer.text(person)
  }

  private static func mode(_ raw: Int64) throws(CanonicalFault) -> Mode {
    guard let byte = UInt8(exactly: raw), let mode = Mode(rawValue: byte) else { throw CanonicalFault("mode \(raw)") }
    return mode
  }

  private static func small(_ reader: inout CanonicalReader) throws(CanonicalFault) -> Int32 {
    let raw = try reader.integer()
    guard let number = Int32(exactly: raw), number >= 0 else { throw CanonicalFault("number \(raw) out of range") }
    return number
  }

  private static func point(_ reader: inout CanonicalReader) throws(CanonicalFault) -> PointIndex {
    PointIndex(Int(try small(&reader)))
  }

  private static func outcome(_ reader: inout CanonicalReader) throws(CanonicalFault) -> WriteOutcome {
    let raw = try reader.integer()
    guard let byte = UInt8(exactly: raw), let outcome = WriteOutcome(rawValue: byte) else {
      throw CanonicalFault("write outcome \(raw)")
    }
    return outcome
  }
}
