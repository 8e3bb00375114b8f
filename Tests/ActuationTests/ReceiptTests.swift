import CompilerProof
import Testing

@Suite struct `Nothing is written without a permit and a receipt` {
  static let given = """
    import Actuation
    import FeatureStore
    import Guard
    import TwinCore

    """

  @Test func `a write takes both, and uses them up`() throws {
    try SwiftTypecheck.expectCompiles(
      Self.given + """
        func use(
          _ actuator: Actuator, _ permit: consuming Permit, _ receipt: consuming DurableReceipt
        ) async -> WriteReport {
          await actuator.write(permit, receipt, before: .never)
        }
        """)
  }

  @Test func `a write without a receipt does not compile`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.given + """
        func use(_ actuator: Actuator, _ permit: consuming Permit) async -> WriteReport {
          await actuator.write(permit, before: .never)
        }
        """, because: "missing argument for parameter #2 in call")
  }

  @Test func `a permit is not written twice`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.given + """
        func use(
          _ actuator: Actuator, _ permit: consuming Permit, _ a: consuming DurableReceipt, _ b: consuming DurableReceipt
        ) async {
          _ = await actuator.write(permit, a, before: .never)
          _ = await actuator.write(permit, b, before: .never)
        }
        """, because: "consumed more than once")
  }

  @Test func `a receipt is not used twice`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.given + """
        func use(
          _ actuator: Actuator, _ a: consuming Permit, _ b: consuming Permit, _ receipt: consuming DurableReceipt
        ) async {
          _ = await actuator.write(a, receipt, before: .never)
          _ = await actuator.write(b, receipt, before: .never)
        }
        """, because: "consumed more than once")
  }

  @Test func `a receipt cannot be made without a commit`() throws {
    try SwiftTypecheck.expectRefuses(
      Self.given + """
        func forge() -> DurableReceipt? {
          DurableReceipt(for: DecisionID(tick: 1, ordinal: 0), in: CommitReceipt(lastFrame: 0, lastTick: 0))
        }
        """, because: "inaccessible due to 'internal' protection level")
  }
}
