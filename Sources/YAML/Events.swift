import CYAML

/// One event of libyaml, copied out of its memory.
struct Event {
  enum Kind {
    case streamStart, streamEnd, documentEnd, sequenceEnd, mappingEnd
    case documentStart(hasDirectives: Bool)
    case alias
    case scalar(text: String, isPlain: Bool)
    case sequenceStart, mappingStart
  }

  let kind: Kind
  let mark: Mark
  let hasAnchor: Bool
  let tag: String?
}

/// Owner of one libyaml parser and of the bytes that it reads. Any thread, one at a time; useless after its first
/// error.
@safe struct EventStream: ~Copyable {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let file: String

  /// `bytes` must be UTF-8 without a byte order mark.
  init(_ bytes: ArraySlice<UInt8>, file: String) {
    self.file = file
    unsafe input = .allocate(capacity: bytes.count)
    _ = unsafe input.initialize(fromContentsOf: bytes)
    unsafe parser = .allocate(capacity: 1)
    // It fails only for want of memory, and then nothing here can go on.
    precondition(unsafe yaml_parser_initialize(parser) == 1, "libyaml could not allocate a parser")
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
    unsafe input.deallocate()
  }

  mutating func next() throws(YAMLFault) -> Event {
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw fault() }
    defer { unsafe yaml_event_delete(&event) }
    let mark = unsafe place(event.start_mark)
    switch unsafe event.type {
    case YAML_DOCUMENT_START_EVENT:
      let start = unsafe event.data.document_start
      let directives =
        unsafe start.version_directive != nil || start.tag_directives.start != start.tag_directives.end
      return Event(kind: .documentStart(hasDirectives: directives), mark: mark, hasAnchor: false, tag: nil)
    case YAML_SCALAR_EVENT:
      let scalar = unsafe event.data.scalar
      let text = unsafe String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
      return unsafe Event(
        kind: .scalar(text: text, isPlain: isPlain), mark: mark, hasAnchor: scalar.anchor != nil,
        tag: string(scalar.tag)
      )
    case YAML_SEQUENCE_START_EVENT:
      let start = unsafe event.data.sequence_start
      return unsafe Event(kind: .sequenceStart, mark: mark, hasAnchor: start.anchor != nil, tag: string(start.tag))
    case YAML_MAPPING_START_EVENT:
      let start = unsafe event.data.mapping_start
      return unsafe Event(kind: .mappingStart, mark: mark, hasAnchor: start.anchor != nil, tag: string(start.tag))
    case YAML_ALIAS_EVENT: return Event(kind: .alias, mark: mark, hasAnchor: false, tag: nil)
    case YAML_STREAM_START_EVENT: return Event(kind: .streamStart, mark: mark, hasAnchor: false, tag: nil)
    case YAML_DOCUMENT_END_EVENT: return Event(kind: .documentEnd, mark: mark, hasAnchor: false, tag: nil)
    case YAML_SEQUENCE_END_EVENT: return Event(kind: .sequenceEnd, mark: mark, hasAnchor: false, tag: nil)
    case YAML_MAPPING_END_EVENT: return Event(kind: .mappingEnd, mark: mark, hasAnchor: false, tag: nil)
    default: return Event(kind: .streamEnd, mark: mark, hasAnchor: false, tag: nil)
    }
  }

  private func place(_ mark: yaml_mark_t) -> Mark {
    Mark(file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
  }

  private func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    guard let text = unsafe text else { return nil }
    return unsafe String(cString: text)
  }

  private func fault() -> YAMLFault {
    let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "the text cannot be read"
    if unsafe parser.pointee.error == YAML_READER_ERROR {
      let mark = unsafe Mark(file: file, offset: Int(parser.pointee.problem_offset), in: UnsafeBufferPointer(input))
      let value = unsafe parser.pointee.problem_value
      let seen = value > 0 ? " (U+\(hex(Int(value))))" : ""
      return YAMLFault(
        .controlCharacter, at: mark, "\(problem)\(seen)", remedy: "delete the character, or write it as an escape")
    }
    // libyaml counts the end of a text as one line more; the reader's editor does not.
    let end = unsafe Mark(file: file, offset: input.count, in: UnsafeBufferPointer(input))
    let seen = unsafe place(parser.pointee.problem_mark)
    let mark = seen.line > end.line ? end : seen
    guard let context = unsafe parser.pointee.context.map({ unsafe String(cString: $0) }) else {
      return YAMLFault(.syntax, at: mark, problem, remedy: Self.remedy(problem))
    }
    let from = unsafe place(parser.pointee.context_mark)
    return YAMLFault(
      .syntax, at: mark, "\(problem) \(context) (from \(from.line):\(from.column))", remedy: Self.remedy(problem))
  }

  private func hex(_ value: Int) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// libyaml's problem texts, by what the writer of the file usually did.
  private static func remedy(_ problem: String) -> String {
    switch problem {
    case "mapping values are not allowed in this context":
      "quote a value that contains \": \", or align this key with the keys above it"
    case "could not find expected ':'":
      "write the key as \"key: value\", with a space after the colon"
    case "found a tab character that violates indentation",
      "found a tab character where an indentation space is expected":
      "indent with spaces, never tabs"
    case "found character that cannot start any token":
      "indent with spaces, never tabs; quote a value that starts with @, % or `"
    case "found unexpected end of stream": "close the quote"
    case "did not find expected ',' or ']'": "close the list with ], or put a comma between its items"
    case "did not find expected ',' or '}'": "close the mapping with }, or put a comma between its entries"
    case "did not find expected key", "did not find expected '-' indicator":
      "align this line with the entries that it belongs to"
    case "found unknown escape character": "use single quotes, or write \\\\ for a backslash"
    default: "check the indentation, the brackets and the quotes around this place"
    }
  }
}

extension Mark {
  /// The place of the byte at `offset`, before which all is UTF-8; line ends as libyaml counts them (YAML 1.1 §5.4).
  init(file: String, offset: Int, in bytes: some Collection<UInt8>) {
    var line = 1
    var column = 1
    var previous: Unicode.Scalar = " "
    for scalar in String(decoding: bytes.prefix(offset), as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\n" where previous == "\r": break
      case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": (line, column) = (line + 1, 1)
      default: column += 1
      }
      previous = scalar
    }
    self.init(file: file, line: line, column: column)
  }
}
