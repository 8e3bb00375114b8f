public import TwinCore

/// The value of one property.
public enum PropertyValue: Hashable, Sendable {
  case text(String)
  case number(Quantity)
  case integer(Int64)
  case boolean(Bool)
  case choice(String)
  case instant(Instant)
  /// The id of another node.
  case reference(String)
  case unit(UnitCode)
}

extension PropertyValue: CustomStringConvertible {
  public var description: String {
    switch self {
    case .text(let text), .choice(let text), .reference(let text): text
    case .number(let quantity): quantity.description
    case .integer(let value): String(value)
    case .boolean(let value): value ? "true" : "false"
    case .instant(let instant): instant.rfc3339
    case .unit(let unit): unit.ucum
    }
  }

  /// For messages: what kind of value it is.
  var kindName: String {
    switch self {
    case .text: "a text"
    case .number(let quantity): "a number in \(quantity.unit.ucum)"
    case .integer: "a whole number"
    case .boolean: "true or false"
    case .choice: "a choice"
    case .instant: "an instant"
    case .reference: "a reference"
    case .unit: "a unit"
    }
  }
}

/// A node's properties by name: few, so a sorted list. Equal whatever the order in which they were set.
public struct Properties: Hashable, Sendable {
  public typealias Element = (name: String, value: PropertyValue)

  private struct Entry: Hashable, Sendable {
    var name: String
    var value: PropertyValue
  }

  private var entries: [Entry] = []

  public init() {}

  public var isEmpty: Bool { entries.isEmpty }
  public var count: Int { entries.count }

  public subscript(name: String) -> PropertyValue? {
    get { entries.first { $0.name == name }?.value }
    set {
      let place = entries.firstIndex { !inByteOrder($0.name, name) } ?? entries.count
      let isThere = place < entries.count && entries[place].name == name
      switch (newValue, isThere) {
      case (let value?, true): entries[place].value = value
      case (let value?, false): entries.insert(Entry(name: name, value: value), at: place)
      case (nil, true): entries.remove(at: place)
      case (nil, false): break
      }
    }
  }

  mutating func reserve(_ count: Int) { entries.reserveCapacity(count) }

  /// As setting it; at once where names come in their order.
  mutating func append(_ name: String, _ value: PropertyValue) {
    if let last = entries.last, !inByteOrder(last.name, name) {
      self[name] = value
    } else {
      entries.append(Entry(name: name, value: value))
    }
  }
}

extension Properties: Sequence {
  /// By name in byte order.
  public func makeIterator() -> AnyIterator<Element> {
    var place = 0
    let entries = entries
    return AnyIterator {
      guard place < entries.count else { return nil }
      defer { place += 1 }
      return (entries[place].name, entries[place].value)
    }
  }
}

extension Properties: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, PropertyValue)...) {
    for (name, value) in elements { self[name] = value }
  }
}

extension PropertyKind {
  /// A text as people write it, read as this kind; nil where it is none. A bare number is in the property's unit.
  public func read(_ text: String) -> PropertyValue? {
    switch self {
    case .text: .text(text)
    case .choice(let words): words.contains(text) ? .choice(text) : nil
    case .reference: .reference(text)
    case .unit: UnitCode(ucum: text).map { .unit($0) }
    case .integer: Int64(text).map { .integer($0) }
    case .boolean: text == "true" ? .boolean(true) : text == "false" ? .boolean(false) : nil
    case .instant: Self.instant(text).map { .instant($0) }
    case .number(let unit): Self.quantity(text, unit).map { .number($0) }
    }
  }

  /// A date alone is 00:00 UTC of it.
  private static func instant(_ text: String) -> Instant? {
    text.utf8.count == 10 ? Instant(rfc3339: text + "T00:00:00Z") : Instant(rfc3339: text)
  }

  private static func quantity(_ text: String, _ unit: UnitCode) -> Quantity? {
    do throws(UnitFault) {
      return converted(try Quantity.parse(text), to: unit)
    } catch {
      return error.unit == nil ? Double(text).flatMap { $0.isFinite ? Quantity($0, unit) : nil } : nil
    }
  }

  /// Nil where the dimensions differ, where only one counts from a zero of its own, and beyond Double.
  static func converted(_ quantity: Quantity, to unit: UnitCode) -> Quantity? {
    guard quantity.unit != unit else { return quantity.value.isFinite ? quantity : nil }
    guard quantity.unit.isAffine == unit.isAffine, let result = quantity.converted(to: unit), result.value.isFinite
    else { return nil }
    return result
  }
}
