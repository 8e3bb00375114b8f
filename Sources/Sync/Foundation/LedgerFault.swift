public import TwinCore

/// Why the foundation's storage did not do what the protocol asked. Back ends map their own errors to it.
public struct LedgerFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The store cannot be reached or is busy; nothing was written.
    case unavailable
    /// Two transactions met; nothing was written and the same call may succeed at once.
    case conflict
    /// No room, or an I/O error on flush: what was written must be taken as not written.
    case full
    /// The lease belongs to another process: this one may write and acknowledge nothing more.
    case leaseLost = "lease_lost"
    /// What the store holds contradicts itself.
    case corrupt
    case siteUnknown = "site_unknown"
    /// The site's record forbids the call: revoked, quarantined, or the epoch is not open.
    case refused
  }

  public let kind: Kind
  public let message: String
  public let remedy: String

  public init(_ kind: Kind, _ message: String, remedy: String) {
    (self.kind, self.message, self.remedy) = (kind, message, remedy)
  }

  public var code: String { "ledger.\(kind.rawValue)" }
  public var isRetriable: Bool { kind == .unavailable || kind == .conflict || kind == .full }
}
