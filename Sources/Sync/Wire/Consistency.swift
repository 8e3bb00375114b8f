// Question, site to foundation on `req`:
//
//     {0: site text, 1: from, 2: to, 3: nonce}
//
// Answer, foundation to site on `cmd`:
//
//     {0: site text, 1: from, 2: to, 3: nonce, 4: [node bytes(32), …at most 63]}
//
// Both are about the foundation's own log: that its first `to` leaves begin with its first `from` (RFC 9162 §2.1.4).
// The nonce is the question's own, so that no answer to an older one fits.

public import Provenance
public import TwinCore

/// Asks the foundation to prove that its log has only grown since this site last saw it.
public struct ConsistencyRequest: WireMessage {
  public static let type = WireType.name("consistency-request.v1")

  public let site: SiteName
  public let sizes: LogSpan
  public let nonce: UInt64

  public init(site: SiteName, sizes: LogSpan, nonce: UInt64) {
    (self.site, self.sizes, self.nonce) = (site, sizes, nonce)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(site.description)), (1, .unsigned(sizes.from)), (2, .unsigned(sizes.to)), (3, .unsigned(nonce))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("consistency request")
    site = try fields.siteName(0)
    sizes = try fields.span()
    nonce = try fields.unsigned(3)
    try fields.finish()
  }
}

/// The foundation's proof; a wrong one is its own contradiction, for it is signed.
public struct ConsistencyAnswer: WireMessage {
  public static let type = WireType.name("consistency.v1")

  public let site: SiteName
  public let sizes: LogSpan
  public let nonce: UInt64
  public let proof: [Digest]

  public init(site: SiteName, sizes: LogSpan, nonce: UInt64, proof: [Digest]) {
    precondition(proof.count <= TrustBundle.proofMax, "a proof of \(proof.count) nodes")
    (self.site, self.sizes, self.nonce, self.proof) = (site, sizes, nonce, proof)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(site.description)), (1, .unsigned(sizes.from)), (2, .unsigned(sizes.to)), (3, .unsigned(nonce)),
      (4, .array(proof.map { .digest($0) }))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("consistency")
    site = try fields.siteName(0)
    sizes = try fields.span()
    nonce = try fields.unsigned(3)
    var proof: [Digest] = []
    for node in try fields.array(4, max: TrustBundle.proofMax) { proof.append(try node.asDigest("consistency.4")) }
    self.proof = proof
    try fields.finish()
  }
}

extension CBORFields {
  fileprivate mutating func span() throws(ProvenanceFault) -> LogSpan {
    let (from, to) = (try unsigned(1), try unsigned(2))
    guard let span = LogSpan(from: from, to: to) else { throw .wire("\(name).2", "from \(from) to \(to)") }
    return span
  }
}
