import Synchronization

/// How long the last writes took, from the decision to the verified read-back.
final class WriteTimes: Sendable {
  static let kept = 1024

  private struct State {
    var ring: [Int64] = []
    var next = 0
    var count = 0
  }

  private let state = Mutex(State())

  func add(_ nanoseconds: Int64) {
    state.withLock { state in
      state.count += 1
      if state.ring.count < Self.kept {
        state.ring.append(nanoseconds)
      } else {
        state.ring[state.next] = nanoseconds
        state.next = (state.next + 1) % Self.kept
      }
    }
  }

  /// Writes so far, and quantiles over the last `kept` of them in seconds; nil before the first.
  func figures(_ quantiles: [Double]) -> (count: Int, seconds: [Double])? {
    let (count, times) = state.withLock { ($0.count, $0.ring.sorted()) }
    guard !times.isEmpty else { return nil }
    return (count, quantiles.map { Double(times[min(times.count - 1, Int($0 * Double(times.count)))]) / 1e9 })
  }
}
