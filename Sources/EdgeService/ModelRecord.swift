import FeatureStore
import Models
import StatusAPI
import TwinCore

/// What the record keeps of a model: kind `model.WORD`, the model's id, and the event's canonical bytes; of what a
/// person asked for, kind `model.asked` and `anna: promote: why` in UTF-8.
enum ModelRecord {
  private static let prefix = "model."
  private static let asked = "asked"
  /// Of the record's newest events, so many are looked through.
  static let eventsMax = 10_000
  static let shownMax = 50

  static func entry(_ event: ModelEvent, of model: String, tick: Int64, at instant: Instant) -> EventEntry {
    var writer = CanonicalWriter()
    event.encode(to: &writer)
    return EventEntry(
      tick: tick, instant: instant, kind: prefix + event.kind.word, subject: model, bytes: writer.bytes)
  }

  static func entry(
    _ verb: API.ModelVerb, of model: String, by person: String, reason: String, tick: Int64, at instant: Instant
  ) -> EventEntry {
    EventEntry(
      tick: tick, instant: instant, kind: prefix + asked, subject: model,
      bytes: Array("\(person): \(verb.rawValue): \(reason)".utf8))
  }

  /// One model's events, in the order of `entries`: newest first. Each admission took the next version number, so the
  /// numbers follow backwards from `newest`.
  static func events(of model: String, in entries: [EventEntry], newest: Int64) -> [API.ModelEvent] {
    let own = entries.filter { $0.subject == model && $0.kind.hasPrefix(prefix) }
    var versions: [Digest: Int64] = [:]
    var number = newest - Int64(own.count { $0.kind == prefix + ModelEvent.Kind.admitted.word })
    let found: [API.ModelEvent] = own.reversed().compactMap { entry in
      let at = Timestamp(entry.instant)
      guard entry.kind != prefix + asked else {
        let text = String(decoding: entry.bytes, as: UTF8.self)
        let person = text.prefix { $0 != ":" }
        return API.ModelEvent(
          at: at, kind: asked, text: String(text.dropFirst(person.count + 2)), by: String(person))
      }
      var reader = CanonicalReader(entry.bytes)
      guard let event = try? ModelEvent(from: &reader) else { return nil }
      if event.kind == .admitted {
        number += 1
        versions[event.candidate] = number
      }
      return API.ModelEvent(
        at: at, kind: event.kind.word, text: event.text, by: event.by.isEmpty ? nil : event.by,
        candidate: event.candidate == .zero ? nil : event.candidate.hex, version: versions[event.candidate])
    }
    return found.reversed()
  }

  /// Since when the verdict is what it is, as far back as `entries` go.
  static func driftSince(_ model: String, in entries: [EventEntry]) -> Instant? {
    entries.first { $0.subject == model && $0.kind == prefix + ModelEvent.Kind.drift.word }?.instant
  }
}

extension ModelEvent.Kind {
  /// For records, screens and machines.
  var word: String {
    switch self {
    case .admitted: "admitted"
    case .refused: "refused"
    case .promoted: "promoted"
    case .retired: "retired"
    case .rolledBack: "rolled_back"
    case .drift: "drift"
    case .refusedReading: "refused_reading"
    case .recalibrate: "recalibrate"
    }
  }
}
