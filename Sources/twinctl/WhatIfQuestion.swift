import Harnesses
import Models
import SiteKernel
import StatusAPI
import TwinCore

/// Turns what a person names into changes of a model's inputs, in the units of its physics.
struct WhatIfQuestion {
  private let site: SiteDefinition
  private let definition: ModelDefinition

  init(_ site: SiteDefinition, _ definition: ModelDefinition) { (self.site, self.definition) = (site, definition) }

  func changes(
    _ set: [WhatIfCommand.Assignment], _ offset: [WhatIfCommand.Assignment], during stretch: Range<Instant>
  ) throws(APIProblem) -> [InputChange] {
    var changes: [InputChange] = []
    for assignment in set {
      for (input, binding) in try inputs(assignment.name) {
        let value = try inUnit(assignment, of: binding, input)
        changes.append(InputChange(input: input, .constant(binding?.read(value) ?? value), during: stretch))
      }
    }
    for assignment in offset {
      for (input, binding) in try inputs(assignment.name) {
        let value = (binding?.scale ?? 1) * assignment.value.value
        changes.append(InputChange(input: input, .offset(value), during: stretch))
      }
    }
    return changes
  }

  /// The inputs that a name means: those which a point feeds, or the physics' own of that name.
  private func inputs(_ name: String) throws(APIProblem) -> [(input: Int, binding: PointBinding?)] {
    let fed = definition.inputs.indices.compactMap { input -> (Int, PointBinding?)? in
      guard case .point(let binding) = definition.inputs[input].source,
        site.points[binding.point.position].id == name
      else { return nil }
      return (input, binding)
    }
    if !fed.isEmpty { return fed }
    if let input = definition.physics.inputs.firstIndex(where: { $0.name == name }) { return [(input, nil)] }
    let known = definition.inputs.indices.map { input in
      guard case .point(let binding) = definition.inputs[input].source else {
        return definition.physics.inputs[input].name
      }
      return site.points[binding.point.position].id
    }
    throw APIProblem(
      status: 0, code: "whatif.no_such_input", title: "\(name) is no input of model \(definition.id)",
      cause: "its inputs are \(known.joined(separator: ", "))",
      next: NearestName.of(name, among: known).map { "did you mean \($0)?" } ?? "name one of them")
  }

  private func inUnit(
    _ assignment: WhatIfCommand.Assignment, of binding: PointBinding?, _ input: Int
  ) throws(APIProblem) -> Double {
    guard let given = assignment.value.unit else { return assignment.value.value }
    let own = binding.map { site.points[$0.point.position].unit } ?? definition.physics.inputs[input].unit
    guard let from = UnitCode(ucum: given), let to = UnitCode(ucum: own),
      let value = from.convert(assignment.value.value, to: to)
    else {
      throw APIProblem(
        status: 0, code: "whatif.wrong_unit", title: "\(assignment.name) is in \(own), not in \(given)",
        next: "write the number in \(own)")
    }
    return value
  }
}
