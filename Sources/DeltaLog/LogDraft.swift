public import Provenance
import Sodium
public import TwinCore

/// What an entry is about.
public enum LogBody: Sendable, Equatable {
  /// Kept in the log until it is safe elsewhere.
  case bytes([UInt8])
  /// Kept elsewhere on this machine, and fetched when it is sent: BLAKE2b-256 and length of what will be given.
  case reference(Digest, length: UInt32)

  var digest: Digest {
    switch self {
    case .bytes(let bytes): Sodium.blake2b256(bytes)
    case .reference(let digest, _): digest
    }
  }

  var length: UInt64 {
    switch self {
    case .bytes(let bytes): UInt64(bytes.count)
    case .reference(_, let length): UInt64(length)
    }
  }
}

/// An entry to be appended.
public struct LogDraft: Sendable, Equatable {
  public var stream: LogStream
  public var kind: LogKind
  public var body: LogBody

  public init(_ stream: LogStream, _ kind: LogKind, _ body: LogBody) {
    (self.stream, self.kind, self.body) = (stream, kind, body)
  }

  public init(_ stream: LogStream, _ kind: LogKind, _ bytes: [UInt8]) { self.init(stream, kind, .bytes(bytes)) }
}

/// How much the log may take.
public struct DeltaLogLimits: Sendable, Equatable {
  /// Of the database and the reserved area together; the write-ahead log comes on top (about 4 MiB).
  public var bytesMax: Int64
  /// A batch is one packet of 64 KiB: what is larger is an artefact.
  public var bodyBytesMax: Int

  public static let bytesMin: Int64 = 1 << 20
  /// What a batch may hold before it is packed.
  public static let bodyBytesMost = 1_000_000
  /// Entries in one call of `append`.
  public static let draftsMax = 4096

  public init(bytesMax: Int64 = 512 << 20, bodyBytesMax: Int = 61_440) {
    precondition(bytesMax >= Self.bytesMin && (0...Self.bodyBytesMost).contains(bodyBytesMax))
    (self.bytesMax, self.bodyBytesMax) = (bytesMax, bodyBytesMax)
  }

  /// The reserved area: 5 %, at most 16 MiB, whole pages.
  var reserveBytes: Int64 { min(bytesMax / 20, 16 << 20) & ~4095 }
  /// What the ladder's percentages are of.
  var dataBytes: Int64 { bytesMax - reserveBytes }
}

/// The body of `LogKind.epochOpened`, strict CBOR: {0: id of the epoch before, 1: [[stream, size, chain, root], …]},
/// both left out in a site's first epoch. The heads are the last that this site knows of that epoch.
public struct EpochLink: Sendable, Equatable {
  public var epoch: LogEpoch
  /// By stream, in the order of streams.
  public var heads: [LogPoint]

  public init(epoch: LogEpoch, heads: [LogPoint]) {
    precondition(heads.count == LogStream.allCases.count)
    (self.epoch, self.heads) = (epoch, heads)
  }

  public static func body(of link: EpochLink?) -> [UInt8] {
    guard let link else { return CBORItem.map([]).encoded }
    let heads = zip(LogStream.allCases, link.heads).map { stream, head in
      CBORItem.array([
        .unsigned(UInt64(stream.rawValue)), .unsigned(head.size), .digest(head.chain), .digest(head.root),
      ])
    }
    return CBORItem.map((0, .bytes(link.epoch.bytes)), (1, .array(heads))).encoded
  }

  /// Nil where the body says that there was no epoch before.
  public init?(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("epoch link")
    guard let id = fields.itemIfPresent(0) else {
      try fields.finish()
      return nil
    }
    let bytes = try id.asBytes(count: 16)
    let items = try fields.array(1, max: LogStream.allCases.count)
    try fields.finish()
    guard let epoch = LogEpoch(bytes: bytes), items.count == LogStream.allCases.count else {
      throw malformed("\(items.count) heads")
    }
    var heads: [LogPoint] = []
    for (stream, item) in zip(LogStream.allCases, items) {
      let parts = try item.asArray(max: 4)
      guard parts.count == 4, try parts[0].asUnsigned() == UInt64(stream.rawValue) else {
        throw malformed("heads are out of order")
      }
      heads.append(
        LogPoint(size: try parts[1].asUnsigned(), chain: try parts[2].asDigest(), root: try parts[3].asDigest()))
    }
    self.init(epoch: epoch, heads: heads)
  }
}

/// The body of `LogKind.gapDeclared`, strict CBOR: {0: stream, 1: from, 2: to, 3: reason}. Bodies that are missing in
/// `from..<to` of that stream will never be sent; their leaves stay.
public struct GapDeclaration: Sendable, Equatable {
  public enum Reason: UInt64, Sendable, CaseIterable {
    /// The log's budget.
    case budget = 1
    /// The foundation asked for what is kept no more.
    case notKept = 2
    /// Whatever kept the body has lost it.
    case sourceLost = 3
  }

  public var stream: LogStream
  public var from: UInt64
  public var to: UInt64
  public var reason: Reason

  public init(stream: LogStream, from: UInt64, to: UInt64, reason: Reason) {
    (self.stream, self.from, self.to, self.reason) = (stream, from, to, reason)
  }

  public var body: [UInt8] {
    CBORItem.map(
      (0, .unsigned(UInt64(stream.rawValue))), (1, .unsigned(from)), (2, .unsigned(to)),
      (3, .unsigned(reason.rawValue))
    ).encoded
  }

  public init(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("gap")
    let (stream, from, to) = (try fields.unsigned(0), try fields.unsigned(1), try fields.unsigned(2))
    let reason = try fields.unsigned(3)
    try fields.finish()
    guard let known = UInt8(exactly: stream).flatMap(LogStream.init(rawValue:)),
      let why = Reason(rawValue: reason), from < to
    else { throw malformed("a gap of stream \(stream), \(from) to \(to), reason \(reason)") }
    self.init(stream: known, from: from, to: to, reason: why)
  }
}

private func malformed(_ what: String) -> ProvenanceFault {
  ProvenanceFault(
    .messageMalformed, path: "entry body", "the body of an entry cannot be read: \(what)",
    remedy: "keep the entry as evidence; its site writes what this release does not know")
}
