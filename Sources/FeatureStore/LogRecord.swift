import TwinCore

/// A frame with the version of the layout that names its columns.
struct LaidFrame: Sendable, Equatable {
  var frame: Frame
  var layout: Int64
}

/// A layout from the moment on which frames may use it.
struct LayoutEntry: Sendable, Equatable {
  var version: Int64
  var layout: FrameLayout
  var registered: Instant

  static func == (a: LayoutEntry, b: LayoutEntry) -> Bool {
    // As bytes: a NaN variance would make a layout differ from itself.
    a.version == b.version && a.registered == b.registered && a.layout.canonicalBytes == b.layout.canonicalBytes
  }
}

/// The last word on a name: its bytes, or nil when it is no more.
struct NamedBytes: Sendable, Equatable {
  var name: String
  var bytes: [UInt8]?
}

/// What a commit holds besides frames and ticks: the part that goes on to site.db.
struct RecordBatch: Sendable, Equatable {
  var layouts: [LayoutEntry] = []
  var decisions: [DecisionEntry] = []
  var events: [EventEntry] = []
  /// By key; nil removes.
  var facts: [NamedBytes] = []
  /// By point; nil closes.
  var leases: [NamedBytes] = []
  var versions: [VersionEntry] = []

  var isEmpty: Bool {
    layouts.isEmpty && decisions.isEmpty && events.isEmpty && facts.isEmpty && leases.isEmpty && versions.isEmpty
  }
}

/// One commit, as the log keeps it.
struct LogRecord: Sendable, Equatable {
  /// Rises by 1 from commit to commit; a number whose commit failed is used again.
  var commit: Int64
  /// In order of appending, each with its sequence. Read from the log, `values` are NaN where the quality has none.
  var frames: [LaidFrame] = []
  /// Numbers rise.
  var ticks: [TickRecord] = []
  var records = RecordBatch()
}
