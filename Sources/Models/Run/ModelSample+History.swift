public import TwinCore

extension ModelSample {
  /// A sample from elsewhere than a feed: a file of measurements, a simulation.
  public init(step: Int64, instant: Instant, elapsed: Int64 = 1, inputs: [Double], outputs: [Double]) {
    precondition(elapsed >= 1, "a sample comes after the one before it")
    (self.step, self.instant, self.elapsed) = (step, instant, elapsed)
    (self.inputs, self.outputs) = (inputs, outputs)
  }
}

extension ModelRun {
  /// The same model with what it has learned, at the start of another stretch of record: states, forecasts and scores
  /// begin anew.
  public func rewound(_ definition: ModelDefinition) -> ModelRun {
    var run = ModelRun(definition, physics: observer.model)
    run.version = version
    (run.observer, run.adaptive) = (observer, adaptive)
    run.observer.restart()
    run.adaptive.restart()
    (run.learners, run.trackers, run.rivals) = (learners, trackers, rivals)
    return run
  }
}
