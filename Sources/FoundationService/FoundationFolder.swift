import Glibc
import MQTT
import Provenance
import Seams
import Sodium
import TwinCore
import X509

/// A foundation's state directory:
///
///     keys/        the online keys: ingest, snapshot, timestamp, rollout; and the roots, `N.root`
///     metadata/    envelopes as they were last published
///     authority/   root.crt, root.crl; device.crt and device.key, which sign sites' certificates
///     tls/         w-N.crt, w-N.key: the workers' own
///     broker/      what the broker needs, to be copied to it
///     challenge    32 secret bytes that all workers share
///     ledger.db
struct FoundationFolder: Sendable {
  let path: String

  var keys: String { path + "/keys" }
  var metadata: String { path + "/metadata" }
  var authority: String { path + "/authority" }
  var tls: String { path + "/tls" }
  var broker: String { path + "/broker" }

  static let onlineRoles: [TrustRole] = [.ingest, .snapshot, .timestamp, .rollout]

  func bytes(_ file: String, max: Int = 64 << 10) throws(FoundationFault) -> [UInt8] {
    guard let bytes = SystemFiles.bytes(file, max: max) else {
      throw FoundationFault(
        "file_missing", "\(file) cannot be read", remedy: "make the foundation's files: twind-foundation init")
    }
    return bytes
  }

  /// Envelopes of the roots, the first one first.
  func roots() throws(FoundationFault) -> [[UInt8]] {
    var roots: [[UInt8]] = []
    for version in 1...UInt64(TrustBundle.rootsMax) {
      guard let bytes = SystemFiles.bytes("\(keys)/\(OperatorKeys.rootFile(version))", max: RootMetadata.bytesMax)
      else { break }
      roots.append(bytes)
    }
    guard !roots.isEmpty else {
      throw FoundationFault(
        "root_missing", "there is no 1.root in \(keys)", remedy: "copy it from the operator's keys")
    }
    return roots
  }

  func key(_ role: TrustRole) throws(FoundationFault) -> Ed25519.SecretKey {
    do throws(ProvenanceFault) {
      return try OperatorKeys.secretKey(role, in: keys)
    } catch {
      throw FoundationFault(error)
    }
  }

  func challengeKey() throws(FoundationFault) -> [UInt8] {
    let key = try bytes(path + "/challenge", max: 32)
    guard key.count == 32 else {
      throw FoundationFault(
        "challenge_malformed", "\(path)/challenge has \(key.count) bytes, wanted 32",
        remedy: "remove it and run twind-foundation init again")
    }
    return key
  }

  func brokerSettings(_ settings: FoundationSettings, worker: Int) -> BrokerSettings {
    let name = Self.worker(worker, of: settings.name)
    return BrokerSettings(
      address: BrokerAddress(host: settings.host, port: settings.port),
      credentials: BrokerCredentials(
        authorities: authority + "/root.crt", certificate: "\(tls)/w-\(worker).crt", key: "\(tls)/w-\(worker).key"),
      clientID: name)
  }

  /// The common name of a worker, its user and client at the broker.
  static func worker(_ number: Int, of foundation: String) -> String { "w-\(number).\(foundation)" }
}
