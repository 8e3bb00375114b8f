import Glibc
import MQTT
import Provenance
import Seams
import Sync
import TwinCore

/// What a site keeps to be somebody's peer, below the state directory in `peer/`:
///
///     site-N.secret     its own keys, made on it
///     key-epoch         which of them is in use; the newest where it is not there
///     site.key, site.crt, authority.crt
///                       for TLS, PEM
///     next.key, next.crt
///                       a renewed pair that no session has proven yet
///     renewal           what became of the last renewal
///     enrolment         what the foundation answered; with it the site has a foundation
///     asked             what it asked with, until it is answered
///     trust             metadata as far as it was verified
///     sync.db           its log
///     artefacts/        what is being fetched
struct PeerFolder: Sendable {
  static let enrolmentName = "enrolment"
  static let askedName = "asked"
  static let trustName = "trust"
  static let keyName = "site.key"
  static let certificateName = "site.crt"
  static let authorityName = "authority.crt"
  static let artefactsName = "artefacts"
  static let keyEpochName = "key-epoch"

  let path: String

  init(state: String) { path = state + "/peer" }

  var logFile: String { path + "/sync.db" }
  /// Nil: the newest.
  var keyEpoch: UInt32? {
    bytes(Self.keyEpochName, max: 16).flatMap { UInt32(String(decoding: $0, as: UTF8.self)) }
  }

  var artefacts: String { "\(path)/\(Self.artefactsName)" }

  /// Nil for a site that stands alone.
  func enrolment() throws(ProvenanceFault) -> EnrolmentReply? {
    let file = "\(path)/\(Self.enrolmentName)"
    guard unsafe access(file, F_OK) == 0 else { return nil }
    guard let bytes = SystemFiles.bytes(file, max: EnrolmentReply.bytesMax) else {
      throw ProvenanceFault(
        .io, path: file, "\(file) cannot be read", remedy: "check that user twind owns it, or enrol the site again")
    }
    return try EnrolmentReply(body: bytes)
  }

  func settings(_ enrolment: EnrolmentReply, _ pair: Pair = .current) -> BrokerSettings {
    BrokerSettings(
      address: BrokerAddress(host: enrolment.host, port: enrolment.port),
      credentials: BrokerCredentials(
        authorities: "\(path)/\(Self.authorityName)", certificate: "\(path)/\(pair.names.certificate)",
        key: "\(path)/\(pair.names.key)"),
      clientID: enrolment.site.description)
  }

  func write(_ bytes: [UInt8], _ name: String, mode: UInt32 = 0o600) throws(ProvenanceFault) {
    try PrivateFile.write(bytes, directory: path, name: name, mode: mode)
  }

  func bytes(_ name: String, max: Int) -> [UInt8]? { SystemFiles.bytes("\(path)/\(name)", max: max) }

  func remove(_ name: String) { _ = unsafe unlink("\(path)/\(name)") }
}
