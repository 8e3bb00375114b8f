import Provenance
import Seams
import TwinCore
import X509

/// Signs the certificates by which sites speak to the broker.
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

  /// The certificate for a request, with the authority's own behind it, PEM.
  func certify(_ request: String, _ site: SiteName, at now: Instant) throws(ProvenanceFault) -> String {
    do throws(X509Fault) {
      let validity = Validity(
        notBefore: now.advanced(byNanoseconds: -3_600_000_000_000), notAfter: now.advanced(byNanoseconds: Self.life))
      let made = try authority.issueClient(
        SigningRequest(pem: Array(request.utf8)), expecting: site.description, validity: validity)
      return String(decoding: try made.pem() + chain, as: UTF8.self)
    } catch {
      throw ProvenanceFault(.enrolmentForeign, path: "certificate request", error.message, remedy: error.remedy)
    }
  }
}
