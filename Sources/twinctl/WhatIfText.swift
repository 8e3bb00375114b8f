import Harnesses
import StatusAPI
import TwinCore

extension API {
  /// A difference with the middle 90 % of what the draws of the parameters say.
  struct Spread: Codable, Sendable, Equatable {
    var value: Double
    var low: Double
    var high: Double

    init(_ difference: CounterfactualAnswer.Difference, times factor: Double = 1) {
      (value, low, high) = (difference.value * factor, difference.low * factor, difference.high * factor)
    }
  }

  struct WhatIfRow: Codable, Sendable, Equatable {
    var at: Timestamp
    var was: Double
    var wouldBe: Double
    var difference: Spread
  }

  struct WhatIfOutput: Codable, Sendable, Equatable {
    var name: String
    var unit: String
    var mean: Spread
    var atEnd: Spread
    var largest: Spread
    /// Where the unit is a power.
    var energyKWh: Spread?
    var rows: [WhatIfRow]
  }

  struct WhatIfInput: Codable, Sendable, Equatable {
    var name: String
    var unit: String
    var mean: Double
    /// Where the unit is a power.
    var energyKWh: Double?
  }

  /// What `twinctl whatif` answers.
  struct WhatIf: Codable, Sendable, Equatable {
    var model: String
    var from: Timestamp
    var to: Timestamp
    var stepS: Double
    /// Of the parameters; `drawsLost` of them found no way.
    var draws: Int
    var drawsLost: Int
    var inputs: [WhatIfInput]
    var outputs: [WhatIfOutput]

    init(_ model: String, _ stretch: Range<Instant>, _ answer: CounterfactualAnswer) {
      (self.model, from, to) = (model, Timestamp(stretch.lowerBound), Timestamp(stretch.upperBound))
      (stepS, draws, drawsLost) = (answer.secondsPerStep, answer.membersAsked - 1, answer.membersAsked - answer.members)
      let hours = answer.secondsPerStep * Double(answer.rows - 1) / 3600
      func energy(_ unit: String) -> Double? {
        guard let own = UnitCode(ucum: unit), let kilowatt = UnitCode(ucum: "kW") else { return nil }
        return own.convert(1, to: kilowatt).map { $0 * hours }
      }
      inputs = answer.inputs.map { input in
        WhatIfInput(
          name: input.name, unit: input.unit, mean: input.mean, energyKWh: energy(input.unit).map { $0 * input.mean })
      }
      outputs = answer.outputs.map { output in
        WhatIfOutput(
          name: output.name, unit: output.unit, mean: Spread(output.mean), atEnd: Spread(output.atEnd),
          largest: Spread(output.largest), energyKWh: energy(output.unit).map { Spread(output.mean, times: $0) },
          rows: (0..<answer.rows).map { row in
            WhatIfRow(
              at: Timestamp(answer.instant(ofRow: row)), was: output.factual[row], wouldBe: output.other[row],
              difference: Spread(output.differences[row]))
          })
      }
    }

    /// By output, both paths with what the draws say of the other one.
    var charts: [Chart] {
      outputs.map { output in
        func samples(_ value: (WhatIfRow) -> Double) -> [TextPlot.Sample] {
          output.rows.map { TextPlot.Sample(at: $0.at.instant, value: value($0)) }
        }
        let edges = output.rows.map {
          Chart.Edge(at: $0.at.instant, low: $0.was + $0.difference.low, high: $0.was + $0.difference.high)
        }
        return Chart(
          title: output.name, unit: Screen.symbol(output.unit),
          bands: draws > 0 ? [Chart.Band(name: "90 % interval", edges: edges)] : [],
          lines: [
            Chart.Line(name: "was", role: .reference, samples: samples(\.was)),
            Chart.Line(name: "would have been", role: .forecast, samples: samples(\.wouldBe)),
          ])
      }
    }
  }

  struct WhatIfParting: Codable, Sendable, Equatable {
    var tick: Int64
    var at: Timestamp
    var recorded: Double?
    var other: Double?
  }

  struct WhatIfPoint: Codable, Sendable, Equatable {
    var point: String
    var decisionsRecorded: Int
    var decisionsOther: Int
    var ticksApart: Int
    var largest: Double
    var partings: [WhatIfParting]
  }

  /// What `twinctl whatif --against` answers.
  struct WhatIfPack: Codable, Sendable, Equatable {
    var against: String
    var from: Timestamp?
    var to: Timestamp?
    var ticks: Int
    var same: Bool
    /// From this tick on the recorded pack itself comes out otherwise than recorded.
    var otherwiseFrom: Int64?
    /// The log has a gap before this tick.
    var endedAt: Int64?
    var points: [WhatIfPoint]

    init(_ against: String, _ report: ShadowReport) {
      self.against = against
      (from, to) = (report.from.map(Timestamp.init), report.through.map(Timestamp.init))
      (ticks, same) = (report.ticks, report.isSame)
      (otherwiseFrom, endedAt) = (report.otherwiseFrom, report.endedAt)
      points = report.points.map { point in
        WhatIfPoint(
          point: point.id, decisionsRecorded: point.recorded, decisionsOther: point.other,
          ticksApart: point.ticksApart, largest: point.largest,
          partings: point.partings.map {
            WhatIfParting(tick: $0.tick, at: Timestamp($0.instant), recorded: $0.recorded, other: $0.other)
          })
      }
    }
  }
}

extension Screen {
  func whatIf(_ answer: API.WhatIf, plot: Bool) -> [String] {
    let changes = answer.inputs.map { input in
      let unit = Self.differenceSymbol(input.unit)
      let energy = input.energyKWh.map { ", \(Self.signed($0, places: 1)) kWh" } ?? ""
      return "\(input.name) \(Self.signed(input.mean, places: 2))\(unit.isEmpty ? "" : " \(unit)") on average\(energy)"
    }
    var lines = wrapped(
      "\(answer.model), \(time(answer.from)) to \(time(answer.to)): \(changes.joined(separator: "; "))",
      width: style.width)
    let hasEnergy = answer.outputs.contains { $0.energyKWh != nil }
    var columns = [
      Column(title: "output"), Column(title: "unit"), Column(title: "mean"), Column(title: "at the end", rank: 2),
      Column(title: "at most", rank: 3),
    ]
    if hasEnergy { columns.append(Column(title: "kWh", rank: 1)) }
    lines += table(
      columns,
      answer.outputs.map { output in
        let cells = [output.mean, output.atEnd, output.largest].map(spread)
        let row = [output.name, Self.differenceSymbol(output.unit)] + cells
        return hasEnergy ? row + [output.energyKWh.map(spread) ?? ""] : row
      })
    if plot { lines += answer.charts.flatMap { chart($0) } }
    let lost = answer.drawsLost == 0 ? "" : " (\(answer.drawsLost) of them found no way)"
    return lines
      + wrapped(
        answer.draws == 0
          ? "The calibration alone was asked; --draws says how far it can be trusted."
          : "In brackets: the middle 90 % over \(answer.draws) draws of the parameters\(lost); what the physics leave "
            + "out is not in it.", width: style.width)
  }

  func whatIf(_ answer: API.WhatIfPack) -> [String] {
    guard answer.ticks > 0, let from = answer.from, let to = answer.to else {
      return ["nothing to compare: the log has no tick after the checkpoint"]
    }
    var lines = ["\(answer.ticks) ticks, \(time(from)) to \(time(to)), under \(answer.against) as well"]
    if answer.same {
      lines.append("it would have decided the same on every one")
    } else {
      lines += table(
        [
          Column(title: "point"), Column(title: "ticks apart", isRight: true),
          Column(title: "at most", isRight: true), Column(title: "first apart"), Column(title: "decisions", rank: 1),
        ],
        answer.points.filter { $0.ticksApart > 0 }.map { point in
          let first = point.partings.first.map { parting in
            let values = [parting.recorded, parting.other].map { $0.map(Self.number) ?? "nothing" }
            return "\(time(parting.at)): \(values[1]) for \(values[0])"
          }
          return [
            point.point, "\(point.ticksApart)", Self.number(point.largest), first ?? "",
            "\(point.decisionsOther) for \(point.decisionsRecorded)",
          ]
        })
      lines.append("Its readings are those under the recorded pack: the plant did not answer it.")
    }
    if let tick = answer.otherwiseFrom {
      lines.append("!  from tick \(tick) on the recorded pack itself comes out otherwise: another release recorded it")
    }
    if let tick = answer.endedAt { lines.append("!  the log has a gap before tick \(tick); it ended there") }
    return lines
  }

  private func spread(_ spread: API.Spread) -> String {
    "\(Self.signed(spread.value, places: 2)) (\(Self.signed(spread.low, places: 2)) to "
      + "\(Self.signed(spread.high, places: 2)))"
  }
}
