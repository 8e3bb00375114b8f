import StatusAPI

extension Screen {
  /// One line when the site is well; otherwise each root problem with cause, effect and next step.
  func status(_ status: API.Status, verbose: Bool = false) -> [String] {
    var lines = [headline(status)]
    for problem in status.problems { lines += block(problem) }
    if !status.problems.isEmpty, let models = status.models {
      lines += labelled("models", modelTally(models), indent: 0)
    }
    lines += alsoActive(status)
    return verbose ? lines + details(status) : lines
  }

  /// Always one line, for checks and prompts.
  func statusLine(_ status: API.Status) -> String {
    guard !status.problems.isEmpty else { return headline(status) }
    let titles = status.problems.map(\.title).joined(separator: "; ")
    return cut("\(status.site)  \(state(status)): \(titles)", style.width)
  }

  private func headline(_ status: API.Status) -> String {
    let hasRoom = status.problems.isEmpty
    var parts: [(text: String, rank: Int)] = [(state(status), 0)]
    parts.append((mode(status), 0))
    parts.append(("pack \(status.pack.version) \(status.pack.signed ? "signed" : "unsigned")", 1))
    if hasRoom {
      parts.append((points(status.points), 2))
      if let models = status.models { parts.append((modelTally(models), 3)) }
      if let last = status.lastDecision { parts.append(("last decision \(ago(last.ageS))", 4)) }
    }
    parts.append((timeOfDay, 0))
    return oneLine("\(status.site)  ", parts)
  }

  private func state(_ status: API.Status) -> String {
    let known = ["well", "attention", "alarm"].contains(status.state) ? status.state : "unknown"
    guard !status.problems.isEmpty else { return known }
    let count = Self.plural(status.problems.count, "problem")
    return known == "unknown" ? "unknown, \(count)" : count
  }

  private func mode(_ status: API.Status) -> String {
    status.heldSafe == 0 ? status.mode : "\(status.mode), \(Self.plural(status.heldSafe, "loop")) held safe"
  }

  private func points(_ points: API.PointCounts) -> String {
    points.fresh == points.total
      ? "\(Self.plural(points.total, "point")) fresh" : "\(points.fresh) of \(points.total) points fresh"
  }

  /// Where the since column begins on a wide screen.
  private static let sinceColumn = 76

  private func block(_ problem: API.Problem) -> [String] {
    let mark = problem.severity == "alarm" ? marked("!!", .alarm) : marked("!", .attention)
    let since = "\(time(problem.since)) (\(Self.span(problem.forS)))"
    let title = Self.padded(mark, 3) + plain(problem.title)
    var lines: [String]
    if isWide, Self.width(title) < Self.sinceColumn {
      lines = [Self.padded(title, Self.sinceColumn) + "since \(since)"]
    } else {
      lines = [title] + labelled("since", since)
    }
    if !problem.cause.isEmpty { lines += labelled("cause", problem.cause) }
    if !problem.effect.isEmpty { lines += labelled("effect", problem.effect) }
    if problem.children > 0 {
      lines += labelled(
        "also", "\(Self.plural(problem.children, "problem")) \(problem.children == 1 ? "follows" : "follow") from it")
    }
    return lines + labelled("next", problem.next)
  }

  private func alsoActive(_ status: API.Status) -> [String] {
    var parts: [String] = []
    if let first = status.overrides.first {
      let who = "\(first.by), \(first.point), until \(time(first.until))"
      let rest = status.overrides.count > 1 ? ", …" : ""
      parts.append(marked("\(Self.plural(status.overrides.count, "override")) (\(who)\(rest))", .override))
    }
    if status.alarms.active > 0 { parts.append(Self.plural(status.alarms.active, "unacknowledged alarm")) }
    if status.alarms.acked > 0 { parts.append(Self.plural(status.alarms.acked, "acknowledged alarm")) }
    if status.alarms.shelved > 0 { parts.append(Self.plural(status.alarms.shelved, "shelved alarm")) }
    guard !parts.isEmpty else { return [] }
    let isAlarms = status.alarms.active + status.alarms.acked + status.alarms.shelved > 0
    parts.append("details: twinctl \(isAlarms ? "alarms" : "override")")
    parts[0] = "also active: " + parts[0]
    return joined(parts, indent: 3)
  }

  func counts(_ points: API.PointCounts) -> String {
    "\(points.total): \(points.fresh) fresh, \(points.stale) stale, \(points.absent) absent, "
      + "\(points.never) never read"
  }

  private func details(_ status: API.Status) -> [String] {
    var lines = labelled("points", counts(status.points))
    lines += labelled(
      "alarms", "\(status.alarms.active) active, \(status.alarms.acked) acknowledged, \(status.alarms.shelved) shelved")
    let ceiling = status.modeCeiling.map { ", at most \($0)" } ?? ""
    lines += labelled("mode", "\(status.mode)\(ceiling) · \(Self.plural(status.leasesOpen, "lease")) open")
    lines += labelled(
      "pack", "\(status.pack.version) \(status.pack.signed ? "signed" : "unsigned"), \(status.pack.digest)")
    let offset = status.clock.offsetS.map { ", off by \(Self.number($0)) s" } ?? ", offset not measured"
    lines += labelled("clock", (status.clock.trusted ? "synchronised" : "not synchronised") + offset)
    if let last = status.lastDecision { lines += labelled("decided", "\(last.id), \(ago(last.ageS))") }
    if let models = status.models {
      lines += labelled("models", modelTally(models) + (models.worst.map { "; \($0)" } ?? ""))
    }
    if let store = status.store {
      let free = store.freeMb.map { ", \(Self.number($0)) MB free" } ?? ""
      let oldest = store.oldest.map { ", from \(time($0))" } ?? ""
      lines += labelled("store", "\(Self.number(store.sizeMb)) MB\(free)\(oldest)")
    }
    var process = "twind \(status.version), up \(Self.span(status.uptimeS))"
    if let used = status.process {
      process += ", \(Self.number(used.rssMb)) MB resident, \(Self.number(used.cpuS)) s of CPU"
    }
    return lines + labelled("daemon", process)
  }
}
