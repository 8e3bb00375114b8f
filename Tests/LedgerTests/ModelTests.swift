import Glibc
import Ledger
import Provenance
import Sync
import Testing
import TwinCore

enum Pause {
  static func tenthOfSecond() { usleep(100_000) }
}

/// What a ledger must answer, in a few lines of memory.
private struct Model {
  struct Log {
    var entries: [[UInt8]] = []
    var checkpointed: UInt64 = 0
    var durable: UInt64 = 0
    var notes: [UInt64] = []

    var next: UInt64 { UInt64(entries.count) }
    var safe: UInt64 { notes.last { $0 <= durable } ?? 0 }
  }

  var logs: [LogName: Log] = [:]
  var quarantined: Set<SiteName> = []
  var mark: [LogName: UInt64]?

  mutating func apply(_ batch: AdmittedBatch, from source: SiteLog) -> String {
    if quarantined.contains(batch.log.site) { return "refused" }
    var log = logs[batch.log] ?? Log()
    if batch.first > log.next { return "gap \(log.next)" }
    for entry in batch.entries where entry.sequence < log.next {
      if log.entries[Int(entry.sequence)] != entry.bytes {
        quarantined.insert(batch.log.site)
        return "equivocation \(entry.sequence)"
      }
    }
    if batch.end <= log.next { return "duplicate \(log.next) \(log.safe)" }
    if source.entries.prefix(Int(log.next)).map(\.bytes) != log.entries {
      quarantined.insert(batch.log.site)
      return "fork \(log.next)"
    }
    log.entries += batch.entries.filter { $0.sequence >= log.next }.map(\.bytes)
    logs[batch.log] = log
    return "appended \(log.next) \(log.safe)"
  }
}

extension ApplyResult {
  fileprivate var words: String {
    switch self {
    case .appended(let stored): "appended \(stored.next) \(stored.safe)"
    case .duplicate(let stored): "duplicate \(stored.next) \(stored.safe)"
    case .gap(let next): "gap \(next)"
    case .equivocation(let sequence): "equivocation \(sequence)"
    case .fork(let next): "fork \(next)"
    case .refused: "refused"
    }
  }
}

@Suite("Any run of calls") struct ModelTests {
  @Test("answers as the model does", arguments: Backend.allCases)
  func runs(backend: Backend) throws {
    for _ in 0..<3 {
      let seed = UInt64.random(in: 0...UInt64(Int64.max))
      var random = Seeded(seed)
      let store = try TestStore(backend)
      let ledger = try store.open(.onConfirmation)
      var (model, logs, branches) = (Model(), [SiteLog](), [SiteLog]())
      for number in 0..<3 {
        let epoch = try ledger.enrol(SiteName(number: number))
        for stream in [LogStream.audit, .debug] {
          var log = SiteLog(SiteName(number: number), epoch, stream)
          log.grow(200)
          var branch = log.branch(at: UInt64.random(in: 0..<150, using: &random))
          branch.grow(200 - Int(branch.next))
          logs.append(log)
          branches.append(branch)
        }
      }
      var mark: UInt64 = 0
      for step in 0..<120 {
        let place: Comment = "seed \(seed), step \(step)"
        switch Int.random(in: 0..<20, using: &random) {
        case 0:
          let source = logs.randomElement(using: &random)!
          let size = UInt64.random(in: 0...200, using: &random)
          try ledger.keep([source.checkpoint(size)])
          var log = model.logs[source.name] ?? Model.Log()
          let isOfTree = log.entries.prefix(Int(size)) == source.entries.prefix(Int(size)).map(\.bytes)[...]
          if size > log.checkpointed, size <= log.next, isOfTree {
            log.checkpointed = size
            log.notes.append(size)
            model.logs[source.name] = log
          }
        case 1:
          mark = try ledger.beginBackup()
          model.mark = model.logs.mapValues(\.next)
        case 2:
          guard let marked = model.mark else { continue }
          try ledger.confirmBackup(upTo: mark)
          for (name, next) in marked {
            let durable = model.logs[name]?.durable ?? 0
            model.logs[name]?.durable = max(next, durable)
          }
          model.mark = nil
        case 3:
          guard let site = model.quarantined.sorted().first else { continue }
          try ledger.release(site)
          model.quarantined.remove(site)
        default:
          var (batches, wanted) = ([AdmittedBatch](), [String]())
          for _ in 0..<Int.random(in: 1...4, using: &random) {
            let index = Int.random(in: 0..<logs.count, using: &random)
            let next = model.logs[logs[index].name]?.next ?? 0
            let low = next > 12 ? next - 12 : 0
            let first = UInt64.random(in: low...min(199, next + 2), using: &random)
            let end = min(200, first + UInt64.random(in: 1...24, using: &random))
            let source = Int.random(in: 0..<25, using: &random) == 0 ? branches[index] : logs[index]
            batches.append(source.batch(first..<end))
            wanted.append(model.apply(batches[batches.count - 1], from: source))
          }
          #expect(try ledger.apply(batches).map(\.words) == wanted, place)
        }
      }
      for log in logs {
        #expect(try ledger.all(log.name).map(\.entry) == model.logs[log.name]?.entries ?? [], "seed \(seed)")
        let stored = try ledger.stored(log.name)
        #expect(stored?.safe ?? 0 == model.logs[log.name]?.safe ?? 0, "seed \(seed)")
        #expect(stored?.checkpointed ?? 0 == model.logs[log.name]?.checkpointed ?? 0, "seed \(seed)")
      }
    }
  }
}
