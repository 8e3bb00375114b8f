import Guard
import SiteKernel
import TwinCore

/// What became of one case.
public struct PackTestResult: Hashable, Sendable {
  public let name: String
  public let file: String
  public let line: Int
  public let isPassed: Bool
  /// In one line each, for people.
  public let expected: String
  public let got: String
}

/// What became of all of them. A pack without tests has not passed.
public struct PackTestReport: Hashable, Sendable {
  public let results: [PackTestResult]
  public var isPassed: Bool { !results.isEmpty && results.allSatisfy(\.isPassed) }
}

extension Pack {
  /// Runs `tests/*.yaml` against the guard, each case on its own and from a fresh memory.
  public func test() -> PackTestReport {
    let safety = SafetyGuard(envelopes: envelopes)
    return PackTestReport(results: tests.map { run($0, safety) })
  }

  private func run(_ test: PackTest, _ safety: SafetyGuard) -> PackTestResult {
    let image = image(of: test)
    let unit = points[test.point.position].unitSymbol
    // 68 counts of 0.1 are 6.8 to people.
    func shown(_ value: Double) -> String {
      let number = value.magnitude < 1e6 ? (value * 1e9).rounded() / 1e9 : value
      return unit.isEmpty ? "\(number)" : "\(number) \(unit)"
    }
    guard let position = safety.position(of: test.point) else {
      preconditionFailure("a test is about a point with an envelope")
    }
    let (expected, got, isPassed): (String, String, Bool)
    if case .verdict(let result, let value, let rule) = test.expected, let asked = test.asked {
      let verdict = safety.check(asked, by: test.actor, envelope: position, image: image, mode: test.mode)
      expected = [result, value.map(shown), rule.map { "by \($0)" }].compactMap { $0 }.joined(separator: " ")
      got = "\(verdict.disposition.name) \(shown(verdict.value))" + (verdict.binding.map { " by \($0.name)" } ?? "")
      isPassed =
        verdict.disposition.name == result && value.map { Self.isSame($0, verdict.value) } ?? true
        && rule.map { $0 == verdict.binding?.name } ?? true
    } else {
      let rule = safety.mustGiveBack(envelope: position, image: image, mode: test.mode)
      let back = rule.map { safety.giveBack(envelope: position, because: $0, image: image, mode: test.mode) }
      got = back.map { "given back to \(shown($0.value)) by \(rule?.name ?? "")" } ?? "held"
      if case .givenBack(let value) = test.expected {
        expected = "given back to \(shown(value))"
        isPassed = back.map { Self.isSame(value, $0.value) } ?? false
      } else {
        expected = "held"
        isPassed = back == nil
      }
    }
    return PackTestResult(
      name: test.name, file: test.file, line: test.line, isPassed: isPassed, expected: expected, got: got)
  }

  /// What the case lets the guard see; derived points are computed from it, unless they are given themselves.
  private func image(of test: PackTest) -> PointImage {
    // Any moment that is later than the oldest reading.
    let now = Uptime(nanoseconds: 2 * 366 * 86_400 * 1_000_000_000)
    var image = PointImage(count: points.count, now: now)
    func enter(_ point: PointIndex, _ value: Double, _ quality: Quality, _ age: Int64) {
      let uptime = now.advanced(byNanoseconds: -age)
      image.states[point.position] = PointImage.State(
        value: value, quality: quality, effective: Instant(nanoseconds: uptime.nanoseconds), uptime: uptime,
        freshUntil: uptime.advanced(byNanoseconds: points[point.position].staleNanoseconds))
    }
    for (point, given) in test.given {
      if let value = given.value { enter(point, value, given.quality, given.ageNanoseconds) }
    }
    for item in derived where test.given[item.point] == nil {
      if case .formula(let formula) = item.source, let value = formula.value(over: image) {
        enter(item.point, value, .good, 0)
      }
    }
    return image
  }

  /// Equal as far as a float32 register can tell.
  private static func isSame(_ a: Double, _ b: Double) -> Bool { (a - b).magnitude <= 1e-6 * max(1, a.magnitude) }
}
