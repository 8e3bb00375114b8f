import Glibc
import TwinCore
import X509

/// The certificates of a small fleet, as files in one folder: what a broker and its clients are configured with.
public final class FleetFiles {
  /// Paths of one client's files.
  public struct Client: Sendable {
    public let authorities: String
    /// The certificate, followed by the device authority's.
    public let certificate: String
    public let key: String
  }

  public let folder: String
  private let root: Authority
  private let devices: Authority
  private var revoked: [Revocation] = []
  private var lists: UInt64 = 0
  private let start: Instant

  /// Writes ca.crt, broker.crt, broker.key and an empty crl.pem. The broker is "localhost" and 127.0.0.1.
  public init(folder: String) throws {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    start = Instant(nanoseconds: Int64(now.tv_sec) * 1_000_000_000)
    self.folder = folder
    let root = try Authority.root(named: "Test fleet root", validity: Self.days(start, 30))
    devices = try root.deviceAuthority(named: "Test fleet devices", validity: Self.days(start, 20))
    self.root = root
    let key = try PrivateKey()
    let broker = try self.root.issueServer(
      "broker", publicKey: key.publicKey, names: [.dns("localhost"), .address([127, 0, 0, 1])],
      validity: Self.days(start, 10))
    try write(self.root.certificate.pem() + devices.certificate.pem(), "ca.crt")
    try write(broker.pem(), "broker.crt")
    try write(key.pem(), "broker.key")
    try writeList()
  }

  /// Issues a certificate to `name` and writes NAME.crt and NAME.key.
  public func client(_ name: String) throws -> Client {
    let key = try PrivateKey()
    let request = try SigningRequest(commonName: name, key: key)
    let certificate = try devices.issueClient(request, expecting: name, validity: Self.days(start, 10))
    try write(certificate.pem() + devices.certificate.pem(), "\(name).crt")
    try write(key.pem(), "\(name).key")
    return Client(
      authorities: "\(folder)/ca.crt", certificate: "\(folder)/\(name).crt", key: "\(folder)/\(name).key")
  }

  /// Puts the certificate that `name` was last issued on the list, and writes the next list.
  public func revoke(_ name: String) throws {
    let certificate = try Certificate(pem: TextFile.read("\(folder)/\(name).crt"))
    revoked.append(Revocation(serial: certificate.serial, at: start))
    try writeList()
  }

  private func writeList() throws {
    lists += 1
    try write(devices.revocationList(revoked, number: lists, validity: Self.days(start, 7)).pem(), "crl.pem")
  }

  private func write(_ bytes: [UInt8], _ name: String) throws {
    try TextFile.write(bytes, "\(folder)/\(name)")
  }

  private static func days(_ start: Instant, _ count: Int64) -> Validity {
    let day: Int64 = 86_400_000_000_000
    return Validity(
      notBefore: start.advanced(byNanoseconds: -day), notAfter: start.advanced(byNanoseconds: count * day))
  }
}

/// Whole small files, readable by their owner alone.
public enum TextFile {
  private static let bytesMax = 1 << 20

  public static func write(_ bytes: [UInt8], _ path: String) throws(BrokerFault) {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw BrokerFault("cannot write \(path): errno \(errno)") }
    defer { _ = Glibc.close(file) }
    guard unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else {
      throw BrokerFault("cannot write \(path): errno \(errno)")
    }
  }

  public static func read(_ path: String) throws(BrokerFault) -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw BrokerFault("cannot read \(path): errno \(errno)") }
    defer { _ = Glibc.close(file) }
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    let count = unsafe Glibc.read(file, &bytes, bytes.count)
    guard count >= 0 else { throw BrokerFault("cannot read \(path): errno \(errno)") }
    return Array(bytes.prefix(count))
  }
}
