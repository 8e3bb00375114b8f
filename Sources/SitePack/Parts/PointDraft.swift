import Collectors
import TwinCore
import YAML

/// A point of a profile as the pack declares it, checked for itself.
struct PointDraft {
  var register: RegisterPoint
  var unit: UnitCode
  var kind: Scope.Kind
  var staleNanoseconds: Int64?
  /// One standard deviation of what the true value moves in a second.
  var wander: Double?
  var minIntervalNanoseconds: Int64 = 0
  var label: String?
  var brick: String?
  /// Belongs to a safety instrumented system.
  var isSafety: Bool
  var mark: Mark

  /// Whether the value is a plain number that may lie between two readings.
  var isContinuous: Bool {
    guard case .number = kind, register.write == nil else { return false }
    switch register.type {
    case .bits, .scaleFactor, .epoch32: return false
    default: return true
    }
  }

  /// In the unit's square; 0 where neither an accuracy nor a last digit is known.
  var measurementVariance: Double {
    if register.accuracy > 0 { return register.accuracy * register.accuracy }
    guard isContinuous, register.type.isInteger, register.scaleFrom == nil else { return 0 }
    let half = register.scale.magnitude / 2
    return half * half
  }
}

/// What a profile says once for all its points.
struct ProfileDefaults: Equatable {
  var order = RegisterOrder()
  var everyNanoseconds: Int64 = 1_000_000_000
  var registersPerRequestMax = 125
  var gapMergeMax: Int?
  var data = DataPolicy()

  init(data: DataPolicy) { self.data = data }

  /// What a device says for all its points in place of its profile.
  mutating func read(_ section: Section) {
    if let word = section.word("byte_order", Self.orders) { order.bytesLittle = word }
    if let word = section.word("word_order", Self.orders) { order.wordsLittle = word }
    if let every = section.duration("every", in: PointDraft.everyRange) { everyNanoseconds = every }
    if let data = section.section("data") { self.data.read(data) }
  }

  init(_ section: Section, data: DataPolicy) {
    self.data = data
    read(section)
    if let count = section.integer("max_regs_per_read", in: 1...125) { registersPerRequestMax = count }
    gapMergeMax = section.integer("gap_merge", in: 0...125)
    section.close()
  }

  static let orders = ["big": false, "little": true]
}

extension PointDraft {
  /// 10 ms, what a fast device bears, to a day.
  static let everyRange: ClosedRange<Int64> = 10_000_000...86_400_000_000_000

  /// Nil, with problems, where no point can be made of it.
  static func read(_ name: String, _ section: Section, _ defaults: ProfileDefaults) -> PointDraft? {
    let place = place(section)
    let type = RegisterType.read(section)
    var order = defaults.order
    if let word = section.word("byte_order", ProfileDefaults.orders) { order.bytesLittle = word }
    if let word = section.word("word_order", ProfileDefaults.orders) { order.wordsLittle = word }
    if let swapped = section.bool("halves_swapped") { order.halvesSwapped = swapped }
    let unit = section.unit("unit") ?? .one
    let every = section.duration("every", in: everyRange) ?? defaults.everyNanoseconds
    if every % 1_000_000 != 0 {
      section.problems.add(
        .error, "pack.out_of_range", at: section.mark(of: "every"), "every is no whole number of milliseconds",
        "give whole milliseconds")
    }
    let isStill = section.text("access").map { access -> Bool in
      if access != "r", access != "rw" {
        section.problems.add(
          .error, "pack.unknown_word", at: section.mark(of: "access"),
          "\"\(shortened(access))\" is no access of \(section.name)",
          "write r or rw")
      }
      return access != "rw"
    }
    var register = RegisterPoint(
      name: name, table: place?.table ?? .holding, address: place?.address ?? 0, type: type ?? .uint16, order: order,
      unit: unit.ucum, everyMs: Int(every / 1_000_000))
    register.data = defaults.data
    if let data = section.section("data") { register.data.read(data) }
    register.readScaling(section)
    register.readMeaning(section, unit)
    var draft = PointDraft(
      register: register, unit: unit, kind: .number(unit), staleNanoseconds: section.duration("stale_after"),
      wander: section.number("wander", in: 0...1e9), label: section.text("label"), brick: section.text("brick"),
      isSafety: section.bool("sis") ?? false, mark: section.mark)
    draft.kind = draft.scopeKind(section)
    draft.readWrite(section, isWritable: isStill == false)
    section.close()
    guard let place, let type else { return nil }
    guard place.address + (place.table.isBits ? 1 : type.registers) <= 65_536 else {
      section.problems.add(
        .error, "pack.out_of_range", at: place.mark,
        "\(name) takes \(type.registers) registers from \(place.address), past 65535",
        "check the address and the type")
      return nil
    }
    if place.table.isBits != (type == .bool), place.table.isBits {
      section.problems.add(
        .error, "pack.wrong_table", at: place.mark, "a \(place.table.rawValue) is one bit, \(name) is of another type",
        "write type: bool, or take an input or holding register")
    }
    return draft
  }

  private struct Place {
    var table: RegisterTable
    var address: Int
    var mark: Mark
  }

  /// `ref:` as manuals number registers, or `wire:` as the protocol does; one of them.
  private static func place(_ section: Section) -> Place? {
    let reference = section.node("ref")
    let wire = section.node("wire")
    switch (reference, wire) {
    case (nil, nil):
      section.problems.add(
        .error, "pack.missing_key", at: section.mark, "\(section.name) has neither \"ref\" nor \"wire\"",
        "write ref: 40031 as the manual numbers it, or wire: {table: holding, address: 30}")
      return nil
    case (.some, .some(let wire)):
      section.problems.add(
        .error, "pack.two_addresses", at: wire.mark, "\(section.name) has both \"ref\" and \"wire\"",
        "keep one of the two")
      return nil
    case (.some(let node), nil):
      return section.integer("ref", in: 1...465_536).flatMap { address(ofReference: $0, at: node.mark, section) }
    case (nil, .some(let node)):
      guard let inner = section.section("wire") else { return nil }
      inner.require("table")
      inner.require("address")
      let table = inner.word("table", RegisterTable.self)
      let address = inner.integer("address", in: 0...65_535)
      inner.close()
      guard let table, let address else { return nil }
      return Place(table: table, address: address, mark: node.mark)
    }
  }

  private static func address(ofReference number: Int, at mark: Mark, _ section: Section) -> Place? {
    for (first, table) in [(400_001, RegisterTable.holding), (300_001, .input), (100_001, .discrete)]
    where (first..<first + 65_536).contains(number) {
      return Place(table: table, address: number - first, mark: mark)
    }
    for (first, table) in [(40_001, RegisterTable.holding), (30_001, .input), (10_001, .discrete), (1, .coil)]
    where (first..<first + 9_999).contains(number) {
      return Place(table: table, address: number - first, mark: mark)
    }
    section.problems.add(
      .error, "pack.out_of_range", at: mark, "\(number) is no register reference",
      "references are 1-9999, 10001-19999, 30001-39999, 40001-49999, or of six digits; or write wire:")
    return nil
  }

  /// `ref:` or `wire:` of a holding register that is written beside the point.
  static func holding(_ section: Section) -> Int? {
    guard let place = place(section) else { return nil }
    guard place.table == .holding else {
      section.problems.add(
        .error, "pack.wrong_table", at: place.mark, "\(section.name) is no holding register",
        "only holding registers are written")
      return nil
    }
    return place.address
  }

  private func scopeKind(_ section: Section) -> Scope.Kind {
    switch register.type {
    case .text: return .unreadable("it is text")
    case .scaleFactor: return .unreadable("it scales another point")
    default: break
    }
    if !register.symbols.isEmpty {
      return .choice(Dictionary(register.symbols.map { ($1, Double($0)) }, uniquingKeysWith: { first, _ in first }))
    }
    return register.type == .bool ? .truth : .number(unit)
  }
}
