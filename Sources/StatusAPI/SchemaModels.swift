extension API {
  /// Every model of the site, in the pack's order.
  public struct Models: Codable, Sendable, Equatable {
    public var models: [ModelGlance]

    public init(models: [ModelGlance]) {
      self.models = models
    }
  }
}

extension API {
  /// One model at a glance.
  public struct ModelGlance: Codable, Sendable, Equatable {
    public var id: String
    /// The node of the graph that it is a model of.
    public var asset: String
    public var templates: [String]
    /// Between two of its steps.
    public var stepS: Double
    /// 0 is the template at its priors.
    public var version: Int64
    /// Digest of what was handed over, hexadecimal; null for the template at its priors.
    public var candidate: String?
    public var calibrated: Bool
    /// Whether decisions may rest on it.
    public var trusted: Bool
    public var drift: ModelDrift
    /// The version that runs beside it; null when none does.
    public var challenger: Int64?
    /// Steps that brought a reading.
    public var learnedSteps: Int64
    /// Of its last step; null before the first.
    public var at: Timestamp?
    /// Of seven days, by output and horizon.
    public var scores: [ModelScore]

    public init(
      id: String, asset: String, templates: [String], stepS: Double, version: Int64, candidate: String? = nil,
      calibrated: Bool, trusted: Bool, drift: ModelDrift, challenger: Int64? = nil, learnedSteps: Int64,
      at: Timestamp? = nil, scores: [ModelScore] = []
    ) {
      (self.id, self.asset, self.templates, self.stepS) = (id, asset, templates, stepS)
      (self.version, self.candidate, self.calibrated, self.trusted) = (version, candidate, calibrated, trusted)
      (self.drift, self.challenger, self.learnedSteps, self.at) = (drift, challenger, learnedSteps, at)
      self.scores = scores
    }
  }
}

extension API.ModelGlance {
  /// Where a model stands, in the order of `ModelTally`.
  public enum Standing: Sendable {
    case ok
    case uncalibrated
    case suspect
    case drifting
    case stale
    /// A word that this release does not know.
    case unknown
  }

  /// A template at its priors was never fitted here, so that what its watches say is no drift.
  public var standing: Standing {
    switch drift.word {
    case "stale": .stale
    case _ where !calibrated: .uncalibrated
    case "ok": .ok
    case "suspect": .suspect
    case let word where word.hasPrefix("drift_"): .drifting
    default: .unknown
    }
  }
}

extension API {
  /// What a model is worth at present, and what is done about it.
  public struct ModelDrift: Codable, Sendable, Equatable {
    /// `ok`, `stale`, `suspect`, `drift_sensor`, `drift_actuator`, `drift_fouling` or `drift_regime`; open.
    public var word: String
    /// A phrase.
    public var text: String
    /// How near the nearest watch is to an alarm, 0 to 1.
    public var level: Double
    /// `none`, `widen_intervals`, `raise_process_noise`, `recalibrate_in_shadow` or `fall_back`; open.
    public var response: String
    /// What a person does about it; null when there is nothing to do.
    public var next: String?

    public init(word: String, text: String, level: Double, response: String, next: String? = nil) {
      (self.word, self.text, self.level, self.response, self.next) = (word, text, level, response, next)
    }
  }
}

extension API {
  /// How forecasts of one output and horizon did, as they were issued.
  public struct ModelScore: Codable, Sendable, Equatable {
    public var output: String
    public var point: String
    public var horizonS: Double
    /// Of differences of the point's values: `K`, where the point has `Cel`.
    public var unit: String
    /// Forecasts that met their reading.
    public var count: Int
    /// Root of the mean squared error; null while `count` is 0, as all that follow.
    public var rmse: Double?
    /// What "it stays as it is" would have had.
    public var persistenceRmse: Double?
    /// Share of readings within the 90 % interval, 0 to 1.
    public var coverage: Double?
    /// Half the mean width of that interval.
    public var halfWidth: Double?

    public init(
      output: String, point: String, horizonS: Double, unit: String, count: Int, rmse: Double? = nil,
      persistenceRmse: Double? = nil, coverage: Double? = nil, halfWidth: Double? = nil
    ) {
      (self.output, self.point, self.horizonS, self.unit, self.count) = (output, point, horizonS, unit, count)
      (self.rmse, self.persistenceRmse, self.coverage, self.halfWidth) = (rmse, persistenceRmse, coverage, halfWidth)
    }
  }
}

extension API {
  /// One model with everything that it knows.
  public struct Model: Codable, Sendable, Equatable {
    public var glance: ModelGlance
    /// Why these templates and these points, a sentence each.
    public var grounds: [String]
    public var inputs: [ModelInput]
    public var outputs: [ModelOutput]
    public var parameters: [ModelParameter]
    public var biases: [ModelBias]
    /// The model at work first, then what runs beside it.
    public var runs: [ModelContender]
    /// The model at work against its challenger; null without one.
    public var evidence: ModelEvidence?
    /// The model at work against the one before it; `better` says that the one before is. Null without one.
    public var retrospect: ModelEvidence?
    /// Newest first: what was handed over, promoted, let go, taken back, asked for.
    public var lineage: [ModelEvent]
    /// Newest first: verdicts, readings that were kept out, wishes to be trained again.
    public var alerts: [ModelEvent]

    public init(
      glance: ModelGlance, grounds: [String] = [], inputs: [ModelInput] = [], outputs: [ModelOutput] = [],
      parameters: [ModelParameter] = [], biases: [ModelBias] = [], runs: [ModelContender] = [],
      evidence: ModelEvidence? = nil, retrospect: ModelEvidence? = nil, lineage: [ModelEvent] = [],
      alerts: [ModelEvent] = []
    ) {
      (self.glance, self.grounds, self.inputs, self.outputs) = (glance, grounds, inputs, outputs)
      (self.parameters, self.biases, self.runs) = (parameters, biases, runs)
      (self.evidence, self.retrospect, self.lineage, self.alerts) = (evidence, retrospect, lineage, alerts)
    }
  }
}

extension API {
  public struct ModelInput: Codable, Sendable, Equatable {
    public var name: String
    /// Of the physics.
    public var unit: String
    /// Null where it is a constant.
    public var point: String?
    public var constant: Double?
    /// What a forecast assumes of it: `hold`, `yesterday` or `shifted`; open.
    public var outlook: String

    public init(name: String, unit: String, point: String? = nil, constant: Double? = nil, outlook: String) {
      (self.name, self.unit, self.point, self.constant) = (name, unit, point, constant)
      self.outlook = outlook
    }
  }
}

extension API {
  /// One thing that is forecast, in the unit of its point.
  public struct ModelOutput: Codable, Sendable, Equatable {
    public var name: String
    public var point: String
    public var unit: String
    /// What the model believes at its last step; null before the first.
    public var estimate: Uncertain?
    /// Issued at the last step, nearest first; empty while the model waits for readings.
    public var forecasts: [ModelForecast]
    /// Of the last step; null when no reading was taken in.
    public var innovation: ModelInnovation?
    /// Why the last reading was kept out; null when it was not.
    public var refused: String?

    public init(
      name: String, point: String, unit: String, estimate: Uncertain? = nil, forecasts: [ModelForecast] = [],
      innovation: ModelInnovation? = nil, refused: String? = nil
    ) {
      (self.name, self.point, self.unit, self.estimate) = (name, point, unit, estimate)
      (self.forecasts, self.innovation, self.refused) = (forecasts, innovation, refused)
    }
  }
}

extension API {
  public struct ModelForecast: Codable, Sendable, Equatable {
    public var horizonS: Double
    /// The time that it speaks of.
    public var at: Timestamp
    public var mean: Double
    /// The 90 % interval.
    public var low: Double
    public var high: Double

    public init(horizonS: Double, at: Timestamp, mean: Double, low: Double, high: Double) {
      (self.horizonS, self.at, self.mean, self.low, self.high) = (horizonS, at, mean, low, high)
    }
  }
}

extension API {
  /// How a reading differed from what was expected one step before.
  public struct ModelInnovation: Codable, Sendable, Equatable {
    /// Of differences.
    public var unit: String
    public var value: Double
    public var stddev: Double
    /// In standard deviations.
    public var normalised: Double
    /// Whether it was believed whole; an outlier moves the model little.
    public var accepted: Bool

    public init(unit: String, value: Double, stddev: Double, normalised: Double, accepted: Bool) {
      (self.unit, self.value, self.stddev) = (unit, value, stddev)
      (self.normalised, self.accepted) = (normalised, accepted)
    }
  }
}

extension API {
  /// One parameter of the physics; `low` and `high` are two standard deviations of its logarithm away.
  public struct ModelParameter: Codable, Sendable, Equatable {
    public var name: String
    public var unit: String
    /// What forecasts rest on: the calibration's.
    public var value: Double
    public var low: Double
    public var high: Double
    /// Held most likely before any data.
    public var prior: Double
    /// Whether the data told something about it.
    public var identified: Bool
    /// What the watching filter believes now.
    public var now: Double
    public var nowLow: Double
    public var nowHigh: Double
    /// By day, oldest first, of the last month.
    public var trace: [ModelTrace]

    public init(
      name: String, unit: String, value: Double, low: Double, high: Double, prior: Double, identified: Bool,
      now: Double, nowLow: Double, nowHigh: Double, trace: [ModelTrace] = []
    ) {
      (self.name, self.unit, self.value, self.low, self.high) = (name, unit, value, low, high)
      (self.prior, self.identified) = (prior, identified)
      (self.now, self.nowLow, self.nowHigh, self.trace) = (now, nowLow, nowHigh, trace)
    }
  }
}

extension API {
  /// A parameter on one day.
  public struct ModelTrace: Codable, Sendable, Equatable {
    /// When the day began.
    public var at: Timestamp
    public var value: Double
    public var low: Double
    public var high: Double

    public init(at: Timestamp, value: Double, low: Double, high: Double) {
      (self.at, self.value, self.low, self.high) = (at, value, low, high)
    }
  }
}

extension API {
  /// What the physics leaves out, as it is estimated.
  public struct ModelBias: Codable, Sendable, Equatable {
    public var name: String
    public var unit: String
    public var value: Double
    public var stddev: Double

    public init(name: String, unit: String, value: Double, stddev: Double) {
      (self.name, self.unit, self.value, self.stddev) = (name, unit, value, stddev)
    }
  }
}

extension API {
  /// One version that sees the readings.
  public struct ModelContender: Codable, Sendable, Equatable {
    /// `champion`, `challenger` or `previous`.
    public var role: String
    public var version: Int64
    public var candidate: String?
    /// Digest of the manifest that says what it was trained on, hexadecimal.
    public var manifest: String?
    /// The candidate that it was trained to replace.
    public var parent: String?
    public var calibrated: Bool
    public var learnedSteps: Int64
    /// Of seven days, by output and horizon.
    public var scores: [ModelScore]

    public init(
      role: String, version: Int64, candidate: String? = nil, manifest: String? = nil, parent: String? = nil,
      calibrated: Bool, learnedSteps: Int64, scores: [ModelScore] = []
    ) {
      (self.role, self.version, self.candidate, self.manifest) = (role, version, candidate, manifest)
      (self.parent, self.calibrated, self.learnedSteps, self.scores) = (parent, calibrated, learnedSteps, scores)
    }
  }
}

extension API {
  /// Whether another version forecasts better than the one at work, on the same readings.
  public struct ModelEvidence: Codable, Sendable, Equatable {
    /// `open`, `better` or `not_better`.
    public var finding: String
    /// Stretches of readings that count as independent.
    public var blocks: Int
    public var blockS: Double
    /// Share of the squared error that it takes away; null before the first block.
    public var gain: Double?
    /// 95 of 100 such comparisons have the true gain above; null before two blocks.
    public var low: Double?
    /// And so many below.
    public var high: Double?

    public init(
      finding: String, blocks: Int, blockS: Double, gain: Double? = nil, low: Double? = nil, high: Double? = nil
    ) {
      (self.finding, self.blocks, self.blockS) = (finding, blocks, blockS)
      (self.gain, self.low, self.high) = (gain, low, high)
    }
  }
}

extension API {
  /// What happened to a model, from the record.
  public struct ModelEvent: Codable, Sendable, Equatable {
    public var at: Timestamp
    /// `admitted`, `refused`, `promoted`, `retired`, `rolled_back`, `asked`, `drift`, `refused_reading` or
    /// `recalibrate`; open.
    public var kind: String
    public var text: String
    /// A person; null where the evidence decided.
    public var by: String?
    public var candidate: String?
    /// Of the candidate, where it was ever taken up.
    public var version: Int64?

    public init(
      at: Timestamp, kind: String, text: String, by: String? = nil, candidate: String? = nil, version: Int64? = nil
    ) {
      (self.at, self.kind, self.text, self.by) = (at, kind, text, by)
      (self.candidate, self.version) = (candidate, version)
    }
  }
}
