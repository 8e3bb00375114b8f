import ArgumentParser
import FeatureStore
import StatusAPI
import TwinCore

extension API {
  struct DataStats: Codable, Sendable, Equatable {
    var points: Int
    var from: Timestamp?
    var to: Timestamp?
    var days: [Day]
    var bad: [Bad]
    /// Whether the linked SQLite has a fault that two writing connections could meet; here there is one.
    var sqliteWalResetBug: Bool

    struct Day: Codable, Sendable, Equatable {
      var day: String
      var closed: Bool
      var bodies: Int
      var bytes: Int
      var samples: Int
      var corrections: Int
      /// Points whose values were not kept any longer.
      var lapsed: Int
    }

    struct Bad: Codable, Sendable, Equatable {
      var what: String
      var reason: String
    }
  }
}

extension DataCommand {
  struct Stats: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "How much is recorded, day by day.",
      discussion: "What is not sealed yet, the last ten minutes or so, is not counted.")
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      do throws(StoreError) {
        let extent = try reader.extent()
        var days: [API.DataStats.Day] = []
        for day in reader.unitDays {
          let units = try reader.units(day: day)
          let bodies = units.filter { $0.kind != .overlay }
          days.append(
            API.DataStats.Day(
              day: day, closed: bodies.allSatisfy { $0.file?.hasSuffix(".twc") ?? false }, bodies: bodies.count,
              bytes: units.reduce(0) { $0 + $1.length }, samples: units.reduce(0) { $0 + samples($1, reader) },
              corrections: units.count - bodies.count,
              lapsed: Set(try reader.lapses(day: day).flatMap(\.points)).count))
        }
        let stats = API.DataStats(
          points: try reader.points().count, from: extent.map { Timestamp($0.lowerBound) },
          to: extent.map { Timestamp($0.upperBound) }, days: days,
          bad: reader.badBodies.map { API.DataStats.Bad(what: $0.row, reason: $0.reason) },
          sqliteWalResetBug: StoreReader.sqliteHasWalResetBug)
        return answer(stats, site: "", session, exit: stats.bad.isEmpty ? .well : .attention) { $0.stats($1) }
      } catch {
        throw .input(error)
      }
    }

    private func samples(_ unit: DeltaUnit, _ reader: StoreReader) -> Int {
      unit.kind == .frames ? unit.rows * (reader.layouts[unit.layout]?.layout.points.count ?? 0) : 0
    }
  }

  struct Verify: OfflineVerb {
    static let configuration = CommandConfiguration(
      abstract: "Reads everything that is sealed and compares it with its checksums.",
      discussion: "Leaves with 2 when something is damaged; the rest stays readable.")
    @OptionGroup var place: Place
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let reader = try place.reader()
      do throws(StoreError) {
        var units: [DeltaUnit] = []
        for day in reader.unitDays { units += try reader.units(day: day) }
        let bar = ProgressBar("verifying")
        var verified = API.DataVerified(bodies: units.count, bytes: 0, bad: [])
        for (place, unit) in units.enumerated() {
          _ = bar.show(Double(place) / Double(units.count))
          do throws(StoreError) { verified.bytes += try reader.verify(unit) } catch {
            verified.bad.append(
              API.DataStats.Bad(what: "\(unit.day) \(unit.kind.rawValue) \(unit.hash.short)", reason: error.message))
          }
        }
        bar.end()
        for bad in reader.badBodies where !verified.bad.contains(where: { $0.what == bad.row }) {
          verified.bad.append(API.DataStats.Bad(what: bad.row, reason: bad.reason))
        }
        return answer(verified, site: "", session, exit: verified.bad.isEmpty ? .well : .alarm) { $0.verified($1) }
      } catch {
        throw .input(error)
      }
    }
  }
}

extension API {
  struct DataVerified: Codable, Sendable, Equatable {
    var bodies: Int
    var bytes: Int
    var bad: [DataStats.Bad]
  }
}

extension Screen {
  func stats(_ stats: API.DataStats) -> [String] {
    guard let from = stats.from, let to = stats.to else { return ["nothing is recorded yet"] }
    var lines = ["\(stats.points) points, \(from.instant.rfc3339) to \(to.instant.rfc3339)"]
    if !stats.days.isEmpty {
      lines.append("  day         bodies     kB      samples  B/sample")
    }
    for day in stats.days {
      let each = day.samples > 0 ? Self.number(Double(day.bytes * 1000 / day.samples) / 1000) : "-"
      lines.append(
        "  \(day.day)  \(Self.padded("\(day.bodies)", 6, right: true))  \(Self.padded("\(day.bytes / 1000)", 5, right: true))"
          + "  \(Self.padded("\(day.samples)", 11, right: true))  \(Self.padded(each, 8, right: true))"
          + (day.closed ? "" : "  open") + (day.corrections > 0 ? "  \(day.corrections) corrections" : "")
          + (day.lapsed > 0 ? "  \(Self.plural(day.lapsed, "point")) not kept" : ""))
    }
    return lines + bad(stats.bad)
  }

  func verified(_ verified: API.DataVerified) -> [String] {
    [
      "\(verified.bodies) bodies, \(verified.bytes / 1000) kB: \(verified.bad.isEmpty ? "all as they were written" : "\(verified.bad.count) damaged")"
    ]
      + bad(verified.bad)
  }

  private func bad(_ bad: [API.DataStats.Bad]) -> [String] { bad.map { marked("!! \($0.what): \($0.reason)", .alarm) } }
}
