public import TwinCore

/// How a call to a PostgreSQL server failed.
public struct PostgreSQLFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// No server of the host list answered, or none with the wanted `target_session_attrs`.
    case unreachable
    /// The server knows no such user, password or database.
    case refused
    /// The connection broke. Whether a COMMIT that was under way took effect is not known.
    case disconnected
    /// The answer did not come in time; the connection is given up.
    case timedOut = "timed_out"
    /// Another transaction came first: the same transaction may go through when it is run again.
    case conflict
    /// A constraint of the schema was violated.
    case constraint
    /// No space on the server's device.
    case full
    /// The server has no memory, connection or lock left to give.
    case exhausted
    /// The server is a standby, or was set read-only.
    case readOnly = "readonly"
    case notPermitted = "not_permitted"
    case corrupt
    /// Anything else: SQL that does not parse, a value that does not fit.
    case failed
  }

  public let kind: Kind
  /// Five characters (PostgreSQL documentation, appendix A); empty where libpq itself failed.
  public let sqlState: String
  public let message: String

  public var code: String { "postgresql.\(kind.rawValue)" }

  public var isRetriable: Bool {
    switch kind {
    case .unreachable, .disconnected, .timedOut, .conflict, .full, .exhausted, .readOnly: true
    case .refused, .constraint, .notPermitted, .corrupt, .failed: false
    }
  }

  public var remedy: String {
    switch kind {
    case .unreachable: "check that the server runs and that its host and port are those of the connection string"
    case .refused: "check user, password and database of the connection string against the server's pg_hba.conf"
    case .disconnected: "look in the server's log for the reason; the connection is made anew by itself"
    case .timedOut: "look for a long lock or a slow disk on the server (pg_stat_activity)"
    case .conflict: "run it again; if it stays, look who holds the rows (pg_locks)"
    case .full: "free space on the server's volume"
    case .exhausted: "raise max_connections or the memory of the server, or start fewer workers"
    case .readOnly: "name all servers in the connection string with target_session_attrs=read-write"
    case .notPermitted: "grant the user of the connection string the right to its own database"
    case .corrupt: "stop the server and restore a backup"
    case .constraint, .failed: "report this message together with the version of twind"
    }
  }

  init(_ kind: Kind, sqlState: String = "", _ message: String) {
    (self.kind, self.sqlState, self.message) = (kind, sqlState, message)
  }

  /// Classifies by SQLSTATE, its two-character class where the whole is not listed.
  init(sqlState: String, doing what: String, because reason: String) {
    let kind: Kind =
      switch sqlState {
      case "40001", "40P01": .conflict
      case "55P03", "57014": .timedOut
      case "25006": .readOnly
      case "53100": .full
      case "42501": .notPermitted
      case "57P01", "57P02", "57P03", "57P05", "25P03": .disconnected
      default:
        switch sqlState.prefix(2) {
        case "08": .disconnected
        case "28", "3D": .refused
        case "23": .constraint
        case "53": .exhausted
        case "XX": sqlState == "XX000" ? .failed : .corrupt
        default: .failed
        }
      }
    self.init(kind, sqlState: sqlState, "\(what): \(reason) (SQLSTATE \(sqlState))")
  }
}
