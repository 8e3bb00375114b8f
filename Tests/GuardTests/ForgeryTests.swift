import CompilerProof
import Testing

@Suite struct `Nobody but the guard lets anything leave` {
  static let judged = """
    import Guard
    import TwinCore
    func judged() -> Verdict {
      let point = PointIndex(0)
      let envelope = Envelope(
        id: "e", point: point, hard: 0...1, fallback: Fallback(value: 0), leaseNanoseconds: 1,
        deadMan: .unattendedAccepted, representation: .float64)
      let image = PointImage(count: 1, now: Uptime(nanoseconds: 0))
      return SafetyGuard(envelopes: [envelope]).check(0, by: .policy(0), envelope: 0, image: image, mode: .auto)
    }
    func given() -> Permit? { SafetyGuard.permit(for: judged(), decision: DecisionID(tick: 1, ordinal: 0)) }
    func spend(_ permit: consuming Permit) -> Double { permit.value }

    """

  @Test func `a permit comes from a verdict of the guard and is spent once`() throws {
    try SwiftTypecheck.expectCompiles(
      Self.judged + """
        func use() -> Double? {
          guard let permit = given() else { return nil }
          return spend(permit)
        }
        """)
  }

  @Test func `a permit cannot be made elsewhere`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.judged + """
        func forge() -> Permit? { Permit(for: judged(), decision: DecisionID(tick: 1, ordinal: 0)) }
        """, because: "inaccessible due to 'internal' protection level")
  }

  @Test func `a permit cannot be spent twice`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.judged + """
        func twice() -> Double {
          guard let permit = given() else { return 0 }
          let first = spend(permit)
          return first + spend(permit)
        }
        """, because: "'permit' consumed more than once")
  }

  @Test func `a permit cannot be copied`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.judged + """
        func keep(_ permit: borrowing Permit) -> Permit { permit }
        """, because: "'permit' is borrowed and cannot be consumed")
  }

  @Test func `a verdict cannot be made elsewhere`() throws {
    try SwiftTypecheck.expectRefuses(
      """
      import Guard
      import TwinCore
      func forge() -> Verdict {
        Verdict(
          envelope: 0, point: PointIndex(0), asked: 9, disposition: .permit, value: 9, binding: nil, isExecutable: true,
          leaseNanoseconds: 1, revertValue: 0, trace: RuleTrace())
      }
      """, because: "inaccessible due to 'internal' protection level")
  }

  @Test func `a verdict cannot be changed`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.judged + """
        func widen() -> Verdict {
          var verdict = judged()
          verdict.value = 9
          return verdict
        }
        """, because: "'value' setter is inaccessible")
  }

  @Test func `the guard's memory cannot be rewritten elsewhere`() throws {
    try SwiftTypecheck.expectRefuses(
      """
      import Guard
      func widen(_ safety: inout SafetyGuard) { safety.memory[0].isLatched = false }
      """, because: "setter is inaccessible")
  }
}
