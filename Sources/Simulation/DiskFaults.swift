import Seams

/// What a program asks of a disk.
public enum DiskCall: String, Sendable, CaseIterable {
  case open
  case list
  case makeDirectory
  case rename
  case remove
  case syncDirectory
  case size
  case read
  case write
  case truncate
  case sync

  /// Whether the call can alter what a restart finds; only these count as steps.
  public var isStep: Bool {
    switch self {
    case .list, .size, .read: false
    case .open, .makeDirectory, .rename, .remove, .syncDirectory, .write, .truncate, .sync: true
    }
  }
}

/// How often calls fail by themselves; probabilities, 0 to 1.
public struct DiskOdds: Sendable, Equatable {
  public var readFails = 0.0
  /// The device fails in the middle of a write: a part of it may be there.
  public var writeFails = 0.0
  /// As Linux has it: what could not be written is forgotten, and the next sync succeeds without it.
  public var syncFails = 0.0
  /// Names: create, rename, remove, make a directory, sync a directory.
  public var nameFails = 0.0

  public init() {}

  func probability(of call: DiskCall) -> Double {
    switch call {
    case .read, .list, .size: readFails
    case .write, .truncate: writeFails
    case .sync: syncFails
    case .open, .makeDirectory, .rename, .remove, .syncDirectory: nameFails
    }
  }
}

/// What a disk was asked since it was made.
public struct DiskCounts: Sendable, Equatable {
  /// Calls that can alter what a restart finds.
  public var steps = 0
  public var reads = 0
  public var readBytes = 0
  public var writes = 0
  public var writtenBytes = 0
  public var syncs = 0
  public var directorySyncs = 0
  /// Pages that syncs and the system's own write-back moved to the device, times their size.
  public var deviceBytes = 0
  public var faults = 0
}

/// A fault on command.
struct PlannedFault: Sendable {
  var call: DiskCall
  var kind: FileFault.Kind
  /// Calls of this sort that still succeed before.
  var skip: Int
  var times: Int
  /// How the path ends; empty for any.
  var pathEnd: String
}
