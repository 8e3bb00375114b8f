import TwinCore
import X509

/// A root, its device authority, and one day in their lives.
struct Hierarchy: ~Copyable {
  /// 2030-01-01T00:00:00Z.
  static let now = Instant(nanoseconds: 1_893_456_000_000_000_000)

  let root: Authority
  let devices: Authority

  init() throws(X509Fault) {
    let root = try Authority.root(named: "Test root", validity: Self.days(-10, 3650))
    devices = try root.deviceAuthority(named: "Test devices", validity: Self.days(-5, 365))
    self.root = root
  }

  static func days(_ from: Int64, _ to: Int64) -> Validity {
    let day: Int64 = 86_400_000_000_000
    return Validity(notBefore: now.advanced(byNanoseconds: from * day), notAfter: now.advanced(byNanoseconds: to * day))
  }

  borrowing func site(_ name: String, validity: Validity = days(-1, 90)) throws(X509Fault) -> Certificate {
    let request = try SigningRequest(commonName: name, key: PrivateKey())
    return try devices.issueClient(request, expecting: name, validity: validity)
  }
}

/// The kind of the fault that `body` throws, nil when it throws none.
func fault(_ body: () throws(X509Fault) -> Void) -> X509Fault.Kind? {
  do throws(X509Fault) {
    try body()
    return nil
  } catch {
    return error.kind
  }
}
