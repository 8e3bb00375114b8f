import Collectors
import TwinCore
import YAML

extension RegisterType {
  private static let plain: [String: RegisterType] = [
    "bool": .bool, "uint16": .uint16, "int16": .int16, "uint32": .uint32, "int32": .int32, "uint64": .uint64,
    "int64": .int64, "float16": .float16, "float32": .float32, "float64": .float64, "bcd16": .bcd16, "bcd32": .bcd32,
    "enum16": .uint16, "sunssf": .scaleFactor, "epoch32": .epoch32, "uint8": .uint8(.low), "int8": .int8(.low),
    "bits": .bits(lowest: 0, width: 1), "m10k": .m10k(registers: 2), "string": .text(registers: 1, bytes: .both),
  ]

  /// `type:` with the keys that some types need; those keys belong to their types alone.
  static func read(_ section: Section) -> RegisterType? {
    section.require("type")
    guard let type = section.word("type", plain) else {
      // Known here, so that a misspelt type is reported once and not with every key that belongs to it.
      for key in ["byte", "bit", "width", "length", "bytes"] { _ = section.node(key) }
      return nil
    }
    func needed(_ key: String, _ range: ClosedRange<Int>, _ fallback: Int?) -> Int? {
      if fallback == nil { section.require(key) }
      return section.has(key) ? section.integer(key, in: range) : fallback
    }
    switch type {
    case .uint8, .int8:
      section.require("byte", "write byte: high or byte: low")
      guard let half = section.word("byte", ["high": Half.high, "low": .low]) else { return nil }
      if case .uint8 = type { return .uint8(half) }
      return .int8(half)
    case .bits:
      guard let lowest = needed("bit", 0...15, nil), let width = needed("width", 1...16, 1) else { return nil }
      guard lowest + width <= 16 else {
        section.problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "width"),
          "\(width) bits from bit \(lowest) leave the register",
          "bits count from 0, the least significant, to 15")
        return nil
      }
      return .bits(lowest: lowest, width: width)
    case .m10k: return needed("length", 2...4, nil).map { .m10k(registers: $0) }
    case .text:
      guard let length = needed("length", 1...60, nil) else { return nil }
      let bytes = section.word("bytes", ["both": TextBytes.both, "high": .high, "low": .low]) ?? .both
      return .text(registers: length, bytes: bytes)
    default: return type
    }
  }

  var isText: Bool { if case .text = self { true } else { false } }
}

extension RegisterPoint {
  /// Scale, offset and the raw values that mean nothing.
  mutating func readScaling(_ section: Section) {
    if let value = section.number("scale", in: -1e12...1e12) {
      scale = value
      if value.magnitude < 1e-12 {
        section.problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "scale"),
          "a scale of \(value) makes every reading the same", "give the value of one count, as 0.1")
        scale = 1
      }
    }
    if let value = section.number("offset", in: -1e15...1e15) { offset = value }
    scaleFrom = section.text("scale_from")
    for node in section.list("invalid") ?? [] {
      do throws(YAMLFault) {
        let scalar = try node.scalar
        if scalar.raw.hasPrefix("-") {
          let bits = UInt64(bitPattern: try scalar.integer(in: Int64.min...(-1)))
          sentinels.append(type.registers >= 4 ? bits : bits & (1 << UInt64(16 * type.registers) - 1))
        } else {
          sentinels.append(try scalar.integer(in: 0...UInt64.max))
        }
      } catch {
        section.problems.add(error)
      }
    }
    if type.isText || type == .scaleFactor {
      for key in ["scale", "offset", "scale_from", "unit", "range", "symbols", "accuracy"] where section.has(key) {
        section.problems.add(
          .error, "pack.key_not_for_type", at: section.mark(of: key),
          "\"\(key)\" means nothing for this type of \(section.name)",
          "delete it")
      }
    }
  }

  /// Range, symbols, accuracy.
  mutating func readMeaning(_ section: Section, _ unit: UnitCode) {
    if let items = section.list("range") {
      let ends = items.compactMap { section.quantity($0, in: unit) }
      if ends.count == 2, items.count == 2, ends[0] < ends[1] {
        range = ends[0]...ends[1]
      } else if ends.count == items.count {
        section.problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "range"), "the range of \(section.name) is not [low, high]",
          "write two numbers, the lower first")
      }
    }
    if let value = section.quantity("accuracy", in: unit.difference) {
      accuracy = value
      if !(0...1e12).contains(value) {
        section.problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "accuracy"),
          "an accuracy of \(value) is outside 0 to 1e12", "give one standard deviation")
        accuracy = 0
      }
    }
    readSymbols(section)
  }

  private mutating func readSymbols(_ section: Section) {
    if section.has("type"), section.text("type") == "enum16" {
      section.require("symbols", "write symbols: {0: stopped, 1: running}")
    }
    guard let inner = section.section("symbols") else { return }
    if !type.isInteger || type.registers > 1 || type == .bool {
      section.problems.add(
        .error, "pack.key_not_for_type", at: inner.mark, "symbols need a type of one register, as enum16",
        "change the type")
      return
    }
    var names: Set<String> = []
    for entry in inner.pairs {
      let (key, value) = (entry.key, entry.value)
      do throws(YAMLFault) {
        let number = try key.integer(in: -32_768...65_535)
        let name = try value.scalar.text
        guard Identifier.isName(name), !["and", "or", "not", "true", "false"].contains(name),
          names.insert(name).inserted
        else {
          section.problems.add(
            .error, "pack.bad_name", at: value.mark, "\"\(shortened(name))\" is no name for a state, or given twice",
            "begin with a letter a-z, go on with a-z, 0-9, - and _")
          continue
        }
        symbols[number] = name
      } catch {
        section.problems.add(error)
      }
    }
  }
}
