public import TwinCore

// Canonical form: [1, is fitted, observer, adaptive, [steady and adaptive error and count of each rivalry, …], version
// number, candidate, manifest, parent, step, instant, learned, pending gap, [learner, …], [tracker, …], drift, [scale
// of errors, …], ladder, screen, book, memory, trace, regressors, [is settled, …], recent innovations].
extension ModelRun {
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(25)
    writer.integer(1)
    writer.bool(isFitted)
    observer.encode(to: &writer)
    adaptive.encode(to: &writer)
    writer.doubles(rivals.flatMap { [$0.steady, $0.adaptive, Double($0.count)] })
    writer.integer(version.number)
    for digest in [version.candidate, version.manifest, version.parent] { writer.digest(digest) }
    writer.integer(step)
    writer.instant(instant)
    writer.integer(learned)
    writer.integer(pendingGap)
    writer.array(learners.count)
    for learner in learners { learner.encode(to: &writer) }
    writer.array(trackers.count)
    for tracker in trackers { tracker.encode(to: &writer) }
    drift.encode(to: &writer)
    writer.array(moveScales.count)
    for scale in moveScales { scale.encode(to: &writer) }
    ladder.encode(to: &writer)
    screen.encode(to: &writer)
    book.encode(to: &writer)
    memory.encode(to: &writer)
    trace.encode(to: &writer)
    regressors.encode(to: &writer)
    writer.array(isSettled.count)
    for flag in isSettled { writer.bool(flag) }
    writer.doubles(recent)
  }

  /// What a run of the same inputs, outputs, step and horizons left; its physics are its own.
  public init(from reader: inout CanonicalReader, _ definition: ModelDefinition) throws(CanonicalFault) {
    try reader.structure(24, version: 1)
    let isFitted = try reader.bool()
    let observer = try JointObserver(from: &reader)
    guard definition.accepts(observer.model) else { throw CanonicalFault("an observer of other inputs or outputs") }
    self.init(definition, physics: observer.model)
    self.isFitted = isFitted
    self.observer = observer
    adaptive = try JointObserver(from: &reader)
    guard adaptive.model == observer.model else { throw CanonicalFault("two observers of different physics") }
    let errors = try reader.doubles(limit: 1 << 12)
    guard errors.count == 3 * rivals.count, errors.allSatisfy({ $0 >= 0 && $0 < 1e300 }),
      rivals.indices.allSatisfy({ errors[3 * $0 + 2] < 1e15 })
    else { throw CanonicalFault("errors of \(errors.count / 3) rivalries") }
    for index in rivals.indices {
      (rivals[index].steady, rivals[index].adaptive) = (errors[3 * index], errors[3 * index + 1])
      rivals[index].count = Int64(errors[3 * index + 2])
    }
    version.number = try reader.integer()
    version.candidate = try reader.digest()
    version.manifest = try reader.digest()
    version.parent = try reader.digest()
    step = try reader.integer()
    instant = try reader.instant()
    learned = try reader.integer()
    pendingGap = try reader.integer()
    guard step >= -1, learned >= 0, pendingGap >= 0 else { throw CanonicalFault("a run at step \(step)") }
    guard try reader.array() == learners.count else { throw CanonicalFault("learners of other forecasts") }
    for index in learners.indices {
      let learner = try ResidualLearner(from: &reader)
      guard learner.inputs == learners[index].inputs else { throw CanonicalFault("a learner of other regressors") }
      learners[index] = learner
    }
    guard try reader.array() == trackers.count else { throw CanonicalFault("intervals of other forecasts") }
    for index in trackers.indices { trackers[index] = try QuantileTracker(from: &reader) }
    drift = try DriftWatch(from: &reader, observer.model, definition.driftSettings)
    guard try reader.array() == moveScales.count else { throw CanonicalFault("scales of other outputs") }
    for index in moveScales.indices { moveScales[index] = try MoveScale(from: &reader) }
    ladder = try ResponseLadder(from: &reader)
    let screen = try GarbageScreen(from: &reader)
    guard screen.points == refusals.count else { throw CanonicalFault("a screen of \(screen.points) points") }
    self.screen = screen
    try book.restore(from: &reader)
    try memory.restore(from: &reader)
    try trace.restore(from: &reader)
    try regressors.restore(from: &reader)
    guard try reader.array() == isSettled.count else { throw CanonicalFault("a run of other outputs") }
    for index in isSettled.indices { isSettled[index] = try reader.bool() }
    let recent = try reader.doubles(limit: 1 << 12)
    guard recent.count == self.recent.count, recent.allSatisfy(\.isFinite) else {
      throw CanonicalFault("\(recent.count) recent innovations")
    }
    self.recent = recent
  }
}
