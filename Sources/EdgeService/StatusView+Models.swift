import FeatureStore
import Models
import Seams
import SiteKernel
import StatusAPI
import TwinCore

/// Takes a wish to have a model trained to whoever trains; the sentence that it gives back is the answer. Throws what
/// the person is to do.
typealias TrainingRequest =
  @Sendable (_ model: String, _ person: String, _ reason: String) async throws(APIProblem) -> String

extension StatusView {
  func models() async throws(APIProblem) -> API.Models {
    let points = site.definition.points
    return API.Models(
      models: await control.view { kernel in
        zip(kernel.definition.models, kernel.models).map { ModelPage(definition: $0, points: points).glance($1) }
      })
  }

  func model(_ id: String) async throws(APIProblem) -> API.Model {
    let (position, page) = try modelPage(id)
    let (found, newest) = await control.view { kernel in
      (page.detail(kernel.models[position]), kernel.models[position].versions)
    }
    let entries = try await ask { (store) throws(StoreError) in try store.events(limit: ModelRecord.eventsMax) }
    let events = ModelRecord.events(of: id, in: entries, newest: newest)
    let alerts: Set = [ModelEvent.Kind.drift, .refusedReading, .recalibrate].reduce(into: []) { $0.insert($1.word) }
    var shown = found
    shown.lineage = Array(events.filter { !alerts.contains($0.kind) }.prefix(ModelRecord.shownMax))
    shown.alerts = Array(events.filter { alerts.contains($0.kind) }.prefix(ModelRecord.shownMax))
    return shown
  }

  func modelHistory(_ id: String) async throws(APIProblem) -> API.ModelHistory {
    let (position, page) = try modelPage(id)
    return await control.view { kernel in page.history(kernel.models[position].champion) }
  }

  func change(
    model id: String, _ verb: API.ModelVerb, _ request: API.ModelRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Written {
    let (position, _) = try modelPage(id)
    let before = await control.view { kernel in ModelStanding(kernel.models[position]) }
    let wanted = try before.allow(verb, model: id, position: Int32(position), by: peer.name)
    if verb == .train, requestTraining == nil { throw ModelStanding.noLearner(id) }
    let now = siteClock.instant
    try await ask { (store) throws(StoreError) in
      try store.append(events: [
        ModelRecord.entry(
          verb, of: id, by: peer.name, reason: request.reason, tick: store.lastTickNumber, at: now)
      ])
      try store.commit()
    }
    guard let wanted else {
      let text = try await requestTraining?(id, peer.name, request.reason) ?? ""
      return API.Written(decision: "tick \(await control.kernel.lastTick)", text: text)
    }
    guard inbox.put(wanted) else {
      throw APIProblem(
        status: 503, code: "control.no_answer", title: "too many requests wait for the control loop",
        effect: "nothing was changed", next: "try again in a few seconds")
    }
    let tick = await control.settle()
    let after = await control.view { kernel in ModelStanding(kernel.models[position]) }
    return after.written(verb, model: id, before: before, tick: tick)
  }

  /// How the models stand, and what is wrong with them.
  func modelStatus() async throws(APIProblem) -> (tally: API.ModelTally?, problems: [API.Problem]) {
    guard !site.definition.models.isEmpty else { return (nil, []) }
    let glances = try await models().models
    let drifting = glances.filter { $0.standing == .drifting }
    guard !drifting.isEmpty else { return (API.ModelTally(glances), []) }
    let entries = try await ask { (store) throws(StoreError) in try store.events(limit: ModelRecord.eventsMax) }
    let now = siteClock.instant
    return (
      API.ModelTally(glances),
      drifting.map { API.Problem($0, since: ModelRecord.driftSince($0.id, in: entries) ?? now, now: now) }
    )
  }

  private func modelPage(_ id: String) throws(APIProblem) -> (position: Int, page: ModelPage) {
    let known = site.definition.models
    guard let position = known.firstIndex(where: { $0.id == id }) else {
      guard !known.isEmpty else {
        throw APIProblem(
          status: 404, code: "model.none", title: "this site has no models",
          cause: "the pack names none, and none of its assets is a case of a template",
          next: "twinctl pack check \(configuration.pack) --models says what was passed over, and why")
      }
      throw .notFound("model", id, known: known.map(\.id), list: "twinctl model list")
    }
    return (position, ModelPage(definition: known[position], points: site.definition.points))
  }
}

/// Which versions of a model there are now, and so what may be done to it.
struct ModelStanding: Sendable, Equatable {
  var champion: ModelVersion
  var challenger: ModelVersion?
  var previous: ModelVersion?

  init(_ slot: borrowing ModelSlot) {
    (champion, challenger, previous) = (slot.champion.version, slot.challenger?.version, slot.previous?.version)
  }

  /// The command that does it; nil where the kernel has no part in it.
  func allow(
    _ verb: API.ModelVerb, model id: String, position: Int32, by person: String
  ) throws(APIProblem) -> Command? {
    switch verb {
    case .promote, .retire:
      guard challenger != nil else {
        throw .refused(
          code: "model.no_challenger", title: "no version of \(id) runs beside the one at work",
          cause: "version \(champion.number) is alone", effect: "nothing was changed",
          next: "have one trained: twinctl model train \(id) --reason \"…\"")
      }
      return verb == .promote ? .promote(model: position, by: person) : .retire(model: position, by: person)
    case .rollback:
      guard previous != nil else {
        throw .refused(
          code: "model.no_previous", title: "\(id) has no version to go back to",
          cause: "one is kept for 14 days after its successor took over", effect: "nothing was changed",
          next: "see what there was: twinctl model lineage \(id)")
      }
      return .rollBack(model: position, by: person)
    case .watch: return .watchAnew(model: position, by: person)
    case .train: return nil
    }
  }

  static func noLearner(_ id: String) -> APIProblem {
    .refused(
      code: "model.no_learner", title: "nobody trains models here", cause: "this daemon was started without a learner",
      effect: "\(id) stays as it is", next: "install and start twind-learn, then ask again")
  }

  /// What became of it.
  func written(_ verb: API.ModelVerb, model id: String, before: ModelStanding, tick: Int64) -> API.Written {
    let (text, undo): (String, String?) =
      switch verb {
      case .promote where champion == before.challenger:
        (
          "\(id): version \(champion.number) is at work, was \(before.champion.number)",
          "twinctl model rollback \(id) --reason \"…\""
        )
      case .rollback where champion == before.previous:
        ("\(id): version \(champion.number) is at work again, \(before.champion.number) is let go", nil)
      case .retire where challenger == nil:
        ("\(id): version \(before.challenger?.number ?? 0) is let go, \(champion.number) stays at work", nil)
      case .watch: ("\(id): what is usual is learned anew from here", nil)
      default: ("\(id): the evidence was faster; version \(champion.number) is at work", nil)
      }
    return API.Written(decision: "tick \(tick)", text: text, undo: undo)
  }
}

extension API.ModelTally {
  init(_ models: [API.ModelGlance]) {
    let drifting = models.filter { $0.standing == .drifting }
    let suspect = models.filter { $0.standing == .suspect }
    self.init(
      total: models.count, ok: models.count { $0.standing == .ok },
      uncalibrated: models.count { $0.standing == .uncalibrated }, suspect: suspect.count, drifting: drifting.count,
      stale: models.count { $0.standing == .stale },
      worst: (drifting.first ?? suspect.first).map { "\($0.id): \($0.drift.text)" })
  }
}

extension API.Problem {
  /// A model whose drift somebody has to look at.
  init(_ model: API.ModelGlance, since: Instant, now: Instant) {
    let effect =
      model.trusted
      ? "its forecasts claim less; decisions still rest on it" : "decisions no longer rest on it"
    self.init(
      id: "model.\(model.id)", code: "model.drift", severity: "attention", title: "model \(model.id) has drifted",
      cause: model.drift.text, since: Timestamp(since), forS: max(0, Double(now.nanoseconds(since: since)) / 1e9),
      effect: effect, next: model.drift.next ?? "twinctl model drift \(model.id)")
  }
}
