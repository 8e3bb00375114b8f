public import TwinCore

/// How a call into SQLite failed.
public struct SQLiteFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// No space on the device, a quota, or `max_page_count`.
    case full
    /// The file is damaged, or is no database.
    case corrupt
    /// Another connection held a lock for longer than the busy timeout.
    case busy
    /// The disk or its driver refused; see `systemErrno`.
    case io
    case readOnly = "readonly"
    case cannotOpen = "cantopen"
    /// A constraint of the schema was violated.
    case constraint
    /// The linked library is older than `Database.libraryVersionMin`.
    case tooOld = "too_old"
    /// Anything else: SQL that does not parse, misuse, a value too big, no memory.
    case failed
  }

  public let kind: Kind
  /// SQLite's extended result code (sqlite.org/rescode.html).
  public let extendedCode: Int32
  /// `errno` of the last system call that failed inside SQLite; 0 when unknown.
  public let systemErrno: Int32
  public let message: String

  public var code: String { "sqlite.\(kind.rawValue)" }

  public var isRetriable: Bool { kind == .busy || kind == .full }

  public var remedy: String {
    switch kind {
    case .full: "free space on the file's volume, or raise its quota"
    case .corrupt: "move the file aside and restore a copy"
    case .busy: "close the other program that holds the file open"
    case .io: "look in the kernel's log for errors of the device that holds the file"
    case .readOnly: "give the service's user write permission on the file and its directory"
    case .cannotOpen: "check that the directory exists and that the service's user may enter it"
    case .constraint, .failed: "report this message together with the version of twind"
    case .tooOld: "install SQLite \(Database.versionText(Database.libraryVersionMin)) or newer"
    }
  }

  init(_ kind: Kind, extendedCode: Int32 = 0, systemErrno: Int32 = 0, _ message: String) {
    (self.kind, self.extendedCode, self.systemErrno) = (kind, extendedCode, systemErrno)
    self.message = message
  }

  /// Classifies an extended result code; a write that failed for want of space or quota is `full`.
  init(extendedCode: Int32, systemErrno: Int32, doing what: String, because reason: String) {
    let (noSpace, overQuota): (Int32, Int32) = (28, 122)
    let kind: Kind =
      switch extendedCode & 0xFF {
      case 13: .full
      case 10 where systemErrno == noSpace || systemErrno == overQuota: .full
      case 11, 26: .corrupt
      case 5, 6: .busy
      case 10: .io
      case 8: .readOnly
      case 14: .cannotOpen
      case 19: .constraint
      default: .failed
      }
    let system = systemErrno == 0 ? "" : ", errno \(systemErrno)"
    self.init(
      kind, extendedCode: extendedCode, systemErrno: systemErrno,
      "\(what): \(reason) (SQLite code \(extendedCode)\(system))")
  }
}
