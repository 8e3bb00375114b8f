extension API {
  /// Newest first.
  public struct Decisions: Codable, Sendable, Equatable {
    public var decisions: [Decision]

    public init(decisions: [Decision]) {
      self.decisions = decisions
    }
  }
}

extension API {
  /// Why a point stands where it stands, as it was recorded when it was decided.
  public struct Decision: Codable, Sendable, Equatable {
    /// `d-…`
    public var id: String
    public var at: Timestamp
    public var point: String
    public var previous: Quantity?
    /// What the actor wanted.
    public var asked: Quantity?
    /// What was let through; null when nothing was.
    public var value: Quantity
    public var readBack: Quantity?
    public var actor: String
    public var mode: String
    /// `permit`, `clamp`, `refuse` or `revert`.
    public var disposition: String
    /// `confirmed`, `refused_by_device`, `mismatched`, `unknown`, `pending` or `none`.
    public var outcome: String
    /// One sentence.
    public var reason: String
    public var contributions: [Contribution]
    /// By margin, closest first.
    public var rules: [Rule]
    /// The rule that decided the value; null when none did.
    public var binding: String?
    public var baseline: Baseline?
    public var policy: Policy?
    public var digests: Digests?
    public var inputsAgeS: Double?
    public var fingerprint: String?
    public var tick: UInt64?
    public var leaseUntil: Timestamp?

    public init(
      id: String, at: Timestamp, point: String, previous: Quantity? = nil, asked: Quantity? = nil, value: Quantity,
      readBack: Quantity? = nil, actor: String, mode: String, disposition: String, outcome: String, reason: String,
      contributions: [Contribution] = [], rules: [Rule] = [], binding: String? = nil, baseline: Baseline? = nil,
      policy: Policy? = nil, digests: Digests? = nil, inputsAgeS: Double? = nil, fingerprint: String? = nil,
      tick: UInt64? = nil, leaseUntil: Timestamp? = nil
    ) {
      (self.id, self.at, self.point, self.previous) = (id, at, point, previous)
      (self.asked, self.value, self.readBack, self.actor) = (asked, value, readBack, actor)
      (self.mode, self.disposition, self.outcome, self.reason) = (mode, disposition, outcome, reason)
      (self.contributions, self.rules, self.binding, self.baseline) = (contributions, rules, binding, baseline)
      (self.policy, self.digests, self.inputsAgeS, self.fingerprint) = (policy, digests, inputsAgeS, fingerprint)
      (self.tick, self.leaseUntil) = (tick, leaseUntil)
    }
  }
}

extension API {
  /// How far one cause moved the value.
  public struct Contribution: Codable, Sendable, Equatable {
    /// A point or signal.
    public var cause: String
    /// A phrase, `wet-bulb fell to 11.2 °C`.
    public var text: String
    public var effect: Double
    /// Of a difference: `K`, where the point has `Cel`.
    public var unit: String
    /// It pulled the other way.
    public var against: Bool

    public init(cause: String, text: String, effect: Double, unit: String, against: Bool = false) {
      (self.cause, self.text, self.effect, self.unit) = (cause, text, effect, unit)
      self.against = against
    }
  }
}

extension API {
  /// One rule of the envelope as it was tried.
  public struct Rule: Codable, Sendable, Equatable {
    /// A slug.
    public var rule: String
    /// A phrase with its limit, `rate ≤ 0.5 K/min`.
    public var text: String
    /// Null when an input was missing.
    public var value: Double?
    public var limit: Double?
    public var unit: String?
    /// How far it was from its limit, in `unit`; negative when broken.
    public var margin: Double?
    /// `pass`, `clamp`, `fail` or `unknown`.
    public var result: String

    public init(
      rule: String, text: String, value: Double? = nil, limit: Double? = nil, unit: String? = nil,
      margin: Double? = nil, result: String
    ) {
      (self.rule, self.text, self.value, self.limit) = (rule, text, value, limit)
      (self.unit, self.margin, self.result) = (unit, margin, result)
    }
  }
}

extension API {
  /// What would have come without the action.
  public struct Baseline: Codable, Sendable, Equatable {
    /// `hold 6.5 °C`
    public var text: String
    public var horizonS: Double
    public var with: [Uncertain]
    public var without: [Uncertain]
    public var simulation: String?

    public init(
      text: String, horizonS: Double, with: [Uncertain] = [], without: [Uncertain] = [], simulation: String? = nil
    ) {
      (self.text, self.horizonS, self.with, self.without) = (text, horizonS, with, without)
      self.simulation = simulation
    }
  }
}

extension API {
  /// A predicted amount.
  public struct Uncertain: Codable, Sendable, Equatable {
    public var value: Double
    public var stddev: Double?
    public var unit: String

    public init(value: Double, stddev: Double? = nil, unit: String) {
      (self.value, self.stddev, self.unit) = (value, stddev, unit)
    }
  }
}

extension API {
  /// Who made the proposal.
  public struct Policy: Codable, Sendable, Equatable {
    public var name: String
    public var version: String?
    /// `canary`, `fleet`; open.
    public var stage: String?

    public init(name: String, version: String? = nil, stage: String? = nil) {
      (self.name, self.version, self.stage) = (name, version, stage)
    }
  }
}

extension API {
  /// What the decision rested on, hexadecimal.
  public struct Digests: Codable, Sendable, Equatable {
    public var inputs: String?
    public var model: String?
    public var policy: String?
    public var envelope: String?

    public init(inputs: String? = nil, model: String? = nil, policy: String? = nil, envelope: String? = nil) {
      (self.inputs, self.model, self.policy, self.envelope) = (inputs, model, policy, envelope)
    }
  }
}
