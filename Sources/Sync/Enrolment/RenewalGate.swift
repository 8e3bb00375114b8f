public import Provenance
import Sodium
public import TwinCore

/// The foundation's judgement of renewals: who may have a new certificate now. What it forgets in a restart costs
/// nobody more than one more certificate.
///
/// Anyone reaches the listener that the requests come over, so a request is nothing until a key of the site in the
/// register has signed it, and whoever has no such key gets no answer.
public struct RenewalGate: Sendable {
  public enum Verdict: Equatable, Sendable {
    /// No answer; the word is for the log.
    case silence(String)
    case reply([UInt8])
    /// To be answered by `refuse`.
    case refuse(RenewalRequest, RenewalRefusal)
    /// To be certified, and answered by what `issued` or `refuse` gives.
    case issue(RenewalRequest)
  }

  /// Certificates for one site in `span`: one is wanted, the others are answers that got lost.
  public static let perSiteMax = 3
  public static let span = Duration.seconds(3600)
  /// Requests that are looked at: a hundred at once, twenty a second in the long run.
  static let burst: Int64 = 100
  static let interval = Duration.milliseconds(50)
  /// Sites whose last certificates are remembered.
  static let sitesMax = 100_000
  static let answersMax = 256

  private let key: [UInt8]
  private var bucket = TokenBucket(capacity: burst, every: interval)
  private var recent: [SiteName: [Uptime]] = [:]
  /// The newest last; a site that did not hear the answer asks again with the same nonce.
  private var answers: [(site: SiteName, nonce: [UInt8], reply: [UInt8])] = []

  /// `challengeKey` is the secret of all the foundation's workers, 16 to 64 bytes.
  public init(challengeKey: [UInt8]) { key = challengeKey }

  /// The site that a request names, to look its record up; nil when there is nothing to answer.
  public mutating func open(_ bytes: [UInt8], exchange: String, at now: Uptime) -> SiteName? {
    guard bucket.take(TokenBucket.one, at: now), bytes.count <= RenewalRequest.bytesMax,
      let request = Self.read(bytes)?.request, request.exchange == exchange
    else { return nil }
    return request.site
  }

  /// What to do about a request of the site with that record.
  public mutating func judge(
    _ bytes: [UInt8], by record: SiteRecord, at now: Uptime, wall: Instant
  ) -> Verdict {
    guard let (envelope, request) = Self.read(bytes), request.site == record.name else {
      return .silence("the request cannot be read")
    }
    guard Self.isSigned(envelope, by: record.keys.map(\.signing)) else {
      return .silence("no key of \(record.name) signed it")
    }
    if record.standing == .revoked { return .refuse(request, .revoked) }
    guard Self.isSigned(envelope, by: record.signingKeys(at: wall)) else {
      return .refuse(request, .keyEnded)
    }
    if let known = answers.first(where: { $0.site == request.site && $0.nonce == request.nonce }) {
      return .reply(known.reply)
    }
    let atMs = wall.milliseconds
    guard let challenge = request.challenge,
      RenewalChallenge.holds(challenge, for: request.site, nonce: request.nonce, key: key, atMs: atMs)
    else {
      let challenge = RenewalChallenge.make(for: request.site, nonce: request.nonce, key: key, atMs: atMs)
      return .reply(RenewalReply(nonce: request.nonce, .challenge(challenge)).bytes)
    }
    guard isWithinRate(request.site, now) else { return .refuse(request, .tooOften) }
    return .issue(request)
  }

  /// The reply that carries the certificate.
  public mutating func issued(_ certificate: String, to request: RenewalRequest, at now: Uptime) -> [UInt8] {
    recent[request.site, default: []].append(now)
    let reply = RenewalReply(nonce: request.nonce, .certificate(certificate)).bytes
    if answers.count == Self.answersMax { answers.removeFirst() }
    answers.append((request.site, request.nonce, reply))
    return reply
  }

  public static func refuse(_ request: RenewalRequest, _ why: RenewalRefusal) -> [UInt8] {
    RenewalReply(nonce: request.nonce, .refused(why)).bytes
  }

  private mutating func isWithinRate(_ site: SiteName, _ now: Uptime) -> Bool {
    let begin = now.advanced(byNanoseconds: -Self.span.wholeNanoseconds)
    recent[site]?.removeAll { $0 < begin }
    if recent.count >= Self.sitesMax { recent = recent.filter { $0.value.last.map { $0 >= begin } ?? false } }
    guard let times = recent[site] else { return recent.count < Self.sitesMax }
    return times.count < Self.perSiteMax
  }

  private static func read(_ bytes: [UInt8]) -> (envelope: SignedEnvelope, request: RenewalRequest)? {
    guard let envelope = try? SignedEnvelope(bytes, max: RenewalRequest.bytesMax),
      let request = try? RenewalRequest(unverified: envelope)
    else { return nil }
    return (envelope, request)
  }

  private static func isSigned(_ envelope: SignedEnvelope, by keys: [Ed25519.PublicKey]) -> Bool {
    (try? envelope.verify(by: keys)) != nil
  }
}
