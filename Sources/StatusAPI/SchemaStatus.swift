extension API {
  /// What the daemon is and speaks; a client negotiates down to `apiMax`.
  public struct Meta: Codable, Sendable, Equatable {
    public var apiMin: Int
    public var apiMax: Int
    public var version: String
    public var site: String
    /// Names of the optional parts that this daemon serves; open.
    public var features: [String]
    public var startedAt: Timestamp?

    public init(
      apiMin: Int = 1, apiMax: Int = 1, version: String, site: String, features: [String] = [],
      startedAt: Timestamp? = nil
    ) {
      (self.apiMin, self.apiMax, self.version, self.site) = (apiMin, apiMax, version, site)
      (self.features, self.startedAt) = (features, startedAt)
    }
  }
}

extension API {
  /// The whole site in one answer.
  public struct Status: Codable, Sendable, Equatable {
    public var site: String
    /// `well`, `attention`, `alarm` or `unknown`; anything else is read as unknown.
    public var state: String
    public var mode: String
    /// The highest mode that pack, signature and environment allow.
    public var modeCeiling: String?
    public var pack: Pack
    public var points: PointCounts
    /// Points that stand at their fallback now.
    public var heldSafe: Int
    /// Roots only, worst first; what follows from one is counted in its `children`.
    public var problems: [Problem]
    public var overrides: [Override]
    public var alarms: AlarmCounts
    public var lastDecision: LastDecision?
    public var clock: Clock
    public var leasesOpen: Int
    public var uptimeS: Double
    public var version: String
    public var process: Process?
    public var store: Store?
    /// Null where the site has no models.
    public var models: ModelTally?
    /// Offset of the site's civil time from UTC now, seconds east.
    public var utcOffsetS: Int

    public init(
      site: String, state: String, mode: String, modeCeiling: String? = nil, pack: Pack, points: PointCounts,
      heldSafe: Int = 0, problems: [Problem] = [], overrides: [Override] = [], alarms: AlarmCounts,
      lastDecision: LastDecision? = nil, clock: Clock, leasesOpen: Int = 0, uptimeS: Double, version: String,
      process: Process? = nil, store: Store? = nil, models: ModelTally? = nil, utcOffsetS: Int = 0
    ) {
      (self.site, self.state, self.mode, self.modeCeiling) = (site, state, mode, modeCeiling)
      (self.pack, self.points, self.heldSafe, self.problems) = (pack, points, heldSafe, problems)
      (self.overrides, self.alarms, self.lastDecision, self.clock) = (overrides, alarms, lastDecision, clock)
      (self.leasesOpen, self.uptimeS, self.version, self.process) = (leasesOpen, uptimeS, version, process)
      (self.store, self.models, self.utcOffsetS) = (store, models, utcOffsetS)
    }
  }
}

extension API {
  /// The pack in force.
  public struct Pack: Codable, Sendable, Equatable {
    public var version: Int
    public var signed: Bool
    public var digest: String
    public var name: String?

    public init(version: Int, signed: Bool, digest: String, name: String? = nil) {
      (self.version, self.signed, self.digest, self.name) = (version, signed, digest, name)
    }
  }
}

extension API {
  /// Every point is in exactly one of the four.
  public struct PointCounts: Codable, Sendable, Equatable {
    public var total: Int
    public var fresh: Int
    public var stale: Int
    public var absent: Int
    public var never: Int

    public init(total: Int, fresh: Int, stale: Int, absent: Int, never: Int) {
      (self.total, self.fresh, self.stale, self.absent) = (total, fresh, stale, absent)
      self.never = never
    }
  }
}

extension API {
  /// A condition that lasts, as `HealthRegistry` holds it.
  public struct Problem: Codable, Sendable, Equatable {
    public var id: String
    public var code: String
    /// `attention` or `alarm`.
    public var severity: String
    public var title: String
    public var cause: String
    public var since: Timestamp
    public var forS: Double
    public var effect: String
    public var next: String
    /// How many other problems it explains.
    public var children: Int

    public init(
      id: String, code: String, severity: String, title: String, cause: String, since: Timestamp, forS: Double,
      effect: String, next: String, children: Int = 0
    ) {
      (self.id, self.code, self.severity, self.title) = (id, code, severity, title)
      (self.cause, self.since, self.forS, self.effect) = (cause, since, forS, effect)
      (self.next, self.children) = (next, children)
    }
  }
}

extension API {
  /// Alarms by what people have done about them.
  public struct AlarmCounts: Codable, Sendable, Equatable {
    public var active: Int
    public var acked: Int
    public var shelved: Int

    public init(active: Int, acked: Int, shelved: Int) {
      (self.active, self.acked, self.shelved) = (active, acked, shelved)
    }
  }
}

extension API {
  /// The newest decision record.
  public struct LastDecision: Codable, Sendable, Equatable {
    public var id: String
    public var ageS: Double

    public init(id: String, ageS: Double) {
      (self.id, self.ageS) = (id, ageS)
    }
  }
}

extension API {
  /// Whether UTC on the gateway may be believed.
  public struct Clock: Codable, Sendable, Equatable {
    public var trusted: Bool
    /// Estimated error, seconds; null when nobody measured it.
    public var offsetS: Double?

    public init(trusted: Bool, offsetS: Double? = nil) {
      (self.trusted, self.offsetS) = (trusted, offsetS)
    }
  }
}

extension API {
  /// What the daemon itself uses.
  public struct Process: Codable, Sendable, Equatable {
    public var rssMb: Double
    public var cpuS: Double
    public var threads: Int?

    public init(rssMb: Double, cpuS: Double, threads: Int? = nil) {
      (self.rssMb, self.cpuS, self.threads) = (rssMb, cpuS, threads)
    }
  }
}

extension API {
  /// The feature store.
  public struct Store: Codable, Sendable, Equatable {
    public var sizeMb: Double
    public var freeMb: Double?
    public var oldest: Timestamp?
    /// Age of the oldest sample that is not yet durable.
    public var lagS: Double?

    public init(sizeMb: Double, freeMb: Double? = nil, oldest: Timestamp? = nil, lagS: Double? = nil) {
      (self.sizeMb, self.freeMb, self.oldest, self.lagS) = (sizeMb, freeMb, oldest, lagS)
    }
  }
}
