public import TwinCore

/// The points of one device that are read together, and make one frame.
public struct PollGroup: Hashable, Sendable {
  /// Dense over the site.
  public var number: Int32
  public var device: String
  /// Names within the device, in profile order: the frame's columns. Text points are read too, but have no column.
  public var points: [String]
  public var everyMs: Int

  public init(number: Int32, device: String, points: [String], everyMs: Int) {
    (self.number, self.device, self.points, self.everyMs) = (number, device, points, everyMs)
  }
}

/// Which groups a set of devices makes: by device as listed, then by period, shortest first.
public struct CollectorConfiguration: Sendable {
  public let devices: [Device]
  public let groups: [PollGroup]

  public init(_ devices: [Device]) {
    self.devices = devices
    var groups: [PollGroup] = []
    for device in devices {
      let columns = device.points.filter { !$0.isText }
      for period in Set(columns.map(\.everyMs)).sorted() {
        groups.append(
          PollGroup(
            number: Int32(groups.count), device: device.id,
            points: columns.filter { $0.everyMs == period }.map(\.name), everyMs: max(period, 1)))
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
      scales: points.map { $0.type.isInteger ? $0.scale : 0 }, units: points.map(\.unit),
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

extension RegisterPoint {
  var isText: Bool { if case .text = type { true } else { false } }

  /// Addresses on the wire; one bit each in a bit table.
  public var span: Range<Int> { address..<address + (table.isBits ? 1 : max(type.registers, 1)) }
}
