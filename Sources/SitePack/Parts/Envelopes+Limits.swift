import Collectors
import Guard
import TwinCore
import YAML

extension PackLoader {
  struct HardLimits {
    var range: ClosedRange<Double>
    var rate: RateLimit?
    var hold: Int64
  }

  func readHard(_ section: Section, _ unit: UnitCode, _ text: inout EnvelopeText) -> HardLimits? {
    section.require("min")
    section.require("max")
    let (low, high) = (section.quantity("min", in: unit), section.quantity("max", in: unit))
    let rate = readRate(section, unit, &text)
    let hold = section.duration("hold", in: 0...30 * 86_400_000_000_000) ?? 0
    section.close()
    guard let low, let high else { return nil }
    guard low <= high else {
      problems.add(
        .error, "pack.out_of_range", at: section.mark(of: "max"),
        "the highest value \(high) lies below the lowest, \(low)",
        "exchange them")
      return nil
    }
    return HardLimits(range: low...high, rate: rate, hold: hold)
  }

  /// `0.5 K/min`, or `rising` and `falling` apart, per the same span.
  private func readRate(_ section: Section, _ unit: UnitCode, _ text: inout EnvelopeText) -> RateLimit? {
    guard let node = section.node("rate") else { return nil }
    if case .scalar(let scalar) = node {
      text.rate = scalar.raw
      guard let rate = rate(scalar, unit, section) else { return nil }
      return RateLimit(
        risingPerSecond: rate.perSecond, fallingPerSecond: rate.perSecond, windowNanoseconds: rate.window)
    }
    guard let inner = section.section("rate") else { return nil }
    inner.require("rising")
    inner.require("falling")
    let texts = [inner.scalar("rising"), inner.scalar("falling")]
    inner.close()
    guard let up = texts[0], let down = texts[1], let rising = rate(up, unit, inner),
      let falling = rate(down, unit, inner)
    else { return nil }
    text.rate = "rising \(up.raw), falling \(down.raw)"
    guard rising.window == falling.window else {
      problems.add(
        .error, "pack.out_of_range", at: down.mark, "rising and falling are given per different spans",
        "give both per min, or both per h")
      return nil
    }
    return RateLimit(
      risingPerSecond: rising.perSecond, fallingPerSecond: falling.perSecond, windowNanoseconds: rising.window)
  }

  private func rate(_ scalar: Scalar, _ unit: UnitCode, _ section: Section) -> (perSecond: Double, window: Int64)? {
    let spans: [(suffix: String, seconds: Int64)] = [("/s", 1), ("/min", 60), ("/h", 3600), ("/d", 86_400)]
    guard let span = spans.first(where: { scalar.raw.hasSuffix($0.suffix) }) else {
      problems.add(
        .error, "pack.not_a_rate", at: scalar.mark, "\"\(shortened(scalar.raw))\" is no rate of change",
        "write \"0.5 \(unit.difference.ucum)/min\"")
      return nil
    }
    let head = Scalar(String(scalar.raw.dropLast(span.suffix.count)), isPlain: true, at: scalar.mark)
    let trimmed = head.raw.last == " " ? Scalar(String(head.raw.dropLast()), isPlain: true, at: head.mark) : head
    guard let change = section.quantity(.scalar(trimmed), in: unit.difference) else { return nil }
    guard change > 0 else {
      problems.add(
        .error, "pack.out_of_range", at: scalar.mark, "a rate of \(scalar.raw) allows no change", "give a positive one")
      return nil
    }
    return (change / Double(span.seconds), span.seconds * 1_000_000_000)
  }

  /// Whether the register can hold the limits and the fallback, and the profile's range contains them.
  func isWithin(_ hard: ClosedRange<Double>, _ fallback: Double, _ draft: PointDraft, _ section: Section) -> Bool {
    let unit = draft.unit.symbol
    guard hard.contains(fallback),
      representation(of: draft).nearest(to: fallback, low: hard.lowerBound, high: hard.upperBound) != nil
    else {
      problems.add(
        .error, "pack.out_of_range", at: section.mark(of: "fallback"),
        "the fallback \(fallback) lies outside \(hard.lowerBound) to \(hard.upperBound) \(unit)",
        "give a value that the limits allow")
      return false
    }
    if let range = draft.register.range, !range.contains(hard.lowerBound) || !range.contains(hard.upperBound) {
      problems.add(
        .error, "pack.out_of_range", at: section.mark(of: "hard"),
        "the limits leave the point's range, \(range.lowerBound) to \(range.upperBound) \(unit)", "narrow them")
      return false
    }
    for value in [hard.lowerBound, hard.upperBound] {
      do throws(BusFault) {
        _ = try RegisterCodec(draft.register).registers(for: value)
      } catch {
        problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "hard"), "the register cannot hold \(value) \(unit)",
          "narrow the limits")
        return false
      }
    }
    return true
  }

  func representation(of draft: PointDraft) -> Representation {
    switch draft.register.type {
    case .float32: .float32
    case .float64: .float64
    default: .steps(scale: draft.register.scale, offset: draft.register.offset)
    }
  }
}
