import DeltaLog
import Provenance
import SQLite
import Sodium
import Testing
import TwinCore

@Suite struct `A log that runs out of its budget` {
  private static func gaps(_ log: DeltaLog) throws -> [GapDeclaration] {
    let state = log.head(.audit)
    return try log.records(.audit, from: state.firstKept, maxCount: .max, maxBytes: .max).compactMap {
      try LogEntry($0.entry).kind == .gapDeclared ? try GapDeclaration(body: $0.body ?? []) : nil
    }
  }

  /// Fills a stream up to a step of the ladder.
  private static func fill(_ log: DeltaLog, _ stream: LogStream, upTo step: LogLadder, kind: LogKind = .audit) throws {
    for _ in 0..<5000 {
      guard try log.ladder < step else { return }
      try log.add((0..<10).map { _ in LogDraft(stream, kind, Sodium.randomBytes(1500)) })
    }
  }

  @Test func `drops what is safe first, then debug, features' bodies, old deltas, and never audit`() throws {
    let place = Place()
    let log = try place.open(limits: DeltaLogLimits(bytesMax: 8 << 20))
    try log.add(.audit, 300, bytes: 200)
    try log.add(.model, 30, bytes: 500)
    try log.add([LogDraft(.model, .artefact, [1, 2, 3])])
    let base = log.head(.model).next - 1
    try log.add([LogDraft(.model, .modelDelta, [4, 5, 6])])
    // Safe: nothing is lost, nothing is declared.
    try log.add(.features, 1000, bytes: 3000)
    try log.acknowledge(.features, safe: 900)
    for _ in 0..<600 where log.head(.features).firstKept == 0 { try log.add(.debug, 10, bytes: 1500) }
    #expect(log.head(.features).firstKept == 768)
    #expect(try Self.gaps(log).isEmpty && log.head(.debug).firstKept == 0)
    // Debug goes next, sent or not.
    for _ in 0..<600 where log.head(.debug).firstKept == 0 { try log.add(.debug, 10, bytes: 1500) }
    #expect(try Self.gaps(log).map(\.stream) == [.debug])
    #expect(try Self.gaps(log).first?.from == 0)
    let debug = log.head(.debug)
    #expect(debug.firstKept % 256 == 0 && debug.next - debug.firstKept < 256)
    #expect(throws: DeltaLogFault.self) { try log.records(.debug, from: 0, maxCount: 1, maxBytes: 100) }
    // Then the bodies of features, whose leaves stay.
    let kept = log.head(.features).firstKept
    for _ in 0..<600 where try !Self.gaps(log).contains(where: { $0.stream == .features }) {
      try log.add(.features, 10, bytes: 3000)
    }
    let gap = try #require(try Self.gaps(log).first { $0.stream == .features })
    #expect(gap.from == 900 && gap.reason == .budget && log.head(.features).firstKept == kept)
    let features = try log.records(.features, from: 900, maxCount: 3, maxBytes: 99_999)
    #expect(features.map(\.body) == [nil, nil, nil])
    // Deltas below the newest base; the base itself, and what follows it, stay.
    for _ in 0..<3000 where try !Self.gaps(log).contains(where: { $0.stream == .model }) {
      if (try? log.add(.control, 10, bytes: 1500)) == nil { break }
    }
    #expect(try Self.gaps(log).last == GapDeclaration(stream: .model, from: 0, to: base, reason: .budget))
    let models = try log.records(.model, from: base - 1, maxCount: 9, maxBytes: 9999)
    #expect(models.map(\.body) == [nil, [1, 2, 3], [4, 5, 6]])
    // Nothing is left to drop: the low streams are refused, audit goes on.
    var refused: DeltaLogFault?
    for _ in 0..<3000 where refused == nil {
      do throws(DeltaLogFault) { try log.add(.control, 4, bytes: 1500) } catch { refused = error }
    }
    #expect(refused?.code == "delta_log.budget" && log.problem?.code == "delta_log.budget")
    for stream in [LogStream.model, .features, .debug] {
      #expect(#expect(throws: DeltaLogFault.self) { try log.add(stream, 1) }?.code == "delta_log.budget")
    }
    try log.add(.audit, 50, bytes: 500)
    #expect(log.head(.audit).firstKept == 0)
    #expect(try log.records(.audit, from: 0, maxCount: .max, maxBytes: .max).allSatisfy { $0.body != nil })
    #expect(try log.verify() == nil)
    let database = try place.database()
    let pages = try #require(try database.integer("PRAGMA page_count"))
    #expect(pages * 4096 + log.reservedBytes <= 8 << 20)
    // When the foundation has it all, there is room again.
    for stream in LogStream.allCases { try log.acknowledge(stream, safe: log.head(stream).next) }
    try log.add(.audit, 1)
    #expect(try log.ladder == .free)
    try log.add(.debug, 1)
    try log.add(.debug, 1)
    #expect(log.problem == nil)
    #expect(try log.verify() == nil)
  }

  @Test func `audit too ends with the budget, by a named error`() throws {
    let place = Place()
    let log = try place.open(limits: DeltaLogLimits(bytesMax: 1 << 20))
    var fault: DeltaLogFault?
    for _ in 0..<1000 where fault == nil {
      do throws(DeltaLogFault) { try log.add(.audit, 2, bytes: 1000) } catch { fault = error }
    }
    #expect(fault?.code == "delta_log.budget" && log.reservedBytes == 0)
    #expect(log.head(.audit).firstKept == 0)
    try log.acknowledge(.audit, safe: log.head(.audit).next)
    _ = try place.database()
    #expect(try log.verify() == nil)
  }

  @Test func `an old epoch goes when the new one is linked, but for audit that was never safe`() throws {
    let place = Place()
    let log = try place.open(limits: DeltaLogLimits(bytesMax: 2 << 20))
    try log.add(.audit, 600)
    try log.acknowledge(.audit, safe: 300)
    try log.add(.control, 400, bytes: 1500)
    try log.newEpoch()
    try log.acknowledge(.audit, safe: 1)
    for _ in 0..<100 { try log.add(.debug, 10, bytes: 1500) }
    let database = try place.database()
    let count = { (sql: String) in try database.integer("SELECT count(*) FROM \(sql) WHERE place < 2 << 40") }
    #expect(try count("log_control") == 400 % 256)
    #expect(try count("log_audit") == 601 - 256)
    #expect(try log.verify() == nil)
  }

  @Test func `bodies that are kept elsewhere are still sent, and declare no gap`() throws {
    let place = Place()
    let log = try place.open(limits: DeltaLogLimits(bytesMax: 1 << 20)) { _ in [7] }
    let draft = LogDraft(.features, .featureSegment, .reference(Sodium.blake2b256([7]), length: 1))
    try log.add([LogDraft](repeating: draft, count: 600))
    try Self.fill(log, .control, upTo: .features)
    try log.add([LogDraft](repeating: draft, count: 600))
    #expect(try log.ladder >= .features)
    #expect(try Self.gaps(log).isEmpty)
    let records = try log.records(.features, from: 0, maxCount: .max, maxBytes: .max)
    #expect(records.count == 1200 && records.allSatisfy { $0.body == [7] })
  }

  @Test func `too large a body is refused, and so are too many entries`() throws {
    let log = try Place().open()
    for drafts in [
      [LogDraft(.audit, .audit, [UInt8](repeating: 0, count: 61_441))],
      [LogDraft(.features, .featureSegment, .reference(.zero, length: 61_441))],
      [LogDraft](repeating: LogDraft(.audit, .audit, [1]), count: 4097),
    ] {
      #expect(#expect(throws: DeltaLogFault.self) { try log.add(drafts) }?.code == "delta_log.too_big")
    }
    #expect(try log.add([]) == [])
    #expect(log.head(.audit).next == 1)
  }
}

@Suite struct `Faults of a log` {
  @Test(arguments: DeltaLogFault.Kind.allCases) func `have a slug and something to do next`(_ kind: DeltaLogFault.Kind)
  {
    let fault = DeltaLogFault(kind, "what happened")
    #expect(fault.code == "delta_log.\(kind.rawValue)" && !fault.code.contains { $0.isUppercase || $0 == "-" })
    #expect(fault.remedy.count > 15 && fault.remedy.last != ".")
    #expect(fault.description == "what happened [\(fault.code)]; next: \(fault.remedy)")
  }
}

@Suite struct `A log of 200,000 entries` {
  /// Proofs and heads read few rows; so does a start.
  @Test func `opens and proves by reading its edge`() throws {
    let place = Place()
    let size: UInt64 = 200_001
    var leaves: [Digest] = []
    do {
      let log = try place.open(limits: DeltaLogLimits(bytesMax: 512 << 20))
      for _ in 0..<50 { try log.add((0..<4000).map { _ in LogDraft(.audit, .audit, []) }) }
      #expect(log.head(.audit).next == size)
      var from: UInt64 = 0
      while from < size {
        let records = try log.records(.audit, from: from, maxCount: 10_000, maxBytes: .max)
        leaves += records.map { Merkle.leafHash($0.entry) }
        from += UInt64(records.count)
      }
    }
    // Rows in the middle are gone: only a scan would miss them.
    try Rewriter(place).run("DELETE FROM log_audit WHERE place BETWEEN (1 << 40) + 1024 AND (1 << 40) + 189951")
    let log = try place.open(limits: DeltaLogLimits(bytesMax: 512 << 20))
    let state = log.head(.audit)
    var (frontier, old) = (MerkleFrontier(), MerkleFrontier())
    for (index, leaf) in leaves.enumerated() {
      frontier.append(leaf)
      if index == 199_876 { old = frontier }
    }
    #expect(state.next == size && state.root == frontier.root)
    for index in [0, 255, 999, 190_100, 199_999, 200_000] as [UInt64] {
      let proof = try log.inclusionProof(.audit, of: index, size: size)
      #expect(
        Merkle.verifyInclusion(
          index: index, size: size, leaf: leaves[Int(index)], proof: proof, root: state.root))
    }
    #expect(try log.head(.audit, at: old.size).root == old.root)
    let proof = try log.consistencyProof(.audit, from: old.size, to: size)
    #expect(
      Merkle.verifyConsistency(from: old.size, root1: old.root, to: size, root2: state.root, proof: proof))
    let fault = #expect(throws: DeltaLogFault.self) { try log.inclusionProof(.audit, of: 5000, size: size) }
    #expect(fault?.code == "delta_log.not_kept")
    #expect(try log.verify()?.sequence == 1024)
  }
}
