import Testing
import TwinCore
import X509

@Suite("Whatever a file holds, reading it ends in a value or in a fault")
struct MalformedTests {
  private static let rounds = 600

  @Test(
    "texts that are no PEM of the right kind",
    arguments: [
      "", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "\u{0}\u{0}",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
      "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
      "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
      "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
      "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,00\n\nMAA=\n-----END PRIVATE KEY-----\n",
    ])
  func texts(_ text: String) throws {
    let issuer = try Hierarchy().root.certificate
    let pem = Array(text.utf8)
    #expect(fault { () throws(X509Fault) in _ = try Certificate(pem: pem) } == .malformed)
    #expect(fault { () throws(X509Fault) in _ = try Certificate.chain(pem: pem) } == .malformed)
    #expect(fault { () throws(X509Fault) in _ = try SigningRequest(pem: pem) } == .malformed)
    #expect(fault { () throws(X509Fault) in _ = try PrivateKey(pem: pem) } == .malformed)
    #expect(fault { () throws(X509Fault) in _ = try RevocationList(pem: pem, issuer: issuer) } == .malformed)
  }

  @Test("a key with a passphrase, of another kind or on another curve is refused without a prompt")
  func keys() throws {
    let tool = try OpenSSLTool()
    let table: [(String, X509Fault.Kind)] = [
      ("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x", .malformed),
      ("openssl ecparam -genkey -name prime256v1 -noout", .malformed),
      ("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", .wrongCurve),
      ("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", .wrongCurve),
      ("openssl genpkey -algorithm ED25519", .wrongCurve),
    ]
    for (command, wanted) in table {
      try tool.run("\(command) > k.pem 2> err.txt")
      let pem = try tool.read("k.pem")
      #expect(fault { () throws(X509Fault) in _ = try PrivateKey(pem: pem) } == wanted, "\(command)")
    }
    try tool.run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 > k.pem")
    _ = try PrivateKey(pem: tool.read("k.pem"))
  }

  @Test("bytes changed, cut, doubled and inserted at random places", arguments: [1, 2, 3] as [UInt64])
  func mutations(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let fleet = try Hierarchy()
    let issuer = fleet.devices.certificate
    let site = try fleet.site("acme.site1")
    let request = try SigningRequest(commonName: "acme.site1", key: PrivateKey())
    let list = try fleet.devices.revocationList(
      [Revocation(serial: site.serial, at: Hierarchy.now)], number: 1, validity: Hierarchy.days(0, 1))
    let key = try PrivateKey().pem()
    let seeds = [site.der, try site.pem(), request.der, try request.pem(), list.der, try list.pem(), key]
    var (read, refused) = (0, 0)
    for _ in 0..<Self.rounds {
      let bytes = Self.mutated(seeds.randomElement(using: &generator)!, using: &generator)
      for reading in Reading.allCases {
        switch fault({ () throws(X509Fault) in try reading.apply(to: bytes, issuer) }) {
        case nil: read += 1
        case .libraryFailed?: Issue.record("seed \(seed): the library's fault for \(bytes)")
        default: refused += 1
        }
      }
    }
    #expect(refused > read, "seed \(seed): \(read) read, \(refused) refused")
  }

  private static func mutated(_ whole: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
    var bytes = whole
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
      let at = bytes.indices.randomElement(using: &generator)!
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1: bytes[at] = UInt8.random(in: 0...255, using: &generator)
      case 2: bytes.removeSubrange(at...)
      case 3: bytes.insert(contentsOf: bytes[at..<min(at + 16, bytes.count)], at: at)
      default: bytes.remove(at: at)
      }
    }
    return bytes
  }

  private enum Reading: CaseIterable {
    case certificate, chain, requestBytes, requestText, listBytes, listText, key

    func apply(to bytes: [UInt8], _ issuer: Certificate) throws(X509Fault) {
      switch self {
      case .certificate:
        try Certificate(der: bytes).verify(through: [], to: [issuer], for: .client, at: Hierarchy.now)
      case .chain: _ = try Certificate.chain(pem: bytes)
      case .requestBytes: _ = try SigningRequest(der: bytes)
      case .requestText: _ = try SigningRequest(pem: bytes)
      case .listBytes: _ = try RevocationList(der: bytes, issuer: issuer)
      case .listText: _ = try RevocationList(pem: bytes, issuer: issuer)
      case .key: _ = try PrivateKey(pem: bytes)
      }
    }
  }
}
