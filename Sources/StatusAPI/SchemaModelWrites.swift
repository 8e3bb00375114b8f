extension API {
  /// How a model did and where its parameters went, day by day, oldest first.
  public struct ModelHistory: Codable, Sendable, Equatable {
    public var model: String
    public var days: [ModelDay]
    public var parameters: [ModelParameterHistory]

    public init(model: String, days: [ModelDay], parameters: [ModelParameterHistory]) {
      (self.model, self.days, self.parameters) = (model, days, parameters)
    }
  }
}

extension API {
  public struct ModelDay: Codable, Sendable, Equatable {
    /// When it began.
    public var at: Timestamp
    /// By output and horizon.
    public var scores: [ModelScore]

    public init(at: Timestamp, scores: [ModelScore]) {
      (self.at, self.scores) = (at, scores)
    }
  }
}

extension API {
  public struct ModelParameterHistory: Codable, Sendable, Equatable {
    public var name: String
    public var unit: String
    public var days: [ModelTrace]

    public init(name: String, unit: String, days: [ModelTrace]) {
      (self.name, self.unit, self.days) = (name, unit, days)
    }
  }
}

extension API {
  /// How the site's models stand, in numbers that add up to `total`.
  public struct ModelTally: Codable, Sendable, Equatable {
    public var total: Int
    public var ok: Int
    /// Templates at their priors: nothing rests on them yet.
    public var uncalibrated: Int
    public var suspect: Int
    public var drifting: Int
    public var stale: Int
    /// Of the worst one that drifts or is suspect: `ahu-air: drift of a sensor: …`.
    public var worst: String?

    public init(
      total: Int, ok: Int, uncalibrated: Int, suspect: Int, drifting: Int, stale: Int, worst: String? = nil
    ) {
      (self.total, self.ok, self.uncalibrated, self.suspect) = (total, ok, uncalibrated, suspect)
      (self.drifting, self.stale, self.worst) = (drifting, stale, worst)
    }
  }
}

extension API {
  /// What a person may do to a model.
  public enum ModelVerb: String, Codable, Sendable, CaseIterable {
    /// The challenger goes to work.
    case promote
    /// The version before goes back to work.
    case rollback
    /// The challenger is let go.
    case retire
    /// What is usual is learned anew from here.
    case watch
    /// A candidate is to be trained on the record.
    case train
  }

  public struct ModelRequest: Codable, Sendable, Equatable {
    public var reason: String

    public init(reason: String) {
      self.reason = reason
    }
  }
}
