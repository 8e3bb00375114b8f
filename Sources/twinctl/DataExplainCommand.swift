import ArgumentParser
import FeatureStore
import StatusAPI
import TwinCore

extension API {
  /// Where a point's recorded values come from, what they mean, what became of one of them.
  struct DataExplained: Codable, Sendable, Equatable {
    var point: String
    var unit: String
    var source: String
    var layout: Int64
    var group: Int32
    /// The register's decimal step; absent where there is none.
    var step: Double?
    var deviation: Double?
    var export: String
    var purpose: String
    var keepS: Double?
    /// Days of which the values were not kept any longer.
    var notKept: [String]
    var meanings: [Meaning]
    /// Of the instant asked for, in the order in which they were known.
    var versions: [Version]

    struct Meaning: Codable, Sendable, Equatable {
      var unit: String
      var factor: Double
      var offset: Double
      var from: Timestamp
      var tick: Int64
      var reason: String
    }

    struct Version: Codable, Sendable, Equatable {
      var tick: Int64
      var observed: Timestamp
      var value: Double?
      var quality: String
      /// `frame`, `correction` or `retraction`.
      var origin: String
      var reason: String?
      var by: String?
    }
  }
}

extension DataCommand {
  struct Explain: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "Where a point's values come from, what they mean, whether they may leave.",
      discussion: "With --at: everything that was ever known of the last sample up to that instant, and who said so.")
    @Argument(help: "The point, as chiller-1.chw_supply_t.") var point: String
    @Option(help: "An instant, as 2026-01-13T06:00:00Z.", transform: Stretch.instant) var at: Instant?
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      let all: [String]
      do throws(StoreError) { all = try reader.points() } catch { throw .input(error) }
      guard let column = reader.column(of: point) else {
        throw .notFound("point", point, known: all, list: "twinctl data stats")
      }
      do throws(StoreError) {
        let policy = try reader.policies()[point] ?? DataPolicy()
        let explained = API.DataExplained(
          point: point, unit: column.unit, source: column.provenance, layout: column.layout, group: column.group,
          step: column.scale > 0 ? column.scale : nil,
          deviation: column.variance > 0 ? column.variance.squareRoot() : nil, export: policy.export.name,
          purpose: policy.purpose, keepS: policy.keepNanoseconds.map { Double($0) / 1e9 },
          notKept: try reader.lapses(of: point).map(\.day),
          meanings: try reader.meanings(of: point).map {
            API.DataExplained.Meaning(
              unit: $0.meaning.unit, factor: $0.meaning.factor, offset: $0.meaning.offset,
              from: Timestamp($0.effective.lowerBound), tick: $0.tick, reason: $0.reason)
          }, versions: try at.map { (at) throws(StoreError) in try versions(at, reader) } ?? [])
        return answer(explained, site: "", session, exit: .well) { $0.explained($1, at: at) }
      } catch {
        throw .input(error)
      }
    }

    private func versions(_ at: Instant, _ reader: StoreReader) throws(StoreError) -> [API.DataExplained.Version] {
      // The last sample up to then, within a day.
      let range = at.advanced(byNanoseconds: -86_400_000_000_000)..<at.advanced(byNanoseconds: 1)
      guard let sample = try reader.read(points: [point], effective: range)[0].samples.last else { return [] }
      return try reader.history(point: point, at: sample.effective).map { version in
        var shown = API.DataExplained.Version(
          tick: version.tick, observed: Timestamp(version.observed),
          value: version.quality.hasValue && version.value.isFinite ? version.value : nil,
          quality: version.quality.name, origin: "frame")
        switch version.origin {
        case .frame: break
        case .correction(let grounds):
          (shown.origin, shown.reason, shown.by) = ("correction", grounds.reason, grounds.by)
        case .retraction(let grounds):
          (shown.origin, shown.reason, shown.by) = ("retraction", grounds.reason, grounds.by)
        }
        return shown
      }
    }
  }
}

extension Screen {
  func explained(_ point: API.DataExplained, at: Instant?) -> [String] {
    let step = point.step.map { ", counts of \(Self.number($0))" } ?? ""
    let deviation = point.deviation.map { ", σ \(Self.number($0))" } ?? ""
    var lines = [
      "\(point.point)  \(point.unit)\(step)\(deviation)",
      "  from      \(point.source)",
      "  stored    group \(point.group), layout \(point.layout)",
      "  may leave \(point.export), kept for \(point.purpose)"
        + (point.keepS.map { ", \(Self.span($0))" } ?? ""),
    ]
    if let first = point.notKept.first, let last = point.notKept.last {
      lines.append("  not kept  \(first)\(first == last ? "" : " to \(last)"): its time was over")
    }
    for meaning in point.meanings {
      lines.append(
        "  reads as  × \(Self.number(meaning.factor)) + \(Self.number(meaning.offset)) \(meaning.unit)"
          + (meaning.from.instant == .distantPast ? "" : " from \(meaning.from.instant.rfc3339)")
          + ", said at tick \(meaning.tick): \(meaning.reason)")
    }
    guard at != nil else { return lines }
    if point.versions.isEmpty { lines.append("  nothing is recorded of that instant or the day before it") }
    for version in point.versions {
      let value = version.value.map(Self.number) ?? "-"
      let by = version.by.map { "  \($0)" } ?? ""
      let why = version.reason.map { ": \($0)" } ?? ""
      let quality = version.quality == "good" || version.origin == "retraction" ? "" : " \(version.quality)"
      lines.append(
        "  \(version.observed.instant.rfc3339)  tick \(version.tick)  \(version.origin)  \(value)\(quality)\(by)\(why)")
    }
    return lines
  }
}
