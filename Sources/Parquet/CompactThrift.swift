// Thrift's compact protocol (thrift/doc/specs/thrift-compact-protocol.md), as far as Parquet's metadata need it:
//
//   struct         fields, then a byte 0
//   field          one byte (id - previous id) << 4 | type where the difference is 1 to 15, else a byte with the type
//                  and the id as a zigzag varint; then the value. A boolean's value is its type: 1 true, 2 false
//   i16 i32 i64    zigzag varint
//   binary         varint of the length, then the bytes
//   list           one byte size << 4 | type where the size is below 15, else 0xF0 | type and a varint; then the
//                  elements

/// Writes one struct with all that is in it.
struct CompactThrift {
  enum Kind: UInt8 {
    case i16 = 4
    case i32 = 5
    case i64 = 6
    case binary = 8
    case list = 9
    case structure = 12
  }

  private(set) var bytes: [UInt8] = []
  /// The last field's id of the struct that is open, and of those around it.
  private var identifiers: [Int16] = [0]

  /// A whole struct at the top, closed.
  static func structure(_ body: (inout CompactThrift) -> Void) -> [UInt8] {
    var writer = CompactThrift()
    body(&writer)
    writer.bytes.append(0)
    return writer.bytes
  }

  mutating func boolean(_ id: Int16, _ value: Bool) { header(id, value ? 1 : 2) }

  mutating func i16(_ id: Int16, _ value: Int16) {
    header(id, Kind.i16.rawValue)
    bytes.appendZigzag(Int64(value))
  }

  mutating func i32(_ id: Int16, _ value: Int32) {
    header(id, Kind.i32.rawValue)
    bytes.appendZigzag(Int64(value))
  }

  mutating func i64(_ id: Int16, _ value: Int64) {
    header(id, Kind.i64.rawValue)
    bytes.appendZigzag(value)
  }

  mutating func binary(_ id: Int16, _ value: [UInt8]) {
    header(id, Kind.binary.rawValue)
    element(value)
  }

  mutating func string(_ id: Int16, _ value: String) { binary(id, Array(value.utf8)) }

  mutating func structure(_ id: Int16, _ body: (inout CompactThrift) -> Void) {
    header(id, Kind.structure.rawValue)
    element(body)
  }

  mutating func structures<Value>(
    _ id: Int16, _ values: some Collection<Value>, _ body: (inout CompactThrift, Value) -> Void
  ) {
    list(id, count: values.count, .structure)
    for value in values { element { body(&$0, value) } }
  }

  mutating func i32s(_ id: Int16, _ values: [Int32]) {
    list(id, count: values.count, .i32)
    for value in values { bytes.appendZigzag(Int64(value)) }
  }

  mutating func strings(_ id: Int16, _ values: [String]) {
    list(id, count: values.count, .binary)
    for value in values { element(Array(value.utf8)) }
  }

  private mutating func list(_ id: Int16, count: Int, _ kind: Kind) {
    header(id, Kind.list.rawValue)
    if count < 15 {
      bytes.append(UInt8(count) << 4 | kind.rawValue)
    } else {
      bytes.append(0xF0 | kind.rawValue)
      bytes.appendVarint(UInt64(count))
    }
  }

  private mutating func element(_ value: [UInt8]) {
    bytes.appendVarint(UInt64(value.count))
    bytes += value
  }

  private mutating func element(_ body: (inout CompactThrift) -> Void) {
    identifiers.append(0)
    body(&self)
    identifiers.removeLast()
    bytes.append(0)
  }

  private mutating func header(_ id: Int16, _ type: UInt8) {
    let last = identifiers[identifiers.count - 1]
    precondition(id > last, "fields are written in rising order")
    if id - last <= 15 {
      bytes.append(UInt8(id - last) << 4 | type)
    } else {
      bytes.append(type)
      bytes.appendZigzag(Int64(id))
    }
    identifiers[identifiers.count - 1] = id
  }
}
