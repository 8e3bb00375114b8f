// Token: "twe1." and base 64 (RFC 4648 §5, no padding) of
//
//     {0: id bytes(8), 1: secret bytes(16), 2: site text, 3: expires ms, 4: host text, 5: enrolment port,
//      6: certificate authority PEM text, 7: root digest bytes(32)}
//
// The root digest is the fingerprint of the first root metadata: with it the site needs to trust nobody else.

public import Provenance
import Sodium
public import TwinCore

/// What an administrator hands to whoever installs a site: once usable, and for a few days.
///
/// The secret never travels: both ends prove that they know it. It is not printed.
public struct EnrolmentToken: Equatable, Sendable, CustomStringConvertible {
  public static let prefix = "twe1."
  public static let idBytes = 8
  public static let secretBytes = 16
  /// Of the text; a certificate authority of more than one certificate is not for a token.
  public static let textBytesMax = 8 << 10
  public static let authorityBytesMax = 4 << 10
  /// No token may be usable for longer.
  public static let lifeMsMax: Int64 = 7 * 86_400_000

  public let id: [UInt8]
  public let secret: [UInt8]
  public let site: SiteName
  /// Milliseconds since 1970.
  public let expiresAt: Int64
  /// Of the broker's listener for enrolment.
  public let host: String
  public let port: UInt16
  /// The certificate of the authority that the broker's is verified by, PEM.
  public let authority: String
  public let root: Digest

  public init(
    id: [UInt8], secret: [UInt8], site: SiteName, expiresAt: Int64, host: String, port: UInt16, authority: String,
    root: Digest
  ) {
    precondition(id.count == Self.idBytes && secret.count == Self.secretBytes, "the length of a token's secret")
    (self.id, self.secret, self.site, self.expiresAt) = (id, secret, site, expiresAt)
    (self.host, self.port, self.authority, self.root) = (host, port, authority, root)
  }

  public var idText: String { Self.name(of: id) }
  public var description: String { "token \(idText) for \(site)" }

  public var text: String {
    let bytes = CBORItem.map(
      (0, .bytes(id)), (1, .bytes(secret)), (2, .text(site.description)), (3, .integer(expiresAt)), (4, .text(host)),
      (5, .number(port)), (6, .text(authority)), (7, .digest(root))
    ).encoded
    let digits = Base64.encode(bytes).filter { $0 != UInt8(ascii: "=") }.map { digit -> UInt8 in
      switch digit {
      case UInt8(ascii: "+"): UInt8(ascii: "-")
      case UInt8(ascii: "/"): UInt8(ascii: "_")
      default: digit
      }
    }
    return Self.prefix + String(decoding: digits, as: UTF8.self)
  }

  /// Faults: `provenance.token_malformed`.
  public init(text: String) throws(ProvenanceFault) {
    // Line ends come in when a long line is copied from a terminal or a letter.
    let kept = text.utf8.filter { $0 > 0x20 }
    guard kept.count <= Self.textBytesMax, kept.starts(with: Self.prefix.utf8) else {
      throw .tokenMalformed("it does not begin with \(Self.prefix)")
    }
    var digits = kept.dropFirst(Self.prefix.utf8.count).map { digit -> UInt8 in
      switch digit {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: digit
      }
    }
    while !digits.count.isMultiple(of: 4) { digits.append(UInt8(ascii: "=")) }
    guard let bytes = Base64.decode(digits) else { throw .tokenMalformed("a part of it is missing or changed") }
    do throws(ProvenanceFault) {
      var fields = try CBORItem.decode(bytes).fields("token")
      id = try fields.bytes(0, count: Self.idBytes)
      secret = try fields.bytes(1, count: Self.secretBytes)
      site = try fields.siteName(2)
      expiresAt = try fields.integer(3)
      host = try fields.text(4, max: 253)
      port = try fields.number(5)
      authority = try fields.text(6, max: Self.authorityBytesMax)
      root = try fields.digest(7)
      try fields.finish()
    } catch {
      throw .tokenMalformed(error.message)
    }
  }

  /// As in topics, ledgers and lists.
  public static func name(of id: [UInt8]) -> String {
    id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

extension ProvenanceFault {
  static func tokenMalformed(_ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .tokenMalformed, path: "token", "the token cannot be read: \(problem)",
      remedy: "copy the whole line that `twinctl fleet enrol new` printed")
  }
}
