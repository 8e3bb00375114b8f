public import TwinCore

/// A learner's correction of one forecast.
public struct ResidualEstimate: Sendable, Equatable {
  /// What to add to the physics: gated, clipped, 0 outside the support.
  public var value: Double
  /// How far the learner is trusted at present, 0…1.
  public var gate: Double
  /// What the regression says, unbounded.
  public var raw: Double
  /// The correction before the gate: shrunk where little was learnt, clipped, faded out at the edge of the support.
  public var offer: Double

  public init(value: Double, gate: Double, raw: Double, offer: Double) {
    (self.value, self.gate, self.raw, self.offer) = (value, gate, raw, offer)
  }

  /// No correction.
  public static let none = ResidualEstimate(value: 0, gate: 0, raw: 0, offer: 0)
}

/// Learns what the physics leaves out of one output at one horizon, and never makes it much worse.
///
/// A recursive regression on random cosine features of the standardised inputs, on the inputs themselves and on one.
/// Its correction is bounded three times: by three robust standard deviations of the residual, by the region in which
/// it has learnt, and by a gate that opens with proven skill and shuts on harm. Weights are in units of the residual's
/// typical size. Nothing is allocated after the first steps.
public struct ResidualLearner: Sendable, Equatable {
  public struct Settings: Sendable, Equatable {
    /// Of the basis; sites that share weights share it.
    public var seed: UInt64
    public var features: Int
    /// Of the basis, in standardised inputs, times the root of how many there are; below 1 for laws that bend within a
    /// spread of their inputs.
    public var scale: Double
    /// Of a weight, per variance of the residual.
    public var priorVariance: Double
    /// What is kept at each step of what is known along the present regressor.
    public var forgetting: Double
    /// Steps that fix the units of inputs and residual before anything is learnt.
    public var settling: Int

    public init(
      seed: UInt64 = 0, features: Int = 150, scale: Double = 2, priorVariance: Double = 20, forgetting: Double = 0.999,
      settling: Int = 100
    ) {
      (self.seed, self.features, self.scale) = (seed, features, scale)
      (self.priorVariance, self.forgetting, self.settling) = (priorVariance, forgetting, settling)
    }

    /// What is wrong with them: empty if nothing.
    public var problems: [String] {
      var found: [String] = []
      if !(1...RandomFeatureBasis.featuresMax / 2).contains(features) { found.append("\(features) features") }
      if !(scale > 0 && scale.isFinite) { found.append("a scale of \(scale)") }
      if !(priorVariance > 1e-6 && priorVariance <= 1e6) { found.append("a prior variance of \(priorVariance)") }
      if !(forgetting >= 0.9 && forgetting <= 1) { found.append("a forgetting factor of \(forgetting)") }
      if !(10...100_000).contains(settling) { found.append("\(settling) steps of settling") }
      return found
    }
  }

  /// Why a step was not learnt from.
  public enum Refusal: Sendable, Equatable {
    /// Not finite, or beyond 1e100.
    case input(Int)
    case residual
  }

  public static let inputsMax = 64
  /// Of robust standard deviations.
  public static let clip = 3.0
  private static let sizeMax = 1e100

  public let settings: Settings
  public let inputs: Int
  /// How often the inputs have outgrown their units, and the learning has begun anew.
  public private(set) var restarts: Int64 = 0
  public private(set) var regression: RecursiveRegression
  private let basis: RandomFeatureBasis
  private var support: Support
  private var gate = TrustGate()
  /// Robust standard deviation of the residual; 0 before the first.
  public private(set) var deviation = 0.0
  /// The unit of the regression's targets: the deviation when it began.
  private var targetUnit = 0.0
  private var standard: Scratch
  private var regressor: Scratch

  public init(_ settings: Settings = Settings(), inputs: Int) {
    precondition(settings.problems.isEmpty, settings.problems.joined(separator: ", "))
    precondition((1...Self.inputsMax).contains(inputs), "a learner over \(inputs) inputs")
    (self.settings, self.inputs) = (settings, inputs)
    basis = RandomFeatureBasis(
      seed: settings.seed, inputs: inputs, features: settings.features,
      scale: settings.scale * Double(inputs).squareRoot())
    // Alertness far below the square of 1 − λ leaves what is excited to the forgetting.
    let rate = 1 - settings.forgetting
    regression = RecursiveRegression(
      order: settings.features + inputs + 1, priorVariance: settings.priorVariance, forgetting: settings.forgetting,
      alertness: 0.001 * rate * rate * settings.priorVariance)
    support = Support(inputs: inputs, settling: settings.settling)
    standard = Scratch(inputs)
    regressor = Scratch(settings.features + inputs + 1)
  }

  /// How far the learner is trusted at present, 0…1.
  public var trust: Double { gate.value }

  /// The correction for a forecast made from these inputs; none where one is not finite.
  public mutating func predict(_ features: UnsafeBufferPointer<Double>) -> ResidualEstimate {
    precondition(features.count == inputs, "\(features.count) inputs of \(inputs)")
    guard support.isSettled, unsafe refusal(features) == nil else { return .none }
    let spread = unsafe evaluate(features)
    return unsafe estimate(features, spread)
  }

  /// Takes in how the physics alone erred (measured − physics) on a forecast that was made from these inputs.
  ///
  /// The correction is scored before it is learnt from. For a forecast several steps ahead give the correction as it
  /// was `issued`: one made now would know of residuals that overlap with this one.
  @discardableResult
  public mutating func learn(
    _ features: UnsafeBufferPointer<Double>, residual: Double, issued: ResidualEstimate? = nil
  ) -> Refusal? {
    precondition(features.count == inputs, "\(features.count) inputs of \(inputs)")
    guard residual.magnitude <= Self.sizeMax else { return .residual }
    if let refusal = unsafe refusal(features) { return refusal }
    if support.isSettled, deviation > 0 {
      let spread = unsafe evaluate(features)
      let said = unsafe issued ?? estimate(features, spread)
      gate.score(residual: residual, offer: said.offer, used: said.value, typical: deviation)
      if targetUnit == 0 { targetUnit = deviation }
      // An outlier beyond what could ever be corrected teaches no more than its direction.
      let target = residual.clamped(2 * Self.clip * deviation) / targetUnit
      unsafe regressor.values.withUnsafeBufferPointer { unsafe _ = regression.learn($0, target, spread: spread) }
    }
    follow(residual.magnitude)
    unsafe support.add(features)
    if support.isOutgrown { beginAnew() }
    return nil
  }

  private func refusal(_ features: UnsafeBufferPointer<Double>) -> Refusal? {
    for index in 0..<inputs where unsafe !(features[index].magnitude <= Self.sizeMax) { return .input(index) }
    return nil
  }

  private mutating func beginAnew() {
    support.renew()
    gate.beginAnew()
    targetUnit = 0
    regression = RecursiveRegression(
      order: regression.order, priorVariance: regression.priorVariance, forgetting: regression.forgetting,
      alertness: regression.alertness)
    restarts += 1
  }

  /// regressor ← cosines, inputs, one; gives its spread.
  private mutating func evaluate(_ features: UnsafeBufferPointer<Double>) -> Double {
    let count = settings.features
    // Linear terms as large as the cosines, so that one prior serves all; bounded, so that none can run away.
    let height = 1 / Double(inputs).squareRoot()
    for input in 0..<inputs {
      let value = unsafe support.standard(features[input], input)
      standard.values[input] = value.clamped(1e6)
      regressor.values[count + input] = height * value.clamped(5)
    }
    regressor.values[count + inputs] = 1
    unsafe standard.values.withUnsafeBufferPointer { inputs in
      unsafe regressor.values.withUnsafeMutableBufferPointer { values in
        unsafe basis.evaluate(inputs, into: UnsafeMutableBufferPointer(rebasing: values[0..<count]))
      }
    }
    return unsafe regressor.values.withUnsafeBufferPointer { unsafe regression.spread($0) }
  }

  /// Of the regressor that was just evaluated.
  private mutating func estimate(_ features: UnsafeBufferPointer<Double>, _ spread: Double) -> ResidualEstimate {
    guard targetUnit > 0 else { return .none }
    let raw = unsafe targetUnit * regressor.values.withUnsafeBufferPointer { unsafe regression.predict($0) }
    guard raw.isFinite else { return .none }
    // Within the support too there are places where little was learnt: there the spread is near the prior's.
    let shrunk = raw / (1 + max(0, spread) / settings.priorVariance)
    let offer = unsafe shrunk.clamped(Self.clip * deviation) * support.weight(features)
    let trust = gate.value
    return ResidualEstimate(value: trust * offer, gate: trust, raw: raw, offer: offer)
  }

  /// 1.2533 times the mean size, √(π/2) for a normal residual; one residual counts for at most four times the present
  /// one.
  private mutating func follow(_ size: Double) {
    let normal = 1.2533141373155003
    guard deviation > 0 else {
      deviation = normal * size
      return
    }
    let part = max(1 / Double(min(support.count, 1000) + 2), 0.002)
    deviation += part * (normal * min(size, 4 * deviation) - deviation)
  }

  /// Canonical form: fourteen items.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(14)
    writer.integer(1)
    writer.unsigned(settings.seed)
    writer.integer(settings.features)
    writer.double(settings.scale)
    writer.double(settings.priorVariance)
    writer.double(settings.forgetting)
    writer.integer(settings.settling)
    writer.integer(inputs)
    writer.integer(restarts)
    writer.double(deviation)
    writer.double(targetUnit)
    regression.encode(to: &writer)
    support.encode(to: &writer)
    gate.encode(to: &writer)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(13, version: 1)
    var settings = Settings()
    settings.seed = try reader.unsigned()
    settings.features = try reader.int()
    settings.scale = try reader.double()
    settings.priorVariance = try reader.double()
    settings.forgetting = try reader.double()
    settings.settling = try reader.int()
    let inputs = try reader.int()
    guard settings.problems.isEmpty, (1...Self.inputsMax).contains(inputs) else {
      throw CanonicalFault("learner over \(inputs) inputs, \(settings.problems.joined(separator: ", "))")
    }
    self.init(settings, inputs: inputs)
    restarts = try reader.integer()
    deviation = try reader.double()
    targetUnit = try reader.double()
    let order = regression.order
    regression = try RecursiveRegression(from: &reader)
    support = try Support(from: &reader, inputs: inputs, settling: settings.settling)
    gate = try TrustGate(from: &reader)
    guard regression.order == order, deviation >= 0, deviation.isFinite, targetUnit >= 0, targetUnit.isFinite else {
      throw CanonicalFault("learner of order \(regression.order), deviation \(deviation), unit \(targetUnit)")
    }
  }
}
