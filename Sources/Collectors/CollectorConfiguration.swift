public import TwinCore

/// The points of one device that are read together, and make one frame.
public struct PollGroup: Hashable, Sendable {
  /// Dense over the site.
  public var number: Int32
  public var device: String
  /// Names within the device, in profile order: the frame's columns. Text points are read too, but have no column.
  public var points: [String]
  public var everyMs: Int
  /// The point whose registers each poll reads before the others.
  public var first: String?

  public init(number: Int32, device: String, points: [String], everyMs: Int, first: String? = nil) {
    (self.number, self.device, self.points, self.everyMs) = (number, device, points, everyMs)
    self.first = first
  }
}

/// Which groups a set of devices makes: by device as listed, then by period, shortest first, then by what may
/// become of the values.
public struct CollectorConfiguration: Sendable {
  public let devices: [Device]
  public let groups: [PollGroup]

  /// `counter` (`DEVICE.POINT`) is the step counter of a device that owns the time. It is read before what it counts: a
  /// device that moves on during a poll then shows new values under the old count, and the next poll tells of the step;
  /// the other way round, old values would pass for those of the new step.
  public init(_ devices: [Device], counter: String? = nil) {
    self.devices = devices
    var groups: [PollGroup] = []
    for device in devices {
      let columns = device.points.filter { !$0.isText }
      // What may leave and what may not are never of one frame: a stored body goes as a whole or not at all.
      for kind in Set(columns.map(GroupKind.init)).sorted() {
        let points = columns.filter { GroupKind($0) == kind }.map(\.name)
        groups.append(
          PollGroup(
            number: Int32(groups.count), device: device.id, points: points, everyMs: max(kind.everyMs, 1),
            first: points.first { "\(device.id).\($0)" == counter }))
      }
    }
    self.groups = groups
  }

  /// The columns of a group's frames as the store describes them; points are `DEVICE.POINT`.
  public func layout(_ group: PollGroup) -> FrameLayout {
    let device = devices.first { $0.id == group.device }
    precondition(device != nil, "group of a device that is not configured: \(group.device)")
    let points = group.points.compactMap { name in device?.points.first { $0.name == name } }
    let place = device.map { "\($0.link.text) unit \($0.unit)" } ?? ""
    return FrameLayout(
      group: group.number, points: points.map { "\(group.device).\($0.name)" },
      scales: points.map { $0.type.isInteger && $0.offset == 0 && $0.scaleFrom == nil ? $0.scale : 0 },
      units: points.map(\.unit),
      variances: points.map { $0.accuracy * $0.accuracy },
      provenance: points.map { "\(place) \($0.table.rawValue) \($0.reference)+\($0.type.registers)" })
  }

  /// The links of the site, each with its devices: one bus for each, in order of first mention.
  public var buses: [(address: LinkAddress, devices: [Device])] {
    var order: [LinkAddress] = []
    var members: [LinkAddress: [Device]] = [:]
    for device in devices {
      if members[device.link] == nil { order.append(device.link) }
      members[device.link, default: []].append(device)
    }
    return order.map { ($0, members[$0] ?? []) }
  }
}

/// What the points of a group have in common.
private struct GroupKind: Hashable, Comparable {
  var everyMs: Int
  var export: DataPolicy.Export
  var keepNanoseconds: Int64

  init(_ point: RegisterPoint) {
    (everyMs, export) = (point.everyMs, point.data.export)
    keepNanoseconds = point.data.keepNanoseconds ?? .max
  }

  static func < (a: GroupKind, b: GroupKind) -> Bool {
    (a.everyMs, a.export, a.keepNanoseconds) < (b.everyMs, b.export, b.keepNanoseconds)
  }
}

extension RegisterPoint {
  var isText: Bool { if case .text = type { true } else { false } }

  /// Addresses on the wire; one bit each in a bit table.
  public var span: Range<Int> { address..<address + (table.isBits ? 1 : max(type.registers, 1)) }
}
