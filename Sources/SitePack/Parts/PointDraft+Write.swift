import Collectors
import TwinCore
import YAML

extension PointDraft {
  /// `write:` of a point with `access: rw`.
  mutating func readWrite(_ section: Section, isWritable: Bool) {
    let inner = section.section("write")
    guard isWritable else {
      if let inner {
        section.problems.add(
          .error, "pack.not_writable", at: inner.mark, "\(section.name) has \"write\" without access: rw",
          "add access: rw, or delete write")
      }
      return
    }
    if let why = whyUnwritable {
      section.problems.add(
        .error, "pack.not_writable", at: section.mark(of: "access"), "\(section.name) cannot be written: \(why)",
        "make it access: r, or declare a point that can be written")
      return
    }
    let allowed: [Int] = register.table == .coil ? [5, 15] : register.type.registers == 1 ? [6, 16] : [16]
    var write = WriteProfile(
      function: UInt8(allowed[0]), sequence: [RegisterStep(address: register.address, value: nil)],
      tolerance: defaultTolerance, readbackMs: 2000)
    if let inner {
      if let function = inner.integer("function", in: 1...127) {
        if allowed.contains(function) {
          write.function = UInt8(function)
        } else {
          section.problems.add(
            .error, "pack.wrong_function", at: inner.mark(of: "function"),
            "function \(function) cannot write \(register.type.registers) \(register.table.rawValue) register(s)",
            "write \(allowed.map(String.init).joined(separator: " or "))")
        }
      }
      readSequence(inner, &write)
      readReadback(inner, &write)
      if let wear = inner.section("wear") {
        wear.require("writes_per_day")
        if let count = wear.integer("writes_per_day", in: 1...86_400) { write.wear = .nonVolatile(writesPerDay: count) }
        wear.close()
      }
      if let watchdog = inner.section("watchdog") { write.watchdog = Self.watchdog(watchdog) }
      minIntervalNanoseconds = inner.duration("min_interval") ?? 0
      inner.close()
    }
    register.write = write
  }

  private var whyUnwritable: String? {
    if register.table == .input { return "input registers are read-only" }
    if register.table == .discrete { return "discrete inputs are read-only" }
    if register.scaleFrom != nil { return "its scale is another register" }
    if register.scale < 0 { return "its scale is negative" }
    switch register.type {
    case .text: return "it is text"
    case .uint8, .int8: return "it is half of a register"
    case .bits(_, let width): return width == 16 ? nil : "it is a part of a register"
    case .scaleFactor, .epoch32: return "it is no setpoint"
    case .float16: return "float16 is too coarse for a setpoint"
    case .float32 where register.scale != 1 || register.offset != 0: return "a float setpoint has no scale or offset"
    case .float64 where register.scale != 1 || register.offset != 0: return "a float setpoint has no scale or offset"
    default: return nil
    }
  }

  /// Half a count; of floating-point numbers a thousandth of the unit.
  private var defaultTolerance: Double { register.type.isInteger ? register.scale / 2 : 0.001 }

  private func readSequence(_ section: Section, _ write: inout WriteProfile) {
    guard let items = section.list("sequence") else { return }
    var steps: [RegisterStep] = []
    for (position, item) in items.prefix(Self.stepsMax).enumerated() {
      if case .scalar(let scalar) = item, scalar.raw == "setpoint" {
        steps.append(RegisterStep(address: register.address, value: nil))
        continue
      }
      guard let step = Section(item, name: "step \(position + 1) of the sequence", section.problems) else { continue }
      step.require("value")
      let address = Self.holding(step)
      let value = step.integer("value", in: 0...65_535)
      step.close()
      if let address, let value { steps.append(RegisterStep(address: address, value: UInt16(value))) }
    }
    if items.count > Self.stepsMax || steps.count(where: { $0.value == nil }) != 1 {
      section.problems.add(
        .error, "pack.bad_sequence", at: section.mark(of: "sequence"),
        "a sequence has the word setpoint once, and at most \(Self.stepsMax) steps",
        "write [{ref: 40100, value: 1}, setpoint]")
      return
    }
    if register.table == .coil, steps.count > 1 {
      section.problems.add(
        .error, "pack.bad_sequence", at: section.mark(of: "sequence"), "a coil is written alone", "delete the sequence")
      return
    }
    write.sequence = steps
  }

  private static let stepsMax = 8

  private func readReadback(_ section: Section, _ write: inout WriteProfile) {
    guard let node = section.node("readback") else { return }
    let range: ClosedRange<Int64> = 1_000_000...600_000_000_000
    guard case .mapping = node else {
      if let within = section.duration("readback", in: range) { write.readbackMs = Int(within / 1_000_000) }
      return
    }
    guard let inner = section.section("readback") else { return }
    if let within = inner.duration("within", in: range) { write.readbackMs = Int(within / 1_000_000) }
    if let tolerance = inner.quantity("tolerance", in: unit.difference) {
      write.tolerance = tolerance
      if tolerance < 0 {
        section.problems.add(
          .error, "pack.out_of_range", at: inner.mark(of: "tolerance"), "a tolerance is not negative",
          "give a positive one")
        write.tolerance = 0
      }
    }
    write.readbackPoint = inner.text("point")
    inner.close()
  }

  private static func watchdog(_ section: Section) -> DeviceWatchdog? {
    section.require("timeout")
    section.require("refresh")
    let address = holding(section)
    let seconds: Int64 = 1_000_000_000
    let timeout = section.duration("timeout", in: 2 * seconds...65_535 * seconds)
    let refresh = section.duration("refresh", in: seconds...65_535 * seconds)
    section.close()
    guard let address, let timeout, let refresh else { return nil }
    let spans = [timeout, refresh].map { DurationText.exact(nanoseconds: $0) }
    guard timeout % seconds == 0, refresh % seconds == 0, refresh * 2 <= timeout else {
      section.problems.add(
        .error, "pack.out_of_range", at: section.mark,
        "a watchdog of \(spans[0]) refreshed every \(spans[1])",
        "give whole seconds, and refresh at least twice in the timeout")
      return nil
    }
    return DeviceWatchdog(
      address: address, timeoutSeconds: Int(timeout / seconds), refreshSeconds: Int(refresh / seconds))
  }
}
