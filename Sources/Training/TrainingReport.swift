import Calibration
import Models
public import TwinCore

extension TrainingProduct {
  /// What came of it, for people: one line a fact.
  public var lines: [String] {
    var lines = ["model \(model.id): \(model.templates.joined(separator: ", "))"]
    lines.append(
      "  history  \(window.lowerBound.rfc3339) to \(window.upperBound.rfc3339), the last \(heldOutSteps) steps kept apart"
    )
    lines.append(
      "  fit      \(result.readings) readings, \(result.iterations) iterations; innovations \(Self.plain(result.meanSquare)) "
        + "of what the noise says")
    for finding in result.findings {
      let state = finding.isIdentified ? "" : "   the data do not tell: stays near its prior"
      lines.append(
        "  \(Self.padded(finding.name, 18)) \(Self.padded(Self.plain(finding.value), 10)) \(finding.unit)"
          + "  [\(Self.plain(finding.low)), \(Self.plain(finding.high))]\(state)")
    }
    lines.append(
      "  kept apart: root mean square error of what was forecast, against the model at work and \"it stays\"")
    for score in scores {
      let figures = [score.candidate.rootMeanSquare, score.champion.rootMeanSquare, score.candidate.persistence]
        .map { $0.map(Self.plain) ?? "–" }
      let coverage = score.candidate.coverage.map { "\(Int(($0 * 100).rounded())) %" } ?? "–"
      lines.append(
        "  \(Self.padded(score.output, 18)) \(Self.padded(Self.ahead(score.aheadSeconds), 6)) \(figures[0]) \(score.unit)"
          + "  (at work \(figures[1]), it stays \(figures[2]))  90 % interval held \(coverage)")
    }
    let finding =
      switch evidence.finding {
      case .better: "better than the model at work"
      case .notBetter: "not better than the model at work"
      case .open: "not decided yet: it goes on beside the model at work"
      }
    lines.append("  evidence \(evidence.blocks) blocks of \(evidence.block) steps: \(finding)")
    return lines
  }

  /// One JSON object on one line.
  public func json(digest: Digest) -> String {
    let rows = scores.map { score in
      "{\"output\": \(JSONText.quoted(score.output)), \"ahead_s\": \(score.aheadSeconds), "
        + "\"rmse\": \(Self.number(score.candidate.rootMeanSquare)), "
        + "\"rmse_at_work\": \(Self.number(score.champion.rootMeanSquare)), "
        + "\"rmse_persistence\": \(Self.number(score.candidate.persistence)), "
        + "\"coverage\": \(Self.number(score.candidate.coverage)), \"count\": \(score.candidate.count)}"
    }
    let parameters = result.findings.map { finding in
      "{\"name\": \(JSONText.quoted(finding.name)), \"unit\": \(JSONText.quoted(finding.unit)), "
        + "\"value\": \(Self.number(finding.value)), \"low\": \(Self.number(finding.low)), "
        + "\"high\": \(Self.number(finding.high)), \"identified\": \(finding.isIdentified)}"
    }
    return "{\"model\": \(JSONText.quoted(model.id)), \"candidate\": \"\(digest.hex)\", "
      + "\"parent\": \"\(parent.candidate.hex)\", \"better\": \(isBetter), \"blocks\": \(evidence.blocks), "
      + "\"from\": \"\(window.lowerBound.rfc3339)\", \"to\": \"\(window.upperBound.rfc3339)\", "
      + "\"parameters\": [\(parameters.joined(separator: ", "))], \"scores\": [\(rows.joined(separator: ", "))]}"
  }

  private static func number(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "null" }
    return "\(value)"
  }

  private static func ahead(_ seconds: Double) -> String {
    seconds >= 3600 ? "\(plain(seconds / 3600)) h" : "\(plain(seconds / 60)) min"
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// Three significant digits, without libm's formatting.
  private static func plain(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "–" }
    var (scale, size) = (1.0, abs(value))
    while size < 100, scale < 1e9 { (scale, size) = (scale * 10, size * 10) }
    while size >= 1000 { (scale, size) = (scale / 10, size / 10) }
    let rounded = (value * scale).rounded() / scale
    guard abs(rounded) >= 1000 || rounded != rounded.rounded() else { return "\(Int(rounded))" }
    return abs(rounded) >= 1000 && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
  }
}
