import Ledger
import Provenance
import Seams
import TwinCore
import X509

/// Signs the certificates by which sites speak to the broker, and the list of those that were taken back.
final class DeviceDesk: Sendable {
  static let life: Int64 = 90 * 86_400_000_000_000

  private let authority: Authority
  private let chain: [UInt8]
  /// Of the root that the broker's certificate is verified by, PEM.
  let rootText: String

  init(folder: FoundationFolder) throws(FoundationFault) {
    rootText = String(decoding: try folder.bytes(folder.authority + "/root.crt"), as: UTF8.self)
    chain = try folder.bytes(folder.authority + "/device.crt")
    let key = try folder.bytes(folder.authority + "/device.key")
    do throws(X509Fault) {
      authority = try Authority(certificate: Certificate(pem: chain), key: PrivateKey(pem: key))
    } catch {
      throw FoundationFault(error)
    }
  }

  var certificate: Certificate { authority.certificate }

  /// The certificate for a request.
  func certify(_ request: String, _ site: SiteName, at now: Instant) throws(ProvenanceFault) -> IssuedCertificate {
    do throws(X509Fault) {
      return try certify(
        SigningRequest(pem: Array(request.utf8)), expecting: site.description, life: Self.life, at: now)
    } catch {
      throw ProvenanceFault(.enrolmentForeign, path: "certificate request", error.message, remedy: error.remedy)
    }
  }

  /// From an hour ago on: clocks of sites and brokers differ.
  func certify(
    _ request: SigningRequest, expecting name: String, life: Int64, at now: Instant
  ) throws(X509Fault) -> IssuedCertificate {
    let made = try authority.issueClient(
      request, expecting: name,
      validity: Validity(
        notBefore: now.advanced(byNanoseconds: -3_600_000_000_000), notAfter: now.advanced(byNanoseconds: life)))
    return IssuedCertificate(
      text: String(decoding: try made.pem() + chain, as: UTF8.self), serial: made.serial,
      notAfter: made.validity.notAfter)
  }

  func list(_ revoked: [X509.Revocation], number: UInt64, validity: Validity) throws(X509Fault) -> X509.RevocationList {
    try authority.revocationList(revoked, number: number, validity: validity)
  }
}

/// A client certificate, and how it is told in the foundation's own log:
///
///     {0: "certificate issued", 1: who asked text, 2: until text, 3: number text, 4: at ns, 5: number bytes,
///      6: not after ns}
struct IssuedCertificate {
  /// With the authority's own behind it, PEM.
  let text: String
  let serial: SerialNumber
  let notAfter: Instant

  /// `occasion` is what it was made for: enrolment, renewal.
  func leaf(for site: SiteName, _ occasion: String, at now: Instant) -> FoundationLeaf {
    let item = CBORItem.map(
      (0, .text("certificate issued")), (1, .text(occasion)), (2, .text("until \(notAfter.rfc3339)")),
      (3, .text(serial.description)), (4, .integer(now.nanoseconds)), (5, .bytes(serial.bytes)),
      (6, .integer(notAfter.nanoseconds)))
    return FoundationLeaf(.certificate, site: site, bytes: item.encoded)
  }

  /// The number and the end of the certificate that a leaf tells of.
  static func read(_ leaf: FoundationLeaf) -> (serial: SerialNumber, notAfter: Instant)? {
    guard leaf.kind == .certificate, var fields = try? CBORItem.decode(leaf.bytes).fields("certificate"),
      let bytes = try? fields.bytes(5, max: 20), let serial = SerialNumber(bytes),
      let notAfter = try? fields.instant(6)
    else { return nil }
    return (serial, notAfter)
  }
}
