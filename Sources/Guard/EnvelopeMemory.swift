public import TwinCore

/// What the guard must remember of one envelope. Survives kill -9 by way of the checkpoint and the tick log.
public struct EnvelopeMemory: Sendable, Equatable {
  /// When twind last changed the value; an unconfirmed write counts as made.
  public internal(set) var changedAt: Uptime?
  /// What it last wrote.
  public internal(set) var written: Double?
  /// Whether the outcome of that write is still open.
  public internal(set) var isPending = false
  /// Writes left; a bucket that a day fills, on the monotonic clock, so that no clock step refills it.
  public internal(set) var tokens: Double
  public internal(set) var tokensAt: Uptime?
  /// A person holds the point until then.
  public internal(set) var heldUntil: Uptime?
  public internal(set) var leaseUntil: Uptime?
  /// A latching interlock was false, or a violation sent the point to local control.
  public internal(set) var isLatched = false
  /// The fallback was the last thing that twind wrote.
  public internal(set) var isFallingBack = false

  public var hasOpenLease: Bool { leaseUntil != nil }

  init(tokens: Double) { self.tokens = tokens }

  static let dayNanoseconds: Double = 86_400e9

  func tokens(at now: Uptime, writesPerDay: Int) -> Double {
    guard let tokensAt else { return tokens }
    let earned = Double(max(0, now.nanoseconds(since: tokensAt))) / Self.dayNanoseconds * Double(writesPerDay)
    return min(Double(writesPerDay), tokens + earned)
  }
}

extension SafetyGuard {
  /// Records that a verdict was let out: from here on the write counts as made, whatever becomes of it.
  public mutating func carriedOut(_ verdict: Verdict, at now: Uptime) {
    guard verdict.isExecutable else { return }
    let position = Int(verdict.envelope)
    let envelope = envelopes[position]
    switch verdict.disposition {
    case .refuse: return
    case .keep:
      memory[position].leaseUntil = now.advanced(byNanoseconds: envelope.leaseNanoseconds)
      memory[position].isFallingBack = false
    case .permit, .clamp:
      memory[position].noteWrite(verdict.value, at: now, writesPerDay: envelope.writesPerDay)
      memory[position].leaseUntil = now.advanced(byNanoseconds: envelope.leaseNanoseconds)
      memory[position].isFallingBack = false
    case .revert:
      memory[position].noteWrite(verdict.value, at: now, writesPerDay: envelope.writesPerDay)
      memory[position].leaseUntil = nil
      memory[position].isFallingBack = true
      if verdict.binding != nil, envelope.violation == .local, verdict.binding == .range || verdict.binding == .rate {
        memory[position].isLatched = true
      }
    }
  }

  /// The outcome of the last write came back.
  public mutating func settled(envelope position: Int, _ outcome: WriteOutcome) {
    memory[position].isPending = outcome == .unknown
  }

  /// A reading that is younger than a write settles it: at once where it shows the value, and after the time of a lease
  /// whatever it shows. Called once a tick.
  public mutating func settle(over image: borrowing PointImage) {
    for position in envelopes.indices where memory[position].isPending {
      let point = envelopes[position].point
      guard let changedAt = memory[position].changedAt, let shown = image.usable(point) else { continue }
      let age = image[point].uptime.nanoseconds(since: changedAt)
      let isSettled = age > 0 && (shown == memory[position].written || age >= envelopes[position].leaseNanoseconds)
      if isSettled { memory[position].isPending = false }
    }
  }

  /// The lease was given back outside of a verdict: it lapsed, or the daemon stopped.
  public mutating func gaveBack(envelope position: Int, value: Double, at now: Uptime) {
    let written = value.isFinite ? value : envelopes[position].fallback.value
    memory[position].noteWrite(written, at: now, writesPerDay: envelopes[position].writesPerDay)
    memory[position].leaseUntil = nil
    memory[position].isFallingBack = true
  }

  /// A person holds the point until `deadline`; nil lets go.
  public mutating func hold(envelope position: Int, until deadline: Uptime?) { memory[position].heldUntil = deadline }

  /// A person has looked and resets the latches of the point.
  public mutating func reset(envelope position: Int) { memory[position].isLatched = false }

  /// Sets the latch of every latching interlock that is false now. Called once a tick.
  public mutating func latch(over image: borrowing PointImage) {
    for position in envelopes.indices {
      for interlock in envelopes[position].interlocks where interlock.latching {
        let truth = interlock.condition.value(over: image, noOlderThanNanoseconds: interlock.staleNanoseconds)
        // Unknown refuses while it lasts, and does not latch: absence proves nothing.
        if truth == 0 { memory[position].isLatched = true }
      }
    }
  }

  /// The monotonic clock began anew: every span starts over, nothing is earned for the time in between.
  public mutating func rebase(at now: Uptime, heldFor remaining: [Int: Int64]) {
    for position in memory.indices {
      if memory[position].changedAt != nil { memory[position].changedAt = now }
      if memory[position].tokensAt != nil { memory[position].tokensAt = now }
      memory[position].leaseUntil = nil
      memory[position].heldUntil = remaining[position].map { now.advanced(byNanoseconds: $0) }
    }
  }
}

extension EnvelopeMemory {
  mutating func noteWrite(_ value: Double, at now: Uptime, writesPerDay: Int?) {
    if let writesPerDay {
      tokens = max(0, tokens(at: now, writesPerDay: writesPerDay) - 1)
      // A clock that ran back must not earn the same time twice.
      tokensAt = max(now, tokensAt ?? now)
    }
    (changedAt, written, isPending) = (max(now, changedAt ?? now), value, true)
  }

  /// Under an envelope whose budget may have changed since: one that is new begins full, none is fuller than a day's.
  mutating func adapt(to writesPerDay: Int?) {
    let full = Double(writesPerDay ?? 0)
    tokens = tokensAt == nil ? full : min(tokens, full)
    if writesPerDay == nil { tokensAt = nil }
  }

  /// Canonical form: ten items.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(10)
    writer.integer(1)
    optional(changedAt) {
      writer.uptime($0)
    } else: {
      writer.null()
    }
    optional(written) {
      writer.double($0)
    } else: {
      writer.null()
    }
    writer.bool(isPending)
    writer.double(tokens)
    optional(tokensAt) {
      writer.uptime($0)
    } else: {
      writer.null()
    }
    optional(heldUntil) {
      writer.uptime($0)
    } else: {
      writer.null()
    }
    optional(leaseUntil) {
      writer.uptime($0)
    } else: {
      writer.null()
    }
    writer.bool(isLatched)
    writer.bool(isFallingBack)
  }

  init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(9, version: 1)
    changedAt = try reader.takeNull() ? nil : try reader.uptime()
    written = try reader.takeNull() ? nil : try reader.double()
    guard written?.isFinite ?? true else { throw CanonicalFault("a written value that is not finite") }
    isPending = try reader.bool()
    tokens = try reader.double()
    guard tokens.isFinite, tokens >= 0 else { throw CanonicalFault("write budget of \(tokens)") }
    tokensAt = try reader.takeNull() ? nil : try reader.uptime()
    heldUntil = try reader.takeNull() ? nil : try reader.uptime()
    leaseUntil = try reader.takeNull() ? nil : try reader.uptime()
    isLatched = try reader.bool()
    isFallingBack = try reader.bool()
  }

  private func optional<T>(_ value: T?, _ some: (T) -> Void, else none: () -> Void) {
    if let value { some(value) } else { none() }
  }
}

extension SafetyGuard {
  public func encodeMemory(to writer: inout CanonicalWriter) {
    writer.array(memory.count)
    for (envelope, memory) in zip(envelopes, memory) {
      writer.array(2)
      writer.text(envelope.id)
      memory.encode(to: &writer)
    }
  }

  /// Takes back what a checkpoint remembers. Envelopes that the checkpoint does not know begin afresh; those that are
  /// gone are dropped.
  public mutating func restoreMemory(from reader: inout CanonicalReader) throws(CanonicalFault) {
    let count = try reader.array(limit: 1 << 16)
    for _ in 0..<count {
      guard try reader.array() == 2 else { throw CanonicalFault("an envelope's memory has two items") }
      let id = try reader.text(limit: 256)
      var kept = try EnvelopeMemory(from: &reader)
      guard let position = envelopes.firstIndex(where: { $0.id == id }) else { continue }
      kept.adapt(to: envelopes[position].writesPerDay)
      memory[position] = kept
    }
  }
}
