// Bodies of entries in the audit stream, strict CBOR:
//
//     decision  {0: id text, 1: tick, 2: instant ns, 3: kind text, 4: point text, 5: the record's canonical bytes}
//     audit     {0: tick, 1: instant ns, 2: kind text, 3: subject text, 4: the event's canonical bytes}
//     ladder    {0: state text, 1: [reason text, …]}

import DeltaLog
import FeatureStore
import Provenance
import TwinCore

/// Follows the site's record and puts what people must be able to prove into the log, each row once.
///
/// How far it came is kept with what it appended, in one transaction: a start goes on where the last one ended.
enum RecordShipper {
  private static let decisionMark = "decisions"
  private static let eventMark = "events"
  static let rowsMax = 256

  /// What was recorded since, at most `rowsMax` of each kind.
  static func news(from keeper: StoreKeeper, after place: Place) async throws(StoreError) -> News {
    try await keeper.with { (store) throws(StoreError) in
      News(
        decisions: try store.decisions(after: place.decision, limit: rowsMax),
        events: try store.events(after: place.event, limit: rowsMax))
    }
  }

  /// How far the log has come.
  static func place(in log: DeltaLog) throws(DeltaLogFault) -> Place {
    Place(decision: try log.followed(decisionMark) ?? 0, event: try log.followed(eventMark) ?? 0)
  }

  /// Appends the news; false when there was none.
  static func ship(
    _ news: News, to log: DeltaLog, at instant: Instant, uptime: Uptime
  ) throws(DeltaLogFault) -> Bool {
    guard !news.decisions.isEmpty || !news.events.isEmpty else { return false }
    // A row that cannot be read was told by the store; there is nothing in it to prove.
    let drafts = news.decisions.compactMap { $0.entry.map(draft) } + news.events.compactMap { $0.entry.map(draft) }
    var marks: [String: Int64] = [:]
    if let last = news.decisions.last { marks[decisionMark] = last.number }
    if let last = news.events.last { marks[eventMark] = last.number }
    try log.append(drafts, at: instant, uptime: uptime, following: marks)
    return true
  }

  struct Place: Sendable {
    var decision: Int64
    var event: Int64
  }

  struct News: Sendable {
    var decisions: [(number: Int64, entry: DecisionEntry?)]
    var events: [(number: Int64, entry: EventEntry?)]
  }

  private static func draft(_ entry: DecisionEntry) -> LogDraft {
    LogDraft(
      .audit, .decision,
      CBORItem.map(
        (0, .text(entry.id)), (1, .integer(entry.tick)), (2, .integer(entry.instant.nanoseconds)),
        (3, .text(entry.kind)), (4, .text(entry.point)), (5, .bytes(entry.bytes))
      ).encoded)
  }

  private static func draft(_ entry: EventEntry) -> LogDraft {
    LogDraft(
      .audit, .audit,
      CBORItem.map(
        (0, .integer(entry.tick)), (1, .integer(entry.instant.nanoseconds)), (2, .text(entry.kind)),
        (3, .text(entry.subject)), (4, .bytes(entry.bytes))
      ).encoded)
  }
}
