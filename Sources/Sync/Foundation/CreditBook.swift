import Provenance
import TwinCore

/// How much each site may have on the way, and who sends more than anybody should.
struct CreditBook {
  static let accountsMax = 1 << 16
  /// What halving leaves: one batch of a slow line.
  static let creditBytesMin = 8 << 10

  struct Account {
    var creditBytes = SyncLimits.creditBytesStart
    /// Came in order since the credit last grew.
    var cleanBytes = 0
    var intake: TokenBucket
    /// What may go out to the site in chunks.
    var serving: TokenBucket
    var floodUntil: Uptime?
    /// Whose ack can tell the site its credit.
    var lastLog: LogName?
  }

  private let rate: Int64
  private let burst: Int64
  private let pause: Duration
  private var accounts: [SiteName: Account] = [:]

  init(bytesPerSecond: Int64, burstBytes: Int64, pause: Duration) {
    (rate, burst, self.pause) = (bytesPerSecond, burstBytes, pause)
  }

  enum Intake { case admitted, floodBegins, flooding }

  /// Counts a message before anything of it is looked at.
  mutating func admit(_ site: SiteName, bytes: Int, at now: Uptime) -> Intake {
    var account = account(site)
    defer { accounts[site] = account }
    if let end = account.floodUntil, now < end { return .flooding }
    if account.intake.take(Int64(bytes), at: now) { return .admitted }
    account.floodUntil = now.after(pause)
    (account.creditBytes, account.cleanBytes) = (SyncLimits.creditBytesStart, 0)
    return .floodBegins
  }

  func creditBytes(_ site: SiteName, at now: Uptime) -> Int {
    guard let account = accounts[site] else { return SyncLimits.creditBytesStart }
    return account.floodUntil.map { now < $0 } ?? false ? 0 : account.creditBytes
  }

  /// A credit's worth of batches in order doubles it.
  mutating func noteClean(_ log: LogName, bytes: Int) {
    var account = account(log.site)
    account.lastLog = log
    account.cleanBytes += bytes
    if account.cleanBytes >= account.creditBytes {
      account.creditBytes = min(SyncLimits.creditBytesMax, account.creditBytes * 2)
      account.cleanBytes = 0
    }
    accounts[log.site] = account
  }

  mutating func noteHole(_ site: SiteName) { accounts[site]?.cleanBytes = 0 }

  mutating func halveAll() {
    for site in Array(accounts.keys) {
      let half = (accounts[site]?.creditBytes ?? 0) / 2
      accounts[site]?.creditBytes = max(Self.creditBytesMin, half)
      accounts[site]?.cleanBytes = 0
    }
  }

  /// Whether so many bytes may go out to the site now.
  mutating func serve(_ site: SiteName, bytes: Int, at now: Uptime) -> Bool {
    var account = account(site)
    defer { accounts[site] = account }
    return account.serving.take(Int64(bytes), at: now)
  }

  func lastLog(_ site: SiteName) -> LogName? { accounts[site]?.lastLog }

  /// Sites whose flood is over, which do not know it yet.
  mutating func takeRecovered(at now: Uptime) -> [SiteName] {
    let sites = accounts.filter { $0.value.floodUntil.map { now >= $0 } ?? false }.keys.sorted()
    for site in sites { accounts[site]?.floodUntil = nil }
    return sites
  }

  var nextRecovery: Uptime? { accounts.values.compactMap(\.floodUntil).min() }

  private mutating func account(_ site: SiteName) -> Account {
    if let account = accounts[site] { return account }
    // All of it grows again by itself.
    if accounts.count >= Self.accountsMax { accounts.removeAll() }
    return Account(
      intake: TokenBucket(capacity: burst, rate: rate), serving: TokenBucket(capacity: burst, rate: rate))
  }
}
