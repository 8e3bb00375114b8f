public import TwinCore

/// One model of a site: its physics, which points feed it, what it forecasts and how it is watched.
public struct ModelDefinition: Sendable, Equatable {
  /// Unique within the site: `ahu-air`.
  public var id: String
  /// What it is a model of: a node of the graph.
  public var asset: String
  /// The templates that compose it, in order: `zone.air-mass`, `air-handler.coil`.
  public var templates: [String]
  /// Between two of its steps.
  public var stepNanoseconds: Int64
  public var physics: BilinearModel
  /// By input of the physics.
  public var inputs: [InputBinding]
  /// By output of the physics.
  public var outputs: [PointBinding]
  /// In steps, ascending: what it forecasts at each of its steps, and is judged by.
  public var horizons: [Int]
  /// Why these templates and these points: one sentence each, for people.
  public var grounds: [String]

  public init(
    id: String, asset: String, templates: [String], stepNanoseconds: Int64, physics: BilinearModel,
    inputs: [InputBinding], outputs: [PointBinding], horizons: [Int], grounds: [String] = []
  ) {
    precondition(inputs.count == physics.inputs.count, "every input of the physics has a binding")
    precondition(outputs.count == physics.outputs.count, "every output of the physics has a binding")
    precondition(stepNanoseconds > 0, "a step takes time")
    (self.id, self.asset, self.templates, self.stepNanoseconds) = (id, asset, templates, stepNanoseconds)
    (self.physics, self.inputs, self.outputs) = (physics, inputs, outputs)
    (self.horizons, self.grounds) = (horizons, grounds)
  }
}

/// A point as the physics sees it: scale · value + offset, in the unit of the physics.
public struct PointBinding: Sendable, Equatable {
  public var point: PointIndex
  public var scale: Double
  public var offset: Double

  public init(_ point: PointIndex, scale: Double = 1, offset: Double = 0) {
    (self.point, self.scale, self.offset) = (point, scale, offset)
  }

  @inlinable public func read(_ value: Double) -> Double { scale * value + offset }
}

/// Where an input of the physics comes from, and what is assumed of it while it is still to come.
public struct InputBinding: Sendable, Equatable {
  /// What one step takes of the readings that fell into it.
  public enum Reading: UInt8, Sendable {
    /// The one at the step's end: a value that the device gives for the whole step.
    case end = 0
    /// The one at the step's start: a command, which works from then on.
    case start = 1
    /// Their mean over time: what is polled many times a step.
    case mean = 2
  }

  /// What a forecast assumes where nobody has planned it.
  public enum Outlook: UInt8, Sendable {
    /// Stays as it is: a command.
    case hold = 0
    /// Is what it was a day ago at this time: people, the sun.
    case yesterday = 1
    /// Moves as it did a day ago, from where it is now: outdoor air.
    case shifted = 2
  }

  public enum Source: Sendable, Equatable {
    case point(PointBinding)
    case constant(Double)
  }

  public var source: Source
  public var reading: Reading
  public var outlook: Outlook

  public init(_ source: Source, reading: Reading = .end, outlook: Outlook = .hold) {
    (self.source, self.reading, self.outlook) = (source, reading, outlook)
  }
}
