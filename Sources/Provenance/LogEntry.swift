// A site's log. A log is (site, epoch, stream); its entries are numbered from 0 without a hole.
//
// Entry, the leaf of the log's tree, strict CBOR (see CBORItem.swift), all eight fields and no other:
//
//     {0: sequence, 1: kind, 2: wall ms, 3: uptime ms, 4: boot bytes(16), 5: body digest bytes(32), 6: body length,
//      7: key epoch}
//
// The digest is BLAKE2b-256 over the body, which travels beside the entry: a body may be dropped without breaking any
// proof. The leaf hash and the tree are as in Merkle.swift. The chain makes any range checkable from its two ends:
//
//     chain before entry 0      32 zero bytes
//     chain after entry i       SHA-256(0x02 ‖ chain before it ‖ leaf hash of it)

import Sodium
public import TwinCore

/// A site's logs, in the order in which they go out when not all can.
public enum LogStream: UInt8, Sendable, CaseIterable, Comparable, CustomStringConvertible {
  case audit = 0
  case control = 1
  case model = 2
  case features = 3
  case debug = 4

  public init?(name: String) {
    guard let stream = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = stream
  }

  /// As in topics and origins.
  public var name: String {
    switch self {
    case .audit: "audit"
    case .control: "control"
    case .model: "model"
    case .features: "features"
    case .debug: "debug"
    }
  }

  public var description: String { name }

  public static func < (a: LogStream, b: LogStream) -> Bool { a.rawValue < b.rawValue }
}

/// One life of a site's logs: 16 random bytes, new after the loss or the restoring of its disk.
public struct LogEpoch: Hashable, Sendable, CustomStringConvertible {
  public static let bytesCount = 16

  public let bytes: [UInt8]

  public init() { bytes = Sodium.randomBytes(Self.bytesCount) }

  /// Nil for other than 16 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Self.bytesCount else { return nil }
    self.bytes = bytes
  }

  /// 32 lower-case digits.
  public var hex: String { Hex.text(bytes) }
  public var description: String { hex }
}

/// What an entry's body says. Open: an entry of a kind unknown here is kept as it came.
public struct LogKind: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let epochOpened = LogKind(rawValue: 1)
  public static let gapDeclared = LogKind(rawValue: 2)
  public static let keyRotated = LogKind(rawValue: 3)
  public static let birth = LogKind(rawValue: 4)
  public static let decision = LogKind(rawValue: 10)
  public static let audit = LogKind(rawValue: 11)
  public static let command = LogKind(rawValue: 12)
  public static let ladder = LogKind(rawValue: 13)
  public static let restored = LogKind(rawValue: 14)
  public static let packInstalled = LogKind(rawValue: 20)
  public static let envelopeInstalled = LogKind(rawValue: 21)
  public static let artefactInstalled = LogKind(rawValue: 22)
  public static let rolloutState = LogKind(rawValue: 23)
  /// Directed: a pack that the site is to fetch.
  public static let packOffered = LogKind(rawValue: 24)
  /// Directed: the keys of an epoch are to be replaced; see `KeyOrder`.
  public static let keysOrdered = LogKind(rawValue: 25)
  public static let modelDelta = LogKind(rawValue: 30)
  public static let featureSegment = LogKind(rawValue: 40)
  public static let featureCorrection = LogKind(rawValue: 41)
  public static let artefact = LogKind(rawValue: 42)
  public static let debug = LogKind(rawValue: 60)
}

/// One entry of a site's log, without its body.
public struct LogEntry: Equatable, Sendable {
  public static let bootBytes = 16
  /// The longest entry there can be.
  public static let bytesMax = 100

  public var sequence: UInt64
  public var kind: LogKind
  /// Milliseconds since 1970 by the site's own clock, which may have been wrong.
  public var wall: Int64
  /// Milliseconds since `boot`.
  public var uptime: Int64
  /// 16 bytes that name one start of the machine.
  public var boot: [UInt8]
  /// BLAKE2b-256.
  public var bodyDigest: Digest
  public var bodyLength: UInt32
  /// Which of the site's keys signs what holds this entry.
  public var keyEpoch: UInt32

  public init(
    sequence: UInt64, kind: LogKind, wall: Int64, uptime: Int64, boot: [UInt8], bodyDigest: Digest,
    bodyLength: UInt32, keyEpoch: UInt32
  ) {
    precondition(boot.count == Self.bootBytes, "a boot has 16 bytes")
    (self.sequence, self.kind, self.wall, self.uptime, self.boot) = (sequence, kind, wall, uptime, boot)
    (self.bodyDigest, self.bodyLength, self.keyEpoch) = (bodyDigest, bodyLength, keyEpoch)
  }

  /// Reads one leaf. Faults: `provenance.message_malformed`, `provenance.message_too_large`.
  public init(_ bytes: [UInt8]) throws(ProvenanceFault) {
    let limits = CBORLimits(bytes: Self.bytesMax, depth: 1)
    var fields = try CBORItem.decode(bytes, limits: limits).fields("entry")
    sequence = try fields.unsigned(0)
    kind = LogKind(rawValue: try fields.number(1))
    wall = try fields.integer(2)
    uptime = try fields.integer(3)
    boot = try fields.bytes(4, count: Self.bootBytes)
    bodyDigest = try fields.digest(5)
    bodyLength = try fields.number(6)
    keyEpoch = try fields.number(7)
    try fields.finish()
  }

  public var bytes: [UInt8] {
    CBORItem.map(
      (0, .unsigned(sequence)), (1, .unsigned(UInt64(kind.rawValue))), (2, .integer(wall)), (3, .integer(uptime)),
      (4, .bytes(boot)), (5, .digest(bodyDigest)), (6, .unsigned(UInt64(bodyLength))),
      (7, .unsigned(UInt64(keyEpoch)))
    ).encoded
  }

  public var leafHash: Digest { Merkle.leafHash(bytes) }
}

/// Where a log stands: enough to append to it, to continue its chain and to tell its root.
public struct LogHead: Equatable, Sendable {
  public let epoch: LogEpoch
  public let stream: LogStream
  /// `Digest.zero` before the first entry.
  public private(set) var chain: Digest
  public private(set) var frontier: MerkleFrontier

  /// Of an empty log, or of one as it was kept.
  public init(epoch: LogEpoch, stream: LogStream, chain: Digest = .zero, frontier: MerkleFrontier = MerkleFrontier()) {
    (self.epoch, self.stream, self.chain, self.frontier) = (epoch, stream, chain, frontier)
  }

  /// The sequence of the entry to come, which is the number of entries.
  public var next: UInt64 { frontier.size }
  public var root: Digest { frontier.root }

  /// Takes in one entry as it is on the wire; whether it is the next one is the caller's to check.
  public mutating func append(_ entryBytes: [UInt8]) { append(leafHash: Merkle.leafHash(entryBytes)) }

  public mutating func append(leafHash: Digest) {
    chain = Self.chain(chain, leafHash: leafHash)
    frontier.append(leafHash)
  }

  /// The chain after an entry.
  public static func chain(_ before: Digest, leafHash: Digest) -> Digest {
    Sodium.sha256(domain: 0x02, before, leafHash)
  }
}
