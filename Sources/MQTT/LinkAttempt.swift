import Seams
import Synchronization

/// One attempt on a thread of its own, because neither the resolver nor the library's connect(2) can be interrupted.
///
/// The one who waits may give it up at any moment; the thread then throws away what it gets, whenever that is (the
/// kernel gives a silent host up after about two minutes).
final class LinkAttempt: Sendable {
  private enum State {
    case running
    case connected(LibMosquitto)
    case failed(MessageFault)
    /// Given up, or its outcome has been taken.
    case over
  }

  private let state = Mutex(State.running)
  private let hasEnded = Atomic(false)
  private let wake: WakePipe

  init(_ settings: BrokerSettings, will: OutgoingMessage?, wake: WakePipe) {
    self.wake = wake
    // Not kept: nobody joins it.
    _ = LinkThread(name: "broker attempt") { [self] in run(settings, will) }
  }

  /// Whether its thread still hangs in the system.
  var isHanging: Bool { !hasEnded.load(ordering: .acquiring) }

  /// The outcome, once; nil while there is none. Rings the pipe when there is.
  func takeOutcome() -> Result<LibMosquitto, MessageFault>? {
    state.withLock { state in
      switch state {
      case .running, .over: return nil
      case .connected(let library):
        state = .over
        return .success(library)
      case .failed(let fault):
        state = .over
        return .failure(fault)
      }
    }
  }

  func giveUp() {
    // What it may hold is freed after the lock.
    let held = state.withLock { state in
      defer { state = .over }
      return state
    }
    _ = held
  }

  private func run(_ settings: BrokerSettings, _ will: OutgoingMessage?) {
    let outcome: State
    do throws(MessageFault) {
      outcome = .connected(try LibMosquitto.connected(settings, will: will))
    } catch {
      outcome = .failed(error)
    }
    state.withLock { state in
      if case .running = state { state = outcome }
    }
    hasEnded.store(true, ordering: .releasing)
    wake.ring()
  }
}
