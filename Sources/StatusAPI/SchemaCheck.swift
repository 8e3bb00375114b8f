extension API {
  /// The layers between gateway and register, tried one by one.
  public struct CollectTest: Codable, Sendable, Equatable {
    public var device: String
    public var transport: String
    public var address: String
    public var profile: String?
    public var passed: Bool
    public var steps: [Step]
    public var likely: String?
    public var next: String?
    public var points: [Probe]

    public init(
      device: String, transport: String, address: String, profile: String? = nil, passed: Bool, steps: [Step],
      likely: String? = nil, next: String? = nil, points: [Probe] = []
    ) {
      (self.device, self.transport, self.address, self.profile) = (device, transport, address, profile)
      (self.passed, self.steps, self.likely, self.next) = (passed, steps, likely, next)
      self.points = points
    }
  }
}

extension API {
  /// One layer.
  public struct Step: Codable, Sendable, Equatable {
    /// `route`, `tcp`, `serial`, `modbus`, `registers`; open.
    public var name: String
    /// `ok`, `fail` or `not_tried`.
    public var result: String
    public var text: String
    public var tookS: Double?

    public init(name: String, result: String, text: String, tookS: Double? = nil) {
      (self.name, self.result, self.text, self.tookS) = (name, result, text, tookS)
    }
  }
}

extension API {
  /// One point as it was read during the test.
  public struct Probe: Codable, Sendable, Equatable {
    public var point: String
    public var ref: Int?
    public var wire: Wire?
    public var raw: [Int]
    /// How the value comes from the registers, `69 × 0.1`.
    public var working: String?
    public var value: Quantity
    public var inRange: Bool?
    /// What looks wrong, and the pack line that would mend it.
    public var hint: String?

    public init(
      point: String, ref: Int? = nil, wire: Wire? = nil, raw: [Int] = [], working: String? = nil, value: Quantity,
      inRange: Bool? = nil, hint: String? = nil
    ) {
      (self.point, self.ref, self.wire, self.raw) = (point, ref, wire, raw)
      (self.working, self.value, self.inRange, self.hint) = (working, value, inRange, hint)
    }
  }
}

extension API {
  /// Findings about a pack or a configuration.
  public struct Check: Codable, Sendable, Equatable {
    public var subject: String
    public var passed: Bool
    public var errors: Int
    public var warnings: Int
    public var findings: [Finding]

    public init(subject: String, passed: Bool, errors: Int, warnings: Int, findings: [Finding]) {
      (self.subject, self.passed, self.errors, self.warnings) = (subject, passed, errors, warnings)
      self.findings = findings
    }
  }
}

extension API {
  /// One finding at its place.
  public struct Finding: Codable, Sendable, Equatable {
    public var file: String
    public var line: Int
    public var column: Int
    /// `error` or `warning`.
    public var severity: String
    public var code: String
    public var message: String
    public var remedy: String

    public init(
      file: String, line: Int, column: Int, severity: String, code: String, message: String, remedy: String
    ) {
      (self.file, self.line, self.column, self.severity) = (file, line, column, severity)
      (self.code, self.message, self.remedy) = (code, message, remedy)
    }
  }
}

extension API {
  /// A stretch of the record computed again.
  public struct Replay: Codable, Sendable, Equatable {
    public var from: Timestamp
    public var to: Timestamp
    public var ticks: Int
    public var identical: Bool
    /// The chained fingerprint at the end of the stretch.
    public var recorded: String
    public var replayed: String
    /// The first tick whose fingerprint differs.
    public var firstDifference: UInt64?
    public var next: String?

    public init(
      from: Timestamp, to: Timestamp, ticks: Int, identical: Bool, recorded: String, replayed: String,
      firstDifference: UInt64? = nil, next: String? = nil
    ) {
      (self.from, self.to, self.ticks, self.identical) = (from, to, ticks, identical)
      (self.recorded, self.replayed, self.firstDifference, self.next) = (recorded, replayed, firstDifference, next)
    }
  }
}

extension API {
  /// One thing that happened. `gap` and `resync` speak of the stream itself.
  public struct Event: Codable, Sendable, Equatable {
    public var id: UInt64?
    /// `value`, `alarm`, `problem`, `decision`, `override`, `mode`, `gap`, `resync`; open.
    public var kind: String
    public var at: Timestamp
    public var point: String?
    public var value: Quantity?
    /// The id of the decision, alarm or problem.
    public var ref: String?
    /// One sentence.
    public var text: String?
    /// In `gap`: how many events this reader lost.
    public var dropped: Int?

    public init(
      id: UInt64? = nil, kind: String, at: Timestamp, point: String? = nil, value: Quantity? = nil,
      ref: String? = nil, text: String? = nil, dropped: Int? = nil
    ) {
      (self.id, self.kind, self.at, self.point) = (id, kind, at, point)
      (self.value, self.ref, self.text, self.dropped) = (value, ref, text, dropped)
    }
  }
}

extension API {
  /// Recent events, oldest first.
  public struct Events: Codable, Sendable, Equatable {
    public var events: [Event]

    public init(events: [Event]) {
      self.events = events
    }
  }
}

extension API {
  /// The answer to a write.
  public struct Written: Codable, Sendable, Equatable {
    /// The audit record.
    public var decision: String
    /// What is so now, one sentence.
    public var text: String
    /// The command that takes it back.
    public var undo: String?
    public var until: Timestamp?

    public init(decision: String, text: String, undo: String? = nil, until: Timestamp? = nil) {
      (self.decision, self.text, self.undo, self.until) = (decision, text, undo, until)
    }
  }
}

extension API {
  /// The body of `PUT /v1/overrides/{point}`.
  public struct OverrideRequest: Codable, Sendable, Equatable {
    public var value: Double
    /// Must be the point's own, or one that converts to it; null means the point's own.
    public var unit: String?
    public var forS: Double
    public var reason: String

    public init(value: Double, unit: String? = nil, forS: Double, reason: String) {
      (self.value, self.unit, self.forS, self.reason) = (value, unit, forS, reason)
    }
  }
}

extension API {
  /// The body of `PUT /v1/mode`.
  public struct ModeRequest: Codable, Sendable, Equatable {
    public var mode: String
    public var reason: String

    public init(mode: String, reason: String) {
      (self.mode, self.reason) = (mode, reason)
    }
  }
}

extension API {
  /// The body of `POST /v1/alarms/{id}/shelve`.
  public struct ShelveRequest: Codable, Sendable, Equatable {
    public var forS: Double
    public var reason: String

    public init(forS: Double, reason: String) {
      (self.forS, self.reason) = (forS, reason)
    }
  }
}

extension API {
  /// The body of `POST /v1/collect/test`.
  public struct CollectTestRequest: Codable, Sendable, Equatable {
    public var device: String

    public init(device: String) {
      self.device = device
    }
  }
}

extension API {
  /// The body of `POST /v1/envelopes/test`.
  public struct EnvelopeTestRequest: Codable, Sendable, Equatable {
    public var point: String
    public var value: Double
    public var unit: String?

    public init(point: String, value: Double, unit: String? = nil) {
      (self.point, self.value, self.unit) = (point, value, unit)
    }
  }
}
