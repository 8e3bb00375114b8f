import SitePack

extension Screen {
  /// The models of a pack, a line each; with `isWhole` the grounds, and what was passed over.
  func models(_ pack: Pack, isWhole: Bool) -> [String] {
    var lines = pack.modelTexts.flatMap { model -> [String] in
      let origin = model.isProposed ? "proposed" : "stated"
      let head =
        "model \(model.id) (\(origin)): \(model.templates.joined(separator: " + ")), "
        + "\(model.inputs.count) inputs, forecasts \(model.outputs.joined(separator: ", "))"
      return [head] + (isWhole ? model.grounds.map { "    \($0)" } : [])
    }
    if pack.modelTexts.isEmpty { lines.append("no models") }
    guard !pack.modelRejections.isEmpty else { return lines }
    guard isWhole else {
      let count = pack.modelRejections.count
      return lines + ["\(count) asset\(count == 1 ? " was" : "s were") passed over: --models says why"]
    }
    return lines
      + pack.modelRejections.map {
        "passed over: \($0.asset)\($0.template.isEmpty ? "" : " as \($0.template)"): \($0.why)"
      }
  }
}
