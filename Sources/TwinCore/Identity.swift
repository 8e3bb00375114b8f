/// The dense number of a point within one compiled pack. In the kernel a point is this index; outside it has an id.
public struct PointIndex: Hashable, Comparable, Sendable {
  public let raw: Int32

  @inlinable public init(_ raw: Int) { self.raw = Int32(raw) }
  @inlinable public var position: Int { Int(raw) }
  @inlinable public static func < (a: PointIndex, b: PointIndex) -> Bool { a.raw < b.raw }
}

/// A name within a site: `chiller-1` (asset, device), `chiller-1.chw_supply_t` (point).
public enum Identifier {
  /// 1 to 64 of `a-z 0-9 - _`, beginning with a letter.
  public static func isName(_ text: some StringProtocol) -> Bool {
    let bytes = Array(text.utf8)
    guard let first = bytes.first, bytes.count <= 64, (97...122).contains(first) else { return false }
    return bytes.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 }
  }

  /// `site://TENANT.SITE`, the site as the fleet knows it.
  public static func siteURI(tenant: String, site: String) -> String { "site://\(tenant).\(site)" }
  /// `point://TENANT.SITE/DEVICE/POINT` for the local id `DEVICE.POINT`.
  public static func pointURI(tenant: String, site: String, point: String) -> String {
    "point://\(tenant).\(site)/" + String(point.map { $0 == "." ? "/" : $0 })
  }
  /// `asset://TENANT.SITE/ASSET`.
  public static func assetURI(tenant: String, site: String, asset: String) -> String {
    "asset://\(tenant).\(site)/\(asset)"
  }
}

/// How far the daemon may go. `local` hands the plant back to its own controls.
public enum Mode: UInt8, Sendable, CaseIterable {
  /// Reads only; not one write leaves.
  case observe = 0
  /// Decides as `auto` would; nothing is written.
  case shadow = 1
  /// Proposals wait for a person; a person's commands are written.
  case advise = 2
  /// Permitted proposals are written.
  case auto = 3
  /// The plant is in local control: leases are given back, nothing else is written.
  case local = 4

  public var name: String {
    switch self {
    case .observe: "observe"
    case .shadow: "shadow"
    case .advise: "advise"
    case .auto: "auto"
    case .local: "local"
    }
  }

  public init?(name: some StringProtocol) {
    guard let mode = Mode.allCases.first(where: { $0.name == name }) else { return nil }
    self = mode
  }

  /// The lower of two; `local` is below everything but `observe`, for it may still give leases back.
  public func lowered(to ceiling: Mode) -> Mode { ceiling.rank < rank ? ceiling : self }

  private var rank: Int {
    switch self {
    case .observe: 0
    case .local: 1
    case .shadow: 2
    case .advise: 3
    case .auto: 4
    }
  }
}
