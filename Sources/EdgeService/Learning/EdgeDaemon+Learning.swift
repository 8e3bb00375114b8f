import FeatureStore
import Seams
import SiteKernel
import StatusAPI
import Training
import TwinCore

extension EdgeDaemon {
  /// A person's wish, as the socket brings it.
  static func training(by desk: LearnDesk) -> TrainingRequest {
    { (model, person, reason) async throws(APIProblem) in
      do throws(TrainingFault) {
        return try await desk.ask(model, by: person, reason: reason)
      } catch {
        throw APIProblem(
          status: 503, code: error.code, title: "the wish cannot be put into the learner's folder",
          cause: error.message, effect: "nothing was changed", next: error.remedy)
      }
    }
  }

  /// The learner's folder and key; nil for a site without models. A site that cannot learn still runs.
  static func learner(
    _ site: Commissioned, _ configuration: EdgeConfiguration, _ keeper: StoreKeeper, _ health: HealthRegistry,
    at now: Instant
  ) async throws(EdgeFault) -> LearnerPin? {
    guard !site.definition.models.isEmpty else { return nil }
    let opened: Result<LearnerPin, EdgeFault>
    do throws(StoreError) {
      opened = try await keeper.with { (store) throws(StoreError) in
        do throws(EdgeFault) {
          return .success(try LearnerPin.open(LearnFolder(state: configuration.state), in: store))
        } catch {
          return .failure(error)
        }
      }
    } catch {
      throw EdgeFault(error)
    }
    switch opened {
    case .success(let pin):
      if pin.isOther {
        health.raise(
          Problem(
            id: "learn.key", code: "learn.key_changed", severity: .warning, title: "the learner's key is another one",
            cause: "learn/learner.key is not the key that this site made",
            effect: "what twind-learn trains is refused; the models at work go on",
            next: "find out who replaced it; to begin anew, remove the file and restart twind", since: now))
      }
      return pin
    case .failure(let error):
      health.raise(
        Problem(
          id: "learn.closed", code: error.code, severity: .warning, title: "the site cannot learn",
          cause: error.message, effect: "its models stay as they are", next: error.remedy, since: now))
      return nil
    }
  }
}
