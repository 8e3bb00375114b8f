/// A site as everyone outside it knows it, `tenant.site`: its certificate's name, its user name and its topics.
///
/// Tenant of 1 to 24 and site of 1 to 36 characters of a-z, 0-9 and -; together they fit an X.509 common name.
public struct SiteName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public static let tenantBytesMax = 24
  public static let siteBytesMax = 36

  public let tenant: String
  public let site: String

  public init?(tenant: String, site: String) {
    guard Self.isAllowed(tenant, max: Self.tenantBytesMax), Self.isAllowed(site, max: Self.siteBytesMax) else {
      return nil
    }
    (self.tenant, self.site) = (tenant, site)
  }

  public init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    self.init(tenant: String(Substring(parts[0])), site: String(Substring(parts[1])))
  }

  public var description: String { "\(tenant).\(site)" }

  public static func < (a: SiteName, b: SiteName) -> Bool { (a.tenant, a.site) < (b.tenant, b.site) }

  private static func isAllowed(_ part: String, max: Int) -> Bool {
    (1...max).contains(part.utf8.count)
      && part.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }
}
