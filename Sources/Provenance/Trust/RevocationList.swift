// The revocations, a map:
//
//     0: version  unsigned, rises with every change
//     1: keys     array, ascending by site and key id, of {0: site, 1: key id bytes(16), 2: logs}
//                 logs is an array, ascending, of [epoch bytes(16), stream, size]
//
// A revoked key's entries below `size` of a listed log, which the foundation cosigned, stay valid; all others do not.

/// A site's key that no longer counts, and how far what it signed before does.
public struct Revocation: Equatable, Sendable {
  public struct Log: Equatable, Sendable {
    public let epoch: LogEpoch
    public let stream: LogStream
    /// The last size that the foundation cosigned.
    public let size: UInt64

    public init(epoch: LogEpoch, stream: LogStream, size: UInt64) {
      (self.epoch, self.stream, self.size) = (epoch, stream, size)
    }
  }

  public static let logsMax = 32

  public let site: SiteName
  public let key: KeyID
  public let logs: [Log]

  public init(site: SiteName, key: KeyID, logs: [Log]) {
    self.site = site
    self.key = key
    self.logs = logs.sorted(by: Self.precedes)
  }

  /// How many entries of a log stay valid.
  public func size(_ epoch: LogEpoch, _ stream: LogStream) -> UInt64 {
    logs.first { $0.epoch == epoch && $0.stream == stream }?.size ?? 0
  }

  fileprivate static func precedes(_ a: Log, _ b: Log) -> Bool {
    a.epoch == b.epoch ? a.stream < b.stream : a.epoch.bytes.lexicographicallyPrecedes(b.epoch.bytes)
  }
}

/// Every revoked site key of the fleet. Only grows: an entry never vanishes, and no size rises.
public struct RevocationList: Equatable, Sendable {
  public static let entriesMax = 1_024

  public let version: UInt64
  public let entries: [Revocation]

  public init(version: UInt64 = 0, entries: [Revocation] = []) {
    self.version = version
    self.entries = entries.sorted(by: Self.precedes)
  }

  /// Whether entry `sequence` of a log counts when `key` signed it.
  public func permits(
    site: SiteName, key: KeyID, epoch: LogEpoch, stream: LogStream, sequence: UInt64
  ) -> Bool {
    guard let entry = entry(site, key) else { return true }
    return sequence < entry.size(epoch, stream)
  }

  public func entry(_ site: SiteName, _ key: KeyID) -> Revocation? {
    entries.first { $0.site == site && $0.key == key }
  }

  /// What stands against following `old`, nil when nothing does.
  func problem(after old: RevocationList) -> String? {
    guard version >= old.version else { return "revocations go back from version \(old.version) to \(version)" }
    guard version > old.version || entries == old.entries else {
      return "two revocation lists of version \(version)"
    }
    for entry in old.entries {
      guard let kept = self.entry(entry.site, entry.key) else {
        return "the revocation of key \(entry.key) of \(entry.site) vanished"
      }
      for log in kept.logs where log.size > entry.size(log.epoch, log.stream) {
        return "the revocation of key \(entry.key) of \(entry.site) was weakened"
      }
    }
    return nil
  }

  func check() throws(ProvenanceFault) {
    guard entries.count <= Self.entriesMax, zip(entries, entries.dropFirst()).allSatisfy(Self.precedes) else {
      throw .document("revocations", "out of order, or more than \(Self.entriesMax)")
    }
    for entry in entries {
      guard entry.logs.count <= Revocation.logsMax,
        zip(entry.logs, entry.logs.dropFirst()).allSatisfy(Revocation.precedes)
      else { throw .document("revocations", "logs of \(entry.key) are out of order or too many") }
    }
  }

  private static func precedes(_ a: Revocation, _ b: Revocation) -> Bool {
    a.site == b.site ? a.key.hex < b.key.hex : a.site < b.site
  }
}

extension RevocationList {
  init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("revocations")
    version = try fields.unsigned(0)
    var entries: [Revocation] = []
    for item in try fields.array(1, max: Self.entriesMax) {
      var row = try item.fields("revocation")
      let text = try row.text(0, max: 64)
      guard let site = SiteName(text) else {
        throw .document("revocations", "\(text.debugDescription) is no site")
      }
      let key = KeyID(bytes: try row.bytes(1, count: KeyID.bytesCount))!
      var logs: [Revocation.Log] = []
      for item in try row.array(2, max: Revocation.logsMax) { logs.append(try Revocation.Log(item)) }
      try row.finish()
      let entry = Revocation(site: site, key: key, logs: logs)
      guard entry.logs == logs else { throw .document("revocations", "logs of \(key) are out of order") }
      entries.append(entry)
    }
    self.entries = entries
    try fields.finish()
  }

  var item: CBORItem {
    let rows = entries.map { entry in
      let logs = entry.logs.map { log in
        CBORItem.array([
          .bytes(log.epoch.bytes), .unsigned(UInt64(log.stream.rawValue)), .unsigned(log.size),
        ])
      }
      return CBORItem.map((0, .text(entry.site.description)), (1, .bytes(entry.key.bytes)), (2, .array(logs)))
    }
    return .map((0, .unsigned(version)), (1, .array(rows)))
  }
}

extension Revocation.Log {
  fileprivate init(_ item: CBORItem) throws(ProvenanceFault) {
    let parts = try item.asArray(max: 3)
    guard parts.count == 3, let epoch = LogEpoch(bytes: try parts[0].asBytes(count: LogEpoch.bytesCount)),
      let stream = UInt8(exactly: try parts[1].asUnsigned()).flatMap(LogStream.init(rawValue:))
    else { throw .document("revocations", "a log is an epoch, a stream and a size") }
    self.init(epoch: epoch, stream: stream, size: try parts[2].asUnsigned())
  }
}

extension KeyID {
  /// The 16 bytes of `hex`.
  var bytes: [UInt8] {
    let digits = hex.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}
