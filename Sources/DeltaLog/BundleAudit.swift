import Provenance
import Seams
import Sodium
import TwinCore

/// Takes the records of a bundle in order; everything that a bundle promises is checked here.
struct BundleAudit: ~Copyable {
  private static let epochsMax = 4096
  private static let trustItemsMax = 1024
  private static let trustBytesMax = 16 << 20

  private(set) var report = AuditReport()
  private(set) var isEnded = false
  /// Where the present record begins.
  var offset: Int64 = 0

  private var hash = Blake2b()
  private var records: UInt64 = 0
  private var trustItems: [[UInt8]] = []
  private var trust: AuditBundle.Trust?
  /// How the present epoch ended, by its record, and what its first entry must say of the one before.
  private var closed: EpochLink?
  private var linkBefore: EpochLink?
  private var openedMs: Int64 = 0
  private var stream: OpenStream?
  /// What the present epoch's audit stream, which comes first, declares of all of its streams.
  private var gaps: [GapDeclaration] = []
  /// Ends of the present epoch's streams.
  private var ends: [LogStream: LogPoint] = [:]

  /// The stream whose entries come.
  private struct OpenStream {
    let stream: LogStream
    let origin: String
    let next: UInt64
    var head: LogHead
    var missing: [Range<UInt64>] = []
  }

  init() { hash.update(AuditBundle.magic) }

  mutating func note(_ what: String, _ place: BundlePlace) {
    var problem = AuditReport.Problem(offset: offset, what: what)
    if place != .file {
      problem.epoch = report.epochs.last?.epoch
      problem.stream = stream?.stream
    }
    if place == .entry, let stream, stream.head.next < stream.next { problem.sequence = stream.head.next }
    report.problem = problem
  }

  mutating func take(
    _ record: [UInt8], prove: ([[UInt8]]) throws -> AuditBundle.Trust
  ) throws(BundleStop) {
    var fields = try reading { () throws(ProvenanceFault) in
      try CBORItem.decode(Array(record.dropFirst(4)), limits: AuditBundle.limits).fields("record")
    }
    let number = try reading { () throws(ProvenanceFault) in try fields.unsigned(0) }
    guard let tag = AuditBundle.Tag(rawValue: number) else { throw .problem("a record of unknown kind \(number)") }
    guard (tag == .header) == (records == 0) else { throw .problem("the header is not the first record") }
    if tag.rawValue > AuditBundle.Tag.trust.rawValue, trust == nil { try settleTrust(prove) }
    switch tag {
    case .header: try takeHeader(&fields)
    case .trust: try takeTrust(&fields)
    case .epoch: try takeEpoch(&fields)
    case .stream: try takeStream(&fields)
    case .entry: try takeEntry(&fields)
    case .checkpoint: try takeCheckpoint(&fields)
    case .end: try takeEnd(&fields)
    }
    hash.update(record)
    records += 1
  }

  private mutating func takeHeader(_ fields: inout CBORFields) throws(BundleStop) {
    let text = try reading { () throws(ProvenanceFault) in
      _ = try fields.integer(2)
      return try fields.text(1, max: 64)
    }
    try finish(&fields)
    guard let site = SiteName(text) else { throw .problem("\"\(text)\" is no site's name", .file) }
    report.site = site
  }

  private mutating func takeTrust(_ fields: inout CBORFields) throws(BundleStop) {
    guard trust == nil else { throw .problem("trust after the first epoch", .file) }
    trustItems.append(
      try reading { () throws(ProvenanceFault) in try fields.bytes(1, max: AuditBundle.recordBytesMax) })
    try finish(&fields)
    guard trustItems.count <= Self.trustItemsMax, trustItems.reduce(0, { $0 + $1.count }) <= Self.trustBytesMax else {
      throw .problem("more trust items than may be", .file)
    }
  }

  private mutating func settleTrust(_ prove: ([[UInt8]]) throws -> AuditBundle.Trust) throws(BundleStop) {
    let proven: AuditBundle.Trust
    do { proven = try prove(trustItems) } catch { throw .problem("the trust items prove no keys: \(error)", .file) }
    guard proven.site == report.site else {
      throw .problem("keys of \(proven.site) are proven, the bundle is of another site", .file)
    }
    trust = proven
    trustItems = []
  }

  // MARK: Epochs and streams

  private mutating func takeEpoch(_ fields: inout CBORFields) throws(BundleStop) {
    try endEpoch()
    let (id, prev, opened, link) = try reading { () throws(ProvenanceFault) in
      (
        try fields.bytes(1, count: 16), try fields.bytesIfPresent(2, count: 16), try fields.integer(3),
        try fields.bytesIfPresent(4, max: 4096)
      )
    }
    try finish(&fields)
    guard let epoch = LogEpoch(bytes: id), report.epochs.count < Self.epochsMax,
      !report.epochs.contains(where: { $0.epoch == epoch })
    else { throw .problem("an epoch that was here before, or one too many", .file) }
    let previous = prev.flatMap { LogEpoch(bytes: $0) }
    linkBefore = nil
    if let last = report.epochs.last {
      guard previous == last.epoch, let closed else {
        throw .problem("epoch \(epoch.hex.prefix(8)) does not follow a closed one", .file)
      }
      linkBefore = closed
    }
    closed = nil
    if let link {
      closed = try reading { () throws(ProvenanceFault) in try EpochLink(body: link) }
      guard closed?.epoch == epoch else { throw .problem("the closing of another epoch", .file) }
    }
    (openedMs, ends, gaps) = (opened, [:], [])
    report.epochs.append(AuditReport.Epoch(epoch: epoch, previous: previous, isClosed: closed != nil))
  }

  /// What the epoch's closing says must be what its streams came to.
  private mutating func endEpoch() throws(BundleStop) {
    try endStream()
    guard !report.epochs.isEmpty else { return }
    guard ends[.audit] != nil else { throw .problem("an epoch without its audit stream", .stream) }
    guard let closed else { return }
    for (stream, head) in zip(LogStream.allCases, closed.heads) {
      let end = ends[stream] ?? LogPoint(size: 0, chain: .zero, root: Merkle.emptyRoot)
      guard end == head else {
        throw .problem("\(stream.name) ends at \(end.size), not as the epoch was closed at \(head.size)", .stream)
      }
    }
  }

  private mutating func takeStream(_ fields: inout CBORFields) throws(BundleStop) {
    try endStream()
    guard let epoch = report.epochs.last?.epoch, let site = report.site else {
      throw .problem("a stream before any epoch", .file)
    }
    let (number, first, chain, items, next) = try reading { () throws(ProvenanceFault) in
      (
        try fields.number(1, as: UInt8.self), try fields.unsigned(2), try fields.digest(3),
        try fields.array(4, max: 64),
        try fields.unsigned(5)
      )
    }
    try finish(&fields)
    var nodes: [Digest] = []
    for item in items { nodes.append(try reading { () throws(ProvenanceFault) in try item.asDigest() }) }
    guard let stream = LogStream(rawValue: number),
      report.epochs.last?.streams.last.map({ $0.stream < stream }) ?? true,
      first % TreeEdge.width == 0, first <= next, next > 0, next <= LogSchema.sequenceMax, first > 0 || chain == .zero,
      let frontier = MerkleFrontier(size: first, nodes: nodes)
    else { throw .problem("a stream that cannot be: \(number), \(first) to \(next)", .stream) }
    let head = LogHead(epoch: epoch, stream: stream, chain: chain, frontier: frontier)
    let origin = Checkpoint.origin(site: site, stream: stream, epoch: epoch)
    self.stream = OpenStream(stream: stream, origin: origin, next: next, head: head)
    report.epochs[report.epochs.count - 1].streams.append(AuditReport.Stream(stream: stream, first: first, next: next))
  }

  private mutating func endStream() throws(BundleStop) {
    guard let stream else { return }
    guard stream.head.next == stream.next else {
      throw .problem("missing: \(stream.stream.name) goes on to \(stream.next)")
    }
    ends[stream.stream] = LogPoint(size: stream.next, chain: stream.head.chain, root: stream.head.root)
    let epoch = report.epochs.count - 1
    let declared = gaps.filter { $0.stream == stream.stream }.map { $0.from..<$0.to }
    let index = report.epochs[epoch].streams.count - 1
    report.epochs[epoch].streams[index].redacted = stream.missing.without(declared)
    report.epochs[epoch].streams[index].gaps = declared
    self.stream = nil
  }

  // MARK: Entries

  private mutating func takeEntry(_ fields: inout CBORFields) throws(BundleStop) {
    guard var stream, stream.head.next < stream.next else { throw .problem("an entry where none is expected", .stream) }
    let (bytes, chain, body) = try reading { () throws(ProvenanceFault) in
      (
        try fields.bytes(1, max: LogEntry.bytesMax), try fields.digest(2),
        try fields.bytesIfPresent(3, max: AuditBundle.recordBytesMax)
      )
    }
    try finish(&fields)
    let entry = try reading { () throws(ProvenanceFault) in try LogEntry(bytes) }
    let sequence = stream.head.next
    guard entry.sequence == sequence else { throw .problem("the entry says that it is \(entry.sequence)") }
    var head = stream.head
    head.append(bytes)
    guard head.chain == chain else { throw .problem("the entry is not what its chain says") }
    if let body {
      guard body.count == Int(entry.bodyLength), Sodium.blake2b256(body) == entry.bodyDigest else {
        throw .problem("the body is not what its entry says")
      }
      try takeMeaning(entry, body, stream)
    } else if stream.stream == .audit, entry.kind == .epochOpened || entry.kind == .gapDeclared {
      throw .problem("an entry about the log itself has no body")
    } else if let last = stream.missing.last, last.upperBound == sequence {
      stream.missing[stream.missing.count - 1] = last.lowerBound..<sequence + 1
    } else if stream.missing.count < AuditReport.rangesMax {
      stream.missing.append(sequence..<sequence + 1)
    } else {
      report.isCut = true
    }
    stream.head = head
    self.stream = stream
    report.entries += 1
  }

  /// Entries that speak of the log itself.
  private mutating func takeMeaning(
    _ entry: LogEntry, _ body: [UInt8], _ stream: OpenStream
  ) throws(BundleStop) {
    guard stream.stream == .audit else { return }
    guard (entry.kind == .epochOpened) == (entry.sequence == 0) else {
      throw .problem("an epoch opens with its first audit entry and no other")
    }
    if entry.kind == .gapDeclared {
      let gap = try reading { () throws(ProvenanceFault) in try GapDeclaration(body: body) }
      if gaps.count < AuditReport.rangesMax { gaps.append(gap) } else { report.isCut = true }
    }
    guard entry.kind == .epochOpened else { return }
    let link = try reading { () throws(ProvenanceFault) in try EpochLink(body: body) }
    guard link?.epoch == report.epochs.last?.previous, report.epochs.count == 1 || link == linkBefore,
      entry.wall == openedMs
    else { throw .problem("the epoch was opened otherwise than its record says") }
  }

  private mutating func takeCheckpoint(_ fields: inout CBORFields) throws(BundleStop) {
    guard let stream, let trust else { throw .problem("a checkpoint outside of any stream", .file) }
    let (note, checkpoint) = try reading { () throws(ProvenanceFault) in
      let note = try SignedNote(parse: try fields.text(1, max: SignedNote.bytesMax))
      return (note, try Checkpoint(body: note.text))
    }
    try finish(&fields)
    let index = report.epochs.count - 1
    let last = report.epochs[index].streams.count - 1
    guard checkpoint.origin == stream.origin else { throw .problem("a checkpoint of another log", .stream) }
    let isBefore = checkpoint.size < stream.head.next && stream.head.next == report.epochs[index].streams[last].first
    guard isBefore || checkpoint.size == stream.head.next else {
      throw .problem("a checkpoint of \(checkpoint.size) entries after \(stream.head.next)", .stream)
    }
    guard isBefore || checkpoint.root == stream.head.root else {
      throw .problem("the entries below \(checkpoint.size) are not those of their checkpoint", .stream)
    }
    // A line that names a known key must be that key's; lines of others say nothing.
    var (isSigned, isCosigned) = (false, false)
    for key in trust.siteKeys {
      isSigned =
        try verified(by: stream.origin) { () throws(ProvenanceFault) in
          try note.verify(name: stream.origin, key: key)
        } || isSigned
    }
    let text = note.encode()
    for (name, key) in trust.cosigners {
      isCosigned =
        try verified(by: name) { () throws(ProvenanceFault) in
          try Checkpoint.verifyCosignature(of: text, name: name, key: key)
        } || isCosigned
    }
    guard isSigned || isCosigned else { throw .problem("a checkpoint that no known key has signed", .stream) }
    var line = report.epochs[index].streams[last]
    if isSigned { line.signed = max(line.signed, checkpoint.size) }
    if isCosigned { line.cosigned = max(line.cosigned, checkpoint.size) }
    report.epochs[index].streams[last] = line
  }

  /// False where the key has no line.
  private func verified(by name: String, _ body: () throws(ProvenanceFault) -> Void) throws(BundleStop) -> Bool {
    do throws(ProvenanceFault) {
      try body()
      return true
    } catch {
      guard error.kind == .signerUnknown else { throw .problem("\(name): \(error.message)", .stream) }
      return false
    }
  }

  private mutating func takeEnd(_ fields: inout CBORFields) throws(BundleStop) {
    try endEpoch()
    let (count, digest) = try reading { () throws(ProvenanceFault) in
      (try fields.unsigned(1), try fields.digest(2))
    }
    try finish(&fields)
    var done = Blake2b()
    swap(&done, &hash)
    guard count == records, digest == done.finish() else {
      throw .problem("the file is not the one that was written: its digest is another", .file)
    }
    isEnded = true
  }
}

extension [Range<UInt64>] {
  /// What is left of these ranges, which ascend, without others; in the time that sorting takes.
  fileprivate func without(_ others: [Range<UInt64>]) -> [Range<UInt64>] {
    var holes: [Range<UInt64>] = []
    for other in others.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = holes.last, other.lowerBound <= last.upperBound {
        holes[holes.count - 1] = last.lowerBound..<Swift.max(last.upperBound, other.upperBound)
      } else {
        holes.append(other)
      }
    }
    var (left, hole): ([Range<UInt64>], Int) = ([], 0)
    for range in self {
      var from = range.lowerBound
      while from < range.upperBound, hole < holes.count, holes[hole].lowerBound < range.upperBound {
        if from < holes[hole].lowerBound { left.append(from..<holes[hole].lowerBound) }
        from = Swift.max(from, holes[hole].upperBound)
        // A hole that goes on beyond this range is still there for the next one.
        if holes[hole].upperBound > range.upperBound { break }
        hole += 1
      }
      if from < range.upperBound { left.append(from..<range.upperBound) }
    }
    return left
  }
}

/// Before anything of a record is believed.
private func finish(_ fields: inout CBORFields) throws(BundleStop) {
  do throws(ProvenanceFault) { try fields.finish() } catch { throw .problem(error.message) }
}

private func reading<Result>(_ body: () throws(ProvenanceFault) -> Result) throws(BundleStop) -> Result {
  do throws(ProvenanceFault) { return try body() } catch { throw .problem(error.message) }
}
