import Models
public import TwinCore

// Canonical form: [1, physics, ensemble, begin, seconds a step, steps, inputs, outputs, replaced, first row, member,
// factual, other, differences], the series as columns of doubles.
extension Counterfactual {
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(14)
    writer.integer(1)
    physics.encode(to: &writer)
    ensemble.encode(to: &writer)
    writer.instant(begin)
    writer.double(record.secondsPerStep)
    writer.integer(record.steps)
    for column in [record.inputs, record.outputs, replaced] { writer.doubles(column) }
    writer.integer(firstRow)
    writer.integer(member)
    for column in [factual, other, differences] { writer.doubles(column) }
  }

  /// Refuses what no counterfactual can be in.
  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(13, version: 1)
    physics = try BilinearModel(from: &reader)
    ensemble = try ParameterEnsemble(from: &reader)
    begin = try reader.instant()
    let (seconds, steps) = (try reader.double(), try reader.int())
    let inputs = try reader.doubles(limit: Self.cellsMax)
    let outputs = try reader.doubles(limit: Self.cellsMax)
    replaced = try reader.doubles(limit: Self.cellsMax)
    (firstRow, member) = (try reader.int(), try reader.int())
    factual = try reader.doubles(limit: Self.cellsMax)
    other = try reader.doubles(limit: Self.cellsMax)
    differences = try reader.doubles(limit: Self.cellsMax)
    guard seconds > 0, seconds.isFinite, (2...Self.stepsMax).contains(steps), (0..<steps - 1).contains(firstRow),
      (0...ensemble.members).contains(member), inputs.count == steps * physics.inputs.count,
      outputs.count == steps * physics.outputs.count, replaced.count == inputs.count,
      inputs.allSatisfy(\.isFinite), replaced.allSatisfy(\.isFinite),
      ensemble.member(0).count == physics.parameters.count
    else { throw CanonicalFault("a counterfactual of \(steps) steps from row \(firstRow), member \(member)") }
    let size = member == 0 ? 0 : (steps - firstRow) * physics.outputs.count
    guard factual.count == size, other.count == size, differences.count == member * size else {
      throw CanonicalFault("a counterfactual with \(differences.count) differences of \(member) members")
    }
    record = ObservationTable(secondsPerStep: seconds, steps: steps, inputs: inputs, outputs: outputs)
  }
}
