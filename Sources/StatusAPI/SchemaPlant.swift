extension API {
  /// Every device of the pack, in pack order.
  public struct Devices: Codable, Sendable, Equatable {
    public var devices: [Device]

    public init(devices: [Device]) {
      self.devices = devices
    }
  }
}

extension API {
  /// One device and how its bus answers.
  public struct Device: Codable, Sendable, Equatable {
    public var id: String
    public var profile: String?
    /// `modbus-tcp`, `modbus-rtu`; open.
    public var transport: String
    /// `10.20.0.11:502 unit 1`, as a person would dial it.
    public var address: String
    /// `ok`, `silent`, `backing_off`, `disabled`, `never`; open.
    public var state: String
    public var lastHeard: Timestamp?
    public var silentForS: Double?
    /// When the next attempt leaves, while backing off.
    public var retryInS: Double?
    public var points: PointCounts
    public var reads: Int?
    public var failures: Int?
    /// The id of the problem that names it.
    public var problem: String?
    /// Registers that it does not have, learned by asking: `input 1`, `holding 5000-5009`, wire addresses.
    public var holes: [String]?

    public init(
      id: String, profile: String? = nil, transport: String, address: String, state: String,
      lastHeard: Timestamp? = nil, silentForS: Double? = nil, retryInS: Double? = nil, points: PointCounts,
      reads: Int? = nil, failures: Int? = nil, problem: String? = nil, holes: [String]? = nil
    ) {
      (self.id, self.profile, self.transport, self.address) = (id, profile, transport, address)
      (self.state, self.lastHeard, self.silentForS, self.retryInS) = (state, lastHeard, silentForS, retryInS)
      (self.points, self.reads, self.failures, self.problem) = (points, reads, failures, problem)
      self.holes = holes
    }
  }
}

extension API {
  /// Points in pack order.
  public struct Points: Codable, Sendable, Equatable {
    public var points: [Point]

    public init(points: [Point]) {
      self.points = points
    }
  }
}

extension API {
  /// One point: what was measured, what is believed, what is asked of it.
  public struct Point: Codable, Sendable, Equatable {
    public var id: String
    public var device: String
    public var name: String?
    public var value: Quantity
    /// The vendor's register number, `40031`.
    public var ref: Int?
    public var wire: Wire?
    /// The registers as they were on the wire, 16 bit each.
    public var raw: [Int]?
    /// The name of an enumerated value.
    public var symbol: String?
    public var estimate: Estimate?
    public var writable: Bool
    public var envelope: String?
    /// What twind holds it at by a lease.
    public var held: Quantity?
    /// What was last proposed, allowed or not.
    public var proposed: Quantity?
    /// What the device said after the write.
    public var readBack: Quantity?
    /// The newest decision about it.
    public var decision: String?
    /// `measured`, `derived`, `simulated`; open.
    public var provenance: String?
    /// How far its values may leave the site: `never`, `aggregate` or `raw`. Absent: never.
    public var export: String?

    public init(
      id: String, device: String, name: String? = nil, value: Quantity, ref: Int? = nil, wire: Wire? = nil,
      raw: [Int]? = nil, symbol: String? = nil, estimate: Estimate? = nil, writable: Bool = false,
      envelope: String? = nil, held: Quantity? = nil, proposed: Quantity? = nil, readBack: Quantity? = nil,
      decision: String? = nil, provenance: String? = nil, export: String? = nil
    ) {
      (self.id, self.device, self.name, self.value) = (id, device, name, value)
      (self.ref, self.wire, self.raw, self.symbol) = (ref, wire, raw, symbol)
      (self.estimate, self.writable, self.envelope, self.held) = (estimate, writable, envelope, held)
      (self.proposed, self.readBack, self.decision, self.provenance) = (proposed, readBack, decision, provenance)
      self.export = export
    }
  }
}

extension API {
  /// Where a register is on the wire, counted from 0.
  public struct Wire: Codable, Sendable, Equatable {
    /// `coil`, `discrete`, `input` or `holding`.
    public var table: String
    public var address: Int

    public init(table: String, address: Int) {
      (self.table, self.address) = (table, address)
    }
  }
}

extension API {
  /// What the twin believes, in the unit of the point.
  public struct Estimate: Codable, Sendable, Equatable {
    public var mean: Double
    public var stddev: Double
    /// 0 to 1.
    public var confidence: Double

    public init(mean: Double, stddev: Double, confidence: Double) {
      (self.mean, self.stddev, self.confidence) = (mean, stddev, confidence)
    }
  }
}

extension API {
  /// Samples of one point, oldest first.
  public struct History: Codable, Sendable, Equatable {
    public var point: String
    public var unit: String
    public var samples: [Sample]
    /// There are older samples within the asked span that did not fit.
    public var truncated: Bool

    public init(point: String, unit: String, samples: [Sample], truncated: Bool = false) {
      (self.point, self.unit, self.samples, self.truncated) = (point, unit, samples, truncated)
    }
  }
}

extension API {
  /// One stored value.
  public struct Sample: Codable, Sendable, Equatable {
    public var at: Timestamp
    /// Null with its quality when there was none.
    public var value: Double?
    public var quality: String

    public init(at: Timestamp, value: Double? = nil, quality: String) {
      (self.at, self.value, self.quality) = (at, value, quality)
    }
  }
}
