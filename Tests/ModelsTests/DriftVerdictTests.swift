import Testing
import TwinCore

@testable import Models

@Suite struct `The lattice of verdicts` {
  private static let kinds: [DriftKind] = [
    .sensor(output: 1), .actuator(input: 2), .fouling(parameter: 3), .regime,
  ]
  private static let causes: [GarbageCause] = [
    .unit(factor: 1000), .swapped(with: 2), .constant, .repeated, .reversedTime, .nonFinite, .jump,
  ]
  private static let verdicts: [DriftVerdict] =
    [.ok, .stale, .suspect(.unexplained)] + causes.map { .suspect(.garbage($0, output: 4)) } + kinds.map { .drift($0) }
  private static let fresh: [DriftEvidence] = [
    .quiet, .garbage(.jump, output: 0), .alarm, .found(.sensor(output: 1)), .found(.regime),
  ]

  @Test func `makes no evidence of silence, from any verdict`() {
    for verdict in Self.verdicts {
      let next = verdict.following(.stale)
      #expect(next == (verdict == .ok ? .stale : verdict))
    }
  }

  /// Every sequence of four steps, with silence before, between and after: as if there had been none.
  @Test func `is the same with silence anywhere in between`() {
    var sequences: [[DriftEvidence]] = [[]]
    for _ in 0..<4 { sequences = sequences.flatMap { start in Self.fresh.map { start + [$0] } } }
    for start in Self.verdicts {
      for sequence in sequences {
        let plain = sequence.reduce(start) { $0.following($1) }
        let broken = sequence.reduce(start) { $0.following(.stale).following($1) }
        #expect(plain == broken)
        #expect(broken.following(.stale) == (plain == .ok ? .stale : plain))
      }
    }
  }

  @Test func `holds a drift, whatever follows`() {
    for kind in Self.kinds {
      for evidence in Self.fresh + [.stale] { #expect(DriftVerdict.drift(kind).following(evidence) == .drift(kind)) }
    }
  }

  @Test func `needs an alarm or a finding for a drift`() {
    for verdict in Self.verdicts {
      for evidence in [DriftEvidence.quiet, .stale, .garbage(.jump, output: 0), .alarm] {
        if case .drift = verdict { continue }
        if case .drift = verdict.following(evidence) { Issue.record("\(verdict) drifted by \(evidence)") }
      }
    }
  }

  @Test func `survives its bytes`() throws {
    for verdict in Self.verdicts {
      var writer = CanonicalWriter()
      verdict.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      #expect(try DriftVerdict(from: &reader) == verdict)
    }
  }

  @Test func `leads up the ladder one rung at a time, and silence waits`() throws {
    var ladder = ResponseLadder(stepsPerRung: 3)
    ladder.follow(.suspect(.unexplained))
    var seen: [DriftResponse] = [ladder.response]
    for step in 0..<40 {
      ladder.follow(step % 2 == 0 ? .drift(.regime) : .stale)
      if ladder.response != seen.last { seen.append(ladder.response) }
      var writer = CanonicalWriter()
      ladder.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      #expect(try ResponseLadder(from: &reader) == ladder)
    }
    #expect(seen == [.widenIntervals, .raiseProcessNoise, .recalibrateInShadow, .fallBack])
    ladder.promoted()
    #expect(ladder.response == .none && ladder.response.intervalFactor == 1 && ladder.response.noiseScale == 1)
  }
}

@Suite struct `Readings that are no measurements are named` {
  private static let second: Int64 = 1_000_000_000

  /// Two points that have been seen 200 times: a temperature and a pressure in Pa.
  private func screen() -> GarbageScreen {
    var screen = GarbageScreen(points: 2)
    var noise = DriftNoise(seed: 3)
    for step in 0..<200 as Range<Int64> {
      let at = step * Self.second
      #expect(screen.check(point: 0, value: 21 + 0.5 * noise.normal(), atNanoseconds: at) == nil)
      #expect(screen.check(point: 1, value: 101_000 + 300 * noise.normal(), atNanoseconds: at) == nil)
    }
    return screen
  }

  @Test(arguments: [
    (21_000.0, GarbageCause.unit(factor: 1000)), (0.021, .unit(factor: 0.001)), (2100, .unit(factor: 100)),
    (.nan, .nonFinite), (-.infinity, .nonFinite), (47, .jump), (1e300, .jump),
  ])
  func `by their value`(value: Double, cause: GarbageCause) {
    var screen = screen()
    #expect(screen.check(point: 0, value: value, atNanoseconds: 200 * Self.second) == cause)
    #expect(screen.check(point: 0, value: 21, atNanoseconds: 201 * Self.second) == nil)
    #expect(cause.text.contains("kept"))
  }

  @Test func `by their time`() {
    var screen = screen()
    let before = screen
    #expect(screen.check(point: 0, value: 21, atNanoseconds: 199 * Self.second) == .repeated)
    #expect(screen.check(point: 0, value: 21, atNanoseconds: 5 * Self.second) == .reversedTime)
    #expect(screen == before)
  }

  @Test func `by each other`() {
    var screen = screen()
    #expect(screen.check(point: 0, value: 101_100, atNanoseconds: 200 * Self.second) == .jump)
    #expect(screen.check(point: 1, value: 21.1, atNanoseconds: 200 * Self.second) == .swapped(with: 0))
    #expect(screen.check(point: 0, value: 101_000, atNanoseconds: 201 * Self.second) == .jump)
  }

  @Test func `by their repeats, and a night without sun is none`() {
    var screen = screen()
    let heard = (200..<240 as Range<Int64>).map {
      screen.check(point: 0, value: 21.25, atNanoseconds: $0 * Self.second)
    }
    #expect(heard[0] == nil && heard.last == .some(.constant))
    #expect(screen.check(point: 0, value: 21.3, atNanoseconds: 240 * Self.second) == nil)
    var watch = StuckWatch(runLength: 1e5)
    var noise = DriftNoise(seed: 4)
    for _ in 0..<20 {
      for _ in 0..<48 { _ = watch.update(300 * noise.uniform()) }
      for _ in 0..<48 { #expect(watch.update(0) == .quiet || watch.repeatsMax == nil) }
    }
    #expect(watch.repeatsMax.map { $0 >= 48 && $0 <= 200 } == true)
  }

  @Test func `but a point that stays where it jumped to is believed`() {
    var screen = screen()
    var noise = DriftNoise(seed: 5)
    let heard = (200..<260 as Range<Int64>).map {
      screen.check(point: 0, value: 47 + 0.5 * noise.normal(), atNanoseconds: $0 * Self.second)
    }
    #expect(heard[..<10].allSatisfy { $0 == .jump } && heard[30...].allSatisfy { $0 == nil })
  }

  @Test func `saved and restored with the same bits`() throws {
    let screen = screen()
    var writer = CanonicalWriter()
    screen.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    #expect(try GarbageScreen(from: &reader) == screen)
  }
}
