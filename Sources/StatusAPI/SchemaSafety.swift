extension API {
  /// Every envelope of the pack.
  public struct Envelopes: Codable, Sendable, Equatable {
    public var envelopes: [Envelope]

    public init(envelopes: [Envelope]) {
      self.envelopes = envelopes
    }
  }
}

extension API {
  /// What may be written to one point.
  public struct Envelope: Codable, Sendable, Equatable {
    public var id: String
    public var point: String
    public var unit: String
    public var min: Double?
    public var max: Double?
    /// In the unit of the point (differences) per second.
    public var ratePerS: Double?
    /// Shortest time between two changes.
    public var holdS: Double?
    public var require: [String]
    /// What happens to an optimiser's proposal outside: `clamp`, `refuse`, `revert`, `local`.
    public var violation: String
    public var staleAfterS: Double?
    public var fallback: Quantity?
    public var owner: String
    public var reason: String
    public var procedure: String?
    public var digest: String?
    public var signed: Bool
    /// Where the point stands now.
    public var value: Quantity?

    public init(
      id: String, point: String, unit: String, min: Double? = nil, max: Double? = nil, ratePerS: Double? = nil,
      holdS: Double? = nil, require: [String] = [], violation: String, staleAfterS: Double? = nil,
      fallback: Quantity? = nil, owner: String, reason: String, procedure: String? = nil, digest: String? = nil,
      signed: Bool = false, value: Quantity? = nil
    ) {
      (self.id, self.point, self.unit, self.min) = (id, point, unit, min)
      (self.max, self.ratePerS, self.holdS, self.require) = (max, ratePerS, holdS, require)
      (self.violation, self.staleAfterS, self.fallback, self.owner) = (violation, staleAfterS, fallback, owner)
      (self.reason, self.procedure, self.digest, self.signed) = (reason, procedure, digest, signed)
      self.value = value
    }
  }
}

extension API {
  /// What the guard would say to one value now; nothing was written.
  public struct EnvelopeTest: Codable, Sendable, Equatable {
    public var point: String
    public var envelope: String?
    public var asked: Quantity
    /// `permit`, `clamp` or `refuse`.
    public var result: String
    /// What would be written; null when nothing.
    public var value: Quantity
    public var rules: [Rule]
    public var reason: String
    public var next: String?

    public init(
      point: String, envelope: String? = nil, asked: Quantity, result: String, value: Quantity, rules: [Rule] = [],
      reason: String, next: String? = nil
    ) {
      (self.point, self.envelope, self.asked, self.result) = (point, envelope, asked, result)
      (self.value, self.rules, self.reason, self.next) = (value, rules, reason, next)
    }
  }
}

extension API {
  /// Those in force.
  public struct Overrides: Codable, Sendable, Equatable {
    public var overrides: [Override]

    public init(overrides: [Override]) {
      self.overrides = overrides
    }
  }
}

extension API {
  /// A person holds a point; it ends by itself.
  public struct Override: Codable, Sendable, Equatable {
    public var point: String
    public var value: Quantity
    public var by: String
    public var reason: String
    public var since: Timestamp
    public var until: Timestamp
    public var leftS: Double
    public var decision: String?

    public init(
      point: String, value: Quantity, by: String, reason: String, since: Timestamp, until: Timestamp, leftS: Double,
      decision: String? = nil
    ) {
      (self.point, self.value, self.by, self.reason) = (point, value, by, reason)
      (self.since, self.until, self.leftS, self.decision) = (since, until, leftS, decision)
    }
  }
}

extension API {
  /// How far the daemon may go.
  public struct ModeState: Codable, Sendable, Equatable {
    public var mode: String
    public var ceiling: String
    /// What sets the ceiling, when it is below `auto`.
    public var why: String?
    public var since: Timestamp?
    public var by: String?
    public var reason: String?
    /// The audit record of the change.
    public var decision: String?

    public init(
      mode: String, ceiling: String, why: String? = nil, since: Timestamp? = nil, by: String? = nil,
      reason: String? = nil, decision: String? = nil
    ) {
      (self.mode, self.ceiling, self.why, self.since) = (mode, ceiling, why, since)
      (self.by, self.reason, self.decision) = (by, reason, decision)
    }
  }
}

extension API {
  /// Active, acknowledged and shelved ones.
  public struct Alarms: Codable, Sendable, Equatable {
    public var alarms: [Alarm]
    /// New alarms per ten minutes over the last hour (ISA-18.2 counts floods from 10).
    public var perTenMinutes: Double?

    public init(alarms: [Alarm], perTenMinutes: Double? = nil) {
      (self.alarms, self.perTenMinutes) = (alarms, perTenMinutes)
    }
  }
}

extension API {
  /// A condition that needs a person.
  public struct Alarm: Codable, Sendable, Equatable {
    public var id: String
    /// 1 is the most urgent.
    public var priority: Int
    /// `active`, `acknowledged`, `cleared`, `shelved`; open.
    public var state: String
    public var title: String
    public var since: Timestamp
    public var forS: Double
    public var point: String?
    public var action: String
    public var owner: String?
    public var ackedBy: String?
    public var shelvedUntil: Timestamp?
    /// The audit record of the last thing a person did.
    public var decision: String?

    public init(
      id: String, priority: Int, state: String, title: String, since: Timestamp, forS: Double, point: String? = nil,
      action: String, owner: String? = nil, ackedBy: String? = nil, shelvedUntil: Timestamp? = nil,
      decision: String? = nil
    ) {
      (self.id, self.priority, self.state, self.title) = (id, priority, state, title)
      (self.since, self.forS, self.point, self.action) = (since, forS, point, action)
      (self.owner, self.ackedBy, self.shelvedUntil, self.decision) = (owner, ackedBy, shelvedUntil, decision)
    }
  }
}
