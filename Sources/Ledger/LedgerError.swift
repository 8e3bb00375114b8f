import PostgreSQL
import SQLite
import Seams
import Sync
public import TwinCore

/// What the foundation's store could not do, for its calls outside `SyncLedger`; those tell the same as `LedgerFault`.
public struct LedgerError: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The server or the file cannot be reached, or another process holds it.
    case unavailable
    /// Transactions met more often than a call tries again.
    case conflict
    /// No room, or an I/O error on flush.
    case full
    /// Another foundation has taken the lease.
    case leaseLost = "lease_lost"
    case corrupt
    case siteUnknown = "site_unknown"
    /// The record forbids it.
    case refused
    /// A newer twind made the store; it was not touched.
    case newerVersion = "newer_version"
    /// A database, but of something else.
    case notALedger = "not_a_ledger"
    case tokenUnknown = "token_unknown"
    case tokenSpent = "token_spent"
    case tokenExpired = "token_expired"
    /// The token is for another site.
    case tokenOther = "token_other"
    /// The lease is another foundation's, and has not run out.
    case leaseHeld = "lease_held"
    case exists
    case notFound = "not_found"
    case outOfRange = "out_of_range"
    case failed
  }

  public let kind: Kind
  public let message: String

  init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }

  public var code: String { "ledger.\(kind.rawValue)" }

  public var isRetriable: Bool { kind == .unavailable || kind == .conflict || kind == .full }

  public var remedy: String {
    switch kind {
    case .unavailable: "check that the ledger's server runs, or that no other foundation holds its file"
    case .conflict: "try again; if it stays, look who holds the rows (pg_locks)"
    case .full: "free space on the ledger's volume"
    case .leaseLost: "stop this foundation: another one has taken over"
    case .leaseHeld: "stop the other foundation, or wait until its lease runs out"
    case .corrupt: "stop the foundation and restore a backup of the ledger"
    case .siteUnknown: "list the sites with `twinctl fleet sites list`"
    case .refused: "look at the site's record with `twinctl fleet sites show`"
    case .newerVersion: "start the newer twind again, or restore a backup made before the upgrade"
    case .notALedger: "name an empty database, or the ledger's own"
    case .tokenUnknown, .tokenSpent, .tokenExpired, .tokenOther: "make a new one with `twinctl fleet enrol new`"
    case .exists: "choose another name, or revoke what bears this one"
    case .notFound: "list what there is, and ask for one of those"
    case .outOfRange: "ask for less, or split what is sent"
    case .failed: "report this message together with the version of twind"
    }
  }

  init(_ fault: SQLiteFault) {
    let kind: Kind =
      switch fault.kind {
      case .full, .io: .full
      case .corrupt: .corrupt
      case .busy, .readOnly, .cannotOpen, .tooOld: .unavailable
      case .constraint, .failed: .failed
      }
    self.init(kind, fault.message)
  }

  init(_ fault: PostgreSQLFault) {
    let kind: Kind =
      switch fault.kind {
      case .conflict: .conflict
      case .full: .full
      case .corrupt: .corrupt
      case .unreachable, .refused, .disconnected, .timedOut, .exhausted, .readOnly, .notPermitted: .unavailable
      case .constraint, .failed: .failed
      }
    self.init(kind, fault.message)
  }

  init(_ fault: FileFault) {
    self.init(fault.kind == .full || fault.kind == .io ? .full : .unavailable, fault.message)
  }
}

extension LedgerFault {
  init(_ error: LedgerError) {
    let kind: Kind =
      switch error.kind {
      case .unavailable, .newerVersion, .notALedger: .unavailable
      case .conflict: .conflict
      case .full: .full
      case .leaseLost, .leaseHeld: .leaseLost
      case .corrupt, .failed: .corrupt
      case .siteUnknown: .siteUnknown
      case .refused, .tokenUnknown, .tokenSpent, .tokenExpired, .tokenOther, .exists, .notFound, .outOfRange: .refused
      }
    self.init(kind, error.message, remedy: error.remedy)
  }
}

/// Runs what answers the protocol, its errors told as the protocol's.
func answering<Result>(_ body: () throws(LedgerError) -> Result) throws(LedgerFault) -> Result {
  do throws(LedgerError) { return try body() } catch { throw LedgerFault(error) }
}
