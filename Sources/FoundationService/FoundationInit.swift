import Glibc
import Provenance
import Seams
import Sodium
public import TwinCore
import X509

/// Makes everything that a foundation and its broker need, once: keys, authorities, certificates, configuration.
///
/// What is there already is kept, so that it is safe to repeat after a failure or with more workers.
public struct FoundationInit {
  public var settings: FoundationSettings
  /// Where the offline keys go: best a stick that stays away from the foundation afterwards.
  public var operatorKeys: String
  /// Names and addresses that the broker's certificate is made out to; the first one is what sites are told.
  public var brokerNames: [String]
  let now: Instant

  static let authorityYears: Int64 = 10
  static let serverYears: Int64 = 2
  static let rootYears: Int64 = 3
  static let serverLife = serverYears * yearNanoseconds
  static let yearNanoseconds: Int64 = 365 * 86_400_000_000_000

  public init(_ settings: FoundationSettings, operatorKeys: String, brokerNames: [String], now: Instant) {
    (self.settings, self.operatorKeys, self.brokerNames, self.now) = (settings, operatorKeys, brokerNames, now)
  }

  private var folder: FoundationFolder { FoundationFolder(path: settings.state) }

  /// Gives what was made, a line each.
  public func run() throws(FoundationFault) -> [String] {
    guard Sodium.ready else {
      throw FoundationFault("sodium", "libsodium cannot start", remedy: "reinstall package libsodium23")
    }
    do throws(ProvenanceFault) {
      for path in [folder.path, folder.keys, folder.metadata, folder.authority, folder.tls, folder.broker] {
        try PrivateFile.makeDirectory(path)
      }
      var made = try makeKeys()
      made += try makeDocuments()
      made += try makeCertificates()
      made += try makeBrokerFiles()
      if !exists(folder.path + "/challenge") {
        try PrivateFile.write(Sodium.randomBytes(32), directory: folder.path, name: "challenge")
      }
      return made
    } catch {
      throw FoundationFault(error)
    }
  }

  private func makeKeys() throws(ProvenanceFault) -> [String] {
    var made: [String] = []
    if !exists("\(operatorKeys)/\(OperatorKeys.rootFile(1))") {
      try OperatorKeys.initialise(operatorKeys, fleet: settings.fleet, expires: years(Self.rootYears))
      made.append("the fleet's keys in \(operatorKeys): take root, safety and targets away from this machine")
    }
    let online = FoundationFolder.onlineRoles.map { "\($0.name).secret" }
    for name in online + [OperatorKeys.rootFile(1)] where !exists("\(folder.keys)/\(name)") {
      guard var bytes = SystemFiles.bytes("\(operatorKeys)/\(name)", max: RootMetadata.bytesMax) else { continue }
      defer { Sodium.wipe(&bytes) }
      try PrivateFile.write(bytes, directory: folder.keys, name: name)
    }
    return made
  }

  /// What the offline keys say before anything was published: nothing may be installed yet, and whose word counts when
  /// something is. Without it no site would ever have heard a whole set, and none would count as fresh.
  private func makeDocuments() throws(ProvenanceFault) -> [String] {
    guard !exists("\(folder.metadata)/\(DocumentName.targets.name)") else { return [] }
    let key = try OperatorKeys.secretKey(.targets, in: operatorKeys)
    let header = DocumentHeader(fleet: settings.fleet, version: 1, expires: years(1))
    let classes: [DocumentName] = [.models, .policies, .packs]
    let targets = try TargetsMetadata(
      header: header, delegations: classes.map { Delegation($0, keys: [key.publicKey], threshold: 1) })
    for name in classes {
      let document = try TargetsMetadata(header: header, name, artefacts: []).sealed(by: key)
      try PrivateFile.write(document, directory: folder.metadata, name: name.name, mode: 0o644)
    }
    try PrivateFile.write(
      targets.sealed(by: key), directory: folder.metadata, name: DocumentName.targets.name, mode: 0o644)
    return ["what may be installed, signed: nothing yet; it ends in a year, and each publication renews it"]
  }

  private func makeCertificates() throws(ProvenanceFault) -> [String] {
    var made: [String] = []
    let rootKey = "\(operatorKeys)/authority.key"
    let root = try authority(
      certificate: "\(folder.authority)/root.crt", key: rootKey
    ) { () throws(X509Fault) in
      try Authority.root(named: "\(settings.fleet) root", validity: validity(Self.authorityYears))
    }
    let devices = try authority(
      certificate: "\(folder.authority)/device.crt", key: "\(folder.authority)/device.key"
    ) { () throws(X509Fault) in
      try root.deviceAuthority(named: "\(settings.fleet) devices", validity: validity(Self.authorityYears - 1))
    }
    if isWanted("\(folder.broker)/broker.crt") {
      let names = brokerNames.map { name in name.address.map { Authority.ServerName.address($0) } ?? .dns(name) }
      try place(folder.broker, "broker") { (key) throws(X509Fault) in
        try root.issueServer(
          "broker", publicKey: key.publicKey, names: names, validity: validity(Self.serverYears)
        ).pem()
      }
      made.append("the broker's certificate, for \(brokerNames.joined(separator: ", "))")
    }
    for number in 1...settings.workers where isWanted("\(folder.tls)/w-\(number).crt") {
      let name = FoundationFolder.worker(number, of: settings.name)
      let between = try tls { () throws(X509Fault) in try devices.certificate.pem() }
      try place(folder.tls, "w-\(number)") { (key) throws(X509Fault) in
        try devices.issueClient(
          SigningRequest(commonName: name, key: key), expecting: name, validity: validity(Self.serverYears)
        ).pem() + between
      }
      made.append("the certificate of worker \(name)")
    }
    let chain = try tls { () throws(X509Fault) in try root.certificate.pem() + devices.certificate.pem() }
    try PrivateFile.write(chain, directory: folder.broker, name: "ca.crt", mode: 0o644)
    if !exists("\(folder.broker)/crl.pem") {
      // Nobody signs for the root between two ceremonies.
      let own = try tls { () throws(X509Fault) in
        try root.revocationList([], number: 1, validity: validity(Self.authorityYears)).pem()
      }
      try PrivateFile.write(own, directory: folder.authority, name: BrokerList.rootName, mode: 0o644)
      let lists = try tls { () throws(X509Fault) in
        try own + devices.revocationList([], number: 1, validity: validity(1)).pem()
      }
      try PrivateFile.write(lists, directory: folder.broker, name: "crl.pem", mode: 0o644)
    }
    return made
  }

  /// The authority of two files, made when they are not there.
  private func authority(
    certificate: String, key: String, make: () throws(X509Fault) -> Authority
  ) throws(ProvenanceFault) -> Authority {
    if let pem = SystemFiles.bytes(certificate, max: 64 << 10) {
      guard let keyPEM = SystemFiles.bytes(key, max: 64 << 10) else {
        throw ProvenanceFault(
          .keyMissing, path: key, "the key of \(certificate) is not at \(key)",
          remedy: "name the folder with the operator's keys: --keys DIR")
      }
      return try tls { () throws(X509Fault) in
        try Authority(certificate: Certificate(pem: pem), key: PrivateKey(pem: keyPEM))
      }
    }
    let made = try tls { () throws(X509Fault) in try make() }
    let pem = try tls { () throws(X509Fault) in try made.certificate.pem() }
    var keyPEM = try tls { () throws(X509Fault) in try made.keyPEM() }
    defer { Sodium.wipe(&keyPEM) }
    try write(keyPEM, key, mode: 0o600)
    try write(pem, certificate, mode: 0o644)
    return made
  }

  /// A key and its certificate, `name.key` and `name.crt`.
  private func place(
    _ directory: String, _ name: String, certify: (borrowing PrivateKey) throws(X509Fault) -> [UInt8]
  ) throws(ProvenanceFault) {
    let key = try tls { () throws(X509Fault) in try PrivateKey() }
    var pem = try tls { () throws(X509Fault) in try key.pem() }
    defer { Sodium.wipe(&pem) }
    let certificate = try tls { () throws(X509Fault) in try certify(key) }
    try PrivateFile.write(pem, directory: directory, name: "\(name).key")
    try PrivateFile.write(certificate, directory: directory, name: "\(name).crt", mode: 0o644)
  }

  private func makeBrokerFiles() throws(ProvenanceFault) -> [String] {
    let files = BrokerFiles(settings: settings, folder: folder.broker)
    try PrivateFile.write(
      Array(files.configuration.utf8), directory: folder.broker, name: "mosquitto.conf", mode: 0o644)
    try PrivateFile.write(Array(files.accessList.utf8), directory: folder.broker, name: "twind.acl", mode: 0o644)
    return ["the broker's files in \(folder.broker): mosquitto -c \(folder.broker)/mosquitto.conf"]
  }

  private func write(_ bytes: [UInt8], _ path: String, mode: UInt32) throws(ProvenanceFault) {
    let cut = path.lastIndex(of: "/") ?? path.startIndex
    try PrivateFile.write(
      bytes, directory: String(path[..<cut]), name: String(path[path.index(after: cut)...]), mode: mode)
  }

  /// Whether a certificate is not there, or has little left of its life.
  private func isWanted(_ path: String) -> Bool {
    guard let pem = SystemFiles.bytes(path, max: 64 << 10) else { return true }
    return (try? Certificate(pem: pem))?.validity.isEnding(at: now) ?? true
  }

  private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  private func years(_ count: Int64) -> Instant { now.advanced(byNanoseconds: count * Self.yearNanoseconds) }

  /// From an hour ago on: clocks of sites and brokers differ.
  private func validity(_ count: Int64) -> Validity {
    Validity(notBefore: now.advanced(byNanoseconds: -3_600_000_000_000), notAfter: years(count))
  }

  private func tls<Result: ~Copyable>(_ body: () throws(X509Fault) -> Result) throws(ProvenanceFault) -> Result {
    do throws(X509Fault) {
      return try body()
    } catch {
      throw ProvenanceFault(.keyMalformed, path: folder.path, error.message, remedy: error.remedy)
    }
  }
}

extension String {
  /// The bytes of an IPv4 or IPv6 address in network order; nil for a name.
  fileprivate var address: [UInt8]? {
    for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: count)
      if unsafe bytes.withUnsafeMutableBytes({ unsafe inet_pton(family, self, $0.baseAddress) }) == 1 { return bytes }
    }
    return nil
  }
}
