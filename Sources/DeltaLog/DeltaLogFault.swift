import SQLite
import Seams
public import TwinCore

/// Why the site's log could not be read or written.
public struct DeltaLogFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// No space: neither on the volume nor in the reserved area.
    case diskFull = "disk_full"
    /// The log's budget is used up for this stream; streams of higher priority may still be written.
    case budget
    case io
    /// The file is damaged. Whatever does not need the log goes on.
    case corrupt
    /// Another process has the log open.
    case busy
    case readOnly = "read_only"
    case cannotOpen = "cannot_open"
    /// The file was written by a newer twind; it was not touched.
    case newerVersion = "newer_version"
    /// The file is no site's log.
    case notALog = "not_a_log"
    /// Entries below the first one kept.
    case notKept = "not_kept"
    /// A sequence beyond the end, or a range without length.
    case outOfRange = "out_of_range"
    /// A body or a list larger than may be.
    case tooBig = "too_big"
    /// A checkpoint of another log, or one that the entries contradict.
    case checkpointWrong = "checkpoint_wrong"
    /// An entry from the foundation that is not the one expected next.
    case outOfOrder = "out_of_order"
    case failed
  }

  public let kind: Kind
  public let message: String

  public init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }

  public var code: String { "delta_log.\(kind.rawValue)" }
  public var isRetriable: Bool { [.diskFull, .budget, .busy, .io].contains(kind) }

  public var remedy: String {
    switch kind {
    case .diskFull: "free space on the state directory's volume"
    case .budget: "connect the site to its foundation, or give the log a larger budget"
    case .io: "look in the kernel's log for errors of the device that holds the state directory"
    case .corrupt: "stop twind, move sync.db aside and start again: the site opens a new epoch"
    case .busy: "stop the other twind of this state directory"
    case .readOnly: "give the service's user write permission on the state directory"
    case .cannotOpen: "check that the state directory exists and that the service's user may enter it"
    case .newerVersion: "start the newer twind again, or restore a backup made before the upgrade"
    case .notALog: "move that file out of the state directory"
    case .notKept: "ask for entries from the first one kept on"
    case .outOfRange, .outOfOrder: "ask for the head of the stream, and go on from there"
    case .tooBig: "send it as an artefact, or split it"
    case .checkpointWrong: "run twinctl audit verify on an export of this site"
    case .failed: "report this message together with the version of twind"
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

  init(_ fault: FileFault) {
    let kind: Kind =
      switch fault.kind {
      case .full: .diskFull
      case .io: .io
      case .notFound, .notPermitted, .failed: .cannotOpen
      }
    self.init(kind, fault.message)
  }
}
