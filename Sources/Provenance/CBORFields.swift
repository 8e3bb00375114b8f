public import TwinCore

extension CBORItem {
  /// A byte string of 32 bytes.
  public static func digest(_ digest: Digest) -> CBORItem { .bytes(digest.bytes) }

  // Each read throws `provenance.message_malformed` that names `place`.

  public func asUnsigned(_ place: @autoclosure () -> String = "item") throws(ProvenanceFault) -> UInt64 {
    guard case .unsigned(let value) = self else { throw unexpected(place(), "an unsigned integer") }
    return value
  }

  /// Of either sign.
  public func asInteger(_ place: @autoclosure () -> String = "item") throws(ProvenanceFault) -> Int64 {
    switch self {
    case .negative(let value): return value
    case .unsigned(let value):
      guard let value = Int64(exactly: value) else { throw unexpected(place(), "an integer below 2^63") }
      return value
    default: throw unexpected(place(), "an integer")
    }
  }

  /// Of exactly `count` bytes when given.
  public func asBytes(
    count: Int? = nil, _ place: @autoclosure () -> String = "item"
  ) throws(ProvenanceFault) -> [UInt8] {
    guard case .bytes(let bytes) = self else { throw unexpected(place(), "bytes") }
    if let count, bytes.count != count {
      throw .messageMalformed(place(), "\(bytes.count) bytes, wanted \(count)")
    }
    return bytes
  }

  /// Of at most `max` bytes.
  public func asBytes(
    max: Int, _ place: @autoclosure () -> String = "item"
  ) throws(ProvenanceFault) -> [UInt8] {
    let bytes = try asBytes(place())
    guard bytes.count <= max else { throw .messageMalformed(place(), "\(bytes.count) bytes, wanted at most \(max)") }
    return bytes
  }

  /// Of at most `max` bytes of UTF-8.
  public func asText(max: Int, _ place: @autoclosure () -> String = "item") throws(ProvenanceFault) -> String {
    guard case .text(let text) = self else { throw unexpected(place(), "text") }
    guard text.utf8.count <= max else {
      throw .messageMalformed(place(), "text of \(text.utf8.count) bytes, wanted at most \(max)")
    }
    return text
  }

  /// Of at most `max` items.
  public func asArray(max: Int, _ place: @autoclosure () -> String = "item") throws(ProvenanceFault) -> [CBORItem] {
    guard case .array(let items) = self else { throw unexpected(place(), "an array") }
    guard items.count <= max else { throw .messageMalformed(place(), "\(items.count) items, wanted at most \(max)") }
    return items
  }

  public func asBool(_ place: @autoclosure () -> String = "item") throws(ProvenanceFault) -> Bool {
    guard case .bool(let value) = self else { throw unexpected(place(), "true or false") }
    return value
  }

  public func asDigest(_ place: @autoclosure () -> String = "item") throws(ProvenanceFault) -> Digest {
    Digest(bytes: try asBytes(count: 32, place()))!
  }

  /// The fields of a map that stands for a `name`, which faults then name.
  public func fields(_ name: String) throws(ProvenanceFault) -> CBORFields {
    guard case .map(let entries) = self else { throw unexpected(name, "a map") }
    return CBORFields(name, entries)
  }

  private func unexpected(_ place: String, _ wanted: String) -> ProvenanceFault {
    let seen =
      switch self {
      case .unsigned: "an unsigned integer"
      case .negative: "a negative integer"
      case .bytes: "bytes"
      case .text: "text"
      case .array: "an array"
      case .map: "a map"
      case .bool: "a truth value"
      case .null: "null"
      }
    return .messageMalformed(place, "\(seen), wanted \(wanted)")
  }
}

/// The fields of one map, read by key in any order.
///
/// A missing field, or one of another type, throws `provenance.message_malformed` that names it; the `IfPresent` forms
/// give nil for a missing one only.
public struct CBORFields: Sendable {
  public let name: String
  private let entries: [CBORMapEntry]
  private var isRead: [Bool]
  /// Where the last read ended: fields are mostly read in order.
  private var cursor = 0

  init(_ name: String, _ entries: [CBORMapEntry]) {
    (self.name, self.entries) = (name, entries)
    isRead = Array(repeating: false, count: entries.count)
  }

  public mutating func item(_ key: UInt64) throws(ProvenanceFault) -> CBORItem {
    guard let item = itemIfPresent(key) else { throw .messageMalformed(place(key), "missing") }
    return item
  }

  public mutating func itemIfPresent(_ key: UInt64) -> CBORItem? {
    var index = cursor
    if index >= entries.count || entries[index].key != key {
      guard let found = entries.firstIndex(where: { $0.key == key }) else { return nil }
      index = found
    }
    isRead[index] = true
    cursor = index + 1
    return entries[index].value
  }

  public mutating func unsigned(_ key: UInt64) throws(ProvenanceFault) -> UInt64 {
    try item(key).asUnsigned(place(key))
  }

  public mutating func unsignedIfPresent(_ key: UInt64) throws(ProvenanceFault) -> UInt64? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asUnsigned(place(key))
  }

  /// An unsigned integer that fits the type asked for.
  public mutating func number<Number: FixedWidthInteger>(
    _ key: UInt64, as type: Number.Type = Number.self
  ) throws(ProvenanceFault) -> Number {
    let value = try unsigned(key)
    guard let number = Number(exactly: value) else {
      throw .messageMalformed(place(key), "\(value), wanted at most \(Number.max)")
    }
    return number
  }

  public mutating func integer(_ key: UInt64) throws(ProvenanceFault) -> Int64 {
    try item(key).asInteger(place(key))
  }

  public mutating func integerIfPresent(_ key: UInt64) throws(ProvenanceFault) -> Int64? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asInteger(place(key))
  }

  public mutating func bytes(_ key: UInt64, count: Int? = nil) throws(ProvenanceFault) -> [UInt8] {
    try item(key).asBytes(count: count, place(key))
  }

  public mutating func bytes(_ key: UInt64, max: Int) throws(ProvenanceFault) -> [UInt8] {
    try item(key).asBytes(max: max, place(key))
  }

  public mutating func bytesIfPresent(_ key: UInt64, count: Int? = nil) throws(ProvenanceFault) -> [UInt8]? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asBytes(count: count, place(key))
  }

  public mutating func bytesIfPresent(_ key: UInt64, max: Int) throws(ProvenanceFault) -> [UInt8]? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asBytes(max: max, place(key))
  }

  public mutating func text(_ key: UInt64, max: Int) throws(ProvenanceFault) -> String {
    try item(key).asText(max: max, place(key))
  }

  public mutating func textIfPresent(_ key: UInt64, max: Int) throws(ProvenanceFault) -> String? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asText(max: max, place(key))
  }

  public mutating func array(_ key: UInt64, max: Int) throws(ProvenanceFault) -> [CBORItem] {
    try item(key).asArray(max: max, place(key))
  }

  public mutating func arrayIfPresent(_ key: UInt64, max: Int) throws(ProvenanceFault) -> [CBORItem]? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asArray(max: max, place(key))
  }

  public mutating func bool(_ key: UInt64) throws(ProvenanceFault) -> Bool {
    try item(key).asBool(place(key))
  }

  public mutating func boolIfPresent(_ key: UInt64) throws(ProvenanceFault) -> Bool? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asBool(place(key))
  }

  public mutating func digest(_ key: UInt64) throws(ProvenanceFault) -> Digest {
    try item(key).asDigest(place(key))
  }

  public mutating func digestIfPresent(_ key: UInt64) throws(ProvenanceFault) -> Digest? {
    guard let item = itemIfPresent(key) else { return nil }
    return try item.asDigest(place(key))
  }

  /// Nanoseconds since 1970.
  public mutating func instant(_ key: UInt64) throws(ProvenanceFault) -> Instant {
    Instant(nanoseconds: try integer(key))
  }

  public mutating func instantIfPresent(_ key: UInt64) throws(ProvenanceFault) -> Instant? {
    try integerIfPresent(key).map(Instant.init(nanoseconds:))
  }

  /// Throws when a field was not read: types that carry authority have no unknown fields.
  public mutating func finish() throws(ProvenanceFault) {
    guard let stranger = isRead.firstIndex(of: false) else { return }
    throw .messageMalformed(place(entries[stranger].key), "not a field of this message")
  }

  private func place(_ key: UInt64) -> String { "\(name).\(key)" }
}
