/// Why bytes are not an item of the subset; the raw value is the reject corpus's name for it.
enum CBORProblem: String, CaseIterable, Error {
  case tooLong = "too_long"
  case truncated
  case trailing
  case notShortest = "not_shortest"
  case indefinite
  case reserved
  case tag
  case simple
  case float
  case tooNegative = "too_negative"
  case utf8
  case keyType = "key_type"
  case keyOrder = "key_order"
  case keyTwice = "key_twice"
  case tooDeep = "too_deep"
  case tooMany = "too_many"

  var text: String {
    switch self {
    case .tooLong: "more bytes than a message may have"
    case .truncated: "the bytes end inside an item"
    case .trailing: "bytes after the item"
    case .notShortest: "an argument in more bytes than it needs"
    case .indefinite: "an indefinite length"
    case .reserved: "a reserved form"
    case .tag: "a tag"
    case .simple: "a simple value other than false, true and null"
    case .float: "a float"
    case .tooNegative: "a negative integer below -2^63"
    case .utf8: "text that is not UTF-8"
    case .keyType: "a map key that is no unsigned integer"
    case .keyOrder: "map keys that do not ascend"
    case .keyTwice: "a map key twice"
    case .tooDeep: "containers inside each other beyond the limit"
    case .tooMany: "more items than a message may have"
    }
  }
}

extension CBORItem {
  /// Reads one item that takes all of `bytes`.
  ///
  /// What is allocated stays in proportion to `bytes`, whatever lengths they claim. Faults:
  /// `provenance.message_malformed`, `provenance.message_too_large`.
  public static func decode(
    _ bytes: [UInt8], limits: CBORLimits = .message
  ) throws(ProvenanceFault) -> CBORItem {
    guard bytes.count <= limits.bytes else { throw .messageTooLarge(bytes.count, limits.bytes) }
    var reader = CBORReader(bytes, limits)
    do throws(CBORProblem) {
      let item = try reader.item(depth: 0)
      guard reader.position == bytes.count else { throw .trailing }
      return item
    } catch {
      throw .messageMalformed("byte \(reader.position)", error.text)
    }
  }

  /// What is wrong with `bytes`, nil if nothing.
  static func problem(_ bytes: [UInt8], limits: CBORLimits = .message) -> CBORProblem? {
    guard bytes.count <= limits.bytes else { return .tooLong }
    var reader = CBORReader(bytes, limits)
    do throws(CBORProblem) {
      _ = try reader.item(depth: 0)
      return reader.position == bytes.count ? nil : .trailing
    } catch {
      return error
    }
  }
}

private struct CBORReader {
  private let bytes: [UInt8]
  private let limits: CBORLimits
  private(set) var position = 0
  private var itemsLeft: Int

  init(_ bytes: [UInt8], _ limits: CBORLimits) {
    (self.bytes, self.limits, itemsLeft) = (bytes, limits, limits.items)
  }

  /// `depth` is the number of containers around the item.
  mutating func item(depth: Int) throws(CBORProblem) -> CBORItem {
    let (major, argument) = try head()
    switch major {
    case 0: return .unsigned(argument)
    case 1:
      guard let value = Int64(exactly: argument) else { throw .tooNegative }
      return .negative(-1 - value)
    case 2: return .bytes(Array(try take(argument)))
    case 3:
      guard let text = String(validating: try take(argument), as: UTF8.self) else { throw .utf8 }
      return .text(text)
    case 4: return try array(argument, depth: depth)
    case 5: return try map(argument, depth: depth)
    case 6: throw .tag
    default:
      switch argument {
      case 20: return .bool(false)
      case 21: return .bool(true)
      case 22: return .null
      default: throw .simple
      }
    }
  }

  private mutating func array(_ claimed: UInt64, depth: Int) throws(CBORProblem) -> CBORItem {
    let count = try room(claimed, bytesEach: 1, depth: depth)
    var items: [CBORItem] = []
    items.reserveCapacity(count)
    for _ in 0..<count { items.append(try item(depth: depth + 1)) }
    return .array(items)
  }

  private mutating func map(_ claimed: UInt64, depth: Int) throws(CBORProblem) -> CBORItem {
    let count = try room(claimed, bytesEach: 2, depth: depth)
    var entries: [CBORMapEntry] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let (major, key) = try head()
      guard major == 0 else { throw .keyType }
      if let last = entries.last?.key {
        guard key != last else { throw .keyTwice }
        guard key > last else { throw .keyOrder }
      }
      entries.append(CBORMapEntry(key: key, value: try item(depth: depth + 1)))
    }
    return .map(entries)
  }

  /// The claimed count, if the bytes and items left can hold it.
  private func room(_ claimed: UInt64, bytesEach: UInt64, depth: Int) throws(CBORProblem) -> Int {
    guard depth < limits.depth else { throw .tooDeep }
    guard claimed <= UInt64(bytes.count - position) / bytesEach else { throw .truncated }
    guard claimed <= UInt64(itemsLeft) / bytesEach else { throw .tooMany }
    return Int(claimed)
  }

  private mutating func head() throws(CBORProblem) -> (major: UInt8, argument: UInt64) {
    guard itemsLeft > 0 else { throw .tooMany }
    guard position < bytes.count else { throw .truncated }
    let first = bytes[position]
    let (major, low) = (first >> 5, first & 31)
    if major == 7, low > 23 { throw low == 24 ? .simple : low < 28 ? .float : low == 31 ? .indefinite : .reserved }
    guard low < 28 else { throw low == 31 && (2...5).contains(major) ? .indefinite : .reserved }
    itemsLeft -= 1
    guard low >= 24 else {
      position += 1
      return (major, UInt64(low))
    }
    let count = 1 << Int(low - 24)
    guard bytes.count - position > count else { throw .truncated }
    var argument: UInt64 = 0
    for index in 1...count { argument = argument << 8 | UInt64(bytes[position + index]) }
    let least: UInt64 = count == 1 ? 24 : 1 << UInt64(4 * count)
    guard argument >= least else { throw .notShortest }
    position += 1 + count
    return (major, argument)
  }

  private mutating func take(_ claimed: UInt64) throws(CBORProblem) -> ArraySlice<UInt8> {
    guard claimed <= UInt64(bytes.count - position) else { throw .truncated }
    let start = position
    position += Int(claimed)
    return bytes[start..<position]
  }
}

extension ProvenanceFault {
  /// `place` names the field, as `batch.3`.
  static func messageMalformed(_ place: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .messageMalformed, path: place, "\(place): \(problem)",
      remedy: "check that the sender runs a release that speaks the same protocol")
  }

  static func messageTooLarge(_ seen: Int, _ max: Int) -> ProvenanceFault {
    ProvenanceFault(
      .messageTooLarge, path: "message", "a message of \(seen) bytes, wanted at most \(max)",
      remedy: "check the sender; nothing of it was read")
  }
}
