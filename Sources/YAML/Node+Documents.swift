extension Node {
  /// Largest text read, in bytes: a site pack's files are thousands of times smaller.
  public static let bytesMax = 8 << 20
  /// Collections inside collections; also bounds the recursion here.
  public static let depthMax = 32
  /// Scalars, lists, mappings and keys in one text.
  public static let nodesMax = 500_000

  /// Every document of a text, in order; none when it has only comments.
  ///
  /// `file` is the name that marks show. Anchors, aliases, tags, directives, merge keys and repeated keys are refused:
  /// each lets a text mean something else than it shows. Throws the first fault in the order of the text, but encoding
  /// and size first.
  public static func documents(in bytes: [UInt8], file: String) throws(YAMLFault) -> [Node] {
    let start = Mark(file: file, line: 1, column: 1)
    guard bytes.count <= bytesMax else {
      throw YAMLFault(
        .tooLarge, at: start, "the text has \(bytes.count) bytes, at most \(bytesMax) are read",
        remedy: "split the file")
    }
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let text = bytes.starts(with: byteOrderMark) ? bytes[3...] : bytes[...]
    try checkEncoding(text, file: file)
    var builder = TreeBuilder(text, file: file)
    return try builder.documents()
  }

  /// Every document of a text that is already a String.
  public static func documents(in text: String, file: String) throws(YAMLFault) -> [Node] {
    try documents(in: Array(text.utf8), file: file)
  }

  private static func checkEncoding(_ text: ArraySlice<UInt8>, file: String) throws(YAMLFault) {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: text.span)
    } catch {
      let offset = error.byteOffsets.lowerBound
      throw YAMLFault(
        .notUTF8, at: Mark(file: file, offset: offset, in: text),
        "byte 0x\(String(text[text.startIndex + offset], radix: 16)) is not UTF-8", remedy: "save the file as UTF-8")
    }
    if let index = text.firstIndex(of: 0) {
      throw YAMLFault(
        .controlCharacter, at: Mark(file: file, offset: index - text.startIndex, in: text), "the text contains a NUL",
        remedy: "save the file as UTF-8 text")
    }
  }
}

/// Builds the trees of one text from its events.
private struct TreeBuilder: ~Copyable {
  private var events: EventStream
  private var nodes = 0

  init(_ text: ArraySlice<UInt8>, file: String) {
    events = EventStream(text, file: file)
  }

  mutating func documents() throws(YAMLFault) -> [Node] {
    var documents: [Node] = []
    // Ends: libyaml gives at most a few events for each byte, then the end of the stream.
    while true {
      let event = try events.next()
      switch event.kind {
      case .streamEnd: return documents
      case .documentStart(hasDirectives: true):
        throw YAMLFault(
          .directive, at: event.mark, "a %YAML or %TAG directive is not read here", remedy: "delete the % line")
      case .streamStart, .documentStart, .documentEnd: continue
      default: documents.append(try node(from: event, depth: 1))
      }
    }
  }

  private mutating func node(from event: Event, depth: Int) throws(YAMLFault) -> Node {
    try check(event)
    switch event.kind {
    case .scalar(let text, let isPlain):
      return .scalar(Scalar(text, isPlain: isPlain, at: event.mark))
    case .sequenceStart:
      try checkDepth(depth, at: event.mark)
      var items: [Node] = []
      while true {
        let next = try events.next()
        if case .sequenceEnd = next.kind { return .sequence(items, at: event.mark) }
        items.append(try node(from: next, depth: depth + 1))
      }
    case .mappingStart:
      try checkDepth(depth, at: event.mark)
      return .mapping(try mapping(at: event.mark, depth: depth))
    default: preconditionFailure("libyaml gave an event out of order")
    }
  }

  private mutating func mapping(at mark: Mark, depth: Int) throws(YAMLFault) -> Mapping {
    var entries: [Mapping.Entry] = []
    var firstLines: [String: Int] = [:]
    while true {
      let next = try events.next()
      if case .mappingEnd = next.kind { return Mapping(entries, at: mark) }
      let key = try key(from: next)
      if let line = firstLines.updateValue(key.mark.line, forKey: key.raw) {
        throw YAMLFault(
          .duplicateKey, at: key.mark, "key \(key.shown) is already given on line \(line)",
          remedy: "keep one of the two")
      }
      let value = try events.next()
      entries.append(Mapping.Entry(key: key, value: try node(from: value, depth: depth + 1)))
    }
  }

  private mutating func key(from event: Event) throws(YAMLFault) -> Scalar {
    try check(event)
    guard case .scalar(let text, let isPlain) = event.kind, !(isPlain && text.isEmpty) else {
      throw YAMLFault(
        .complexKey, at: event.mark, "a key is one piece of text, here it is a list, a mapping or nothing",
        remedy: "write \"key: value\"; quote a value that contains braces or brackets")
    }
    guard !(isPlain && text == "<<") else {
      throw YAMLFault(
        .mergeKey, at: event.mark, "the merge key << is not read here", remedy: "write the merged keys out")
    }
    return Scalar(text, isPlain: isPlain, at: event.mark)
  }

  private mutating func check(_ event: Event) throws(YAMLFault) {
    nodes += 1
    guard nodes <= Node.nodesMax else {
      throw YAMLFault(
        .tooManyNodes, at: event.mark, "the text has more than \(Node.nodesMax) values", remedy: "split the file")
    }
    if case .alias = event.kind {
      throw YAMLFault(
        .alias, at: event.mark, "an alias (*name) is not read here", remedy: "write the value out; quote a leading *")
    }
    guard !event.hasAnchor else {
      throw YAMLFault(
        .anchor, at: event.mark, "an anchor (&name) is not read here", remedy: "delete it; quote a leading &")
    }
    if let tag = event.tag {
      throw YAMLFault(
        .tag, at: event.mark, "the tag \"\(tag)\" is not read here", remedy: "delete it; quote a leading !")
    }
    if case .scalar(let text, _) = event.kind, text.utf8.contains(0) {
      throw YAMLFault(.controlCharacter, at: event.mark, "the value contains a NUL", remedy: "delete the \\0 escape")
    }
  }

  private func checkDepth(_ depth: Int, at mark: Mark) throws(YAMLFault) {
    guard depth <= Node.depthMax else {
      throw YAMLFault(
        .tooDeep, at: mark, "lists and mappings are nested more than \(Node.depthMax) deep",
        remedy: "flatten the structure; look for brackets that are never closed")
    }
  }
}
