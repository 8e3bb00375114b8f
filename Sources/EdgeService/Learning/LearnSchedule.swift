import FeatureStore
import Models
import TwinCore

/// When the site wants its models trained: at a pace, soon where only a template is at work, and when drift asks for
/// it.
///
/// A pure value on the site's own time.
struct LearnSchedule: Sendable, Equatable {
  /// Between two requests at the pace; nil: nothing is asked for but by people.
  var everyNanoseconds: Int64?
  private(set) var lastID: Int64 = 0
  private(set) var lastAt: Instant?
  /// Models that drift wants trained, with why.
  private(set) var wanted: [String: String] = [:]

  static let fact = "learn_asked"
  /// A template is trained as soon as there may be enough, and asked for again so often until it is.
  static let firstNanoseconds: Int64 = 86_400_000_000_000
  /// Days of readings before the first request.
  static let readyDays: Int64 = 4
  /// What drift asks for waits so long after the request before: a calibration needs days of what changed.
  static let driftNanoseconds: Int64 = 21_600_000_000_000
  static let wantedMax = 256

  init(everyNanoseconds: Int64?, _ bytes: [UInt8]?) {
    self.everyNanoseconds = everyNanoseconds
    guard let bytes else { return }
    var reader = CanonicalReader(bytes)
    guard (try? reader.structure(2, version: 1)) != nil, let id = try? reader.integer(), let at = try? reader.instant()
    else { return }
    (lastID, lastAt) = (max(0, id), at)
  }

  var bytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(3)
    writer.integer(1)
    writer.integer(lastID)
    writer.instant(lastAt ?? Instant(nanoseconds: 0))
    return writer.bytes
  }

  /// Drift asks; kept until it is asked for.
  mutating func want(_ model: String, because reason: String) {
    guard everyNanoseconds != nil, wanted.count < Self.wantedMax else { return }
    wanted[model] = reason
  }

  /// What is to be asked for now, if anything: models by id, none for all of them, and why.
  func due(at now: Instant, isUntrainedReady: Bool) -> (models: [String], reason: String)? {
    guard let every = everyNanoseconds else { return nil }
    // A clock that was set back must not hold learning off for years.
    let since = lastAt.map { at in at > now ? .max : now.nanoseconds(since: at) }
    if isUntrainedReady, since.map({ $0 >= Self.firstNanoseconds }) ?? true { return ([], "first training") }
    if let since, since >= every { return ([], "schedule") }
    guard !wanted.isEmpty, since.map({ $0 >= Self.driftNanoseconds }) ?? true else { return nil }
    let models = wanted.keys.sorted()
    return (models, models.map { "\($0): \(wanted[$0] ?? "")" }.joined(separator: "; "))
  }

  /// The number of the request that is made now, above every one before.
  mutating func ask(at now: Instant, above answered: Int64, models: [String]) -> Int64 {
    lastID = max(lastID, answered) + 1
    lastAt = now
    if models.isEmpty { wanted = [:] } else { for model in models { wanted[model] = nil } }
    return lastID
  }
}
