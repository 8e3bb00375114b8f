// Bytes of a message: one data item of CBOR (RFC 8949) in a strict subset, in which one value has one encoding.
//
//     head     1 byte: major type << 5 | n; then the argument, big-endian, in as few bytes as hold it:
//              n < 24: n itself; 24: 1 byte; 25: 2; 26: 4; 27: 8
//     major 0  unsigned integer: the argument
//     major 1  negative integer: -1 - argument; the argument is at most 2^63 - 1
//     major 2  byte string: argument bytes follow
//     major 3  text: argument bytes of UTF-8 follow
//     major 4  array: argument items follow
//     major 5  map: argument pairs of key and value follow; keys are major 0, strictly ascending
//     major 7  n = 20 false, 21 true, 22 null
//
// There are no tags, no floats (a scalar is an integer in a stated unit), no indefinite lengths, and no byte after the
// item. Containers stand at most `CBORLimits.depth` deep; every item, a key included, counts toward `CBORLimits.items`.

/// One value of a message.
public enum CBORItem: Sendable {
  case unsigned(UInt64)
  /// Below zero.
  case negative(Int64)
  case bytes([UInt8])
  case text(String)
  case array([CBORItem])
  /// Keys strictly ascending.
  case map([CBORMapEntry])
  case bool(Bool)
  case null
}

public struct CBORMapEntry: Equatable, Sendable {
  public var key: UInt64
  public var value: CBORItem

  public init(key: UInt64, value: CBORItem) { (self.key, self.value) = (key, value) }
}

/// How much one item from outside may hold.
public struct CBORLimits: Sendable {
  public var bytes: Int
  /// Containers inside each other; a lone scalar has none.
  public var depth: Int
  public var items: Int

  public init(bytes: Int, depth: Int = 8, items: Int = 4096) {
    (self.bytes, self.depth, self.items) = (bytes, depth, items)
  }

  /// What travels in one packet, unpacked.
  public static let message = CBORLimits(bytes: 1 << 20)
  /// What is put together from chunks.
  public static let artefact = CBORLimits(bytes: 16 << 20, items: 1 << 16)
}

// Equal when the bytes are: a string's own equality would also accept another spelling of its letters.
extension CBORItem: Equatable {
  public static func == (a: CBORItem, b: CBORItem) -> Bool { a.encoded == b.encoded }
}

extension CBORItem {
  public static func integer(_ value: Int64) -> CBORItem {
    value < 0 ? .negative(value) : .unsigned(UInt64(value))
  }

  /// A map of the pairs that have a value. Traps when the keys do not ascend.
  public static func map(_ pairs: (UInt64, CBORItem?)...) -> CBORItem {
    var entries: [CBORMapEntry] = []
    entries.reserveCapacity(pairs.count)
    for (key, value) in pairs {
      guard let value else { continue }
      entries.append(CBORMapEntry(key: key, value: value))
    }
    return .map(entries)
  }

  /// Traps on what cannot be decoded again: keys that do not ascend, a negative that is not.
  public var encoded: [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(encodedCount)
    write(to: &output)
    return output
  }

  /// Bytes that `encoded` has.
  public var encodedCount: Int {
    switch self {
    case .unsigned(let value): Self.headCount(value)
    case .negative(let value): Self.headCount(UInt64(-1 - value))
    case .bytes(let bytes): Self.headCount(UInt64(bytes.count)) + bytes.count
    case .text(let text): Self.headCount(UInt64(text.utf8.count)) + text.utf8.count
    case .array(let items): items.reduce(Self.headCount(UInt64(items.count))) { $0 + $1.encodedCount }
    case .map(let entries):
      entries.reduce(Self.headCount(UInt64(entries.count))) { $0 + Self.headCount($1.key) + $1.value.encodedCount }
    case .bool, .null: 1
    }
  }

  private func write(to output: inout [UInt8]) {
    switch self {
    case .unsigned(let value): Self.writeHead(0, value, to: &output)
    case .negative(let value):
      precondition(value < 0, "\(value) is not negative")
      Self.writeHead(1, UInt64(-1 - value), to: &output)
    case .bytes(let bytes):
      Self.writeHead(2, UInt64(bytes.count), to: &output)
      output += bytes
    case .text(let text):
      Self.writeHead(3, UInt64(text.utf8.count), to: &output)
      output += text.utf8
    case .array(let items):
      Self.writeHead(4, UInt64(items.count), to: &output)
      for item in items { item.write(to: &output) }
    case .map(let entries):
      Self.writeHead(5, UInt64(entries.count), to: &output)
      var last: UInt64?
      for entry in entries {
        if let last { precondition(entry.key > last, "map key \(entry.key) after \(last)") }
        last = entry.key
        Self.writeHead(0, entry.key, to: &output)
        entry.value.write(to: &output)
      }
    case .bool(let value): output.append(value ? 0xf5 : 0xf4)
    case .null: output.append(0xf6)
    }
  }

  private static func headCount(_ argument: UInt64) -> Int {
    switch argument {
    case 0..<24: 1
    case ...0xff: 2
    case ...0xffff: 3
    case ...0xffff_ffff: 5
    default: 9
    }
  }

  private static func writeHead(_ major: UInt8, _ argument: UInt64, to output: inout [UInt8]) {
    let count = headCount(argument) - 1
    let low: UInt8 =
      switch count {
      case 0: UInt8(argument)
      case 1: 24
      case 2: 25
      case 4: 26
      default: 27
      }
    output.append(major << 5 | low)
    for index in 0..<count { output.append(UInt8(truncatingIfNeeded: argument >> UInt64(8 * (count - 1 - index)))) }
  }
}
