// A node's properties in a file, as canonical bytes (TwinCore/Canonical.swift): an array of 2n items, for each property
// in order of their names when they were written
//
//   code    unsigned, as the ontology numbers the properties of the node's type
//   value   text, choice, reference, unit: text; number: double, in the ontology's unit; integer: integer;
//           boolean: true or false; instant: integer, nanoseconds since 1970
//
// No properties are no bytes. What an older version of the ontology wrote is lifted by its migrations when it is read.

package import TwinCore

extension Ontology {
  /// The canonical bytes of a node's properties, which the ontology has checked.
  package static func encoded(_ node: GraphNode) -> [UInt8] {
    guard !node.properties.isEmpty else { return [] }
    var writer = CanonicalWriter(reservingBytes: 64)
    writer.array(node.properties.count * 2)
    for (name, value) in node.properties {
      guard let spec = node.type.property(name) else { preconditionFailure("\(node.id).\(name) was not checked") }
      writer.integer(spec.code)
      switch value {
      case .text(let text), .choice(let text), .reference(let text): writer.text(text)
      case .unit(let unit): writer.text(unit.ucum)
      case .number(let quantity): writer.double(quantity.value)
      case .integer(let value): writer.integer(value)
      case .boolean(let value): writer.bool(value)
      case .instant(let instant): writer.instant(instant)
      }
    }
    return writer.bytes
  }

  /// The properties that `version` of the ontology wrote for a node of `type`.
  package static func decoded(
    _ bytes: [UInt8], of type: NodeType, version: Int = Ontology.version, _ migrations: [Migration] = migrations
  ) throws(CanonicalFault) -> Properties {
    guard version < Ontology.version else { return try decoded(bytes, of: type) }
    var values = try stored(bytes)
    for migration in migrations where migration.to > version {
      for step in migration.steps where step.type == type { step.lift(&values) }
    }
    var properties = Properties()
    for (code, value) in values {
      // A property that was taken out of the ontology is no longer seen.
      guard let spec = property(code, of: type) else { continue }
      properties[spec.name] = try value.value(as: spec)
    }
    return properties
  }

  /// As above, of what this version wrote: this is where most of a large answer's time goes.
  private static func decoded(_ bytes: [UInt8], of type: NodeType) throws(CanonicalFault) -> Properties {
    guard !bytes.isEmpty else { return [:] }
    var reader = CanonicalReader(bytes)
    let items = try reader.array(limit: 128)
    var properties = Properties()
    properties.reserve(items / 2)
    for _ in 0..<items / 2 {
      guard let spec = property(try reader.int(), of: type) else {
        throw CanonicalFault("a property that no \(type.rawValue) has")
      }
      properties.append(spec.name, try value(&reader, spec))
    }
    guard items % 2 == 0, reader.isAtEnd else { throw CanonicalFault("bytes after the last property") }
    return properties
  }

  private static func value(
    _ reader: inout CanonicalReader, _ spec: PropertySpec
  ) throws(CanonicalFault) -> PropertyValue {
    switch spec.kind {
    case .text: return .text(try reader.text(limit: textBytesMax))
    case .choice: return .choice(try reader.text(limit: textBytesMax))
    case .reference: return .reference(try reader.text(limit: textBytesMax))
    case .number(let unit): return .number(Quantity(try reader.double(), unit))
    case .integer: return .integer(try reader.integer())
    case .boolean: return .boolean(try reader.bool())
    case .instant: return .instant(try reader.instant())
    case .unit:
      let code = try reader.text(limit: textBytesMax)
      guard let unit = UnitCode(ucum: code) else { throw CanonicalFault("unit \(code), which is not known") }
      return .unit(unit)
    }
  }

  private static func stored(_ bytes: [UInt8]) throws(CanonicalFault) -> [(code: Int, value: StoredValue)] {
    guard !bytes.isEmpty else { return [] }
    var reader = CanonicalReader(bytes)
    let items = try reader.array(limit: 128)
    guard items % 2 == 0 else { throw CanonicalFault("\(items) items where codes and values come in pairs") }
    var values: [(code: Int, value: StoredValue)] = []
    values.reserveCapacity(items / 2)
    for _ in 0..<items / 2 {
      let code = try reader.int()
      switch bytes[min(reader.offset, bytes.count - 1)] {
      case 0xFB: values.append((code, .number(try reader.double())))
      case 0xF4, 0xF5: values.append((code, .boolean(try reader.bool())))
      case 0x60..<0x80: values.append((code, .text(try reader.text(limit: textBytesMax))))
      default: values.append((code, .integer(try reader.integer())))
      }
    }
    guard reader.isAtEnd else { throw CanonicalFault("bytes after the last property") }
    return values
  }
}

/// A value before its property's kind is known.
enum StoredValue: Hashable, Sendable {
  case text(String)
  case number(Double)
  case integer(Int64)
  case boolean(Bool)
  /// What a migration has read already.
  case read(PropertyValue)

  func value(as spec: PropertySpec) throws(CanonicalFault) -> PropertyValue {
    switch (spec.kind, self) {
    case (_, .read(let value)): return value
    case (.text, .text(let text)): return .text(text)
    case (.choice, .text(let text)): return .choice(text)
    case (.reference, .text(let text)): return .reference(text)
    case (.unit, .text(let text)):
      guard let unit = UnitCode(ucum: text) else { break }
      return .unit(unit)
    case (.number(let unit), .number(let value)): return .number(Quantity(value, unit))
    case (.integer, .integer(let value)): return .integer(value)
    case (.boolean, .boolean(let value)): return .boolean(value)
    case (.instant, .integer(let value)): return .instant(Instant(nanoseconds: value))
    default: break
    }
    throw CanonicalFault("\(spec.name) is \(self) where \(spec.kind) should be")
  }
}

/// How what an older version of the ontology stored is read by a newer one.
public struct Migration: Sendable {
  /// The version that it leads to, from the one before.
  public let to: Int
  let steps: [Step]

  struct Step: Sendable {
    enum Action: Sendable {
      /// A text becomes what the property now is; left out where it cannot be read. Later conversions are behind it.
      case parse
      case convert(from: UnitCode)
      case drop
      /// What it is where there was none.
      case fill(String)
    }

    let type: NodeType
    let property: Int
    let action: Action

    init(type: NodeType, property: Int, _ action: Action) {
      (self.type, self.property, self.action) = (type, property, action)
    }

    func lift(_ values: inout [(code: Int, value: StoredValue)]) {
      let place = values.firstIndex { $0.code == property }
      let kind = Ontology.property(property, of: type)?.kind
      switch action {
      case .drop:
        if let place { values.remove(at: place) }
      case .fill(let text):
        guard place == nil, let value = kind?.read(text) else { return }
        values.append((property, .read(value)))
      case .parse:
        guard let place, case .text(let text) = values[place].value else { return }
        guard let value = kind?.read(text) else {
          values.remove(at: place)
          return
        }
        values[place].value = .read(value)
      case .convert(let from):
        guard let place, case .number(let number) = values[place].value, case .number(let unit) = kind else { return }
        guard let value = from.convert(number, to: unit) else { return }
        values[place].value = .number(value)
      }
    }
  }
}
