import TwinCore

/// The inputs of one model over the last day: what a forecast looks back to.
///
/// A ring of one day and one step; steps that were missed keep what was known before.
struct InputMemory: Sendable, Equatable {
  let inputs: Int
  private let depth: Int
  private var values: [Double]
  private var steps: [Int64]
  /// The last that was known of each input.
  private(set) var known: [Double]
  /// Steps since an input was last known.
  private(set) var age: [Int32]

  init(inputs: Int, stepsPerDay: Int) {
    self.inputs = inputs
    depth = stepsPerDay + 1
    values = Array(repeating: .nan, count: depth * inputs)
    steps = Array(repeating: -1, count: depth)
    known = Array(repeating: .nan, count: inputs)
    age = Array(repeating: .max, count: inputs)
  }

  /// What held in the step that ended; NaN takes what was known before. Fills `filled`; false while an input was never
  /// known.
  mutating func keep(_ sample: [Double], at step: Int64, into filled: inout [Double]) -> Bool {
    var isWhole = true
    let slot = Int(step % Int64(depth))
    steps[slot] = step
    for input in 0..<inputs {
      if sample[input].isFinite {
        (known[input], age[input]) = (sample[input], 0)
      } else if age[input] < .max {
        age[input] += 1
      }
      values[slot * inputs + input] = known[input]
      filled[input] = known[input]
      if !known[input].isFinite { isWhole = false }
    }
    return isWhole
  }

  /// What is assumed of an input `ahead` steps after `step`, with no plan.
  func outlook(of input: Int, _ outlook: InputBinding.Outlook, ahead: Int, at step: Int64) -> Double {
    let now = known[input]
    switch outlook {
    case .hold: return now
    case .yesterday: return value(input, at: dayBefore(step, ahead)) ?? now
    case .shifted:
      guard let then = value(input, at: dayBefore(step, ahead)), let base = value(input, at: step - Int64(depth - 1))
      else { return now }
      return now + then - base
    }
  }

  /// The same time of day, a day or more ago.
  private func dayBefore(_ step: Int64, _ ahead: Int) -> Int64 {
    let day = depth - 1
    return step + Int64(ahead) - Int64(day) * Int64((ahead + day - 1) / day)
  }

  private func value(_ input: Int, at step: Int64) -> Double? {
    guard step >= 0 else { return nil }
    let slot = Int(step % Int64(depth))
    guard steps[slot] == step else { return nil }
    let value = values[slot * inputs + input]
    return value.isFinite ? value : nil
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(5)
    writer.integer(1)
    writer.doubles(values)
    writer.doubles(known)
    writer.array(steps.count)
    for step in steps { writer.integer(step) }
    writer.array(age.count)
    for steps in age { writer.integer(Int64(steps)) }
  }

  mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(4, version: 1)
    let values = try reader.doubles()
    let known = try reader.doubles()
    guard values.count == self.values.count, known.count == inputs else {
      throw CanonicalFault("a memory of \(known.count) inputs, not \(inputs)")
    }
    (self.values, self.known) = (values, known)
    guard try reader.array() == steps.count else { throw CanonicalFault("a memory of another depth") }
    for index in steps.indices { steps[index] = try reader.integer() }
    guard try reader.array() == age.count else { throw CanonicalFault("ages of other inputs") }
    for index in age.indices {
      guard let steps = Int32(exactly: try reader.integer()), steps >= 0 else { throw CanonicalFault("a negative age") }
      age[index] = steps
    }
  }
}

/// How the parameters went: one entry a day, for the plot of their drift.
struct ParameterTrace: Sendable, Equatable {
  private let parameters: Int
  private let stepsPerDay: Int
  private var days: [Int64]
  /// By day slot and parameter: logarithm and its standard deviation.
  private var entries: [Double]

  static let daysKept = 120

  init(parameters: Int, stepsPerDay: Int) {
    (self.parameters, self.stepsPerDay) = (parameters, stepsPerDay)
    days = Array(repeating: -1, count: Self.daysKept)
    entries = Array(repeating: 0, count: Self.daysKept * parameters * 2)
  }

  /// Keeps the last of each day.
  mutating func note(_ step: Int64, _ entry: (Int) -> (logarithm: Double, deviation: Double)) {
    let day = step / Int64(stepsPerDay)
    let slot = Int(day % Int64(Self.daysKept))
    days[slot] = day
    for parameter in 0..<parameters {
      let value = entry(parameter)
      entries[(slot * parameters + parameter) * 2] = value.logarithm
      entries[(slot * parameters + parameter) * 2 + 1] = value.deviation
    }
  }

  /// Youngest last.
  func daily(_ parameter: Int) -> [(day: Int64, logarithm: Double, deviation: Double)] {
    days.enumerated().filter { $0.element >= 0 }.sorted { $0.element < $1.element }.map {
      let at = ($0.offset * parameters + parameter) * 2
      return ($0.element, entries[at], entries[at + 1])
    }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(3)
    writer.integer(1)
    writer.array(days.count)
    for day in days { writer.integer(day) }
    writer.doubles(entries)
  }

  mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(2, version: 1)
    guard try reader.array() == days.count else { throw CanonicalFault("a trace of other days") }
    for index in days.indices { days[index] = try reader.integer() }
    let entries = try reader.doubles()
    guard entries.count == self.entries.count, entries.allSatisfy(\.isFinite) else {
      throw CanonicalFault("a trace of other parameters")
    }
    self.entries = entries
  }
}
