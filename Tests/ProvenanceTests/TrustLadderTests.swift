import Glibc
import Testing
import TwinCore

@testable import Provenance

/// One line of a trace: what the ladder is given, and what it must say. Days count from enrolment.
struct LadderStep {
  let wall: Double
  /// The newest signed time, nil before the first.
  var signed: Double? = 0
  /// Uptime since that, days.
  var elapsed = 0.0
  /// Ends of root, timestamp, snapshot, rollout, policy; nil for one that is not there.
  var ends: [Double?] = [1_096, 7, 30, 30, 365]
  let expect: String
  var reasons: [String] = []
}

struct LadderTrace {
  let name: String
  var isEnrolled = true
  let steps: [LadderStep]
}

/// Written by hand; `docs/vectors/expiry-ladder.json` is made of it. `expect` is the clock, the state, and what is
/// allowed: installs, learning, canary, intents, policy.
let ladderTraces: [LadderTrace] = [
  LadderTrace(
    name: "a site on its own never expires", isEnrolled: false,
    steps: [
      LadderStep(
        wall: 0, signed: nil, ends: [nil, nil, nil, nil, nil], expect: "trusted fresh yes yes yes none assigned"),
      LadderStep(
        wall: 3_650, signed: nil, ends: [nil, nil, nil, nil, nil], expect: "trusted fresh yes yes yes none assigned"),
    ]),
  LadderTrace(
    name: "the timestamp is frozen by a broker",
    steps: [
      LadderStep(wall: 0, expect: "trusted fresh yes yes yes timed assigned"),
      LadderStep(wall: 6.9, expect: "trusted fresh yes yes yes timed assigned"),
      LadderStep(
        wall: 7, expect: "trusted stale no yes yes timed assigned", reasons: ["timestamp expired 0 d ago"]),
      LadderStep(
        wall: 31, expect: "trusted stale no yes yes timed assigned",
        reasons: ["timestamp expired 24 d ago", "snapshot expired 1 d ago", "rollout expired 1 d ago"]),
      LadderStep(
        wall: 32, signed: 32, ends: [1_096, 39, 62, 62, 365], expect: "trusted fresh yes yes yes timed assigned"),
    ]),
  LadderTrace(
    name: "offline for sixty days after the policy expired",
    steps: [
      LadderStep(
        wall: 9.9, ends: [1_096, 100, 100, 100, 10], expect: "trusted fresh yes yes yes timed assigned"),
      LadderStep(
        wall: 10, ends: [1_096, 100, 100, 100, 10], expect: "trusted stale no yes yes timed assigned",
        reasons: ["policy expired 0 d ago"]),
      LadderStep(
        wall: 23.9, ends: [1_096, 100, 100, 100, 10], expect: "trusted stale no yes yes timed assigned",
        reasons: ["policy expired 13 d ago"]),
      LadderStep(
        wall: 24, ends: [1_096, 100, 100, 100, 10], expect: "trusted degraded no no no none clamped",
        reasons: ["policy expired 14 d ago", "the policy is beyond its grace of 14 d"]),
      LadderStep(
        wall: 54.9, ends: [1_096, 100, 100, 100, 10], expect: "trusted degraded no no no none clamped",
        reasons: ["policy expired 44 d ago", "the policy is beyond its grace of 14 d"]),
      LadderStep(
        wall: 55, ends: [1_096, 100, 100, 100, 10], expect: "trusted baseline no no no none baseline",
        reasons: ["policy expired 45 d ago", "the policy is beyond its grace of 45 d"]),
      LadderStep(
        wall: 70, ends: [1_096, 100, 100, 100, 10], expect: "trusted baseline no no no none baseline",
        reasons: ["policy expired 60 d ago", "the policy is beyond its grace of 45 d"]),
      LadderStep(
        wall: 70, signed: 70, ends: [1_096, 77, 100, 100, 435], expect: "trusted fresh yes yes yes timed assigned"),
    ]),
  LadderTrace(
    name: "the clock starts in 1970",
    steps: [
      LadderStep(
        wall: -20_454, elapsed: 3, expect: "behind fresh yes yes yes fresh_nonce assigned",
        reasons: ["the clock is behind; ages are counted in uptime"]),
      LadderStep(
        wall: -20_450, elapsed: 7, expect: "behind stale no yes yes fresh_nonce assigned",
        reasons: ["the clock is behind; ages are counted in uptime", "timestamp expired 0 d ago"]),
      LadderStep(
        wall: -20_050, elapsed: 380, expect: "behind degraded no no no none clamped",
        reasons: [
          "the clock is behind; ages are counted in uptime", "timestamp expired 373 d ago",
          "snapshot expired 350 d ago",
          "policy expired 15 d ago", "rollout expired 350 d ago", "the policy is beyond its grace of 14 d",
        ]),
      LadderStep(
        wall: 380, signed: 0, ends: [1_096, 387, 410, 410, 745],
        expect: "trusted fresh yes yes yes timed assigned"),
    ]),
  LadderTrace(
    name: "the clock jumps ten years ahead and comes back",
    steps: [
      LadderStep(wall: 400, ends: [1_096, 410, 410, 410, 410], expect: "trusted fresh yes yes yes timed assigned"),
      LadderStep(
        wall: 400.1, elapsed: 1, ends: [1_096, 410, 410, 410, 410],
        expect: "ahead fresh yes yes yes fresh_nonce assigned",
        reasons: ["the clock is ahead; ages are counted in uptime"]),
      LadderStep(
        wall: 3_650, elapsed: 2, expect: "ahead fresh yes yes yes fresh_nonce assigned",
        reasons: ["the clock is ahead; ages are counted in uptime"]),
      LadderStep(wall: 3, elapsed: 2, expect: "trusted fresh yes yes yes timed assigned"),
    ]),
  LadderTrace(
    name: "enrolled, and nothing ever came",
    steps: [
      LadderStep(
        wall: 1, signed: nil, ends: [1_096, nil, nil, nil, nil], expect: "trusted stale no yes yes timed assigned",
        reasons: [
          "no timestamp in the 1 d since enrolment", "no snapshot in the 1 d since enrolment",
          "no policy in the 1 d since enrolment",
        ]),
      LadderStep(
        wall: 45, signed: nil, ends: [1_096, nil, nil, nil, nil], expect: "trusted baseline no no no none baseline",
        reasons: [
          "no timestamp in the 45 d since enrolment", "no snapshot in the 45 d since enrolment",
          "no policy in the 45 d since enrolment", "the policy is beyond its grace of 45 d",
        ]),
    ]),
  LadderTrace(
    name: "the root expires before anything else",
    steps: [
      LadderStep(
        wall: 31, ends: [30, 40, 60, 60, 365], expect: "trusted stale no yes yes timed assigned",
        reasons: ["root expired 1 d ago"])
    ]),
]

private func standing(_ trace: LadderTrace, _ step: LadderStep) -> (clock: ClockState, standing: ExpiryStanding) {
  let floor = TimeFloor(
    build: day(-30), byTimestamp: step.signed.map { day($0) }, byTargets: nil,
    elapsed: Int64(step.elapsed * 86_400) * 1_000_000_000)
  let ends = step.ends.map { $0.map { day($0) } }
  let dates = ExpiryDates(root: ends[0], timestamp: ends[1], snapshot: ends[2], rollout: ends[3], policy: ends[4])
  let time = floor.time(day(step.wall))
  return (
    time.clock, ExpiryLadder.standard.standing(dates, trace.isEnrolled ? .enrolled(at: day(0)) : .standalone, at: time)
  )
}

private func described(_ seen: (clock: ClockState, standing: ExpiryStanding)) -> String {
  let allowed = seen.standing.allowed
  let yes = { (value: Bool) in value ? "yes" : "no" }
  return [
    seen.clock.name, seen.standing.state.name, yes(allowed.installs), yes(allowed.learning), yes(allowed.canary),
    allowed.remoteIntents.name, allowed.policy.name,
  ].joined(separator: " ")
}

@Suite struct `The ladder goes down with age and comes back by itself` {
  @Test(arguments: ladderTraces.indices) func `Every step of every trace`(_ index: Int) {
    let trace = ladderTraces[index]
    for step in trace.steps {
      let seen = standing(trace, step)
      #expect(described(seen) == step.expect, "\(trace.name), day \(step.wall)")
      #expect(seen.standing.reasons == step.reasons, "\(trace.name), day \(step.wall)")
    }
  }

  /// `TWIND_UPDATE_VECTORS=1` writes the file.
  @Test func `The published traces are these`() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let path = "\(root)/docs/vectors/expiry-ladder.json"
    let text = Self.json
    if unsafe getenv("TWIND_UPDATE_VECTORS") != nil {
      _ = unsafe mkdir("\(root)/docs/vectors", 0o755)
      try Descriptor.directory("\(root)/docs/vectors").place(
        "expiry-ladder.json", Array(text.utf8), mode: 0o644, replacing: true, shown: path)
    }
    let directory = try Descriptor.directory("\(root)/docs/vectors")
    let bytes = try directory.openEntry("expiry-ladder.json", shown: path).readAll(bytesMax: 1 << 20, shown: path)
    #expect(String(decoding: bytes, as: UTF8.self) == text)
    #expect(JSONItem(bytes, bytesMax: 1 << 20)?["traces"]?.items?.count == ladderTraces.count)
  }

  private static var json: String {
    func number(_ value: Double?) -> JSONItem {
      guard let value else { return .null }
      return .number(value == value.rounded() ? String(Int(value)) : String(value))
    }
    let names = ["root", "timestamp", "snapshot", "rollout", "policy"]
    var lines: [String] = []
    for trace in ladderTraces {
      let steps = trace.steps.map { step in
        let words = step.expect.split(separator: " ").map(String.init)
        let expect = JSONItem.fields([
          "clock": .string(words[0]), "state": .string(words[1]), "installs": .bool(words[2] == "yes"),
          "learning": .bool(words[3] == "yes"), "canary": .bool(words[4] == "yes"),
          "remote_intents": .string(words[5]), "policy": .string(words[6]),
          "reasons": .array(step.reasons.map { .string($0) }),
        ])
        return "    "
          + JSONItem.fields([
            "wall": number(step.wall), "signed": number(step.signed), "elapsed": number(step.elapsed),
            "ends": .object(zip(names, step.ends).map { JSONField(name: $0, value: number($1)) }), "expect": expect,
          ]).text
      }
      let enrolment = trace.isEnrolled ? "enrolled" : "standalone"
      lines.append(
        "  {\"name\":\(JSONItem.string(trace.name).text),\"enrolment\":\"\(enrolment)\",\"steps\":[\n"
          + steps.joined(separator: ",\n") + "\n  ]}")
    }
    return "{\"format\":\"twind-expiry-ladder-1\",\"unit\":\"days since enrolment\",\"build\":-30,"
      + "\"degraded_after\":14,\"baseline_after\":45,\"clock_span\":400,\"traces\":[\n"
      + lines.joined(separator: ",\n") + "\n]}\n"
  }

  @Test func `It never rises with age, and what is off stays off further down`() {
    for seed in 0..<UInt64(trustRounds) {
      var dice = TrustDice(seed)
      let ends = (0..<5).map { _ in Double.random(in: -10...400, using: &dice) }
      let trace = LadderTrace(name: "", steps: [])
      var last = ExpiryState.fresh
      for wall in stride(from: 0.0, to: 399, by: 7) {
        let seen = standing(trace, LadderStep(wall: wall, ends: ends, expect: "")).standing
        #expect(seen.state >= last, "seed \(seed)")
        #expect(!seen.allowed.installs || seen.state == .fresh)
        #expect(seen.allowed.learning == (seen.state < .degraded))
        if let worse = seen.worsens {
          #expect(worse > day(wall), "seed \(seed)")
          let after = (worse.nanoseconds - day(0).nanoseconds) / 1_000_000_000
          let later = standing(trace, LadderStep(wall: Double(after) / 86_400 + 0.001, ends: ends, expect: ""))
          if later.clock == .trusted { #expect(later.standing.state > seen.state, "seed \(seed)") }
        } else {
          #expect(seen.state == .baseline)
        }
        last = seen.state
      }
    }
  }

  @Test func `Graces have an order`() {
    #expect(ExpiryLadder(degradedAfterDays: 46, baselineAfterDays: 45) == nil)
    #expect(ExpiryLadder(degradedAfterDays: -1, baselineAfterDays: 45) == nil)
    #expect(ExpiryLadder(degradedAfterDays: 0, baselineAfterDays: 0) != nil)
  }
}

@Suite struct `Time is what was signed, and uptime` {
  @Test func `The floor rises by signed statements alone`() throws {
    var floor = TimeFloor(build: day(-30))
    #expect(floor.clock(day(5_000)) == .trusted && floor.clock(day(-31)) == .behind)
    try floor.raise(byTimestamp: day(1))
    try floor.raise(byTimestamp: day(0))
    #expect(floor.instant == day(1))
    #expect(slug { () throws(ProvenanceFault) in try floor.raise(byTimestamp: day(402)) } == "time_step")
    try floor.raise(byTimestamp: day(401))
    floor.raise(byTargets: day(2_000))
    #expect(floor.instant == day(2_000))
    floor.forgetTimestamps()
    #expect(floor.instant == day(2_000) && floor.byTimestamp == nil)
  }

  @Test func `What has passed stays passed when a late statement says less`() throws {
    var floor = TimeFloor(build: day(0))
    try floor.raise(byTimestamp: day(1))
    floor.pass(uptimeNanoseconds: 10 * 86_400_000_000_000)
    #expect(floor.estimate == day(11))
    try floor.raise(byTimestamp: day(9))
    #expect(floor.estimate == day(11) && floor.instant == day(9))
    try floor.raise(byTimestamp: day(20))
    #expect(floor.estimate == day(20))
    floor.pass(uptimeNanoseconds: .max)
    #expect(floor.estimate == .distantFuture)
  }
}
