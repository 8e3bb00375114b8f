public import TwinCore
import TwinGraph
import YAML

/// What the site's people want: a bound to keep, or something to spend less of.
public struct Intent: Hashable, Sendable {
  public enum Goal: Hashable, Sendable {
    /// In the point's unit; at least one of the two is there.
    case keep(point: PointIndex, atLeast: Double?, atMost: Double?)
    /// At an asset of the graph, or at the whole site.
    case minimise(Quantity, scope: String)
  }

  public enum Quantity: String, CaseIterable, Hashable, Sendable { case cost, energy, carbon }

  public var id: String
  public var goal: Goal
  /// 1 comes first.
  public var priority: Int
  /// How far ahead it looks; nil where the planner may choose.
  public var windowNanoseconds: Int64?
  /// The highest mode in which it may act.
  public var mode: Mode
  public var owner: String?
}

extension PackLoader {
  func readIntents() {
    guard let section = top("intents.yaml") else { return }
    section.require("intents")
    for (key, node) in section.entries("intents") {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      let goal = readGoal(inner)
      let priority = inner.integer("priority", in: 1...100) ?? 50
      let mode = inner.word("mode", ["shadow": .shadow, "advise": .advise, "auto": .auto] as [String: Mode]) ?? .advise
      let owner = inner.text("owner")
      if let owner { checkNode(owner, is: .person, at: inner.mark(of: "owner")) }
      let window = readWindow(inner)
      inner.close()
      guard let goal else { continue }
      intents.append(
        Intent(id: key.raw, goal: goal, priority: priority, windowNanoseconds: window, mode: mode, owner: owner))
    }
    section.close()
  }

  private func readWindow(_ section: Section) -> Int64? {
    guard let text = section.text("window") else { return nil }
    if text.hasPrefix("next "), let span = DurationText.parse(String(text.dropFirst(5))), span > 0 { return span }
    problems.add(
      .error, "pack.not_a_duration", at: section.mark(of: "window"), "\"\(shortened(text))\" is no window",
      "write next 4h")
    return nil
  }

  private func readGoal(_ section: Section) -> Intent.Goal? {
    let keep = section.scalar("keep")
    let minimise = section.word("minimise", Intent.Quantity.self)
    let isBoth = section.has("keep") == section.has("minimise")
    if isBoth {
      problems.add(
        .error, section.has("keep") ? "pack.two_goals" : "pack.missing_key", at: section.mark,
        "\(section.name) has \(section.has("keep") ? "two goals" : "no goal")", "write keep: a point, or minimise: cost"
      )
    }
    if let keep {
      let entry = point(keep)
      let least = section.quantity("at_least", in: entry?.unit ?? .one)
      let most = section.quantity("at_most", in: entry?.unit ?? .one)
      if !isBoth, !section.has("at_least"), !section.has("at_most") {
        section.require("at_most", "write at_most or at_least, or both")
      }
      if let least, let most, least > most {
        problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "at_most"),
          "no value is at least \(least) and at most \(most)",
          "exchange them")
      }
      guard let entry, !isBoth else { return nil }
      return .keep(point: entry.index, atLeast: least, atMost: most)
    }
    let scope = section.text("scope") ?? site?.id ?? ""
    if section.has("scope"), graph[scope] == nil {
      problems.add(
        .error, "pack.unknown_node", at: section.mark(of: "scope"), "there is no \"\(shortened(scope))\" in the graph",
        nearest(to: scope, among: graph.nodes.filter { $0.type != .sensor }.map(\.id)).map { "did you mean \"\($0)\"?" }
          ?? "name the site, a device or an asset")
    }
    guard let minimise, !isBoth else { return nil }
    return .minimise(minimise, scope: scope)
  }
}
