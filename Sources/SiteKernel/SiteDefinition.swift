public import Agents
public import Guard
public import Models
public import TwinCore

/// A compiled pack: everything that the kernel needs to know of a site.
public struct SiteDefinition: Sendable {
  /// `tenant.site`.
  public var id: String
  public var name: String
  /// By index.
  public var points: [PointDefinition]
  /// By group number.
  public var groups: [GroupDefinition]
  /// In the order in which they are computed; each reads only what comes before it.
  public var derived: [DerivedPoint]
  public var envelopes: [Envelope]
  public var policies: [Policy]
  public var alarms: [AlarmDefinition]
  public var models: [ModelDefinition]
  public var timeZone: TimeZoneRules
  public var digests: SiteDigests

  public init(
    id: String, name: String, points: [PointDefinition], groups: [GroupDefinition], derived: [DerivedPoint] = [],
    envelopes: [Envelope] = [], policies: [Policy] = [], alarms: [AlarmDefinition] = [],
    models: [ModelDefinition] = [], timeZone: TimeZoneRules = .utc, digests: SiteDigests = SiteDigests()
  ) {
    for group in groups {
      precondition(group.points.allSatisfy { $0.position < points.count }, "points of a group exist")
    }
    (self.id, self.name, self.points, self.groups, self.derived) = (id, name, points, groups, derived)
    (self.envelopes, self.policies, self.alarms) = (envelopes, policies, alarms)
    (self.models, self.timeZone, self.digests) = (models, timeZone, digests)
  }
}

/// Which versions a decision rests on.
public struct SiteDigests: Sendable, Equatable {
  public var pack = Digest.zero
  public var model = Digest.zero
  public var policy = Digest.zero
  public var envelope = Digest.zero

  public init() {}
}

public struct PointDefinition: Sendable, Equatable {
  /// `device.point`.
  public var id: String
  public var unit: String
  /// After so long without a reading the value is stale.
  public var staleNanoseconds: Int64
  public var estimator: EstimatorSettings

  public init(id: String, unit: String, staleNanoseconds: Int64, estimator: EstimatorSettings) {
    (self.id, self.unit, self.staleNanoseconds, self.estimator) = (id, unit, staleNanoseconds, estimator)
  }
}

/// The points of one poll group, in the order of its frames.
public struct GroupDefinition: Sendable, Equatable {
  public var points: [PointIndex]
  public init(points: [PointIndex]) { self.points = points }
}

/// A point that is computed, not measured: a tariff's price now, a dew point.
public struct DerivedPoint: Sendable, Equatable {
  public enum Source: Sendable, Equatable {
    case schedule(WeekSchedule)
    case formula(Formula)
  }

  public var point: PointIndex
  public var source: Source

  public init(point: PointIndex, source: Source) { (self.point, self.source) = (point, source) }
}

/// A condition that asks a person for a response (ISA-18.2).
public struct AlarmDefinition: Sendable, Equatable {
  public var id: String
  public var condition: Formula
  /// Ends the alarm; nil: the condition itself no longer holding.
  public var clear: Formula?
  /// How long the condition must last.
  public var delayNanoseconds: Int64
  /// 1 is the highest, 3 the lowest.
  public var priority: UInt8
  public var action: String
  /// The alarm, by position, that explains this one while it is active.
  public var cause: Int?

  public init(
    id: String, condition: Formula, clear: Formula? = nil, delayNanoseconds: Int64 = 0, priority: UInt8 = 2,
    action: String, cause: Int? = nil
  ) {
    (self.id, self.condition, self.clear) = (id, condition, clear)
    (self.delayNanoseconds, self.priority, self.action, self.cause) = (delayNanoseconds, priority, action, cause)
  }
}
