import Guard
import Sodium
import Testing
import TwinCore

@testable import SiteKernel

/// A long, eventful life: weather, faults, people, clock steps, restarts.
private func life(_ seed: UInt64, ticks: Int) -> (ticks: [Tick], fingerprints: [Digest]) {
  let rate = RateLimit(risingPerSecond: 0.01, fallingPerSecond: 0.02, windowNanoseconds: 60 * second)
  var draw = SeededDraw(seed: seed)
  var plant = Plant(Sites.chiller(hold: 20 * second, rate: rate, latching: true, writesPerDay: 200))
  var log: [Tick] = []
  var fingerprints: [Digest] = []
  let people: [(inout SeededDraw) -> Command] = [
    { .setMode(Mode.allCases[$0.below(5)], by: "ann") },
    {
      .override(
        request: 1, point: PointIndex($0.below(7)), value: $0.between(5, 35),
        forNanoseconds: Int64($0.below(900)) * second,
        by: "bob", reason: "why not")
    },
    { .release(request: 2, point: PointIndex($0.below(7)), by: "bob") },
    { .reset(point: PointIndex($0.below(7)), by: "ann") },
    { .acknowledge(alarm: Int32($0.below(5)), by: "ann") },
    { .shelve(alarm: Int32($0.below(5)), forNanoseconds: Int64($0.below(300)) * second, by: "ann", reason: "works") },
    { .unshelve(alarm: Int32($0.below(5)), by: "ann") },
    { .gaveBack(point: PointIndex($0.below(7)), value: 20, outcome: WriteOutcome.allCases[$0.below(5)]) },
  ]
  for _ in 0..<ticks {
    plant.values[1] = draw.between(5, 70)
    plant.values[2] = draw.once(in: 30) ? 0 : 1
    plant.values[3] = 20 + Double(draw.below(20))
    plant.outcomeOfWrites = draw.once(in: 5) ? WriteOutcome.allCases[draw.below(5)] : .confirmed
    plant.speaks = draw.once(in: 10) ? [1] : [0, 1, 2]
    if draw.once(in: 100) { plant.instant.nanoseconds += Int64(draw.below(7200) - 3600) * second }
    if draw.once(in: 4) { plant.inbox.append(people[draw.below(people.count)](&draw)) }
    if draw.once(in: 25) { plant.inbox.append(.setMode(.auto, by: "ann")) }
    if draw.once(in: 25) { plant.inbox.append(.reset(point: PointIndex(0), by: "ann")) }
    if draw.once(in: 200) {
      plant.uptime = Int64(draw.below(100)) * second
      plant.inbox.insert(.session(isNewBoot: true, mode: nil, ceiling: .auto), at: 0)
    }
    let span = Int64(1 + draw.below(30))
    log.append(plant.tick(after: span))
    plant.step(after: span)
    fingerprints.append(plant.outcome.fingerprint)
  }
  return (log, fingerprints)
}

private let lived = life(61, ticks: 1500)

private func fresh() -> SiteKernel {
  let rate = RateLimit(risingPerSecond: 0.01, fallingPerSecond: 0.02, windowNanoseconds: 60 * second)
  return SiteKernel(
    Sites.chiller(hold: 20 * second, rate: rate, latching: true, writesPerDay: 200), hash: Sodium.blake2b256)
}

@Suite struct `The same ticks give the same bits` {
  @Test func `twice`() {
    var kernel = fresh()
    var outcome = Outcome()
    var decisions = 0
    for (tick, fingerprint) in zip(lived.ticks, lived.fingerprints) {
      kernel.step(tick, into: &outcome)
      decisions += outcome.decisions.count
      guard outcome.fingerprint == fingerprint else {
        Issue.record("tick \(tick.number) differs")
        return
      }
    }
    #expect(decisions > 200)
  }

  @Test func `split anywhere by a checkpoint`() throws {
    var draw = SeededDraw(seed: 62)
    var kernel = fresh()
    var outcome = Outcome()
    for (tick, fingerprint) in zip(lived.ticks, lived.fingerprints) {
      if draw.once(in: 7) {
        let bytes = kernel.checkpoint()
        kernel = try SiteKernel(kernel.definition, resuming: bytes, hash: Sodium.blake2b256)
        #expect(kernel.checkpoint() == bytes)
      }
      kernel.step(tick, into: &outcome)
      #expect(outcome.fingerprint == fingerprint, "tick \(tick.number), seed 62")
    }
  }

  @Test func `and through their canonical bytes`() throws {
    for tick in lived.ticks {
      var writer = CanonicalWriter()
      tick.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      var back = try Tick(from: &reader)
      back.frames = tick.frames
      #expect(back == tick && reader.isAtEnd)
    }
  }

  @Test func `and one bit of any input changes them`() {
    var plant = Plant()
    for _ in 0..<5 { plant.step() }
    plant.inbox = [plant.override(23), .setMode(.auto, by: "ann")]
    let base = plant.tick(after: 10)
    func fingerprint(_ change: (inout Tick) -> Void) -> Digest {
      var (tick, kernel, outcome) = (base, plant.kernel, Outcome())
      change(&tick)
      kernel.step(tick, into: &outcome)
      return outcome.fingerprint
    }
    let changes: [(inout Tick) -> Void] = [
      { _ in }, { $0.number += 1 }, { $0.instant.nanoseconds ^= 1 }, { $0.uptime.nanoseconds ^= 1 },
      { $0.isClockTrusted = false }, { $0.dropped = 1 }, { $0.frames[0].values[1] = $0.frames[0].values[1].nextUp },
      { $0.frames[2].values[0].negate() }, { $0.frames[0].qualities[2] = .suspect },
      { $0.frames[1].sequence ^= 1 }, { $0.frames[1].effective.nanoseconds ^= 1 },
      { $0.frames[1].uptime.nanoseconds ^= 1 },
      { $0.frames.swapAt(0, 1) }, { $0.frames.removeLast() }, { $0.frames.append($0.frames[0]) },
      { $0.frames[0].group = 9 },
      { $0.commands.swapAt(0, 1) }, { $0.commands.removeLast() }, { $0.commands[1] = .setMode(.auto, by: "anne") },
      { $0.commands[0] = .release(request: 7, point: Place.setpoint, by: "ann") },
    ]
    #expect(Set(changes.map(fingerprint)).count == changes.count)
  }
}

@Suite struct `Whatever comes in, the kernel goes on` {
  @Test func `frames of unknown groups, short, doubled, without numbers`() {
    var draw = SeededDraw(seed: 63)
    var plant = Plant()
    let qualities = Quality.allCases
    for _ in 0..<3000 {
      var tick = plant.tick(after: Int64(draw.below(30)))
      for _ in 0..<draw.below(4) {
        let count = draw.below(6)
        let frame = Frame(
          group: Int32(draw.below(6)) - 2, sequence: Int64(bitPattern: draw.bits()),
          effective: Instant(nanoseconds: Int64(bitPattern: draw.bits())), observed: tick.instant,
          uptime: draw.once(in: 3) ? Uptime(nanoseconds: Int64(bitPattern: draw.bits())) : tick.uptime,
          values: (0..<count).map { _ in
            draw.once(in: 2)
              ? Double(bitPattern: draw.bits()) : [.nan, .infinity, -.infinity, 1e308, -1e308][draw.below(5)]
          }, qualities: (0..<count).map { _ in qualities[draw.below(5)] })
        tick.frames += draw.once(in: 2) ? [frame, frame] : [frame]
      }
      if draw.once(in: 9) { tick.instant = Instant(nanoseconds: Int64(bitPattern: draw.bits())) }
      if draw.once(in: 99) { tick.instant = draw.once(in: 2) ? .distantPast : .distantFuture }
      plant.number = tick.number
      plant.kernel.step(tick, into: &plant.outcome)
      plant.uptime = max(plant.uptime, min(tick.uptime.nanoseconds, plant.uptime + hour))
      plant.inbox = []
      for decision in plant.outcome.decisions where decision.isCarriedOut {
        let hard = plant.kernel.definition.envelopes[Int(decision.verdict.envelope)].hard
        #expect(hard.contains(decision.verdict.value), "seed 63")
      }
    }
    // Huge readings must not leave a checkpoint that nobody can read.
    let bytes = plant.kernel.checkpoint()
    #expect(throws: Never.self) {
      _ = try SiteKernel(plant.kernel.definition, resuming: bytes, hash: Sodium.blake2b256)
    }
  }

  @Test func `ten thousand points`() {
    let count = 10_000
    let site = SiteDefinition(
      id: "big", name: "big", points: (0..<count).map { Sites.point("p\($0)") },
      groups: (0..<100).map { group in GroupDefinition(points: (0..<100).map { PointIndex(group * 100 + $0) }) })
    var kernel = SiteKernel(site, hash: Sodium.blake2b256)
    var outcome = Outcome()
    let frames = (0..<100).map { group in
      Frame(
        group: Int32(group), effective: .distantPast, observed: .distantPast, uptime: Uptime(nanoseconds: 5),
        values: (0..<100).map { Double(group * 100 + $0) }, qualities: Array(repeating: .good, count: 100))
    }
    for number in 1...3 {
      kernel.step(
        Tick(
          number: Int64(number), instant: Instant(nanoseconds: 0), uptime: Uptime(nanoseconds: Int64(number)),
          frames: frames),
        into: &outcome)
    }
    #expect((0..<count).allSatisfy { kernel.estimate(PointIndex($0)).mean == Double($0) })
    #expect(kernel.image[PointIndex(9999)].value == 9999 && kernel.checkpoint().count > count * 20)
  }

  @Test func `damaged checkpoints are refused or at least answered`() {
    var draw = SeededDraw(seed: 64)
    var plant = Plant()
    for _ in 0..<30 { plant.step() }
    plant.step(plant.override(23))
    let whole = plant.kernel.checkpoint()
    var refused = 0
    for round in 0..<6000 {
      var bytes = whole
      if round < whole.count { bytes.removeSubrange(round...) } else { damage(&bytes, &draw) }
      do throws(CanonicalFault) {
        var kernel = try SiteKernel(plant.kernel.definition, resuming: bytes, hash: Sodium.blake2b256)
        var tick = plant.tick(after: 10)
        tick.number = kernel.lastTick == .max ? .max : kernel.lastTick + 1
        if kernel.lastTick < tick.number { kernel.step(tick, into: &plant.outcome) }
      } catch {
        refused += 1
      }
    }
    #expect(refused >= whole.count, "seed 64")
  }

  @Test func `damaged ticks and records throw or are read`() {
    var draw = SeededDraw(seed: 65)
    var plant = Plant()
    plant.step()
    let decision = plant.step(plant.override(23))[0]
    let record = DecisionRecord(
      decision, of: plant.outcome, at: plant.instant, mode: .auto, in: plant.kernel.definition)
    var writer = CanonicalWriter()
    record.encode(to: &writer)
    let recordBytes = writer.bytes
    for _ in 0..<8000 {
      var bytes = recordBytes
      damage(&bytes, &draw)
      var reader = CanonicalReader(bytes)
      if let read = try? DecisionRecord(from: &reader), reader.isAtEnd {
        var again = CanonicalWriter()
        read.encode(to: &again)
        #expect(again.bytes == bytes, "what is read has one form, seed 65")
      }
      writer.reset()
      lived.ticks[draw.below(lived.ticks.count)].encode(to: &writer)
      bytes = writer.bytes
      damage(&bytes, &draw)
      reader = CanonicalReader(bytes)
      if let read = try? Tick(from: &reader), reader.isAtEnd {
        writer.reset()
        read.encode(to: &writer)
        #expect(writer.bytes == bytes, "seed 65")
      }
    }
  }

  private func damage(_ bytes: inout [UInt8], _ draw: inout SeededDraw) {
    for _ in 0...draw.below(3) where !bytes.isEmpty {
      let place = draw.below(bytes.count)
      switch draw.below(5) {
      case 0: bytes[place] ^= 1 << UInt8(draw.below(8))
      case 1: bytes[place] = UInt8(truncatingIfNeeded: draw.bits())
      case 2: bytes.remove(at: place)
      case 3: bytes.insert(UInt8(truncatingIfNeeded: draw.bits()), at: place)
      default: bytes.replaceSubrange(place..<min(bytes.count, place + 8), with: [0xff, 0xff, 0xff, 0xff])
      }
    }
  }
}
