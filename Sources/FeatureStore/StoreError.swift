import SQLite
public import TwinCore

/// What the store could not do.
public struct StoreError: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// Nothing buffered was lost; the next commit tries again.
    case diskFull = "disk_full"
    case io
    case corrupt
    /// Another process has the site open.
    case locked
    /// A reader holds the file for too long.
    case busy
    case readOnly = "read_only"
    case cannotOpen = "cannot_open"
    /// The file was written by a newer twind; it was not touched.
    case newerVersion = "newer_version"
    /// The file was written by a twind before the first release; it was not touched.
    case olderVersion = "older_version"
    /// The file is a database, but not of a site.
    case notAStore = "not_a_store"
    case notFound = "not_found"
    /// What was known then is told apart no more: corrections beyond the history horizon were folded.
    case folded
    /// The pack does not let it leave the site.
    case notAllowed = "not_allowed"
    /// A decision with this id is already recorded.
    case duplicate
    /// A tick that does not come after the last one, or carries frames that an earlier one carried.
    case outOfOrder = "out_of_order"
    /// A frame that does not fit its group's registered layout, or a layout that cannot be.
    case layout
    case tooBig = "too_big"
    /// So much is buffered that a record which must not be dropped cannot be taken either.
    case backlogFull = "backlog_full"
    case failed
  }

  public let kind: Kind
  public let message: String

  public init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }

  public var code: String { "store.\(kind.rawValue)" }
  public var isRetriable: Bool { kind == .diskFull || kind == .busy || kind == .io }

  public var remedy: String {
    switch kind {
    case .diskFull: "free space on the state directory's volume, or shorten the retention"
    case .io: "look in the kernel's log for errors of the device that holds the state directory"
    case .corrupt: "stop twind, keep a copy of site.db, and restore a backup"
    case .locked: "stop the other twind, or give this one a state directory of its own"
    case .busy: "close the program that reads site.db, then try again"
    case .readOnly: "give the service's user write permission on the state directory"
    case .cannotOpen: "check that the state directory exists and that the service's user may enter it"
    case .newerVersion: "start the newer twind again, or restore a backup made before the upgrade"
    case .olderVersion: "move the state directory aside, and let twind begin a new one"
    case .notAStore: "move that file out of the state directory"
    case .notAllowed: "its owner writes data: {export: raw} in the pack, and signs it"
    case .folded: "ask as of a later instant, or keep a longer history from now on"
    case .notFound: "list what there is, and ask for one of those"
    case .duplicate, .outOfOrder, .layout, .failed: "report this message together with the version of twind"
    case .tooBig: "split what was to be stored"
    case .backlogFull: "make commits succeed again; the problem list says why they fail"
    }
  }

  init(_ fault: SQLiteFault) {
    let kind: Kind =
      switch fault.kind {
      case .full: .diskFull
      case .corrupt: .corrupt
      case .busy: .busy
      case .io: .io
      case .readOnly: .readOnly
      case .cannotOpen, .tooOld: .cannotOpen
      case .constraint, .failed: .failed
      }
    self.init(kind, fault.message)
  }
}

/// Runs calls into SQLite, with their faults told as the store's.
func storing<Result>(_ body: () throws(SQLiteFault) -> Result) throws(StoreError) -> Result {
  do throws(SQLiteFault) { return try body() } catch { throw StoreError(error) }
}
