import Actuation
import FeatureStore
import Guard
import Seams
import SiteKernel
import Synchronization
import TwinCore

/// The way of recorded decisions to their devices: one queue for each connection, so that a device that hangs delays
/// only its own.
final class WriteLanes: Sendable {
  private struct Lane: Sendable {
    let orders: AsyncStream<WriteOrder>
    let entrance: AsyncStream<WriteOrder>.Continuation
  }

  /// More orders than this cannot wait for one connection; further ones are told that they were not sent.
  static let waitingMax = 256

  private let lanes: [Lane]
  private let laneOfPoint: [PointIndex: Int]
  private let actuator: Actuator
  private let clock: any SiteClock
  let times = WriteTimes()
  private let report: @Sendable (WriteReport, Decision) -> Void
  /// Of each point, the last decision that is to be written: what it overtakes while waiting is not. Nil when closed.
  private let newest = Mutex<[PointIndex: DecisionID]?>([:])

  /// - Parameters:
  ///   - lanes: Per connection, the points behind it.
  ///   - clock: The gateway's.
  ///   - report: Takes what became of each order; must not block.
  init(
    lanes points: [[PointIndex]], actuator: Actuator, clock: any SiteClock,
    report: @escaping @Sendable (WriteReport, Decision) -> Void
  ) {
    lanes = points.map { _ in
      let (orders, entrance) = AsyncStream<WriteOrder>.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
      return Lane(orders: orders, entrance: entrance)
    }
    var lane: [PointIndex: Int] = [:]
    for (index, members) in points.enumerated() { for point in members { lane[point] = index } }
    (laneOfPoint, self.actuator, self.clock, self.report) = (lane, actuator, clock, report)
  }

  func put(_ order: WriteOrder) {
    let point = order.decision.proposal.point
    if order.commit != nil { newest.withLock { $0?[point] = order.decision.id } }
    guard let lane = laneOfPoint[point], case .enqueued = lanes[lane].entrance.yield(order) else {
      var unsent = WriteReport(
        decision: order.decision.id, point: point, value: order.decision.verdict.value, outcome: .notSent,
        cause: "the connection's queue is full")
      // Whether something is held is not known here: nothing may count as given back.
      unsent.isStillHeld = true
      return report(unsent, order.decision)
    }
  }

  /// Serves every lane until `finish`.
  func run() async {
    await withTaskGroup { group in
      for lane in lanes {
        group.addTask {
          for await order in lane.orders { await self.serve(order) }
        }
      }
    }
  }

  /// From here on nothing is written any more but what is out already.
  func close() { newest.withLock { $0 = nil } }

  /// Ends `run`.
  func finish() { for lane in lanes { lane.entrance.finish() } }

  private func serve(_ order: WriteOrder) async {
    let decision = order.decision
    if let failure = order.failure { return await refuse(order, failure.message) }
    guard let permit = SafetyGuard.permit(for: decision.verdict, decision: decision.id) else { return }
    guard let commit = order.commit else {
      _ = await actuator.renew(permit)
      return
    }
    guard let receipt = DurableReceipt(for: decision.id, in: commit) else {
      return await refuse(order, "the commit does not hold the decision")
    }
    // A device that is slower than those who decide would be written ever later values, seconds after they were meant.
    let (last, isClosed) = newest.withLock { ($0?[decision.proposal.point], $0 == nil) }
    guard last == decision.id else {
      return await refuse(order, isClosed ? "the daemon stops" : "a younger decision took its place")
    }
    if decision.verdict.disposition == .keep {
      await actuator.adopt(permit, receipt)
      return report(
        WriteReport(
          decision: decision.id, point: decision.proposal.point, value: decision.verdict.value, outcome: .confirmed,
          readBack: decision.previous), decision)
    }
    let result = await actuator.write(permit, receipt, before: order.deadline)
    let decided = order.deadline.advanced(byNanoseconds: -ControlLoop.orderNanoseconds)
    if result.outcome == .confirmed { times.add(clock.uptime.nanoseconds(since: decided)) }
    report(result, decision)
  }

  private func refuse(_ order: WriteOrder, _ cause: String) async {
    let decision = order.decision
    report(await actuator.unsent(decision.id, decision.proposal.point, decision.verdict.value, cause), decision)
  }
}

/// Calls that wait for what becomes of their request.
final class Waiters: Sendable {
  enum Reply: Sendable {
    /// Nothing was let out: the record says why.
    case decided(DecisionRecord)
    case settled(DecisionRecord, WriteReport)
    case answered(Answer.Kind)
    case timedOut
  }

  private struct State {
    var next: Int64 = 1
    var calls: [Int64: CheckedContinuation<Reply, Never>] = [:]
    var pending: [DecisionID: (request: Int64, record: DecisionRecord)] = [:]
  }

  private let state = Mutex(State())

  /// Sends what `send` makes of a fresh request number, and waits for the answer until `deadline`.
  func ask(until deadline: Uptime, _ clock: any SiteClock, _ send: @escaping @Sendable (Int64) -> Bool) async -> Reply {
    let request = state.withLock { state in
      defer { state.next += 1 }
      return state.next
    }
    return await withTaskGroup(of: Reply?.self) { group in
      group.addTask {
        await withTaskCancellationHandler {
          await withCheckedContinuation { continuation in
            self.state.withLock { $0.calls[request] = continuation }
            if !send(request) || Task.isCancelled { self.resume(request, .timedOut) }
          }
        } onCancel: {
          self.resume(request, .timedOut)
        }
      }
      group.addTask {
        await clock.sleep(until: deadline)
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      if let first { return first }
      return await group.next().flatMap { $0 } ?? .timedOut
    }
  }

  func note(_ beat: ControlLoop.Beat) {
    for answer in beat.answers { resume(answer.request, .answered(answer.kind)) }
    for decision in beat.decisions {
      guard let request = decision.request, let record = beat.records.first(where: { $0.id == decision.id }) else {
        continue
      }
      if decision.isCarriedOut {
        state.withLock { $0.pending[decision.id] = (request, record) }
      } else {
        resume(request, .decided(record))
      }
    }
  }

  func note(_ report: WriteReport) {
    guard let decision = report.decision,
      let waiting = state.withLock({ $0.pending.removeValue(forKey: decision) })
    else { return }
    resume(waiting.request, .settled(waiting.record, report))
  }

  private func resume(_ request: Int64, _ reply: Reply) {
    state.withLock { $0.calls.removeValue(forKey: request) }?.resume(returning: reply)
  }
}
