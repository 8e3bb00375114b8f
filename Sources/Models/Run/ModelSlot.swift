public import TwinCore

/// What happened to a model in one step, for the record and for people.
public struct ModelEvent: Sendable, Equatable {
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// A candidate runs beside the champion from now on.
    case admitted = 0
    /// A candidate was not taken: `text` says why.
    case refused = 1
    /// The challenger is the champion now.
    case promoted = 2
    /// The challenger left without a promotion.
    case retired = 3
    /// The champion before is the champion again.
    case rolledBack = 4
    /// The verdict on drift changed: `text` is the new one.
    case drift = 5
    /// A reading was kept out of the model: `text` says which and why.
    case refusedReading = 6
    /// The model wants to be fitted again: `text` says why.
    case recalibrate = 7
  }

  /// By position in the site's models.
  public var model: Int32
  public var kind: Kind
  public var text: String
  /// A person, where one asked for it; empty where the evidence did.
  public var by: String
  /// Of the version that it is about.
  public var candidate: Digest

  public init(model: Int32, kind: Kind, text: String, by: String = "", candidate: Digest = .zero) {
    (self.model, self.kind, self.text, self.by, self.candidate) = (model, kind, text, by, candidate)
  }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    writer.integer(Int64(model))
    writer.integer(Int64(kind.rawValue))
    writer.text(text)
    writer.text(by)
    writer.digest(candidate)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(5, version: 1)
    let (number, raw) = (try reader.integer(), try reader.integer())
    guard let model = Int32(exactly: number), let byte = UInt8(exactly: raw), let kind = Kind(rawValue: byte) else {
      throw CanonicalFault("a model's event of kind \(raw) on model \(number)")
    }
    (self.model, self.kind) = (model, kind)
    (text, by, candidate) = (try reader.text(limit: 1 << 12), try reader.text(limit: 256), try reader.digest())
  }
}

/// One model of a site with those that would replace it: champion, challenger, and the champion before.
///
/// All of them see the same samples. A challenger becomes champion on paired evidence alone, with its coverage as a
/// gate; the champion before goes on in its shadow, warm, so that a rollback is one step, and comes back by itself when
/// the evidence turns.
public struct ModelSlot: Sendable, Equatable {
  public internal(set) var champion: ModelRun
  public internal(set) var challenger: ModelRun?
  public internal(set) var previous: ModelRun?
  /// Champion against challenger.
  public internal(set) var evidence: PairedEvidence
  /// Champion against the one before it; `better` means that the one before is.
  public internal(set) var retrospect: PairedEvidence
  /// Steps since the champion before stepped down.
  public internal(set) var sincePromotion: Int64 = 0
  /// The most recent version number given away.
  public internal(set) var versions: Int64 = 0
  var feed: ModelFeed
  /// By output and horizon: the champion's mean squared error, in which losses are counted. Moves slowly.
  var scales: [Double]
  var told: Told

  /// What of the champion has been told already.
  struct Told: Sendable, Equatable {
    var verdict: DriftVerdict
    var response: DriftResponse
    var refusals: [GarbageCause?]

    init(_ run: ModelRun) {
      (verdict, response, refusals) = (run.drift.verdict, run.ladder.response, run.refusals)
    }
  }

  /// Coverage of the 90 % interval one step ahead, outside of which nothing is promoted.
  static let coverageGate = 0.85...0.97
  /// The champion before is let go after so many days in which it was not better.
  static let retrospectDays: Int64 = 14

  public init(_ definition: ModelDefinition) {
    champion = ModelRun(definition)
    told = Told(champion)
    let block = definition.horizons.last ?? 1
    evidence = PairedEvidence(block: block)
    retrospect = PairedEvidence(block: block)
    feed = ModelFeed(definition)
    scales = Array(repeating: 0, count: definition.outputs.count * definition.horizons.count)
  }

  /// Takes in a tick's picture; steps every run when a step of the model ended. True when it did.
  @discardableResult
  public mutating func take(
    _ image: PointImage, at instant: Instant, isClockTrusted: Bool, _ definition: ModelDefinition, model: Int32,
    into events: inout [ModelEvent]
  ) -> Bool {
    guard feed.take(image, at: instant, isClockTrusted: isClockTrusted, definition) else { return false }
    champion.step(feed.sample, definition)
    challenger?.step(feed.sample, definition)
    previous?.step(feed.sample, definition)
    weigh()
    let loss = relativeLoss(champion.squaredErrors)
    if let challenger { evidence.add(champion: loss, challenger: relativeLoss(challenger.squaredErrors)) }
    if let previous {
      sincePromotion += 1
      retrospect.add(champion: loss, challenger: relativeLoss(previous.squaredErrors))
    }
    judge(definition, model, &events)
    tell(definition, model, &events)
    return true
  }

  /// The monotonic clock began anew.
  public mutating func rebase() { feed.rebase() }

  /// The mean over outputs and horizons of squared errors, each in units of what the champion's usually are.
  private func relativeLoss(_ squaredErrors: [Double]) -> Double {
    var (sum, count) = (0.0, 0)
    for (error, scale) in zip(squaredErrors, scales) where error.isFinite && scale > 0 {
      sum += error / scale
      count += 1
    }
    return count > 0 ? sum / Double(count) : .nan
  }

  private mutating func weigh() {
    for cell in scales.indices where champion.squaredErrors[cell].isFinite {
      let error = champion.squaredErrors[cell]
      scales[cell] = scales[cell] > 0 ? scales[cell] + 0.01 * (error - scales[cell]) : error
    }
  }

  private mutating func judge(_ definition: ModelDefinition, _ model: Int32, _ events: inout [ModelEvent]) {
    if challenger != nil {
      switch evidence.finding {
      case .open: break
      case .better:
        if let coverage = challenger?.coverage(lastDays: 14), !Self.coverageGate.contains(coverage) {
          retire("it forecasts better, but its 90 % interval held \(Self.percent(coverage))", model, &events)
        } else {
          promote(by: "", model, definition, &events)
        }
      case .notBetter: retire("\(evidence.blocks) blocks of steps did not show it to be better", model, &events)
      }
    }
    if previous != nil {
      if retrospect.finding == .better {
        rollBack(by: "", model, definition, &events)
      } else if sincePromotion > Self.retrospectDays * definition.stepsPerDay {
        previous = nil
      }
    }
  }

  private mutating func tell(_ definition: ModelDefinition, _ model: Int32, _ events: inout [ModelEvent]) {
    for (place, refusal) in champion.refusals.enumerated() where refusal != told.refusals[place] {
      told.refusals[place] = refusal
      guard let refusal else { continue }
      let name = definition.portName(place)
      events.append(ModelEvent(model: model, kind: .refusedReading, text: "\(name): \(refusal.text)"))
    }
    let verdict = champion.drift.verdict
    if verdict != told.verdict, verdict != .stale {
      told.verdict = verdict
      let text = verdict.text(champion.observer.model)
      events.append(ModelEvent(model: model, kind: .drift, text: text, candidate: champion.version.candidate))
    }
    let response = champion.ladder.response
    if response != told.response {
      told.response = response
      // A sensor is mended, not learned.
      if response == .recalibrateInShadow, !verdict.isSensors {
        let text = verdict.text(champion.observer.model)
        events.append(ModelEvent(model: model, kind: .recalibrate, text: text, candidate: champion.version.candidate))
      }
    }
  }

  /// A person has mended what drifted, or lives with it: what is usual is learned anew from here.
  public mutating func watchAnew(by person: String, _ model: Int32, _ events: inout [ModelEvent]) {
    champion.drift.calibrated()
    champion.ladder.promoted()
    told = Told(champion)
    events.append(
      ModelEvent(model: model, kind: .drift, text: "watched anew", by: person, candidate: champion.version.candidate))
  }

  /// Makes the challenger champion: on its evidence, or because a person says so.
  public mutating func promote(
    by person: String, _ model: Int32, _ definition: ModelDefinition, _ events: inout [ModelEvent]
  ) {
    guard let winner = challenger else { return }
    let bound = evidence.lowerBound.map { "; its gain is above \(Self.percent($0)) of the loss" } ?? ""
    events.append(
      ModelEvent(
        model: model, kind: .promoted, text: "\(evidence.blocks) blocks of \(evidence.block) steps\(bound)",
        by: person, candidate: winner.version.candidate))
    previous = champion
    champion = winner
    challenger = nil
    retrospect = PairedEvidence(block: evidence.block)
    evidence = PairedEvidence(block: evidence.block)
    sincePromotion = 0
    told = Told(champion)
  }

  /// Puts the champion before back; false when there is none.
  @discardableResult
  public mutating func rollBack(
    by person: String, _ model: Int32, _ definition: ModelDefinition, _ events: inout [ModelEvent]
  ) -> Bool {
    guard let old = previous else { return false }
    let why = person.isEmpty ? "the one before forecast better over \(retrospect.blocks) blocks of steps" : "asked for"
    events.append(
      ModelEvent(model: model, kind: .rolledBack, text: why, by: person, candidate: champion.version.candidate))
    champion = old
    previous = nil
    // What is compared with a champion that is gone begins again.
    evidence = PairedEvidence(block: evidence.block)
    told = Told(champion)
    return true
  }

  private mutating func retire(_ why: String, _ model: Int32, _ events: inout [ModelEvent]) {
    guard let loser = challenger else { return }
    events.append(ModelEvent(model: model, kind: .retired, text: why, candidate: loser.version.candidate))
    challenger = nil
    evidence = PairedEvidence(block: evidence.block)
  }

  /// Lets the challenger go; false when there is none.
  @discardableResult
  public mutating func retire(by person: String, _ model: Int32, _ events: inout [ModelEvent]) -> Bool {
    guard challenger != nil else { return false }
    retire("\(person) let it go", model, &events)
    return true
  }

  /// One decimal, without libm's formatting.
  static func percent(_ share: Double) -> String {
    guard share.isFinite, abs(share) < 1e6 else { return "?" }
    let tenths = Int((share * 1000).nearestInteger)
    return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) %"
  }
}
