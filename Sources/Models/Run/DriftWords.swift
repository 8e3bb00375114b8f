import TwinCore

extension ModelDefinition {
  /// Everything that a command moves may do otherwise than it says.
  var driftSettings: DriftWatch.Settings {
    let actuators = inputs.indices.filter { index in
      if case .point = inputs[index].source { return inputs[index].outlook == .hold }
      return false
    }
    return DriftWatch.Settings(
      stepSeconds: stepSeconds, referenceSteps: max(32, Int(3 * stepsPerDay)), trialSteps: Int(6 * stepsPerDay),
      diagnosisSteps: max(4, Int(stepsPerDay / 6)), actuators: actuators)
  }

  /// Of a place among outputs, then inputs.
  func portName(_ place: Int) -> String {
    place < physics.outputs.count ? physics.outputs[place].name : physics.inputs[place - physics.outputs.count].name
  }
}

extension DriftVerdict {
  /// For people.
  public func text(_ model: BilinearModel) -> String {
    switch self {
    case .ok: "ok"
    case .stale: "no fresh readings"
    case .suspect(.unexplained): "suspect: readings and model part, the cause is being weighed"
    case .suspect(.garbage(let cause, let output)): "suspect: \(model.outputs[output].name) \(cause.text)"
    case .drift(.sensor(let output)): "drift of a sensor: \(model.outputs[output].name) reads wrong"
    case .drift(.actuator(let input)): "drift of an actuator: \(model.inputs[input].name) does not do what it says"
    case .drift(.fouling(let parameter)): "fouling: \(model.parameters[parameter].name) has moved"
    case .drift(.regime): "drift of the regime: the plant is used otherwise than it was"
    }
  }

  /// One word, for screens and machines.
  public var word: String {
    switch self {
    case .ok: "ok"
    case .stale: "stale"
    case .suspect: "suspect"
    case .drift(.sensor): "drift_sensor"
    case .drift(.actuator): "drift_actuator"
    case .drift(.fouling): "drift_fouling"
    case .drift(.regime): "drift_regime"
    }
  }

  var isSensors: Bool {
    if case .drift(.sensor) = self { true } else { false }
  }
}
