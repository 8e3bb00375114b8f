import Ledger
public import Logging
public import Seams
public import ServiceLifecycle
import Sodium
import TwinCore

/// Workers of a foundation in a process of their own, here or on another machine: what grows when intake grows.
///
/// They share the foundation's lease and never prolong it: where the foundation itself is gone, another may follow it,
/// and from then on these write nothing more and end.
public final class WorkersDaemon: Service {
  private let workers: [IngestWorker]
  private let desk: WorkerLog
  private let clock: any SiteClock
  private let log: Logger

  /// Opens a connection to the ledger for each worker. Worker 1 is the foundation's own: it answers enrolments.
  public static func open(
    _ settings: FoundationSettings, workers numbers: ClosedRange<Int>, clock: any SiteClock, log: Logger
  ) async throws(FoundationFault) -> WorkersDaemon {
    guard Sodium.ready else {
      throw FoundationFault("sodium", "libsodium cannot start", remedy: "reinstall package libsodium23")
    }
    guard settings.postgresql != nil else {
      throw FoundationFault(
        "ledger_is_file", "a ledger that is a file belongs to one process",
        remedy: "set ledger.postgresql, or let the foundation run all its workers")
    }
    guard numbers.lowerBound > 1, numbers.upperBound <= settings.workers else {
      throw FoundationFault(
        "no_such_worker", "workers \(numbers.lowerBound) to \(numbers.upperBound), wanted 2 to \(settings.workers)",
        remedy: "raise workers in the configuration and run twind-foundation init again; worker 1 is the foundation's")
    }
    var ledgers: [Ledger] = []
    for _ in numbers {
      let ledger = try FoundationDaemon.ledger(settings, clock, log)
      try await FoundationDaemon.takeLease(ledger, settings, clock, log)
      ledgers.append(ledger)
    }
    return try WorkersDaemon(settings, numbers, ledgers, clock: clock, log: log)
  }

  private init(
    _ settings: FoundationSettings, _ numbers: ClosedRange<Int>, _ ledgers: [Ledger], clock: any SiteClock, log: Logger
  ) throws(FoundationFault) {
    (self.clock, self.log) = (clock, log)
    let desk = WorkerLog(log)
    self.desk = desk
    let folder = FoundationFolder(path: settings.state)
    let seal = try IngestSeal(folder, name: settings.name)
    let challengeKey = try folder.challengeKey()
    workers = zip(numbers, ledgers).map { number, ledger in
      IngestWorker(
        number: number, folder.brokerSettings(settings, worker: number), name: settings.name, seal: seal,
        challengeKey: challengeKey, ledger: ledger, desk: desk, clock: clock, logger: log)
    }
  }

  /// Until a graceful shutdown or a cancellation; throws when another foundation has taken the lease.
  public func run() async throws {
    let (workers, desk, clock) = (workers, desk, clock)
    log.info("workers start", metadata: ["count": "\(workers.count)"])
    let fault = await withTaskGroup(of: FoundationFault?.self, returning: FoundationFault?.self) { group in
      group.addTask {
        await withTaskGroup { ingest in
          for worker in workers { ingest.addTask { await worker.run() } }
          try? await gracefulShutdown()
          ingest.cancelAll()
        }
        return nil
      }
      group.addTask {
        while !Task.isCancelled {
          await clock.sleep(until: clock.uptime.advanced(byNanoseconds: FoundationDaemon.watchNanoseconds))
          if await desk.isLeaseLost { return FoundationDaemon.leaseLost }
        }
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first
    }
    log.info("workers stopped")
    if let fault { throw fault }
  }
}
