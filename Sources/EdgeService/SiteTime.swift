import Seams
import Synchronization
import TwinCore

/// The time of a site whose device owns it: a simulated plant that moves in steps at a pace of its own.
///
/// Both clocks derive from the device's step counter, so a step of the plant is a step of its time, however fast it
/// runs. I/O keeps the gateway's clocks.
final class DeviceClock: SiteClock {
  private struct State {
    var counter: Int64?
    var movedAt: Uptime
    var restarts = 0
  }

  let epoch: Instant
  let stepNanoseconds: Int64
  private let gateway: any SiteClock
  private let state: Mutex<State>

  init(epoch: Instant, stepNanoseconds: Int64, gateway: any SiteClock) {
    (self.epoch, self.stepNanoseconds, self.gateway) = (epoch, stepNanoseconds, gateway)
    state = Mutex(State(movedAt: gateway.uptime))
  }

  var instant: Instant { epoch.advanced(byNanoseconds: elapsed) }
  /// One step ahead of zero, so that a plant at its first step is later than "never".
  var uptime: Uptime { Uptime(nanoseconds: elapsed.saturatingAdd(stepNanoseconds)) }
  var isTrusted: Bool { state.withLock { $0.counter != nil } }

  func sleep(until deadline: Uptime) async {
    while uptime < deadline, !Task.isCancelled {
      await gateway.sleep(until: gateway.uptime.advanced(byNanoseconds: 10_000_000))
    }
  }

  enum Movement { case still, forward, restarted }

  /// Takes in the counter as read.
  func observe(_ counter: Int64) -> Movement {
    let now = gateway.uptime
    return state.withLock { state in
      defer { state.counter = counter }
      guard counter != state.counter else { return .still }
      state.movedAt = now
      guard let before = state.counter, counter < before else { return .forward }
      state.restarts += 1
      return .restarted
    }
  }

  /// How long the counter has stood still, gateway time.
  var stillNanoseconds: Int64 { gateway.uptime.nanoseconds(since: state.withLock { $0.movedAt }) }

  private var elapsed: Int64 {
    let counter = state.withLock { $0.counter ?? 0 }
    let (span, overflow) = counter.multipliedReportingOverflow(by: stepNanoseconds)
    return overflow ? .max : span
  }
}
