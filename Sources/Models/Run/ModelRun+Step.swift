import TwinCore

extension ModelRun {
  /// Longer gaps are not bridged: the states begin anew where the next readings are, the parameters stay.
  static let bridgedSteps: Int64 = 96
  /// A known input may stand in for so many missing readings of itself; after that the step is not learned from.
  static let heldSteps: Int32 = 4

  /// Takes in one step: scores what was forecast for it, corrects the state by its readings, forecasts anew.
  ///
  /// - Parameter plan: inputs ahead that are known (a schedule, a trial), by step ahead and input; nil takes each
  ///   input's outlook.
  public mutating func step(_ sample: ModelSample, _ definition: ModelDefinition, plan: [Double]? = nil) {
    let isFirst = step < 0
    step = sample.step
    instant = sample.instant
    for index in squaredErrors.indices { squaredErrors[index] = .nan }
    for index in innovations.indices { innovations[index] = nil }
    for index in scratch.outputs.indices { scratch.outputs[index] = sample.outputs[index] }
    for index in scratch.inputs.indices { scratch.inputs[index] = sample.inputs[index] }
    screenReadings(definition)
    let isFed = memory.keep(scratch.inputs, at: step, into: &scratch.inputs)
    advance((isFirst ? 1 : sample.elapsed).saturatingAdd(pendingGap), isFed: isFed, definition)
    correct(definition)
    score(definition)
    if rivals.contains(where: \.isAdaptiveLost) { recallAdaptive() }
    watch(isFed: isFed)
    book.begin(step: step)
    regressors.begin(step: step)
    guard isFed, isSettled.allSatisfy({ $0 }) else { return }
    issue(definition, plan)
    trace.note(step) { parameter in
      let at = adaptive.model.states.count + parameter
      let order = adaptive.mean.count
      return (adaptive.mean[at], adaptive.covariance[at * order + at].squareRoot())
    }
  }

  /// Readings that no plant gives are kept out before they reach a state. An input may jump or stand still: it is
  /// switched.
  private mutating func screenReadings(_ definition: ModelDefinition) {
    let outputs = scratch.outputs.count
    for index in refusals.indices {
      refusals[index] = nil
      let value = index < outputs ? scratch.outputs[index] : scratch.inputs[index - outputs]
      guard value.isFinite else { continue }
      let cause = screen.check(point: index, value: value, atNanoseconds: step)
      guard let cause, index < outputs || !(cause == .jump || cause == .constant) else { continue }
      refusals[index] = cause
      if index < outputs { scratch.outputs[index] = .nan } else { scratch.inputs[index - outputs] = .nan }
    }
  }

  /// Intervals follow the errors by themselves; a drift that has stood for a day gets room at once.
  private var widening: Double { ladder.response > .widenIntervals ? ladder.response.intervalFactor : 1 }

  /// The adaptive filter goes back to where the steady one is.
  private mutating func recallAdaptive() {
    let frozen = adaptive.isParameterFrozen
    adaptive = observer
    adaptive.isParameterFrozen = frozen
    for index in rivals.indices { rivals[index] = Rivalry() }
  }

  /// The watches see the error of the shortest forecast as it was issued, correction included: what repeats every day
  /// is no news. Each error counts in units of what is usual where so much moves.
  private mutating func watch(isFed: Bool) {
    for output in scratch.outputs.indices {
      if let cause = refusals[output] {
        if isFitted { drift.refuse(cause, output: output) }
        continue
      }
      let reading = scratch.outputs[output]
      guard reading.isFinite, let forecast = book.forecast(of: output, horizon: 0, for: step) else { continue }
      let error = reading - forecast.mean
      let move = book.move(of: output, horizon: 0, for: step)
      if isFitted, (memory.age.max() ?? 0) <= Self.heldSteps, let deviation = moveScales[output].deviation(move: move) {
        drift.read(output: output, innovation: error, variance: deviation * deviation)
      }
      if !drift.isRaised { moveScales[output].add(error: error, move: move) }
    }
    guard isFed, isFitted else { return }
    let states = observer.model.states.count
    for index in scratch.watched.indices {
      scratch.watched[index] = index < states ? observer.mean[index] : adaptive.mean[index]
    }
    ladder.follow(drift.step(mean: scratch.watched, covariance: adaptive.covariance, inputs: scratch.inputs))
  }

  /// A sensor that has been found to read wrong for a day no longer moves the state: a first finding may be mistaken,
  /// and a state without its readings is soon nowhere.
  func isQuarantined(_ output: Int) -> Bool {
    ladder.response > .widenIntervals && drift.verdict == .drift(.sensor(output: output))
  }

  private mutating func advance(_ elapsed: Int64, isFed: Bool, _ definition: ModelDefinition) {
    guard isFed else { return }
    pendingGap = 0
    guard elapsed <= Self.bridgedSteps else {
      observer.restart()
      adaptive.restart()
      for index in isSettled.indices { isSettled[index] = false }
      for index in recent.indices { recent[index] = 0 }
      return
    }
    guard isSettled.contains(true) else { return }
    // The adaptive filter alone: more noise makes a filter that has its noise right worse, and this one carries a
    // forecast only where it has proved better.
    adaptive.noiseScale = ladder.response.noiseScale
    for _ in 0..<elapsed {
      unsafe scratch.inputs.withUnsafeBufferPointer { inputs in
        unsafe _ = observer.predict(inputs, seconds: definition.stepSeconds)
        unsafe _ = adaptive.predict(inputs, seconds: definition.stepSeconds)
      }
    }
  }

  private mutating func correct(_ definition: ModelDefinition) {
    var isNews = false
    for output in scratch.outputs.indices {
      let reading = scratch.outputs[output]
      recent[2 * output + 1] = recent[2 * output]
      recent[2 * output] = 0
      guard reading.isFinite, !isQuarantined(output) else { continue }
      if !isSettled[output] {
        observer.settle(output: output, value: reading)
        adaptive.settle(output: output, value: reading)
        isSettled[output] = true
        continue
      }
      let innovation = observer.update(output: output, value: reading)
      adaptive.update(output: output, value: reading)
      innovations[output] = innovation
      recent[2 * output] = innovation.normalised
      isNews = true
    }
    if isNews { learned += 1 }
  }

  /// Forecasts as issued meet their reading.
  private mutating func score(_ definition: ModelDefinition) {
    let horizons = definition.horizons
    for output in scratch.outputs.indices where scratch.outputs[output].isFinite {
      let reading = scratch.outputs[output]
      for (place, horizon) in horizons.enumerated() {
        let cell = output * horizons.count + place
        guard let forecast = book.forecast(of: output, horizon: place, for: step) else { continue }
        let error = reading - forecast.mean
        squaredErrors[cell] = error * error
        book.score(
          output: output, horizon: place, at: step, error: error, reading: reading, radius: forecast.radius)
        guard !isQuarantined(output) else { continue }
        if let issued = regressors.find(cell: cell, at: step - Int64(horizon)) {
          trackers[cell].score(error: error, sigma: forecast.variance.squareRoot(), issued: issued.width)
          rivals[cell].add(
            steady: reading - issued.physics - issued.issued.value, adaptive: reading - issued.adaptive)
          unsafe regressors.withRow(at: issued.base) { row in
            unsafe _ = learners[cell].learn(row, residual: reading - issued.physics, issued: issued.issued)
          }
        }
      }
    }
  }

  private mutating func issue(_ definition: ModelDefinition, _ plan: [Double]?) {
    let (inputs, outputs) = (observer.model.inputs.count, observer.model.outputs.count)
    let longest = definition.horizons.last ?? 1
    for input in 0..<inputs { scratch.ahead[input] = scratch.inputs[input] }
    for ahead in 1...longest {
      for input in 0..<inputs {
        scratch.ahead[ahead * inputs + input] =
          plan.map { $0[(ahead - 1) * inputs + input] }
          ?? memory.outlook(of: input, definition.inputs[input].outlook, ahead: ahead, at: step)
      }
    }
    unsafe scratch.ahead.withUnsafeBufferPointer { ahead in
      unsafe _ = observer.forecast(
        steps: longest, inputs: UnsafeBufferPointer(rebasing: ahead[inputs..<(longest + 1) * inputs]),
        seconds: definition.stepSeconds, means: &scratch.means, variances: &scratch.variances)
    }
    unsafe scratch.ahead.withUnsafeBufferPointer { ahead in
      unsafe _ = adaptive.forecast(
        steps: longest, inputs: UnsafeBufferPointer(rebasing: ahead[inputs..<(longest + 1) * inputs]),
        seconds: definition.stepSeconds, means: &scratch.adaptiveMeans, variances: &scratch.adaptiveVariances)
    }
    for output in 0..<outputs {
      if scratch.outputs[output].isFinite { book.note(reading: scratch.outputs[output], output: output, at: step) }
      for (place, horizon) in definition.horizons.enumerated() {
        let cell = output * definition.horizons.count + place
        let physics = scratch.means[(horizon - 1) * outputs + output]
        let variance = scratch.variances[(horizon - 1) * outputs + output]
        guard physics.isFinite, variance.isFinite else { continue }
        regress(output: output, steps: horizon, definition)
        let correction = unsafe scratch.features.withUnsafeBufferPointer { unsafe learners[cell].predict($0) }
        let rival = scratch.adaptiveMeans[(horizon - 1) * outputs + output]
        regressors.keep(
          scratch.features, physics: physics, adaptive: rival, correction, width: trackers[cell].scoreRadius,
          cell: cell,
          at: step)
        let radius = trackers[cell].radius(sigma: variance.squareRoot()) * widening
        book.issue(
          Forecast(
            mean: rivals[cell].prefersAdaptive && rival.isFinite ? rival : physics + correction.value,
            variance: variance, radius: radius), output: output,
          horizon: place, at: step)
      }
    }
  }

  /// A run that was trained on history goes on beside `other`, which is where the site is now.
  ///
  /// Forecasts and scores begin anew; what it learned stays; its state is bridged over the time since its history
  /// ended, where that is short.
  mutating func continueLive(beside other: ModelRun, _ definition: ModelDefinition) {
    let fresh = ModelRun(definition, physics: observer.model)
    (book, regressors, recent) = (fresh.book, fresh.regressors, fresh.recent)
    (memory, trace) = (other.memory, other.trace)
    let gap = other.instant.nanoseconds(since: instant) / definition.stepNanoseconds
    pendingGap = instant == .distantPast || gap < 0 ? Self.bridgedSteps + 1 : min(gap, Self.bridgedSteps + 1)
    (step, instant) = (other.step, other.instant)
  }
}
