import Provenance
import Sync
import Testing
import TwinCore

extension SimulatedNetwork {
  func append(_ stream: LogStream, _ body: [UInt8], site index: Int = 0, kind: LogKind = .audit) {
    sites[index].log.append(stream, body, kind: kind, wall: wall.nanoseconds / 1_000_000)
    step(site: index, .appended)
  }

  func name(_ index: Int, _ stream: LogStream) -> LogName {
    LogName(site: sites[index].name, epoch: sites[index].log.epoch, stream: stream)
  }

  func stored(_ index: Int, _ stream: LogStream) -> MemoryLedger.Log? { ledger.logs[name(index, stream)] }
  func next(_ index: Int, _ stream: LogStream) -> UInt64 { stored(index, stream)?.stored.next ?? 0 }

  /// Whether the ledger has everything that the sites wrote in their present epochs.
  var isConverged: Bool {
    sites.indices.allSatisfy { index in
      LogStream.allCases.allSatisfy {
        next(index, $0) == UInt64(sites[index].log.streams[Int($0.rawValue)].entries.count)
      }
    }
  }

  @discardableResult
  func runUntilConverged(seconds: Double = 900) -> Bool {
    run(until: now.advanced(byNanoseconds: Int64(seconds * 1e9))) { isConverged }
  }

  /// Everything that was appended is there exactly once, in order, with its body; chain and root agree; and no site
  /// gave up what the foundation did not call safe.
  func expectEqualLogs(_ comment: Comment? = nil, location: SourceLocation = #_sourceLocation) {
    for (index, site) in sites.enumerated() {
      for stream in LogStream.allCases {
        let own = site.log.streams[Int(stream.rawValue)]
        guard !own.entries.isEmpty else { continue }
        let at: Comment = "seed \(seed), \(site.name) \(stream) \(comment?.rawValue ?? "")"
        guard let log = stored(index, stream) else {
          Issue.record("nothing stored, \(at)", sourceLocation: location)
          continue
        }
        #expect(log.entries == own.entries, at, sourceLocation: location)
        #expect(log.stored.head.chain == own.points.last!.chain, at, sourceLocation: location)
        #expect(log.stored.head.root == own.points.last!.frontier.root, at, sourceLocation: location)
        #expect(own.safe <= log.stored.safe, at, sourceLocation: location)
        #expect(!log.bodies.contains { $0 == nil }, at, sourceLocation: location)
        let given = own.bodies.enumerated().filter { $0.element == nil }.map(\.offset).max() ?? -1
        #expect(given < Int(log.stored.safe), at, sourceLocation: location)
      }
    }
  }

  func noticed(_ kind: FoundationNotice.Kind) -> [FoundationNotice] { notices.filter { $0.kind == kind } }
}
