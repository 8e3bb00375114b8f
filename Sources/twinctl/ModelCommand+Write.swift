import ArgumentParser
import StatusAPI

extension ModelCommand {
  struct Promote: ModelWrite {
    static let configuration = CommandConfiguration(
      abstract: "Put the challenger to work before its evidence does.",
      discussion: "The version at work stays warm beside it: twinctl model rollback.")
    static let verb = API.ModelVerb.promote
    @OptionGroup var arguments: ModelWriteArguments
    @OptionGroup var options: Options

    func sentence(_ model: API.Model) -> String {
      let next = model.glance.challenger.map { "version \($0)" } ?? "the challenger"
      return "puts \(next) of \(arguments.model) to work instead of version \(model.glance.version)"
    }
  }

  struct Rollback: ModelWrite {
    static let configuration = CommandConfiguration(abstract: "Put the version before back to work.")
    static let verb = API.ModelVerb.rollback
    @OptionGroup var arguments: ModelWriteArguments
    @OptionGroup var options: Options

    func sentence(_ model: API.Model) -> String {
      let before = model.runs.first { $0.role == "previous" }.map { "version \($0.version)" } ?? "the version before"
      return "puts \(before) of \(arguments.model) back to work and lets version \(model.glance.version) go"
    }
  }

  struct Retire: ModelWrite {
    static let configuration = CommandConfiguration(abstract: "Let the challenger go.")
    static let verb = API.ModelVerb.retire
    @OptionGroup var arguments: ModelWriteArguments
    @OptionGroup var options: Options

    func sentence(_ model: API.Model) -> String {
      let gone = model.glance.challenger.map { "version \($0)" } ?? "the challenger"
      return "lets \(gone) of \(arguments.model) go; version \(model.glance.version) stays at work"
    }
  }

  struct WatchAnew: ModelWrite {
    static let configuration = CommandConfiguration(
      commandName: "watch", abstract: "Say that what drifted is mended, or to be lived with: watch anew from here.")
    static let verb = API.ModelVerb.watch
    @OptionGroup var arguments: ModelWriteArguments
    @OptionGroup var options: Options

    func sentence(_ model: API.Model) -> String {
      "has \(arguments.model) learn anew what is usual, and forgets: \(model.glance.drift.text)"
    }
  }

  struct Train: ModelWrite {
    static let configuration = CommandConfiguration(
      abstract: "Ask for a version trained on the record as it is now.",
      discussion: "It runs beside the one at work and takes over when it has proved better.")
    static let verb = API.ModelVerb.train
    @OptionGroup var arguments: ModelWriteArguments
    @OptionGroup var options: Options

    func sentence(_ model: API.Model) -> String {
      "asks for a version of \(arguments.model) to be trained that may replace version \(model.glance.version)"
    }
  }
}

struct ModelWriteArguments: ParsableArguments {
  @Argument(help: "The model, as ahu-air.") var model: String
  @OptionGroup var reason: Reason
  @OptionGroup var write: WriteOptions
}

/// A verb that changes which version is at work. What it would do is shown by what there is.
protocol ModelWrite: Verb {
  static var verb: API.ModelVerb { get }
  var arguments: ModelWriteArguments { get }
  func sentence(_ model: API.Model) -> String
}

extension ModelWrite {
  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let model = arguments.model
    let isAsking = arguments.write.dryRun || !arguments.write.yes
    if isAsking {
      let answer = try session.model(model)
      let sentence = "\(sentence(answer.data)): \(arguments.reason.reason)"
      if arguments.write.dryRun { return session.would(sentence, answer) { $0.modelCompared($1) } }
      try session.confirm(sentence, target: model, arguments.write)
    }
    return try session.write(
      "POST", Session.path("models", model, Self.verb.rawValue), API.ModelRequest(reason: arguments.reason.reason))
  }
}
