import ArgumentParser
import FeatureStore
import Harnesses
import Models
import SiteKernel
import SitePack
import Sodium
import StatusAPI
import TwinCore

/// What the plant would have done under other inputs, or another pack decided in the same situation.
struct WhatIfCommand: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "whatif", abstract: "What would have been under other inputs, or under another pack.",
    discussion: """
      Keeps the disturbances that there were, replaces inputs of a model, and lets its physics go the way again: \
      docs/whatif.md. With --against, what another pack would have decided on the same ticks. Reads the store beside \
      the running daemon, and changes nothing.
      """)
  @Argument(help: "The model; may be left out where the pack has one.") var model: String?
  @Option(name: .long, help: "An input of the model that is to have stood at a value: ahu.supply_t_sp=22.")
  var set: [Assignment] = []
  @Option(name: .long, help: "An input of the model that is to have been higher by so much: ahu.supply_t_sp=-1.")
  var offset: [Assignment] = []
  @Option(help: "From when on; a day before the end otherwise.", transform: DataCommand.Stretch.instant)
  var from: Instant?
  @Option(help: "Until when; the end of the record otherwise.", transform: DataCommand.Stretch.instant)
  var to: Instant?
  @Option(name: .long, help: "Another pack: what it would have decided.", completion: .directory) var against: String?
  @Option(help: "How many draws of the model's parameters the interval rests on.") var draws = 64
  @Flag(help: "A chart of both paths of each output.") var plot = false
  @Option(help: "Writes a picture of both paths.", completion: .file(extensions: ["svg"])) var svg: String?
  @OptionGroup var recorded: RecordedSite
  @OptionGroup var options: Options

  /// `NAME=VALUE`.
  struct Assignment: ExpressibleByArgument, Equatable {
    var name: String
    var value: Setpoint

    init?(argument: String) {
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let value = Setpoint(argument: parts[1]) else { return nil }
      (name, self.value) = (parts[0], value)
    }
  }

  func validate() throws {
    if against == nil, set.isEmpty, offset.isEmpty {
      throw ValidationError("say what is to have been otherwise: --set, --offset or --against")
    }
    guard against == nil || set.isEmpty && offset.isEmpty && !plot && svg == nil && model == nil else {
      throw ValidationError(
        "--against compares decisions; it stands without a model, --set, --offset, --plot and --svg")
    }
    guard (0..<ParameterEnsemble.membersMax).contains(draws) else {
      throw ValidationError("--draws is 0 to \(ParameterEnsemble.membersMax - 1)")
    }
    guard offset.allSatisfy({ $0.value.unit == nil }) else {
      throw ValidationError("--offset is in the input's own unit; leave the unit away")
    }
    if let from, let to, from >= to { throw ValidationError("--from is not before --to") }
  }

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let site = try recorded.compiled()
    let reader = try recorded.reader()
    if let against { return try shadow(against, site.definition, reader, session) }
    let place = try Self.position(of: model, in: site.definition)
    let definition = site.definition.models[place]
    let answer: CounterfactualAnswer
    let stretch: Range<Instant>
    do throws(StoreError) {
      let extent = try reader.extent()
      let end = min(to ?? .distantFuture, extent?.upperBound ?? Stream.now)
      let begin = from ?? end.advanced(byNanoseconds: -86_400_000_000_000)
      stretch = min(begin, end)..<end
    } catch {
      throw .input(error)
    }
    let changes = try WhatIfQuestion(site.definition, definition).changes(set, offset, during: stretch)
    let run = try champion(place, site.definition, reader)
    let history = try history(definition, site, reader, until: stretch.upperBound)
    do throws(CounterfactualFault) {
      var question = try Counterfactual(
        run, definition, history: history, changes: changes, through: stretch.upperBound, members: draws + 1)
      while try question.advance() {}
      guard let found = question.answer else { preconditionFailure("a question that is done has an answer") }
      answer = found
    } catch {
      throw .input(error)
    }
    let content = API.WhatIf(definition.id, stretch, answer)
    if let svg {
      let subtitle = "\(stretch.lowerBound.rfc3339) to \(stretch.upperBound.rfc3339), \(draws) draws of the parameters"
      let drawing = ChartDrawing(
        title: "What if: \(definition.id)", subtitle: subtitle, charts: content.charts, offsetS: 0)
      try WholeFile.write(svg, Array(drawing.svg.utf8))
    }
    return self.answer(content, site: site.definition.id, session, exit: .well) { $0.whatIf($1, plot: plot) }
  }

  static func position(of name: String?, in site: SiteDefinition) throws(APIProblem) -> Int {
    let known = site.models.map(\.id)
    if name == nil, known.count == 1 { return 0 }
    guard let name else {
      throw APIProblem(
        status: 0, code: "whatif.which_model", title: "the pack has \(known.count) models",
        cause: known.joined(separator: ", "), next: known.first.map { "twinctl whatif \($0) …" } ?? "twinctl pack check"
      )
    }
    guard let place = known.firstIndex(of: name) else {
      throw .notFound("model", name, known: known, list: "twinctl pack check --models")
    }
    return place
  }

  /// The model at work as the newest checkpoint has it.
  private func champion(
    _ place: Int, _ site: SiteDefinition, _ reader: StoreReader
  ) throws(APIProblem) -> ModelRun {
    do throws(StoreError) {
      let bytes = try RecordedSite.checkpoint(reader, of: site, atOrBefore: .max)
      guard let bytes, let kernel = try? SiteKernel(site, resuming: bytes, hash: Sodium.blake2b256) else {
        throw StoreError(.notFound, "no checkpoint of this pack")
      }
      return kernel.models[place].champion
    } catch {
      throw .input(error)
    }
  }

  private func history(
    _ definition: ModelDefinition, _ site: CompiledPack, _ reader: StoreReader, until end: Instant
  ) throws(APIProblem) -> ModelHistory {
    do throws(StoreError) {
      let begin = try LayoutHistory.begin(of: site.layouts, in: reader, pack: site.digests.pack)
      let started = ContinuousClock.now
      let found = try ModelHistory.collect(
        [definition], of: site.definition, over: try reader.ticks(from: 0), since: begin
      ) { RecordedSite.tell($0, since: started) && $0 <= end }
      return found[0]
    } catch {
      throw .input(error)
    }
  }

  private func shadow(
    _ against: String, _ site: SiteDefinition, _ reader: StoreReader, _ session: Session
  ) throws(APIProblem) -> Outcome {
    let other = try RecordedSite.compiled(against).definition
    if let objection = Shadow.objection(to: other, beside: site) {
      throw APIProblem(
        status: 0, code: "whatif.other_ticks", title: "the record means nothing to \(against): \(objection)",
        next: "compare packs that read the same devices")
    }
    do throws(StoreError) {
      let bytes = try RecordedSite.checkpoint(reader, of: site, atOrBefore: try firstTick(reader))
      guard let bytes, let kernel = try? SiteKernel(site, resuming: bytes, hash: Sodium.blake2b256),
        let beside = try? SiteKernel(other, resuming: bytes, hash: Sodium.blake2b256)
      else { throw StoreError(.notFound, "no checkpoint of this pack before the stretch") }
      let started = ContinuousClock.now
      var shadow = Shadow(kernel, beside: beside)
      let end = to ?? .distantFuture
      try shadow.run(
        over: try reader.ticks(from: kernel.lastTick + 1), sessions: try RecordedSite.otherSessions(reader, site)
      ) { RecordedSite.tell($0, since: started) && $0 <= end }
      let content = API.WhatIfPack(against, shadow.report)
      return answer(content, site: site.id, session, exit: shadow.report.ticks == 0 ? .unknown : .well) {
        $0.whatIf($1)
      }
    } catch {
      throw .input(error)
    }
  }

  /// The last tick before the stretch; nil where no beginning was named.
  private func firstTick(_ reader: StoreReader) throws(StoreError) -> Int64? {
    guard let from else { return nil }
    var tick = Int64.max
    while let checkpoint = try reader.checkpoint(atOrBefore: tick), checkpoint.instant > from, checkpoint.tick > 0 {
      tick = checkpoint.tick - 1
    }
    return tick
  }
}
