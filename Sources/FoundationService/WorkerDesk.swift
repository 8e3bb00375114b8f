import Logging
import Provenance
import Sync
import TwinCore

/// What workers turn to beside the ledger: whoever answers enrolments, publishes, and shows what was noticed.
protocol WorkerDesk: Sendable {
  /// What the broker keeps for whoever connects; worker 1 puts it there.
  var retained: [(SyncTopic, [UInt8])] { get async }
  func enrol(_ request: [UInt8], token name: String) async -> [UInt8]?
  func note(_ notice: FoundationNotice) async
  func noteBroker(worker: Int, _ state: String, cause: String?) async
  func noteLeaseLost() async
}

extension FleetDesk: WorkerDesk {}

/// The desk of workers that are a process of their own: what they notice goes to the log, and what concerns a site is
/// in the ledger for the console of the foundation.
actor WorkerLog: WorkerDesk {
  private let logger: Logger
  private(set) var isLeaseLost = false

  init(_ logger: Logger) { self.logger = logger }

  var retained: [(SyncTopic, [UInt8])] { [] }

  func enrol(_ request: [UInt8], token name: String) -> [UInt8]? { nil }

  func note(_ notice: FoundationNotice) {
    let text = "\(notice.site?.description ?? "-") \(notice.stream?.name ?? "") \(notice.message)"
    logger.log(level: notice.isRoutine ? .info : .warning, "\(notice.kind.rawValue)", metadata: ["what": "\(text)"])
  }

  func noteBroker(worker: Int, _ state: String, cause: String?) {
    logger.info("broker", metadata: ["worker": "\(worker)", "state": "\(state)", "cause": "\(cause ?? "")"])
  }

  func noteLeaseLost() { isLeaseLost = true }
}

extension FoundationNotice {
  /// Nobody needs to look at it.
  var isRoutine: Bool {
    switch kind {
    case .online, .epochOpened, .epochClosed, .deathHint, .late, .offline, .artefactComplete: true
    default: false
    }
  }
}
