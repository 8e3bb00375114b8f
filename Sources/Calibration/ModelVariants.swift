public import Models

/// Physics near a given one, over the same inputs and outputs, among which `OrderSelection` lets the data choose.
public struct ModelVariant: Sendable, Equatable {
  /// What was done to the given one; empty for itself.
  public var name: String
  public var model: BilinearModel

  /// The model itself; without each store of energy or mass that nothing shows and that nothing lies behind; and with
  /// each meter that shows a mean over the step showing the step's end instead.
  public static func all(of model: BilinearModel) -> [ModelVariant] {
    var variants = [ModelVariant(name: "", model: model)]
    for (index, state) in model.states.enumerated() where !state.isBias && !state.isPerStep {
      guard !model.outputs.indices.contains(where: { model.shownState(output: $0) == index }),
        let smaller = model.without(state: index)
      else { continue }
      variants.append(ModelVariant(name: "without \(state.name)", model: smaller))
    }
    for (index, output) in model.outputs.enumerated() where model.states[output.state].isPerStep {
      var end = model
      end.outputs[index].state = model.shownState(output: index)
      guard let plain = end.without(state: output.state) else { continue }
      variants.append(ModelVariant(name: "\(output.name) at the end of the step", model: plain))
    }
    return variants
  }
}

extension BilinearModel {
  /// Without a state, and without all that was a parameter of its rate: what flowed between it and others goes too. Nil
  /// where something would be cut off from every output, or nothing would be left.
  func without(state removed: Int) -> BilinearModel? {
    let own = Set(terms.filter { $0.row == removed }.flatMap { $0.powers.map(\.parameter) })
    let left = terms.filter { term in
      term.row != removed && term.column != .state(removed) && !term.powers.contains { own.contains($0.parameter) }
    }
    let used = Set(left.flatMap { $0.powers.map(\.parameter) })
    let kept = parameters.indices.filter { used.contains($0) }
    func place(_ state: Int) -> Int { state > removed ? state - 1 : state }
    var smaller = self
    smaller.states.remove(at: removed)
    smaller.parameters = kept.map { parameters[$0] }
    smaller.outputs = outputs.map { output in
      var output = output
      output.state = place(output.state)
      return output
    }
    guard !outputs.contains(where: { $0.state == removed }) else { return nil }
    smaller.terms = left.map { term in
      var term = term
      term.row = place(term.row)
      if case .state(let state) = term.column { term.column = .state(place(state)) }
      term.powers = term.powers.compactMap { power in
        kept.firstIndex(of: power.parameter).map { Power($0, power.exponent) }
      }
      return term
    }
    return smaller.isJoined && smaller.problems().isEmpty ? smaller : nil
  }

  /// Whether every state reaches an output.
  private var isJoined: Bool {
    var (reached, open) = (Set<Int>(), outputs.map(\.state))
    while let state = open.popLast() {
      guard reached.insert(state).inserted else { continue }
      for term in terms where term.row == state { if case .state(let other) = term.column { open.append(other) } }
    }
    return reached.count == states.count
  }
}
