import Seams
import Synchronization

/// The life of a link's thread: it waits for a call to connect, has it tried, turns the session over, reports its end.
final class LinkLoop: @unchecked Sendable {
  // @unchecked: `stage` and `hanging` are touched on the link's thread alone.
  private enum Stage {
    case idle
    case trying(LinkAttempt, until: ContinuousClock.Instant)
    case session(LinkSession)
  }

  /// Given-up attempts whose threads may hang in the system at once.
  private static let hangingMax = 3

  private let settings: BrokerSettings
  private let desk: OrderDesk
  private let onEvent: @Sendable (MessageEvent) -> Void
  private var stage = Stage.idle
  private var hanging: [LinkAttempt] = []
  let turns = Atomic(0)

  init(_ settings: BrokerSettings, _ desk: OrderDesk, onEvent: @escaping @Sendable (MessageEvent) -> Void) {
    (self.settings, self.desk, self.onEvent) = (settings, desk, onEvent)
  }

  func run() {
    while true {
      turns.add(1, ordering: .relaxed)
      switch desk.takeCall() {
      case .stop: return stop()
      case .disconnect: leave()
      case .connect(let will): begin(will)
      case .none: break
      }
      turn()
    }
  }

  private func turn() {
    switch stage {
    case .idle:
      desk.wake.wait(milliseconds: -1)
    case .trying(let attempt, let until):
      if let outcome = attempt.takeOutcome() { return take(outcome, until) }
      let left = ContinuousClock.now.duration(to: until)
      guard left > .zero else {
        let address = settings.address
        return giveUp(
          attempt,
          MessageFault(
            .timeout, "\(address.host):\(address.port): no connection within \(settings.connectTimeoutMs) ms",
            remedy: "check the name server, and that the network leads to the broker"))
      }
      desk.wake.wait(milliseconds: Int32(min(left / .milliseconds(1), 3_600_000)) + 1)
    case .session(let session):
      if let fault = session.turn() { finish(fault) }
    }
  }

  private func begin(_ will: OutgoingMessage?) {
    hanging.removeAll { !$0.isHanging }
    guard hanging.count < Self.hangingMax else {
      return finish(
        MessageFault(
          .busy, "\(hanging.count) given-up attempts still hang in the system", remedy: "check the network; try later"))
    }
    let attempt = LinkAttempt(settings, will: will, wake: desk.wake)
    stage = .trying(attempt, until: .now + .milliseconds(settings.connectTimeoutMs))
  }

  private func take(_ outcome: Result<LibMosquitto, MessageFault>, _ until: ContinuousClock.Instant) {
    switch outcome {
    case .success(let library):
      stage = .session(LinkSession(library, settings, desk, deadline: until) { [onEvent] in onEvent($0) })
    case .failure(let fault): finish(fault)
    }
  }

  private func leave() {
    switch stage {
    case .idle: finish(LinkSession.requested)
    case .trying(let attempt, _): giveUp(attempt, LinkSession.requested)
    case .session(let session): session.leave()
    }
  }

  private func giveUp(_ attempt: LinkAttempt, _ fault: MessageFault) {
    attempt.giveUp()
    hanging.append(attempt)
    finish(fault)
  }

  /// The library's handle goes before the event, so that the owner may connect at once.
  private func finish(_ fault: MessageFault) {
    stage = .idle
    desk.sessionEnded()
    onEvent(.disconnected(fault))
  }

  private func stop() {
    switch stage {
    case .idle: break
    case .trying(let attempt, _): attempt.giveUp()
    case .session(let session):
      session.leave()
      while session.turn() == nil {}
    }
    stage = .idle
    desk.sessionEnded()
  }
}
