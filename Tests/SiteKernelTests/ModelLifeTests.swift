import LinearAlgebra
import Models
import SiteKernel
import Sodium
import Testing
import TwinCore

/// A site of one room, whose model lives in the kernel.
private struct ModelSite {
  static let step: Int64 = 900_000_000_000
  static let physics = BilinearModel(
    states: [
      .init(name: "air", unit: "Cel", initialMean: 20, initialVariance: 25, noiseIntensity: 1e-7),
      .init(name: "bias", unit: "W", initialMean: 0, initialVariance: 1e4, noiseIntensity: 0.1, isBias: true),
    ],
    inputs: [.init(name: "outdoor", unit: "Cel"), .init(name: "heat", unit: "W")],
    parameters: [
      .init(name: "capacity", unit: "J/K", prior: 2e7, spread: 1),
      .init(name: "loss", unit: "W/K", prior: 200, spread: 1),
    ],
    outputs: [.init(name: "air", unit: "Cel", state: 0, noiseVariance: 4e-4)],
    terms: [
      .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1), .init(1, 1)]),
      .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1), .init(1, 1)]),
      .init(row: 0, column: .input(1), scale: 1, powers: [.init(0, -1)]),
      .init(row: 0, column: .state(1), scale: 1, powers: [.init(0, -1)]),
      .init(row: 1, column: .state(1), scale: -1 / 86_400),
    ])
  static let model = ModelDefinition(
    id: "room", asset: "room", templates: ["zone.one-mass"], stepNanoseconds: step, physics: physics,
    inputs: [
      InputBinding(.point(PointBinding(PointIndex(0)))), InputBinding(.point(PointBinding(PointIndex(1)))),
    ],
    outputs: [PointBinding(PointIndex(2))], horizons: [1, 4])

  static var definition: SiteDefinition {
    let settings = EstimatorSettings(
      measurementVariance: 0.01, processVariancePerSecond: 1e-5, isContinuous: true, halfLifeNanoseconds: step)
    return SiteDefinition(
      id: "acme.room", name: "Room",
      points: ["outdoor", "heat", "air"].map {
        PointDefinition(id: "room.\($0)", unit: "1", staleNanoseconds: 2 * step, estimator: settings)
      },
      groups: [GroupDefinition(points: [PointIndex(0), PointIndex(1), PointIndex(2)])], models: [model])
  }

  static let truth = [Elementary.log(3.5e7), Elementary.log(300)]
  private var random = Philox(seed: 4)
  private var transition = Transition(physics, logParameters: truth, seconds: 900)
  private var state = [20.0, 0.0]
  private var heat = 3500.0
  private(set) var number: Int64 = 0

  /// The next quarter of an hour of the site.
  mutating func tick(_ commands: [Command] = []) -> Tick {
    let readings = advance()
    number += 1
    let (instant, uptime) = (Instant(nanoseconds: number * Self.step), Uptime(nanoseconds: number * Self.step))
    let frame = Frame(
      group: 0, effective: instant, observed: instant, uptime: uptime, values: readings,
      qualities: [.good, .good, .good])
    return Tick(number: number, instant: instant, uptime: uptime, frames: [frame], commands: commands)
  }

  mutating func advance() -> [Double] {
    heat += 0.1 * (3500 + 2500 * Elementary.sin(6.283185307179586 * Double(number) / 37) - heat) + 60 * random.normal()
    let outdoor = 4 + 5 * Elementary.sin(6.283185307179586 * Double(number) / 96)
    _ = transition.advance(&state, inputs: [outdoor, heat])
    state[0] += 0.01 * random.normal()
    return [outdoor, heat, state[0] + 0.02 * random.normal()]
  }

  /// A run that knows the room, with evidence from elsewhere that it does.
  static func candidate(parent: Digest = .zero, proved: Bool = true) -> ModelCandidate {
    var run = ModelRun(model)
    run.begin(
      physics, logParameters: truth, covariance: .diagonal([1e-4, 1e-4]), isIdentified: [true, true])
    var evidence = PairedEvidence(block: 4)
    if proved { for step in 0..<80 { evidence.add(champion: 2 + Double(step % 3), challenger: 0.5) } }
    var writer = CanonicalWriter()
    run.encode(to: &writer)
    return ModelCandidate(
      model: "room", shape: Sodium.blake2b256(model.shape), parent: parent, manifest: .zero, evidence: evidence,
      run: writer.bytes)
  }
}

@Suite struct ModelLifeTests {
  private func kernel() -> SiteKernel { SiteKernel(ModelSite.definition, hash: Sodium.blake2b256) }

  private func run(
    _ kernel: inout SiteKernel, _ site: inout ModelSite, _ ticks: Int, _ command: Command? = nil
  ) -> [ModelEvent] {
    var outcome = Outcome()
    var events: [ModelEvent] = []
    for tick in 0..<ticks {
      kernel.step(site.tick(tick == 0 ? command.map { [$0] } ?? [] : []), into: &outcome)
      events += outcome.models
    }
    return events
  }

  @Test func theTemplateForecastsFromItsPriors() {
    var (kernel, site) = (kernel(), ModelSite())
    _ = run(&kernel, &site, 50)
    #expect(kernel.models[0].champion.forecast(of: 0, horizon: 1) != nil)
    #expect(!kernel.models[0].champion.version.isCalibrated)
  }

  @Test func aProvedCandidateReplacesTheBareTemplateAtOnce() throws {
    var (kernel, site) = (kernel(), ModelSite())
    _ = run(&kernel, &site, 300)
    let bytes = ModelSite.candidate().bytes
    let events = run(&kernel, &site, 1, .admit(model: 0, candidate: bytes))
    #expect(events.map(\.kind) == [.admitted, .promoted])
    #expect(kernel.models[0].champion.version.candidate == Sodium.blake2b256(bytes))
    _ = run(&kernel, &site, 96)
    let score = kernel.models[0].champion.score(output: 0, horizon: 1)
    let (error, persistence) = try (#require(score.rootMeanSquare), #require(score.persistence))
    #expect(error < 0.7 * persistence)
  }

  @Test func anUnprovedOneRunsBesideUntilItHasProved() {
    var (kernel, site) = (kernel(), ModelSite())
    _ = run(&kernel, &site, 300)
    let events = run(&kernel, &site, 1, .admit(model: 0, candidate: ModelSite.candidate(proved: false).bytes))
    #expect(events.map(\.kind) == [.admitted])
    #expect(kernel.models[0].challenger != nil)
    let later = run(&kernel, &site, 900)
    #expect(later.contains { $0.kind == .promoted || $0.kind == .retired })
  }

  @Test func aPersonRollsBackInOneStepAndTheOldOneIsWarm() throws {
    var (kernel, site) = (kernel(), ModelSite())
    _ = run(&kernel, &site, 300)
    _ = run(&kernel, &site, 1, .admit(model: 0, candidate: ModelSite.candidate().bytes))
    _ = run(&kernel, &site, 20)
    let events = run(&kernel, &site, 1, .rollBack(model: 0, by: "ada"))
    #expect(events.map(\.kind) == [.rolledBack])
    #expect(events.first?.by == "ada")
    #expect(!kernel.models[0].champion.version.isCalibrated)
    #expect(kernel.models[0].champion.forecast(of: 0, horizon: 0) != nil)
  }

  static let spoiled: [(String, @Sendable ([UInt8]) -> [UInt8])] = [
    ("empty", { _ in [] }), ("cut", { Array($0.dropLast(9)) }), ("longer", { $0 + [0] }),
    (
      "another's",
      { _ in
        var other = ModelSite.candidate()
        other.model = "hall"
        return other.bytes
      }
    ),
    (
      "another shape",
      { _ in
        var other = ModelSite.candidate()
        other.shape = Sodium.blake2b256([1])
        return other.bytes
      }
    ),
    ("another parent", { _ in ModelSite.candidate(parent: Sodium.blake2b256([1])).bytes }),
  ]

  @Test(arguments: spoiled.indices) func whatDoesNotFitIsNamedAndForgotten(_ index: Int) {
    let (name, spoil) = Self.spoiled[index]
    var (kernel, site) = (kernel(), ModelSite())
    _ = run(&kernel, &site, 20)
    let bytes = spoil(ModelSite.candidate().bytes)
    let events = run(&kernel, &site, 1, .admit(model: 0, candidate: bytes))
    #expect(events.map(\.kind) == [.refused], "\(name)")
    #expect(events.allSatisfy { !$0.text.isEmpty })
    #expect(kernel.models[0].challenger == nil)
  }

  @Test func commandsAboutNoModelDoNothing() {
    var (kernel, site) = (kernel(), ModelSite())
    for command: Command in [
      .admit(model: 7, candidate: []), .promote(model: 7, by: "x"), .rollBack(model: 7, by: "x"),
      .retire(model: 7, by: "x"), .watchAnew(model: 7, by: "x"), .promote(model: 0, by: "x"),
      .rollBack(model: 0, by: "x"), .retire(model: 0, by: "x"),
    ] { #expect(run(&kernel, &site, 1, command).isEmpty) }
  }

  @Test func aCheckpointGoesOnWithTheSameBits() throws {
    var (kernel, site) = (kernel(), ModelSite())
    _ = run(&kernel, &site, 300)
    _ = run(&kernel, &site, 30, .admit(model: 0, candidate: ModelSite.candidate(proved: false).bytes))
    var resumed = try SiteKernel(ModelSite.definition, resuming: kernel.checkpoint(), hash: Sodium.blake2b256)
    var (outcome, other) = (Outcome(), Outcome())
    for _ in 0..<200 {
      let tick = site.tick()
      kernel.step(tick, into: &outcome)
      resumed.step(tick, into: &other)
      #expect(outcome.fingerprint == other.fingerprint)
    }
    #expect(kernel.checkpoint() == resumed.checkpoint())
  }

  @Test func aTickWithModelCommandsKeepsItsForm() throws {
    let commands: [Command] = [
      .admit(model: 1, candidate: [1, 2, 3]), .promote(model: 0, by: "a"), .rollBack(model: 0, by: "b"),
      .retire(model: 2, by: "c"), .watchAnew(model: 3, by: "d"),
    ]
    let tick = Tick(
      number: 1, instant: Instant(nanoseconds: 0), uptime: Uptime(nanoseconds: 0), commands: commands)
    var writer = CanonicalWriter()
    tick.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    #expect(try Tick(from: &reader) == tick)
  }
}
