public import TwinCore

/// What a model sees of one of its steps.
public struct ModelSample: Sendable, Equatable {
  /// Counts steps, over restarts of the monotonic clock too.
  public var step: Int64 = 0
  public var instant = Instant.distantPast
  /// Steps since the sample before; 1 when none was missed.
  public var elapsed: Int64 = 1
  /// By input of the physics, in its units; NaN where nothing is known.
  public var inputs: [Double]
  /// By output of the physics, in its units; NaN where no new reading came.
  public var outputs: [Double]

  public init(inputs: Int, outputs: Int) {
    self.inputs = Array(repeating: .nan, count: inputs)
    self.outputs = Array(repeating: .nan, count: outputs)
  }
}

/// Gathers the readings between two steps of one model into a sample.
///
/// Only good and fresh readings count. An output whose reading is the one of the step before has no news and is
/// missing.
public struct ModelFeed: Sendable, Equatable {
  private let stepNanoseconds: Int64
  public private(set) var sample: ModelSample
  private var sums: [Double]
  private var weights: [Double]
  /// By input: its value at the step's start.
  private var starts: [Double]
  private var lastEffective: [Int64]
  /// On the monotonic clock; nil until the first picture of a boot.
  private var lastStep: Int64?
  private var lastAt: Int64 = 0
  /// Steps of the count over those of the clock.
  private var offset: Int64 = 0

  /// What a boot without a trusted clock took: long enough to begin anew.
  static let unknownGap: Int64 = 1 << 20

  public init(_ definition: ModelDefinition) {
    stepNanoseconds = definition.stepNanoseconds
    sample = ModelSample(inputs: definition.inputs.count, outputs: definition.outputs.count)
    sums = Array(repeating: 0, count: definition.inputs.count)
    weights = sums
    starts = Array(repeating: .nan, count: definition.inputs.count)
    lastEffective = Array(repeating: .min, count: definition.outputs.count)
  }

  /// True when a step ended with this picture; then `sample` holds it.
  public mutating func take(
    _ image: PointImage, at instant: Instant, isClockTrusted: Bool, _ definition: ModelDefinition
  ) -> Bool {
    let now = image.now.nanoseconds
    let step = now / stepNanoseconds
    let span = lastStep == nil ? 0 : Double(max(0, now.saturatingSubtract(lastAt)))
    for (index, binding) in definition.inputs.enumerated() where binding.reading == .mean && span > 0 {
      guard let value = Self.value(of: binding, in: image) else { continue }
      sums[index] += value * span
      weights[index] += span
    }
    lastAt = now
    guard let last = lastStep else {
      bridge(to: step, instant, isClockTrusted)
      begin(step, image, definition)
      return false
    }
    guard step > last else { return false }
    sample.elapsed = step + offset - sample.step
    sample.step = step + offset
    sample.instant = instant
    for (index, binding) in definition.inputs.enumerated() {
      sample.inputs[index] =
        switch binding.reading {
        case .start: starts[index]
        case .end: Self.value(of: binding, in: image) ?? .nan
        case .mean: weights[index] > 0 ? sums[index] / weights[index] : .nan
        }
    }
    for (index, binding) in definition.outputs.enumerated() {
      let state = image[binding.point]
      let isNew = state.effective.nanoseconds != lastEffective[index]
      sample.outputs[index] = isNew ? image.usable(binding.point).map { binding.read($0) } ?? .nan : .nan
      if isNew { lastEffective[index] = state.effective.nanoseconds }
    }
    begin(step, image, definition)
    return true
  }

  /// The monotonic clock began anew: the step under way is given up.
  public mutating func rebase() {
    lastStep = nil
    for index in sums.indices { (sums[index], weights[index], starts[index]) = (0, 0, .nan) }
  }

  /// After a boot the count goes on; how long it took is UTC's to say, where UTC is believed.
  private mutating func bridge(to step: Int64, _ instant: Instant, _ isClockTrusted: Bool) {
    guard sample.instant != .distantPast else {
      sample.step = step
      return
    }
    let span = instant.nanoseconds(since: sample.instant)
    let gap = isClockTrusted && span >= 0 ? min(span / stepNanoseconds, Self.unknownGap) : Self.unknownGap
    offset = sample.step + gap - step
  }

  private mutating func begin(_ step: Int64, _ image: PointImage, _ definition: ModelDefinition) {
    lastStep = step
    for (index, binding) in definition.inputs.enumerated() {
      (sums[index], weights[index]) = (0, 0)
      starts[index] = Self.value(of: binding, in: image) ?? .nan
    }
  }

  private static func value(of binding: InputBinding, in image: PointImage) -> Double? {
    switch binding.source {
    case .constant(let value): value
    case .point(let point): image.usable(point.point).map { point.read($0) }
    }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(10)
    writer.integer(1)
    writer.doubles(sums)
    writer.doubles(weights)
    writer.doubles(starts)
    writer.array(lastEffective.count)
    for instant in lastEffective { writer.integer(instant) }
    writer.integer(lastStep ?? -1)
    writer.integer(lastAt)
    writer.integer(offset)
    writer.integer(sample.step)
    writer.instant(sample.instant)
  }

  /// Restores what was gathered by the same definition; another one's is refused.
  mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(9, version: 1)
    var columns: [[Double]] = []
    for _ in 0..<3 {
      let column = try reader.doubles(limit: 1 << 12)
      guard column.count == sums.count else { throw CanonicalFault("\(column.count) inputs, not \(sums.count)") }
      columns.append(column)
    }
    (sums, weights, starts) = (columns[0], columns[1], columns[2])
    let count = try reader.array(limit: 1 << 12)
    guard count == lastEffective.count else { throw CanonicalFault("\(count) outputs, not \(lastEffective.count)") }
    for index in 0..<count { lastEffective[index] = try reader.integer() }
    let step = try reader.integer()
    lastStep = step < 0 ? nil : step
    lastAt = try reader.integer()
    offset = try reader.integer()
    sample.step = try reader.integer()
    sample.instant = try reader.instant()
  }
}
