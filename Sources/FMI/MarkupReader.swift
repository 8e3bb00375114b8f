/// Reads the tags of an XML document with their attributes, strictly and within bounds; text between tags is passed
/// over. For what tools write: no document type, no entities but the five of XML and numbers.
struct MarkupReader {
  enum Event: Equatable {
    case open(String, [String: String])
    case close(String)
  }

  static let depthMax = 64
  static let attributesMax = 64
  static let valueBytesMax = 1 << 14

  private let bytes: [UInt8]
  private var at = 0
  private var line = 1
  private var path: [String] = []
  private var pendingClose: String?
  private var isRooted = false

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Nil after the root's end. Errors: `fmi.malformed`.
  mutating func next() throws(FMIFault) -> Event? {
    if let name = pendingClose {
      pendingClose = nil
      path.removeLast()
      return .close(name)
    }
    while true {
      while at < bytes.count, bytes[at] != UInt8(ascii: "<") { step() }
      guard at < bytes.count else {
        guard path.isEmpty, isRooted else { throw fault("the document ends within \(path.last ?? "nothing")") }
        return nil
      }
      if take("<!--") {
        try skip(past: "-->")
      } else if take("<![CDATA[") {
        try skip(past: "]]>")
      } else if take("<?") {
        try skip(past: "?>")
      } else if take("<!") {
        throw fault("a document type, which is not read")
      } else if take("</") {
        return try closing()
      } else {
        step()
        return try opening()
      }
    }
  }

  private mutating func closing() throws(FMIFault) -> Event {
    let name = try name()
    skipSpace()
    guard take(">") else { throw fault("no > after </\(name)") }
    guard path.popLast() == name else { throw fault("</\(name)> closes nothing") }
    return .close(name)
  }

  private mutating func opening() throws(FMIFault) -> Event {
    guard !isRooted || !path.isEmpty else { throw fault("a second root") }
    isRooted = true
    let name = try name()
    var attributes: [String: String] = [:]
    while true {
      let before = at
      skipSpace()
      let isEmpty = take("/>")
      if isEmpty || take(">") {
        path.append(name)
        guard path.count <= Self.depthMax else { throw fault("tags lie deeper than \(Self.depthMax)") }
        if isEmpty { pendingClose = name }
        return .open(name, attributes)
      }
      guard at > before else { throw fault("\(name) does not end") }
      let key = try self.name()
      skipSpace()
      guard take("=") else { throw fault("attribute \(key) has no value") }
      skipSpace()
      guard attributes.updateValue(try value(), forKey: key) == nil else { throw fault("attribute \(key) twice") }
      guard attributes.count <= Self.attributesMax else { throw fault("\(name) has too many attributes") }
    }
  }

  private mutating func name() throws(FMIFault) -> String {
    let start = at
    while at < bytes.count, Self.isName(bytes[at]) { at += 1 }
    guard at > start, at - start <= 256 else { throw fault("no name where one should be") }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private mutating func value() throws(FMIFault) -> String {
    guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'") else {
      throw fault("a value without quotes")
    }
    let quote = bytes[at]
    at += 1
    var text: [UInt8] = []
    while at < bytes.count, bytes[at] != quote {
      guard bytes[at] != UInt8(ascii: "<") else { throw fault("a < within a value") }
      guard text.count < Self.valueBytesMax else { throw fault("a value is too long") }
      if bytes[at] == UInt8(ascii: "&") {
        text += try entity()
      } else {
        text.append(bytes[at])
        step()
      }
    }
    guard at < bytes.count else { throw fault("a value does not end") }
    at += 1
    guard let value = String(validating: text, as: UTF8.self) else { throw fault("a value is not UTF-8") }
    return value
  }

  private mutating func entity() throws(FMIFault) -> [UInt8] {
    let start = at + 1
    while at < bytes.count, bytes[at] != UInt8(ascii: ";"), at - start < 10 { at += 1 }
    guard at < bytes.count, bytes[at] == UInt8(ascii: ";") else { throw fault("an & that begins no entity") }
    let name = String(decoding: bytes[start..<at], as: UTF8.self)
    at += 1
    let known = ["lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'"]
    if let character = known[name] { return Array(character.utf8) }
    let number =
      name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
    guard let number, let scalar = Unicode.Scalar(number) else { throw fault("entity &\(name); is not known") }
    return Array(String(scalar).utf8)
  }

  private mutating func skip(past end: StaticString) throws(FMIFault) {
    while at < bytes.count {
      if take(end) { return }
      step()
    }
    throw fault("\(end) is missing")
  }

  private mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { step() }
  }

  private mutating func step() {
    if bytes[at] == 0x0A { line += 1 }
    at += 1
  }

  private mutating func take(_ word: StaticString) -> Bool {
    let word = Array("\(word)".utf8)
    guard bytes.count - at >= word.count, bytes[at..<at + word.count].elementsEqual(word) else { return false }
    at += word.count
    return true
  }

  private func fault(_ what: String) -> FMIFault { .malformed(what, line: line) }

  /// Letters, digits and the signs of names; bytes of other alphabets are let through.
  private static func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x80...: true
    default: false
    }
  }
}
