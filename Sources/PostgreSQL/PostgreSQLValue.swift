// Values as the server's binary formats have them; all numbers are big-endian.
//
//   integer      int8: 8 bytes, two's complement
//   text         its UTF-8, no end mark
//   bytes        bytea: as they are
//   array        int4 dimensions (1, or 0 when empty), int4 whether NULL may occur, int4 type of the elements; where
//                not empty int4 count, int4 1 (the first index); then every element as int4 length (−1: NULL) and its
//                bytes

/// A parameter of a statement. All but `text` travel in binary.
public enum PostgreSQLValue: Equatable, Sendable {
  case null
  case integer(Int64)
  case text(String)
  case bytes([UInt8])
  /// `int8[]`, for `unnest`.
  case integers([Int64])
  /// `bytea[]`, for `unnest`.
  case blobs([[UInt8]?])
}

/// Parameters one after another in one piece of memory.
struct ParameterBuffer {
  private(set) var bytes: [UInt8] = []
  /// Offset and length of each; nil is NULL.
  private(set) var places: [(offset: Int, count: Int)?] = []

  private static let (integerType, bytesType): (Int32, Int32) = (20, 17)

  init(_ values: [PostgreSQLValue]) {
    places.reserveCapacity(values.count)
    for value in values {
      let start = bytes.count
      switch value {
      case .null:
        places.append(nil)
        continue
      case .integer(let number): append(number)
      case .text(let text): bytes.append(contentsOf: text.utf8)
      case .bytes(let raw): bytes.append(contentsOf: raw)
      case .integers(let numbers):
        appendHead(count: numbers.count, type: Self.integerType, hasNull: false)
        for number in numbers {
          append(Int32(8))
          append(number)
        }
      case .blobs(let blobs):
        bytes.reserveCapacity(bytes.count + blobs.reduce(20) { $0 + 4 + ($1?.count ?? 0) })
        appendHead(count: blobs.count, type: Self.bytesType, hasNull: blobs.contains { $0 == nil })
        for blob in blobs {
          append(Int32(blob?.count ?? -1))
          if let blob { bytes.append(contentsOf: blob) }
        }
      }
      places.append((start, bytes.count - start))
    }
  }

  private mutating func appendHead(count: Int, type: Int32, hasNull: Bool) {
    append(Int32(count == 0 ? 0 : 1))
    append(Int32(hasNull ? 1 : 0))
    append(type)
    guard count > 0 else { return }
    append(Int32(count))
    append(Int32(1))
  }

  private mutating func append(_ number: some FixedWidthInteger) {
    var shift = number.bitWidth
    while shift > 0 {
      shift -= 8
      bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}
