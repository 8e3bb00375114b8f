public import TwinCore

/// How a feature comes from a point or an object: a recipe with a version, not a value.
public struct FeatureDefinition: Sendable, Equatable {
  public enum Statistic: UInt8, Sendable, CaseIterable {
    case mean = 1
    /// The sample standard deviation, over one less than the samples; absent of a single one.
    case deviation = 2
    case minimum = 3
    case maximum = 4
  }

  public enum Recipe: Sendable, Equatable {
    /// The samples as stored.
    case raw(point: String)
    /// The samples as their meaning reads them.
    case scaled(point: String)
    /// A statistic of the good samples in (t − window, t], as their meaning reads them.
    case rolling(point: String, Statistic, window: Duration, every: Duration)
    /// The mean square of what swings between two frequencies in (t − window, t]. The window resolves whole multiples
    /// of 1 ÷ window, and they are what is summed.
    case band(point: String, lowHz: Double, highHz: Double, window: Duration, every: Duration)
    /// The object that a model made; a version of the object is told with its content's hash.
    case embedding(object: String, model: Digest)
  }

  public var recipe: Recipe

  public init(_ recipe: Recipe) { self.recipe = recipe }

  /// The longest window.
  public static let windowMax = Duration.seconds(31 * 86_400)
  /// Good samples in one window; a window that has more is told as failed.
  public static let windowSamplesMax = 100_000
  /// Frequencies in a band.
  public static let binsMax = 4096

  /// The point whose samples it is made of; nil for what is made of objects.
  public var point: String? {
    switch recipe {
    case .raw(let point), .scaled(let point), .rolling(let point, _, _, _), .band(let point, _, _, _, _): point
    case .embedding: nil
    }
  }

  /// The span of samples that one value looks back over, nanoseconds.
  var spanNanoseconds: Int64 {
    switch recipe {
    case .rolling(_, _, let window, _), .band(_, _, _, let window, _): window.wholeNanoseconds
    case .raw, .scaled, .embedding: 0
    }
  }

  /// Values stand at whole multiples of this since 1970; 0: at every sample.
  var everyNanoseconds: Int64 {
    switch recipe {
    case .rolling(_, _, _, let every), .band(_, _, _, _, let every): every.wholeNanoseconds
    case .raw, .scaled, .embedding: 0
    }
  }

  /// The multiples of 1 ÷ window that lie in the band; nil where none does.
  var bins: ClosedRange<Int>? {
    guard case .band(_, let low, let high, let window, _) = recipe else { return nil }
    let seconds = Double(window.wholeNanoseconds) / 1e9
    let (first, last) = ((low * seconds).rounded(.up), (high * seconds).rounded(.down))
    guard first <= last, last - first < Double(Self.binsMax), last < 0x1p31 else { return nil }
    return max(1, Int(first))...max(1, Int(last))
  }

  /// Why it cannot be; nil when it can.
  public var defect: String? {
    switch recipe {
    case .raw, .scaled, .embedding: return nil
    case .rolling(_, _, let window, let every): return Self.defect(window: window, every: every)
    case .band(_, let low, let high, let window, let every):
      if let defect = Self.defect(window: window, every: every) { return defect }
      if every == .zero { return "a band at every sample; a step above 0 is needed" }
      guard low > 0, high.isFinite, low <= high else { return "a band from \(low) to \(high) Hz" }
      return bins == nil ? "a band with no multiple of 1 ÷ window, or more than \(Self.binsMax)" : nil
    }
  }

  private static func defect(window: Duration, every: Duration) -> String? {
    if window <= .zero || window > windowMax { return "a window of \(window) where up to \(windowMax) may be" }
    return every < .zero || every > windowMax ? "a step of \(every) where 0 to \(windowMax) may be" : nil
  }

  /// The unit of its values, of samples in `unit`; a square is written as UCUM's product.
  func unit(of unit: String) -> String {
    guard let code = UnitCode(ucum: unit) else { return unit }
    switch recipe {
    case .raw, .scaled: return unit
    case .embedding: return UnitCode.one.ucum
    case .rolling(_, .deviation, _, _): return code.difference.ucum
    case .rolling: return unit
    case .band:
      let difference = code.difference.ucum
      if code.difference == .one { return difference }
      return difference.allSatisfy(\.isLetter) ? difference + "2" : "(\(difference)).(\(difference))"
    }
  }

  /// Whether samples are to be converted by their meaning first.
  var readsMeaning: Bool {
    if case .raw = recipe { return false }
    return true
  }

  /// The value of a window that ends at `end`, of samples already converted; suspect where they are not in one unit.
  func value(
    of window: FeatureWindow, end: Int64, isOneUnit: Bool = true
  ) -> (value: Double, quality: Quality) {
    switch recipe {
    case .rolling(_, let statistic, _, _):
      guard let value = window.value(statistic) else { return (.nan, .absent) }
      return (value, isOneUnit ? .good : .suspect)
    case .band:
      guard let bins, let energy = window.energy(bins: bins, end: end, span: spanNanoseconds) else {
        return (.nan, .absent)
      }
      // Beyond half the sampling rate, what is seen may be another frequency's.
      return (energy, isOneUnit && bins.upperBound * 2 <= window.count ? .good : .suspect)
    case .raw, .scaled, .embedding:
      return (.nan, .absent)
    }
  }
}

/// A definition, since when it was known, and which one it was.
public struct FeatureRevision: Sendable, Equatable {
  public var name: String
  /// Counts the definitions of this name from 1, in the order in which they were made.
  public var version: Int
  public var definition: FeatureDefinition
  /// For which times it is the recipe.
  public var effective: Range<Instant>
  public var tick: Int64
  public var reason: String

  /// The family of its version entries; the subject is the feature's name.
  static let family = "feature"

  public init(
    name: String, version: Int, definition: FeatureDefinition, effective: Range<Instant>, tick: Int64, reason: String
  ) {
    (self.name, self.version, self.definition) = (name, version, definition)
    (self.effective, self.tick, self.reason) = (effective, tick, reason)
  }
}

// The body of a version entry of the family "feature", canonical: [1, kind, subject, a, b, window, every, model,
// reason]. Kind 1 raw, 2 scaled, 3 rolling (a: statistic), 4 band (a, b: Hz), 5 embedding (model: digest); window and
// every in nanoseconds; what a kind has no use for is 0, and the model is null. The version is the entry's place among
// those of its name.
extension FeatureRevision {
  var bytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(9)
    writer.integer(1)
    var (kind, subject, a, b, model): (Int, String, Double, Double, Digest?) = (1, "", 0, 0, nil)
    switch definition.recipe {
    case .raw(let point): subject = point
    case .scaled(let point): (kind, subject) = (2, point)
    case .rolling(let point, let statistic, _, _): (kind, subject, a) = (3, point, Double(statistic.rawValue))
    case .band(let point, let low, let high, _, _): (kind, subject, a, b) = (4, point, low, high)
    case .embedding(let object, let digest): (kind, subject, model) = (5, object, digest)
    }
    writer.integer(kind)
    writer.text(subject)
    writer.double(a)
    writer.double(b)
    writer.integer(definition.spanNanoseconds)
    writer.integer(definition.everyNanoseconds)
    if let model { writer.digest(model) } else { writer.null() }
    writer.text(reason)
    return writer.bytes
  }

  init(
    _ bytes: [UInt8], name: String, version: Int, tick: Int64, effective: Range<Instant>
  ) throws(CanonicalFault) {
    var reader = CanonicalReader(bytes)
    try reader.structure(8, version: 1)
    let kind = try reader.integer()
    let subject = try reader.text()
    let (a, b) = (try reader.double(), try reader.double())
    let (window, every) = (Duration.nanoseconds(try reader.integer()), Duration.nanoseconds(try reader.integer()))
    let model = try reader.takeNull() ? nil : try reader.digest()
    let reason = try reader.text(limit: Grounds.textBytesMax)
    let recipe: FeatureDefinition.Recipe
    switch (kind, model) {
    case (1, nil): recipe = .raw(point: subject)
    case (2, nil): recipe = .scaled(point: subject)
    case (3, nil):
      guard (1...4).contains(a), let statistic = FeatureDefinition.Statistic(rawValue: UInt8(a)) else {
        throw CanonicalFault("statistic \(a) of a feature")
      }
      recipe = .rolling(point: subject, statistic, window: window, every: every)
    case (4, nil): recipe = .band(point: subject, lowHz: a, highHz: b, window: window, every: every)
    case (5, let model?): recipe = .embedding(object: subject, model: model)
    default: throw CanonicalFault("feature of kind \(kind)")
    }
    let definition = FeatureDefinition(recipe)
    guard reader.isAtEnd else { throw CanonicalFault("feature with a tail") }
    if let defect = definition.defect { throw CanonicalFault("feature with \(defect)") }
    self.init(name: name, version: version, definition: definition, effective: effective, tick: tick, reason: reason)
  }
}
