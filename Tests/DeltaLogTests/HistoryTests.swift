import DeltaLog
import Provenance
import Simulation
import Sodium
import Testing
import TwinCore

@Suite struct `A log over random histories` {
  /// Appends, acknowledges, checkpoints and reopens; compares with the list after each.
  @Test func `says what a plain list of its entries says, wherever it is opened again`() throws {
    for seed in Seeds.list(short: 3, long: 200) {
      var random = SeededRandom(seed: seed)
      let place = Place()
      var bodies: [Digest: [UInt8]] = [:]
      var log: DeltaLog? = try place.open { bodies[$0.bodyDigest] }
      var naive = try NaiveLog.of(#require(log))
      for step in 0..<60 {
        switch random.below(10) {
        case 0..<6:
          let drafts = (0..<1 + random.below(random.chance(0.1) ? 300 : 6)).map { _ in
            let stream = LogStream(rawValue: UInt8(random.below(5)))!
            let body = random.bytes(random.below(random.chance(0.1) ? 9000 : 80))
            if stream == .features, random.chance(0.7) {
              bodies[Sodium.blake2b256(body)] = body
              return LogDraft(
                .features, .featureSegment, .reference(Sodium.blake2b256(body), length: UInt32(body.count)))
            }
            return LogDraft(stream, .audit, body)
          }
          place.clock.advance(seconds: 1)
          let sequences = try log!.add(drafts, place.clock)
          for (draft, sequence) in zip(drafts, sequences) {
            let index = Int(draft.stream.rawValue)
            #expect(sequence == UInt64(naive.rows[index].count), "seed \(seed)")
            let (digest, body): (Digest, [UInt8]) =
              switch draft.body {
              case .bytes(let bytes): (Sodium.blake2b256(bytes), bytes)
              case .reference(let digest, _): (digest, bodies[digest]!)
              }
            let entry = LogEntry(
              sequence: sequence, kind: draft.kind, wall: place.clock.instant.nanoseconds / 1_000_000,
              uptime: place.clock.uptime.nanoseconds / 1_000_000, boot: testBoot, bodyDigest: digest,
              bodyLength: UInt32(body.count), keyEpoch: 1)
            naive.rows[index].append(NaiveLog.Row(entry: entry.bytes, body: body))
          }
        case 6:
          let stream = LogStream(rawValue: UInt8(random.below(5)))!
          let next = naive.rows[Int(stream.rawValue)].count
          let safe = UInt64(random.below(next + 1))
          let before = log!.head(stream).safe
          try log!.acknowledge(stream, safe: safe, cosignature: nil)
          #expect(log!.head(stream).safe == max(before, safe), "seed \(seed)")
        case 7: for stream in log!.checkpointsDue { try log!.checkpoint(stream, by: testKey()) }
        default:
          let states = LogStream.allCases.map { log!.head($0) }
          log = nil
          log = try place.open { bodies[$0.bodyDigest] }
          #expect(LogStream.allCases.map { log!.head($0) } == states, "seed \(seed), step \(step)")
        }
        try Self.compare(log!, naive, &random, "seed \(seed), step \(step)")
      }
      #expect(try log?.verify() == nil, "seed \(seed)")
    }
  }

  private static func compare(
    _ log: DeltaLog, _ naive: NaiveLog, _ random: inout SeededRandom, _ what: Comment
  ) throws {
    for stream in LogStream.allCases {
      let rows = naive.rows[Int(stream.rawValue)]
      let state = log.head(stream)
      let point = naive.point(stream, rows.count)
      #expect(state.next == UInt64(rows.count) && state.chain == point.chain && state.root == point.root, what)
      let waiting = rows.dropFirst(Int(state.safe)).reduce(0) { $0 + $1.body!.count }
      #expect(state.bytesWaiting == UInt64(waiting), what)
      guard !rows.isEmpty else { continue }
      let size = random.below(rows.count + 1)
      #expect(try log.head(stream, at: UInt64(size)) == naive.point(stream, size), what)
      #expect(try log.frontier(stream, at: UInt64(size)).root == naive.point(stream, size).root, what)
      let from = random.below(rows.count)
      let records = try log.records(stream, from: UInt64(from), maxCount: 40, maxBytes: 2000)
      #expect(!records.isEmpty, what)
      #expect(records.map(\.sequence) == (from..<from + records.count).map(UInt64.init), what)
      #expect(
        records.map { NaiveLog.Row(entry: $0.entry, body: $0.body) } == Array(rows[from..<from + records.count]), what)
      let bytes = records.reduce(0) { $0 + $1.entry.count + $1.body!.count }
      #expect(records.count == 1 || bytes <= 2000, what)
      let index = random.below(rows.count)
      let proof = try log.inclusionProof(stream, of: UInt64(index), size: state.next)
      let leaf = Merkle.leafHash(rows[index].entry)
      #expect(
        Merkle.verifyInclusion(index: UInt64(index), size: state.next, leaf: leaf, proof: proof, root: state.root), what
      )
      let consistency = try log.consistencyProof(stream, from: UInt64(size), to: state.next)
      #expect(
        Merkle.verifyConsistency(
          from: UInt64(size), root1: naive.point(stream, size).root, to: state.next, root2: state.root,
          proof: consistency), what)
    }
  }

  @Test func `an epoch closes where it stands, and the next one says so in its first entry`() throws {
    let place = Place()
    let log = try place.open()
    try log.add(.audit, 5)
    try log.add(.model, 300)
    let old = log.epoch
    let heads = try LogStream.allCases.map { try log.head($0, at: log.head($0).next) }
    let fresh = try log.newEpoch()
    #expect(fresh != old && log.epoch == fresh)
    #expect(log.head(.audit).next == 1 && log.head(.model).next == 0)
    let record = try #require(try log.records(.audit, from: 0, maxCount: 1, maxBytes: 9999).first)
    #expect(try LogEntry(record.entry).kind == .epochOpened)
    #expect(try EpochLink(body: record.body ?? []) == EpochLink(epoch: old, heads: heads))
    try log.add(.model, 3)
    #expect(try log.verify() == nil)
  }

  @Test func `a lost epoch is linked by what was known of it`() throws {
    let place = Place()
    let point = LogPoint(size: 3, chain: Sodium.sha256([1]), root: Sodium.sha256([2]))
    let link = EpochLink(epoch: LogEpoch(), heads: [point, point, point, point, point])
    let log = try place.open(previous: link)
    let record = try #require(try log.records(.audit, from: 0, maxCount: 1, maxBytes: 9999).first)
    #expect(try EpochLink(body: record.body ?? []) == link)
    #expect(try EpochLink(body: EpochLink.body(of: nil)) == nil)
  }

  @Test func `what the foundation sends is kept in order until it is installed`() throws {
    let place = Place()
    var log: DeltaLog? = try place.open()
    #expect(try log?.keepDirected(0, [1]) == true)
    #expect(try log?.keepDirected(0, [1]) == false)
    let fault = #expect(throws: DeltaLogFault.self) { try log?.keepDirected(2, [3]) }
    #expect(fault?.code == "delta_log.out_of_order")
    try log?.keepDirected(1, [2])
    log = nil
    log = try place.open()
    #expect(try log?.directedNext == 2)
    #expect(try log?.directedWaiting().map(\.sequence) == [0, 1])
    try log?.noteInstalled(0)
    #expect(try log?.directedWaiting() == [DirectedRecord(sequence: 1, bytes: [2])])
    let (digest, progress) = (Sodium.sha256([4]), ArtefactProgress(size: 200_000, bitmap: [0b101]))
    try log?.keepArtefact(digest, progress)
    log = nil
    log = try place.open()
    #expect(try log?.artefact(digest) == progress)
    try log?.keepArtefact(digest, nil)
    #expect(try log?.artefact(digest) == nil)
  }

  @Test func `a cosignature is kept when it is of these entries, and moves nothing when it is not`() throws {
    let place = Place()
    let log = try place.open()
    try log.add(.audit, 700)
    let key = Ed25519.SecretKey()
    let note = try log.checkpoint(.audit, by: testKey())
    let line = try Checkpoint.cosign(note, name: "foundation", by: key, at: 5)
    let other = Checkpoint(
      origin: Checkpoint.origin(site: testSite, stream: .audit, epoch: log.epoch), size: 300, root: .zero
    ).signed(name: "foundation", by: key)
    for wrong in [other, note.replacing("audit", with: "model"), "no note"] {
      let fault = #expect(throws: DeltaLogFault.self) { try log.acknowledge(.audit, safe: 300, cosignature: wrong) }
      #expect(fault?.code == "delta_log.checkpoint_wrong")
    }
    #expect(log.head(.audit).safe == 0)
    try log.acknowledge(.audit, safe: 701, cosignature: note + line)
    #expect(log.head(.audit).safe == 701)
    let fault = #expect(throws: DeltaLogFault.self) { try log.acknowledge(.audit, safe: 702) }
    #expect(fault?.code == "delta_log.out_of_range")
    let kept = try log.checkpoints(.audit)
    #expect(kept.signed == note && kept.cosigned == note + line)
    #expect(log.checkpointsDue == [])
    try log.add(.control, 1)
    place.clock.advance(seconds: 3600)
    #expect(log.checkpointsDue == [.control])
    try log.add(.model, 1024)
    #expect(log.checkpointsDue == [.control, .model])
  }

  @Test func `a body kept elsewhere that is lost becomes a declared gap, once`() throws {
    let place = Place()
    var bodies: [Digest: [UInt8]] = [:]
    var isAway = false
    struct Away: Error {}
    let log = try place.open {
      if isAway { throw Away() }
      return bodies[$0.bodyDigest]
    }
    for number in 0..<6 as Range<UInt8> {
      let digest = Sodium.blake2b256([number])
      // Number 4 is there, but is another.
      bodies[digest] = number == 2 ? nil : number == 4 ? [9] : [number]
      try log.add([LogDraft(.features, .featureSegment, .reference(digest, length: 1))])
    }
    isAway = true
    let fault = #expect(throws: DeltaLogFault.self) {
      try log.records(.features, from: 0, maxCount: 9, maxBytes: 9999)
    }
    #expect(fault?.code == "delta_log.io" && log.head(.audit).next == 1)
    isAway = false
    let first = try log.records(.features, from: 0, maxCount: 9, maxBytes: 9999)
    #expect(first.map(\.body) == [[0], [1], nil, [3], nil, [5]])
    let gap = try #require(try log.records(.audit, from: 1, maxCount: 9, maxBytes: 9999).first?.body)
    #expect(try GapDeclaration(body: gap) == GapDeclaration(stream: .features, from: 2, to: 5, reason: .sourceLost))
    #expect(try log.records(.features, from: 0, maxCount: 9, maxBytes: 9999) == first)
    #expect(log.head(.audit).next == 2)
    try log.declareGap(.features, from: 0, to: 1)
    #expect(log.head(.audit).next == 3)
  }
}
