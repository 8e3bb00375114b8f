public import Provenance
public import TwinCore

/// What a site waits to have proven of the foundation's own log.
struct ConsistencyQuestion {
  static let spread = Duration.seconds(5)
  static let pauseMin = Duration.seconds(30)
  static let pauseMax = Duration.seconds(600)

  let sizes: LogSpan
  let nonce: UInt64
  var askAt: Uptime
  var failures = 0
}

extension EdgePeer {
  /// Asks the foundation to prove that its log grew from one size to the other, until it answers; in place of what was
  /// asked before. The answer comes as `PeerAction.consistency`.
  public mutating func askConsistency(_ sizes: LogSpan, now: Uptime) {
    guard question?.sizes != sizes else { return }
    // Many sites may miss the same proof at once.
    let moment = Int64(random() % UInt64(ConsistencyQuestion.spread.wholeNanoseconds))
    question = ConsistencyQuestion(sizes: sizes, nonce: random(), askAt: now.advanced(byNanoseconds: moment))
  }

  mutating func askConsistencyIfDue(_ now: Uptime) {
    guard var question, now >= question.askAt else { return }
    let pause = ConsistencyQuestion.pauseMin.wholeNanoseconds << Int64(min(question.failures, 5))
    question.askAt = now.advanced(byNanoseconds: min(pause, ConsistencyQuestion.pauseMax.wholeNanoseconds))
    question.failures += 1
    self.question = question
    let request = ConsistencyRequest(site: site, sizes: question.sizes, nonce: question.nonce)
    _ = publish(.request(site), request.sealed(by: seal), qos: 1)
  }

  mutating func take(_ answer: ConsistencyAnswer) {
    guard answer.site == site else { return counters.refused += 1 }
    guard let question, answer.sizes == question.sizes, answer.nonce == question.nonce else {
      return counters.stale += 1
    }
    self.question = nil
    actions.append(.consistency(answer.sizes, answer.proof))
  }
}
