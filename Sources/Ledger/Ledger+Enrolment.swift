public import Provenance
import Seams
import Sodium
public import Sync
public import TwinCore

/// A right to enrol, once: what the foundation keeps of a token.
public struct EnrolmentGrant: Equatable, Sendable {
  public static let keyBytesMax = 64
  public static let lifeMax = Duration.seconds(7 * 86_400)

  /// As in the topic of the request.
  public let name: String
  /// Under which a request made with the token is authenticated; wiped when the token is spent.
  public let key: [UInt8]
  public let tenant: String
  /// Nil: any site of the tenant.
  public let site: String?
  public let expires: Instant

  public init(name: String, key: [UInt8], tenant: String, site: String?, expires: Instant) {
    precondition(key.count <= Self.keyBytesMax, "a key of \(key.count) bytes")
    precondition((1...64).contains(name.utf8.count), "a token's name of 1 to 64 bytes")
    (self.name, self.key, self.tenant, self.site, self.expires) = (name, key, tenant, site, expires)
  }
}

/// What became of a token.
public struct TokenRecord: Equatable, Sendable {
  public let grant: EnrolmentGrant
  public let madeAt: Instant
  public let spentAt: Instant?
  /// The site that it enrolled; empty before.
  public let spentBy: String
}

/// A site as it enters the register.
public struct SiteEnrolment: Sendable {
  public let site: SiteName
  public let key: SiteKey
  /// The first epoch of its logs.
  public let epoch: LogEpoch
  /// The request as the site signed it.
  public let evidence: [UInt8]
  /// What the foundation's log says of it.
  public let leaf: FoundationLeaf
  /// What it says of the certificate that the site is given.
  public let certificate: FoundationLeaf?

  public init(
    site: SiteName, key: SiteKey, epoch: LogEpoch, evidence: [UInt8], leaf: FoundationLeaf,
    certificate: FoundationLeaf? = nil
  ) {
    (self.site, self.key, self.epoch, self.evidence, self.leaf) = (site, key, epoch, evidence, leaf)
    self.certificate = certificate
  }
}

extension Ledger {
  /// Tokens that were not spent, at most.
  static let tokensOpenMax: Int64 = 100_000

  public func add(_ grant: EnrolmentGrant) throws(LedgerError) {
    let now = clock.instant
    guard grant.expires > now, grant.expires <= now.advanced(byNanoseconds: EnrolmentGrant.lifeMax.wholeNanoseconds)
    else { throw LedgerError(.outOfRange, "a token must end within \(EnrolmentGrant.lifeMax) from now") }
    guard SiteName(tenant: grant.tenant, site: grant.site ?? "any") != nil else {
      throw LedgerError(.outOfRange, "no site can be called \(grant.tenant).\(grant.site ?? "…")")
    }
    try write { (store) throws(LedgerError) in
      let open = try store.first(
        "SELECT count(*) FROM tokens WHERE spent_ns IS NULL AND expires_ns > ?1", .integer(now.nanoseconds)
      ) {
        $0.integer(0)
      }
      guard open ?? 0 < Self.tokensOpenMax else {
        throw LedgerError(.outOfRange, "\(open ?? 0) tokens are open, at most \(Self.tokensOpenMax)")
      }
      let added = try store.run(
        """
        INSERT INTO tokens(name, key, tenant, site, expires_ns, made_ns, spent_by)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, '') ON CONFLICT (name) DO NOTHING
        """, .text(grant.name), .bytes(grant.key), .text(grant.tenant), .text(grant.site ?? ""),
        .integer(grant.expires.nanoseconds), .integer(now.nanoseconds))
      guard added == 1 else { throw LedgerError(.exists, "there is a token \(grant.name) already") }
    }
  }

  /// A token with what became of it; nil where there is none. Whether it may be used is `enrol`'s to say.
  public func token(_ name: String) throws(LedgerError) -> TokenRecord? {
    try read { (store) throws(LedgerError) in
      try store.first("\(Self.tokenSelect) WHERE name = ?1", .text(name), read: Self.token)
    }
  }

  /// The newest first.
  public func tokens(limit: Int = pageMax) throws(LedgerError) -> [TokenRecord] {
    try read { (store) throws(LedgerError) in
      try store.list(
        "\(Self.tokenSelect) ORDER BY made_ns DESC, name LIMIT ?1", .integer(Int64(min(limit, Self.pageMax))),
        read: Self.token)
    }
  }

  /// Spends the token, makes the site's record with its first key and epoch, and appends the leaf to the foundation's
  /// log: all in one transaction or, with `ledger.token_…` or `ledger.exists`, nothing. Answers the leaf's sequence.
  ///
  /// That the request was made with the token's secret is the caller's to check, with the grant's `key`.
  public func enrol(_ enrolment: SiteEnrolment, token name: String) throws(LedgerError) -> UInt64 {
    let now = clock.instant
    return try write { (store) throws(LedgerError) in
      guard let known = try store.first("\(Self.tokenSelect) WHERE name = ?1 FOR UPDATE", .text(name), read: Self.token)
      else { throw LedgerError(.tokenUnknown, "there is no token \(name)") }
      guard known.spentAt == nil else {
        throw LedgerError(.tokenSpent, "token \(name) was spent by \(known.spentBy)")
      }
      guard now < known.grant.expires else { throw LedgerError(.tokenExpired, "token \(name) has run out") }
      let site = enrolment.site
      guard site.tenant == known.grant.tenant, site.site == known.grant.site ?? site.site else {
        throw LedgerError(
          .tokenOther, "token \(name) is for \(known.grant.tenant).\(known.grant.site ?? "any site"), not for \(site)")
      }
      let id = try store.first(
        """
        INSERT INTO sites(name, standing, reason, enrolled_ns, directed_next, directed_installed)
        VALUES(?1, 0, '', ?2, 0, 0) ON CONFLICT (name) DO NOTHING RETURNING id
        """, .text(site.description), .integer(now.nanoseconds)
      ) { $0.integer(0) }
      guard let id else { throw LedgerError(.exists, "there is a site \(site) already") }
      try Self.insert(enrolment.key, of: id, in: store)
      try store.run(
        """
        INSERT INTO epochs(site, epoch, place, standing, reason, evidence, noted_ns)
        VALUES(?1, ?2, 0, 0, '', ?3, ?4)
        """, .integer(id), .bytes(enrolment.epoch.bytes), .bytes(enrolment.evidence), .integer(now.nanoseconds))
      try store.run(
        "UPDATE tokens SET spent_ns = ?2, spent_by = ?3, key = ?4 WHERE name = ?1", .text(name),
        .integer(now.nanoseconds), .text(site.description), .bytes([]))
      return try FoundationTree(store).append([enrolment.leaf] + (enrolment.certificate.map { [$0] } ?? []), at: now)
    }
  }

  /// Takes a token that was not spent out of use.
  public func withdrawToken(_ name: String) throws(LedgerError) {
    let gone = try write { (store) throws(LedgerError) in
      try store.run("DELETE FROM tokens WHERE name = ?1 AND spent_ns IS NULL", .text(name))
    }
    guard gone == 1 else { throw LedgerError(.notFound, "there is no unspent token \(name)") }
  }

  private static let tokenSelect =
    "SELECT name, key, tenant, site, expires_ns, made_ns, spent_ns, spent_by FROM tokens"

  private static func token(_ row: any LedgerRow) -> TokenRecord {
    let site = row.text(3)
    return TokenRecord(
      grant: EnrolmentGrant(
        name: row.text(0), key: row.bytes(1), tenant: row.text(2), site: site.isEmpty ? nil : site,
        expires: Instant(nanoseconds: row.integer(4))), madeAt: Instant(nanoseconds: row.integer(5)),
      spentAt: row.optionalInteger(6).map(Instant.init(nanoseconds:)), spentBy: row.text(7))
  }
}
