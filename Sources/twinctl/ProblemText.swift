import StatusAPI

extension Screen {
  /// A refusal, or why there is no answer: what, cause, since, effect, next.
  func problem(_ problem: APIProblem) -> [String] {
    let code = "[\(problem.code)]"
    guard problem.isRefusal else {
      var lines = head("error: \(problem.title)", code, gap: 1)
      if let cause = problem.cause { lines += labelled("cause", cause, indent: 2) }
      if let since = problem.since {
        lines += labelled("since", "\(time(since)) (\(Self.span(age(since))))", indent: 2)
      }
      if let effect = problem.effect { lines += labelled("effect", effect, indent: 2) }
      return lines + labelled("next", problem.next, indent: 2)
    }
    var lines = head("refused: \(problem.title). Nothing was written.", code, gap: 3)
    if let cause = problem.cause { lines += labelled("why", cause, indent: 2, label: 6) }
    if let effect = problem.effect { lines += labelled("effect", effect, indent: 2) }
    return lines + labelled("next", problem.next, indent: 2, label: 6)
  }

  private func head(_ text: String, _ code: String, gap: Int) -> [String] {
    var lines = wrapped(text, width: style.width)
    if Self.width(lines.last!) + gap + code.count <= style.width {
      lines[lines.count - 1] += String(repeating: " ", count: gap) + code
    } else {
      lines.append("  " + code)
    }
    return lines
  }
}
