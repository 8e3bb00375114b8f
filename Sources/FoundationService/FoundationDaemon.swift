import Ledger
public import Logging
import Provenance
public import Seams
public import ServiceLifecycle
import Sodium
import StatusAPI
import Sync
import TwinCore

/// A foundation: workers that take in what sites tell, and a desk for what operators ask and do.
public final class FoundationDaemon: Service {
  private let settings: FoundationSettings
  private let clock: any SiteClock
  private let desk: FleetDesk
  private let workers: [IngestWorker]
  private let server: StatusServer
  private let log: Logger

  static let leaseNanoseconds: Int64 = 10_000_000_000
  static let refreshNanoseconds: Int64 = 60_000_000_000
  /// A foundation that died held its lease no longer than this.
  static let leaseWaitNanoseconds: Int64 = 60_000_000_000
  /// How long a lost lease may go unnoticed by those who only end because of it.
  static let watchNanoseconds: Int64 = 1_000_000_000

  static var leaseLost: FoundationFault {
    FoundationFault(
      "lease_lost", "another foundation has taken the lease",
      remedy: "nothing, where that was meant: started again, this one waits for the lease")
  }

  /// Opens the ledger, takes its lease and reads the keys. Waits for the lease of a foundation that has just died.
  /// `count` workers run here, the first ones; nil for all.
  public static func open(
    _ settings: FoundationSettings, workers count: Int? = nil, clock: any SiteClock, log: Logger
  ) async throws(FoundationFault) -> FoundationDaemon {
    guard Sodium.ready else {
      throw FoundationFault("sodium", "libsodium cannot start", remedy: "reinstall package libsodium23")
    }
    guard (1...settings.workers).contains(count ?? 1) else {
      throw FoundationFault(
        "no_such_worker", "workers 1 to \(count ?? 1), wanted at most \(settings.workers)",
        remedy: "raise workers in the configuration and run twind-foundation init again")
    }
    let ledger = try Self.ledger(settings, clock, log)
    try await takeLease(ledger, settings, clock, log)
    return try FoundationDaemon(settings, workers: count ?? settings.workers, ledger: ledger, clock: clock, log: log)
  }

  static func takeLease(
    _ ledger: Ledger, _ settings: FoundationSettings, _ clock: any SiteClock, _ log: Logger
  ) async throws(FoundationFault) {
    let until = clock.uptime.advanced(byNanoseconds: leaseWaitNanoseconds)
    while true {
      do throws(LedgerError) {
        try ledger.takeLease(settings.name, for: FleetDesk.leaseSpan)
        break
      } catch {
        guard error.kind == .leaseHeld, clock.uptime < until else { throw FoundationFault(error) }
        log.notice("waiting for the lease", metadata: ["cause": "\(error.message)"])
        await clock.sleep(until: clock.uptime.advanced(byNanoseconds: 1_000_000_000))
        if Task.isCancelled {
          throw FoundationFault("stopped", "stopped while waiting for the lease", remedy: "start again")
        }
      }
    }
  }

  private init(
    _ settings: FoundationSettings, workers count: Int, ledger: Ledger, clock: any SiteClock, log: Logger
  ) throws(FoundationFault) {
    (self.settings, self.clock, self.log) = (settings, clock, log)
    let folder = FoundationFolder(path: settings.state)
    let desk = try FleetDesk(settings, folder: folder, ledger: ledger, clock: clock, logger: log)
    self.desk = desk
    let seal = try IngestSeal(folder, name: settings.name)
    let challengeKey = try folder.challengeKey()
    var workers: [IngestWorker] = []
    for number in 1...count {
      // Workers on one file share its one connection; on a server each has its own.
      var own = ledger
      if settings.postgresql != nil, number > 1 {
        own = try Self.ledger(settings, clock, log)
        do throws(LedgerError) { try own.takeLease(settings.name, for: FleetDesk.leaseSpan) } catch {
          throw FoundationFault(error)
        }
      }
      workers.append(
        IngestWorker(
          number: number, folder.brokerSettings(settings, worker: number), name: settings.name, seal: seal,
          challengeKey: challengeKey, ledger: own, desk: desk, clock: clock, logger: log))
    }
    self.workers = workers
    server = StatusServer(
      socketPath: settings.socket, operatorGroup: settings.operatorGroup,
      fleet: FleetView(desk: desk, name: settings.name, startedAt: clock.instant), clock: clock, limits: Self.limits)
  }

  /// A published pack comes in one request.
  private static var limits: StatusServer.Limits {
    var limits = StatusServer.Limits()
    limits.bodyBytes = PackArchive.bytesMax * 2
    return limits
  }

  static func ledger(
    _ settings: FoundationSettings, _ clock: any SiteClock, _ log: Logger
  ) throws(FoundationFault) -> Ledger {
    do throws(LedgerError) {
      return try Ledger(
        settings.place, policy: settings.policy, clock: clock,
        notice: { log.info("postgresql", metadata: ["says": "\($0)"]) })
    } catch {
      throw FoundationFault(error)
    }
  }

  /// Until a graceful shutdown or a cancellation.
  public func run() async throws {
    let workers = workers
    await desk.connect { input in
      // Only one worker speaks for all; the others see what they need in the ledger.
      workers.first?.mailbox.yield(input)
    }
    let fault = await withTaskGroup(of: FoundationFault?.self, returning: FoundationFault?.self) { group in
      group.addTask {
        do throws(APIProblem) { try await self.server.run() } catch { return FoundationFault(error) }
        return nil
      }
      group.addTask {
        await withTaskGroup { ingest in
          for worker in workers { ingest.addTask { await worker.run() } }
          try? await gracefulShutdown()
          ingest.cancelAll()
        }
        return nil
      }
      group.addTask { await self.keep() }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first
    }
    log.info("foundation stopped", metadata: ["name": "\(settings.name)"])
    if let fault { throw fault }
  }

  /// Prolongs the lease and keeps the metadata fresh; gives a fault when the lease is another's.
  private func keep() async -> FoundationFault? {
    await desk.refresh()
    await desk.keepCertificates()
    log.info("foundation starts", metadata: ["name": "\(settings.name)", "fleet": "\(settings.fleet)"])
    var nextLease = clock.uptime.advanced(byNanoseconds: Self.leaseNanoseconds)
    var nextRefresh = clock.uptime.advanced(byNanoseconds: Self.refreshNanoseconds)
    while !Task.isCancelled {
      await clock.sleep(until: clock.uptime.advanced(byNanoseconds: Self.watchNanoseconds))
      guard !Task.isCancelled else { return nil }
      if await desk.isLeaseLost { return Self.leaseLost }
      if clock.uptime >= nextLease {
        nextLease = clock.uptime.advanced(byNanoseconds: Self.leaseNanoseconds)
        await desk.renewLease()
      }
      if clock.uptime >= nextRefresh {
        nextRefresh = clock.uptime.advanced(byNanoseconds: Self.refreshNanoseconds)
        await desk.refresh()
        await desk.keepCertificates()
      }
    }
    return nil
  }
}

/// What a foundation's workers sign with: the online ingest key.
final class IngestSeal: Sendable {
  private let key: Ed25519.SecretKey
  private let name: String

  init(_ folder: FoundationFolder, name: String) throws(FoundationFault) {
    key = try folder.key(.ingest)
    self.name = name
  }

  func seal(_ type: String, _ payload: [UInt8]) -> [UInt8] {
    SignedEnvelope.seal(type: type, payload: payload, by: key)
  }

  /// A site's note with the foundation's cosignature at that time.
  func cosign(_ note: String, at seconds: UInt64) -> String? {
    guard let line = try? Checkpoint.cosign(note, name: name, by: key, at: seconds) else { return nil }
    return note + line
  }
}
