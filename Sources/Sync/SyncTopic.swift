// Topics of the protocol tw/1. `<sid>` is a site's name, `<fid>` a foundation instance's, both of a-z, 0-9, - and one
// dot in a site's; `<stream>` is a stream's name; `<digest>` 64 lower-case hexadecimal digits.
//
//     tw/1/up/<sid>/birth | hb | death | req          site to foundation
//     tw/1/up/<sid>/log/<stream>
//     tw/1/up/<sid>/art/<digest>
//     tw/1/dn/<sid>/ack/<stream>                      foundation to site
//     tw/1/dn/<sid>/cmd | log
//     tw/1/dn/<sid>/art/<digest>
//     tw/1/all/meta/root | timestamp                  foundation to every site, retained
//     tw/1/all/state/<fid>
//     tw/1/enrol/<token>/csr | cert                   a site that has no name yet
//     tw/1/enrol/renew-<nonce>/csr | cert             a site whose certificate ends, or has ended

public import Provenance
public import TwinCore

/// One topic; `init` refuses everything that `description` would not print.
public enum SyncTopic: Hashable, Sendable {
  case birth(SiteName)
  case heartbeat(SiteName)
  case death(SiteName)
  case request(SiteName)
  case log(SiteName, LogStream)
  /// A chunk from the site.
  case upload(SiteName, Digest)
  /// Acks and range requests.
  case ack(SiteName, LogStream)
  case command(SiteName)
  case directed(SiteName)
  /// A chunk for the site.
  case download(SiteName, Digest)
  case metadata(MetadataKind)
  case state(foundation: String)
  case enrolRequest(token: String)
  case enrolAnswer(token: String)

  public enum MetadataKind: String, Sendable, CaseIterable {
    case root
    case timestamp
  }

  public static let bytesMax = 160
  public static let foundationBytesMax = 36
  public static let tokenBytesMax = 64

  public init?(_ text: String) {
    guard text.utf8.count <= Self.bytesMax else { return nil }
    let parts = text.split(separator: "/", maxSplits: 6, omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 5, parts[0] == "tw", parts[1] == "1" else { return nil }
    switch parts[2] {
    case "up":
      guard let site = SiteName(parts[3]), let topic = Self.up(site, parts[4...]) else { return nil }
      self = topic
    case "dn":
      guard let site = SiteName(parts[3]), let topic = Self.down(site, parts[4...]) else { return nil }
      self = topic
    case "all":
      guard parts.count == 5, let topic = Self.all(parts[3], parts[4]) else { return nil }
      self = topic
    case "enrol":
      guard parts.count == 5, Self.isName(parts[3], max: Self.tokenBytesMax) else { return nil }
      switch parts[4] {
      case "csr": self = .enrolRequest(token: parts[3])
      case "cert": self = .enrolAnswer(token: parts[3])
      default: return nil
      }
    default: return nil
    }
  }

  /// The site that the topic belongs to.
  public var site: SiteName? {
    switch self {
    case .birth(let site), .heartbeat(let site), .death(let site), .request(let site), .log(let site, _),
      .upload(let site, _), .ack(let site, _), .command(let site), .directed(let site), .download(let site, _):
      site
    case .metadata, .state, .enrolRequest, .enrolAnswer: nil
    }
  }

  /// What a site subscribes to.
  public static func filters(of site: SiteName) -> [String] { ["tw/1/dn/\(site)/#", "tw/1/all/#"] }

  /// What the workers of one group share: each message goes to one of them.
  public static func sharedFilters(group: String) -> [String] {
    precondition(isName(group, max: foundationBytesMax), "\(group.debugDescription) is no name of a group")
    return ["birth", "hb", "death", "req", "log/+", "art/+"].map { "$share/\(group)/tw/1/up/+/\($0)" }
  }

  private static func up(_ site: SiteName, _ rest: ArraySlice<String>) -> SyncTopic? {
    let last = rest.last!
    switch (rest.count, rest.first!) {
    case (1, "birth"): return .birth(site)
    case (1, "hb"): return .heartbeat(site)
    case (1, "death"): return .death(site)
    case (1, "req"): return .request(site)
    case (2, "log"): return LogStream(name: last).map { .log(site, $0) }
    case (2, "art"): return digest(last).map { .upload(site, $0) }
    default: return nil
    }
  }

  private static func down(_ site: SiteName, _ rest: ArraySlice<String>) -> SyncTopic? {
    let last = rest.last!
    switch (rest.count, rest.first!) {
    case (1, "cmd"): return .command(site)
    case (1, "log"): return .directed(site)
    case (2, "ack"): return LogStream(name: last).map { .ack(site, $0) }
    case (2, "art"): return digest(last).map { .download(site, $0) }
    default: return nil
    }
  }

  private static func all(_ kind: String, _ name: String) -> SyncTopic? {
    switch kind {
    case "meta": MetadataKind(rawValue: name).map { .metadata($0) }
    case "state": isName(name, max: foundationBytesMax) ? .state(foundation: name) : nil
    default: nil
    }
  }

  /// In lower-case digits only: one digest, one topic.
  private static func digest(_ text: String) -> Digest? { Digest(hex: text).flatMap { $0.hex == text ? $0 : nil } }

  private static func isName(_ text: String, max: Int) -> Bool {
    (1...max).contains(text.utf8.count)
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }
}

extension SyncTopic: CustomStringConvertible {
  /// As MQTT carries it.
  public var description: String {
    switch self {
    case .birth(let site): "tw/1/up/\(site)/birth"
    case .heartbeat(let site): "tw/1/up/\(site)/hb"
    case .death(let site): "tw/1/up/\(site)/death"
    case .request(let site): "tw/1/up/\(site)/req"
    case .log(let site, let stream): "tw/1/up/\(site)/log/\(stream)"
    case .upload(let site, let digest): "tw/1/up/\(site)/art/\(digest.hex)"
    case .ack(let site, let stream): "tw/1/dn/\(site)/ack/\(stream)"
    case .command(let site): "tw/1/dn/\(site)/cmd"
    case .directed(let site): "tw/1/dn/\(site)/log"
    case .download(let site, let digest): "tw/1/dn/\(site)/art/\(digest.hex)"
    case .metadata(let kind): "tw/1/all/meta/\(kind.rawValue)"
    case .state(let foundation): "tw/1/all/state/\(foundation)"
    case .enrolRequest(let token): "tw/1/enrol/\(token)/csr"
    case .enrolAnswer(let token): "tw/1/enrol/\(token)/cert"
    }
  }
}
