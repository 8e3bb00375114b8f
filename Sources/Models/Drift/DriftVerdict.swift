public import TwinCore

/// What a model is worth at present, and why.
public enum DriftVerdict: Sendable, Hashable {
  case ok
  /// No fresh readings: nothing is known, and nothing is held against the model.
  case stale
  case suspect(SuspectCause)
  case drift(DriftKind)
}

/// Why a verdict is not settled.
public enum SuspectCause: Sendable, Hashable {
  /// What this output reads is no measurement.
  case garbage(GarbageCause, output: Int)
  /// A watch has raised an alarm, and what it means is being weighed.
  case unexplained
}

/// What has changed.
public enum DriftKind: Sendable, Hashable {
  /// An output reads wrong.
  case sensor(output: Int)
  /// An input does not do what it says.
  case actuator(input: Int)
  /// A parameter moves away from where it was calibrated.
  case fouling(parameter: Int)
  /// The plant is used otherwise, or the model never fitted here.
  case regime
}

/// What one step adds to a verdict.
public enum DriftEvidence: Sendable, Hashable {
  /// Fresh readings, no watch raised.
  case quiet
  /// No fresh reading at all.
  case stale
  case garbage(GarbageCause, output: Int)
  case alarm
  case found(DriftKind)
}

extension DriftVerdict {
  /// The verdict after one step's evidence. A stale step changes no other verdict than `ok`, so that whatever comes
  /// after it is judged by what was seen before it, and a drift stays until the model is calibrated anew.
  public func following(_ evidence: DriftEvidence) -> DriftVerdict {
    switch (self, evidence) {
    case (.drift, _): self
    case (_, .found(let kind)): .drift(kind)
    case (.suspect(.unexplained), .quiet), (.suspect(.unexplained), .stale), (.suspect(.unexplained), .garbage): self
    case (_, .alarm): .suspect(.unexplained)
    case (_, .garbage(let cause, let output)): .suspect(.garbage(cause, output: output))
    case (.suspect(.garbage), .stale): self
    case (_, .stale): .stale
    case (_, .quiet): .ok
    }
  }

  /// Canonical form: four items, version, rank, and two numbers of the case.
  public func encode(to writer: inout CanonicalWriter) {
    let (rank, first, second): (Int, Int, Double) =
      switch self {
      case .ok: (0, 0, 0)
      case .stale: (1, 0, 0)
      case .suspect(.unexplained): (2, 0, 0)
      case .suspect(.garbage(let cause, let output)): (10 + cause.rank, output, cause.detail)
      case .drift(.regime): (3, 0, 0)
      case .drift(.sensor(let output)): (4, output, 0)
      case .drift(.actuator(let input)): (5, input, 0)
      case .drift(.fouling(let parameter)): (6, parameter, 0)
      }
    writer.array(4)
    writer.integer(1)
    writer.integer(rank)
    writer.integer(first)
    writer.double(second)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(3, version: 1)
    let (rank, first, second) = (try reader.int(), try reader.int(), try reader.double())
    guard first >= 0 else { throw CanonicalFault("verdict about number \(first)") }
    switch rank {
    case 0: self = .ok
    case 1: self = .stale
    case 2: self = .suspect(.unexplained)
    case 3: self = .drift(.regime)
    case 4: self = .drift(.sensor(output: first))
    case 5: self = .drift(.actuator(input: first))
    case 6: self = .drift(.fouling(parameter: first))
    default:
      guard let cause = GarbageCause(rank: rank - 10, detail: second) else {
        throw CanonicalFault("verdict \(rank) with \(second)")
      }
      self = .suspect(.garbage(cause, output: first))
    }
  }
}

/// What a site does about a model that drifts, from the mildest to the last.
public enum DriftResponse: UInt8, Sendable, Comparable {
  case none = 0
  /// Forecasts say that they know less.
  case widenIntervals = 1
  /// The filter follows readings more closely.
  case raiseProcessNoise = 2
  /// Calibrates on recent data, beside the model that runs.
  case recalibrateInShadow = 3
  /// The model decides nothing; rules do.
  case fallBack = 4

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  /// Multiplies the radius of intervals.
  public var intervalFactor: Double { self == .none ? 1 : 2 }
  /// For `JointObserver.noiseScale`.
  public var noiseScale: Double { self >= .raiseProcessNoise ? 10 : 1 }
}

/// Climbs one response at a time, each after `stepsPerRung` steps in which the last did not help.
public struct ResponseLadder: Sendable, Equatable {
  public let stepsPerRung: Int
  public private(set) var response = DriftResponse.none
  private var waited = 0

  public init(stepsPerRung: Int) {
    precondition(stepsPerRung > 0, "a rung is given time")
    self.stepsPerRung = stepsPerRung
  }

  /// Takes the verdict of one step. Without fresh readings nothing is tried and nothing has failed.
  public mutating func follow(_ verdict: DriftVerdict) {
    switch verdict {
    case .stale: return
    case .ok: self = ResponseLadder(stepsPerRung: stepsPerRung)
    case .suspect: response = max(response, .widenIntervals)
    case .drift:
      waited += 1
      if response == .none { (response, waited) = (.widenIntervals, 0) }
      guard waited >= stepsPerRung, let next = DriftResponse(rawValue: response.rawValue + 1) else { return }
      (response, waited) = (next, 0)
    }
  }

  /// The model that was calibrated in shadow has proved better and taken over.
  public mutating func promoted() { self = ResponseLadder(stepsPerRung: stepsPerRung) }

  /// Canonical form: version, steps per rung, response, steps waited.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(4)
    writer.integer(1)
    writer.integer(stepsPerRung)
    writer.integer(Int(response.rawValue))
    writer.integer(waited)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(3, version: 1)
    let (steps, rung, waited) = (try reader.int(), try reader.int(), try reader.int())
    guard steps > 0, waited >= 0, let response = UInt8(exactly: rung).flatMap(DriftResponse.init(rawValue:)) else {
      throw CanonicalFault("ladder of \(steps) steps a rung at rung \(rung) for \(waited)")
    }
    self.init(stepsPerRung: steps)
    (self.response, self.waited) = (response, waited)
  }
}
