import Harnesses
import Models
import SiteKernel
import StatusAPI
import Testing
import TwinCore

@testable import twinctl

/// A tank that a heater warms, 1 kW of loss less: one state, two inputs, one of them a point in kW.
private enum Tank {
  static let begin = Instant(rfc3339: "2026-01-13T00:00:00Z")!

  static let physics = BilinearModel(
    states: [.init(name: "water", unit: "Cel", initialMean: 50, initialVariance: 1, noiseIntensity: 1e-9)],
    inputs: [.init(name: "heater", unit: "W"), .init(name: "loss", unit: "W")],
    parameters: [.init(name: "capacity", unit: "J/K", prior: 3.6e6, spread: 0.1)],
    outputs: [.init(name: "water", unit: "Cel", state: 0, noiseVariance: 1e-4)],
    terms: [
      .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1)]),
      .init(row: 0, column: .input(1), scale: -1, powers: [.init(0, -1)]),
    ])

  static let site: SiteDefinition = {
    let point = { (id: String, unit: String) in
      PointDefinition(
        id: id, unit: unit, staleNanoseconds: 60_000_000_000,
        estimator: EstimatorSettings(
          measurementVariance: 0.01, processVariancePerSecond: 1e-4, isContinuous: true,
          halfLifeNanoseconds: 60_000_000_000))
    }
    let points = [point("tank.heater_p", "kW"), point("tank.water_t", "Cel")]
    let model = ModelDefinition(
      id: "tank", asset: "tank", templates: ["tank"], stepNanoseconds: 900_000_000_000, physics: physics,
      inputs: [InputBinding(.point(PointBinding(PointIndex(0), scale: 1000))), InputBinding(.constant(1000))],
      outputs: [PointBinding(PointIndex(1))], horizons: [1])
    return SiteDefinition(
      id: "acme.lyon", name: "Lyon", points: points,
      groups: [GroupDefinition(points: [PointIndex(0), PointIndex(1)])], models: [model])
  }()

  static let stretch = begin..<begin.advanced(byNanoseconds: 25 * 900_000_000_000)

  static func changes(_ set: [String] = [], _ offset: [String] = []) throws -> [InputChange] {
    try WhatIfQuestion(site, site.models[0]).changes(
      set.compactMap(WhatIfCommand.Assignment.init), offset.compactMap(WhatIfCommand.Assignment.init), during: stretch)
  }

  /// A day at the loss, so that nothing moves; half a kilowatt more from the first step on.
  static func answer() throws -> API.WhatIf {
    let inputs = [Double](repeating: 1000, count: 50)
    let record = ObservationTable(
      secondsPerStep: 900, steps: 25, inputs: inputs, outputs: Array(repeating: 50, count: 25))
    var question = try Counterfactual(
      physics, ParameterEnsemble(JointObserver(physics)), record: record, begin: begin, seen: [0...3000, 1000...1000],
      changes: try changes([], ["tank.heater_p=0.5"]))
    while try question.advance() {}
    return API.WhatIf("tank", stretch, try #require(question.answer))
  }
}

@Suite("What is named becomes inputs of the model")
struct WhatIfQuestionTests {
  @Test("in the unit of the physics, whoever names it")
  func named() throws {
    #expect(try Tank.changes(["tank.heater_p=2"]).map(\.replacement) == [.constant(2000)])
    #expect(try Tank.changes(["tank.heater_p=1500 W"]).map(\.replacement) == [.constant(1500)])
    #expect(try Tank.changes([], ["tank.heater_p=-0.5"]).map(\.replacement) == [.offset(-500)])
    #expect(try Tank.changes(["loss=900"]).map(\.replacement) == [.constant(900)])
    #expect(try Tank.changes(["loss=900"], ["tank.heater_p=1"]).map(\.input) == [1, 0])
  }

  @Test(arguments: [
    ("tank.heater=2", "whatif.no_such_input"), ("tank.water_t=50", "whatif.no_such_input"),
    ("tank.heater_p=2 Cel", "whatif.wrong_unit"),
  ])
  func unknown(text: String, code: String) throws {
    let problem = #expect(throws: APIProblem.self) { try Tank.changes([text]) }
    #expect(problem?.code == code)
  }

  @Test("what is no assignment is none", arguments: ["", "a", "a=", "a=b", "=", "=2"])
  func none(text: String) { #expect(WhatIfCommand.Assignment(argument: text) == nil) }

  @Test func model() throws {
    #expect(try WhatIfCommand.position(of: nil, in: Tank.site) == 0)
    #expect(try WhatIfCommand.position(of: "tank", in: Tank.site) == 0)
    let problem = #expect(throws: APIProblem.self) { try WhatIfCommand.position(of: "tanc", in: Tank.site) }
    #expect(problem?.nearest == "tank")
    var two = Tank.site
    two.models.append(two.models[0])
    two.models[1].id = "other"
    #expect(throws: APIProblem.self) { try WhatIfCommand.position(of: nil, in: two) }
  }
}

@Suite("What would have been, as people and tools read it")
struct WhatIfTextTests {
  private let screen = Screen(style: Style(width: 100, isUTC: true), now: Instant(rfc3339: "2026-01-14T00:00:00Z")!)

  @Test("half a kilowatt for six hours warms a kilowatt-hour a kelvin by three")
  func numbers() throws {
    let answer = try Tank.answer()
    #expect(abs(answer.outputs[0].atEnd.value - 3) < 1e-9)
    #expect(answer.outputs[0].atEnd.low > 2.2 && answer.outputs[0].atEnd.low < 2.9)
    #expect(answer.outputs[0].atEnd.high > 3.1 && answer.outputs[0].atEnd.high < 3.8)
    #expect(abs((answer.inputs[0].energyKWh ?? 0) - 3) < 1e-9)
    #expect(answer.outputs[0].energyKWh == nil)
    let again = try APIJSON.decode(API.WhatIf.self, from: try APIJSON.encode(answer))
    #expect(again.outputs[0].rows.count == 25)
  }

  @Test("what matters most stays where it is narrow", arguments: [40, 60, 100])
  func text(width: Int) throws {
    let screen = Screen(style: Style(width: width, isUTC: true), now: screen.now)
    let text = screen.finish(screen.whatIf(try Tank.answer(), plot: width >= 60))
    for line in text.split(separator: "\n") { #expect(line.count <= width, "\(line)") }
    // Half of it on average, all of it at the end.
    #expect(text.contains("+1.56 ("))
    #expect(text.contains("+3.00 (") == (width >= 60))
    guard width == 100 else { return }
    #expect(text.contains("water, °C"))
    #expect(text.contains("would have been"))
    #expect(text.contains("heater +500.00 W on average, +3.0 kWh"))
    #expect(text.contains("64 draws"))
  }

  @Test("both paths stand in one picture, the same each time")
  func picture() throws {
    let charts = try Tank.answer().charts
    #expect(charts.map(\.title) == ["water"])
    #expect(charts[0].lines.map { $0.samples.count } == [25, 25])
    #expect(charts[0].bands.map { $0.edges.count } == [25])
    #expect(charts[0].range?.upperBound ?? 0 > 53)
    let drawing = ChartDrawing(title: "What if: tank", subtitle: "", charts: charts, offsetS: 0)
    #expect(drawing.svg.contains("would have been"))
    #expect(drawing.svg == ChartDrawing(title: "What if: tank", subtitle: "", charts: charts, offsetS: 0).svg)
  }

  @Test func packs() {
    var report = ShadowReport()
    (report.ticks, report.from, report.through) = (90, screen.now, screen.now)
    #expect(screen.whatIf(API.WhatIfPack("other", report))[1] == "it would have decided the same on every one")
    #expect(screen.whatIf(API.WhatIfPack("other", ShadowReport())).count == 1)
  }
}
