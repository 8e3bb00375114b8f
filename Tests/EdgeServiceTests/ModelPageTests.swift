import FeatureStore
import Models
import SiteKernel
import StatusAPI
import Testing
import TwinCore

@testable import EdgeService

/// A room of one mass whose thermometer speaks °F while its physics count in °C.
private enum FahrenheitRoom {
  static let binding = PointBinding(PointIndex(2), scale: 5.0 / 9, offset: -160.0 / 9)
  static let stepNanoseconds: Int64 = 900_000_000_000

  static let definition = ModelDefinition(
    id: "room", asset: "room-1", templates: ["zone.one-mass"], stepNanoseconds: stepNanoseconds,
    physics: BilinearModel(
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
      ]),
    inputs: [
      InputBinding(.point(PointBinding(PointIndex(0))), outlook: .shifted), InputBinding(.constant(500)),
    ],
    outputs: [binding], horizons: [1, 4])

  static let points = [("roof.outdoor_t", "Cel"), ("room-1.heat", "W"), ("room-1.air_t", "[degF]")].map {
    PointDefinition(
      id: $0.0, unit: $0.1, staleNanoseconds: 3_600_000_000_000,
      estimator: EstimatorSettings(
        measurementVariance: 0, processVariancePerSecond: 0, isContinuous: true, halfLifeNanoseconds: 1_000_000_000))
  }

  static let page = ModelPage(definition: definition, points: points)
  static let start = Instant(rfc3339: "2026-03-02T00:00:00Z")!

  /// After so many steps in which the room swings between 68 and 70 °F.
  static func slot(steps: Int64) -> ModelSlot {
    var slot = ModelSlot(definition)
    var events: [ModelEvent] = []
    for step in 0...steps {
      let uptime = Uptime(nanoseconds: step * stepNanoseconds)
      let instant = start.advanced(byNanoseconds: step * stepNanoseconds)
      var image = PointImage(count: points.count, now: uptime)
      let readings = [5 + Elementary.sin(Double(step) / 15), 500, 69 + Elementary.sin(Double(step) / 15)]
      for (index, reading) in readings.enumerated() {
        image.states[index] = PointImage.State(
          value: reading, quality: .good, effective: instant, uptime: uptime,
          freshUntil: uptime.advanced(byNanoseconds: stepNanoseconds))
      }
      slot.take(image, at: instant, isClockTrusted: true, definition, model: 0, into: &events)
    }
    return slot
  }
}

@Suite("A model as the socket shows it")
struct ModelPageTests {
  private let page = FahrenheitRoom.page

  @Test("forecasts, errors and surprises are in the unit of the point, whatever the physics count in")
  func units() throws {
    let slot = FahrenheitRoom.slot(steps: 200)
    let model = page.detail(slot)
    let output = try #require(model.outputs.first)
    #expect(output.point == "room-1.air_t" && output.unit == "[degF]")
    let inner = try #require(slot.champion.forecast(of: 0, horizon: 1))
    let shown = try #require(output.forecasts.last)
    #expect(abs(shown.mean - (inner.mean * 9 / 5 + 32)) < 1e-9)
    #expect(abs(shown.high - shown.low - 2 * inner.radius * 9 / 5) < 1e-9)
    #expect((67.0...71).contains(shown.mean))
    #expect(shown.horizonS == 3600)
    #expect(shown.at.instant == slot.champion.instant.advanced(byNanoseconds: 3_600_000_000_000))
    let estimate = try #require(output.estimate)
    #expect((67.0...71).contains(estimate.value))
    let score = try #require(model.glance.scores.first)
    #expect(score.unit == "[degR]" && score.count > 0)
    let rmse = try #require(slot.champion.score(output: 0, horizon: 0).rootMeanSquare)
    #expect(abs(try #require(score.rmse) - rmse * 9 / 5) < 1e-12)
    let innovation = try #require(output.innovation)
    #expect(innovation.unit == "[degR]")
    #expect(abs(innovation.value / innovation.stddev - innovation.normalised) < 1e-9)
  }

  @Test("a template at its priors is not calibrated, not trusted, and has nobody beside it")
  func fresh() throws {
    let model = page.detail(ModelSlot(FahrenheitRoom.definition))
    #expect(!model.glance.calibrated && !model.glance.trusted)
    #expect(model.glance.drift.next?.contains("twinctl model train room") == true)
    #expect(model.glance.version == 0 && model.glance.candidate == nil && model.glance.at == nil)
    #expect(model.outputs[0].forecasts.isEmpty && model.outputs[0].estimate == nil)
    #expect(model.glance.scores.allSatisfy { $0.count == 0 && $0.rmse == nil })
    #expect(model.runs.map(\.role) == ["champion"])
    #expect(model.evidence == nil && model.retrospect == nil)
    #expect(model.inputs.map(\.point) == ["roof.outdoor_t", nil] && model.inputs[1].constant == 500)
    let capacity = model.parameters[0]
    #expect(abs(capacity.value / 2e7 - 1) < 1e-12)
    #expect(abs(capacity.high / capacity.value - Elementary.exp(2)) < 1e-9)
    // What the socket sends must be JSON, from the first second on.
    #expect(throws: Never.self) { try APIJSON.encode(model) }
  }

  @Test("days begin where the last step's time puts them")
  func days() throws {
    let slot = FahrenheitRoom.slot(steps: 200)
    let history = page.history(slot.champion)
    #expect(history.days.map(\.at.instant.rfc3339) == (2...4).map { "2026-03-0\($0)T00:00:00.000Z" })
    #expect(history.days.allSatisfy { $0.scores.count == 2 })
    #expect(history.parameters.map(\.name) == ["capacity", "loss"])
    #expect(history.parameters[0].days.map(\.at) == history.days.map(\.at))
    #expect(throws: Never.self) { try APIJSON.encode(history) }
  }
}

@Suite("A model in the record")
struct ModelRecordTests {
  private let at = Instant(rfc3339: "2026-03-02T00:00:00Z")!
  private func digest(_ byte: UInt8) -> Digest {
    Digest(hex: String(repeating: byte < 16 ? "0\(byte)" : "ff", count: 32))!
  }

  private func entries(_ events: [ModelEvent]) -> [EventEntry] {
    events.enumerated().map { place, event in
      ModelRecord.entry(event, of: "room", tick: Int64(place), at: at.advanced(byNanoseconds: Int64(place)))
    }.reversed()
  }

  @Test("versions are numbered backwards from the newest, each admission one; a refusal takes none")
  func numbers() {
    let found = ModelRecord.events(
      of: "room",
      in: entries([
        ModelEvent(model: 0, kind: .admitted, text: "a", candidate: digest(1)),
        ModelEvent(model: 0, kind: .promoted, text: "b", candidate: digest(1)),
        ModelEvent(model: 0, kind: .refused, text: "c", candidate: digest(2)),
        ModelEvent(model: 0, kind: .admitted, text: "d", candidate: digest(3)),
        ModelEvent(model: 0, kind: .promoted, text: "e", by: "anna", candidate: digest(3)),
      ]), newest: 7)
    #expect(found.map(\.version) == [7, 7, nil, 6, 6])
    #expect(found.map(\.kind) == ["promoted", "admitted", "refused", "promoted", "admitted"])
    #expect(found.first?.by == "anna" && found.last?.by == nil)
  }

  @Test("what a person asked for stands with the reason; other models and damaged rows are passed over")
  func asked() {
    let entries = [
      ModelRecord.entry(.train, of: "room", by: "anna", reason: "the coil: cleaned", tick: 2, at: at),
      ModelRecord.entry(ModelEvent(model: 1, kind: .drift, text: "x"), of: "other", tick: 1, at: at),
      EventEntry(tick: 1, instant: at, kind: "model.promoted", subject: "room", bytes: [0xFF, 1]),
      EventEntry(tick: 1, instant: at, kind: "alarm.raised", subject: "room", bytes: []),
    ]
    let found = ModelRecord.events(of: "room", in: entries, newest: 0)
    #expect(found.map(\.text) == ["train: the coil: cleaned"])
    #expect(found.first?.by == "anna" && found.first?.kind == "asked")
  }

  @Test("every kind of event comes back as it was", arguments: ModelEvent.Kind.allCases)
  func kinds(kind: ModelEvent.Kind) {
    let event = ModelEvent(model: 0, kind: kind, text: "why", by: "anna", candidate: digest(9))
    let found = ModelRecord.events(of: "room", in: entries([event]), newest: 1)
    #expect(found.count == 1 && found[0].text == "why" && found[0].candidate == digest(9).hex)
    #expect(ModelRecord.driftSince("room", in: entries([event])) == (kind == .drift ? at : nil))
  }
}

@Suite("What may be done to a model")
struct ModelStandingTests {
  private func standing(challenger: Int64? = nil, previous: Int64? = nil) -> ModelStanding {
    var standing = ModelStanding(ModelSlot(FahrenheitRoom.definition))
    standing.champion = ModelVersion(number: 3)
    standing.challenger = challenger.map { ModelVersion(number: $0) }
    standing.previous = previous.map { ModelVersion(number: $0) }
    return standing
  }

  private func command(_ verb: API.ModelVerb, _ standing: ModelStanding) throws -> Command? {
    try standing.allow(verb, model: "room", position: 5, by: "anna")
  }

  @Test("a promotion needs a challenger, a rollback a version before; a refusal says what to do next")
  func allowed() throws {
    let whole = standing(challenger: 4, previous: 2)
    #expect(try command(.promote, whole) == .promote(model: 5, by: "anna"))
    #expect(try command(.retire, whole) == .retire(model: 5, by: "anna"))
    #expect(try command(.rollback, whole) == .rollBack(model: 5, by: "anna"))
    #expect(try command(.watch, standing()) == .watchAnew(model: 5, by: "anna"))
    #expect(try command(.train, standing()) == nil)
    // The one that is there is not the one that is needed.
    for (verb, code, others) in [
      (API.ModelVerb.promote, "model.no_challenger", standing(previous: 2)),
      (.retire, "model.no_challenger", standing(previous: 2)),
      (.rollback, "model.no_previous", standing(challenger: 4)),
    ] {
      let problem = #expect(throws: APIProblem.self) { try command(verb, others) }
      #expect(problem?.code == code && problem?.isRefusal == true)
      #expect(problem?.next.contains("twinctl model") == true)
    }
  }

  @Test("what is answered is what became of it, not what was asked")
  func answered() {
    let before = standing(challenger: 4, previous: 2)
    var after = standing(previous: 3)
    after.champion = ModelVersion(number: 4)
    let promoted = after.written(.promote, model: "room", before: before, tick: 9)
    #expect(promoted.text == "room: version 4 is at work, was 3" && promoted.undo?.contains("rollback") == true)
    #expect(promoted.decision == "tick 9")
    // The evidence let the challenger go in the same moment.
    let late = standing().written(.promote, model: "room", before: before, tick: 9)
    #expect(late.text.contains("version 3 is at work") && late.undo == nil)
  }

  @Test("the tally adds up, and names the worst")
  func tally() {
    var glances = (0..<4).map { _ in FahrenheitRoom.page.glance(ModelSlot(FahrenheitRoom.definition)) }
    for (index, word) in ["ok", "stale", "suspect", "drift_sensor"].enumerated() {
      glances[index].drift.word = word
      glances[index].drift.text = "\(word) it is"
      glances[index].calibrated = index > 0
    }
    let tally = API.ModelTally(glances)
    #expect(tally.ok + tally.uncalibrated + tally.suspect + tally.drifting + tally.stale == tally.total)
    #expect((tally.uncalibrated, tally.stale, tally.suspect, tally.drifting) == (1, 1, 1, 1))
    #expect(tally.worst == "room: drift_sensor it is")
    glances[0].calibrated = true
    #expect(API.ModelTally(glances).ok == 1)
    // What was never fitted cannot have drifted.
    glances[3].calibrated = false
    #expect(API.ModelTally(glances).drifting == 0 && API.ModelTally(glances).worst == "room: suspect it is")
  }
}
