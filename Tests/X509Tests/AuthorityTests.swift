import Testing
import TwinCore
import X509

@Suite("An authority signs what it should and nothing else")
struct AuthorityTests {
  @Test("openssl verifies the chain of a site, the chain of a broker, and the purpose of each")
  func opensslAgrees() throws {
    let fleet = try Hierarchy()
    let tool = try OpenSSLTool()
    let site = try fleet.site("acme.site1")
    let key = try PrivateKey()
    let broker = try fleet.root.issueServer(
      "broker", publicKey: key.publicKey, names: [.dns("broker.example"), .address([127, 0, 0, 1])],
      validity: Hierarchy.days(-1, 90))
    try tool.write(fleet.root.certificate.pem(), "root.pem")
    try tool.write(fleet.devices.certificate.pem(), "devices.pem")
    try tool.write(site.pem(), "site.pem")
    try tool.write(broker.pem(), "broker.pem")
    let verify = "openssl verify -x509_strict -attime 1893456000 -CAfile root.pem"
    #expect(try tool.run("\(verify) -untrusted devices.pem -purpose sslclient site.pem").status == 0)
    #expect(try tool.run("\(verify) -purpose sslserver -verify_hostname broker.example broker.pem").status == 0)
    #expect(try tool.run("\(verify) -purpose sslserver -verify_ip 127.0.0.1 broker.pem").status == 0)
    #expect(try tool.run("\(verify) -untrusted devices.pem -purpose sslserver site.pem").status != 0)
    #expect(try tool.run("\(verify) -purpose sslclient broker.pem").status != 0)
    #expect(try tool.run("\(verify) -purpose sslserver -verify_hostname other.example broker.pem").status != 0)
    let text = try tool.run("openssl x509 -in site.pem -noout -subject -issuer -serial -fingerprint -sha256").output
    #expect(text.contains("CN = acme.site1") && text.contains("CN = Test devices"))
    #expect(text.lowercased().contains("serial=\(site.serial)"))
    #expect(text.lowercased().replacing(":", with: "").contains(site.fingerprint.hex))
    try tool.write(key.pem(), "broker.key")
    #expect(try tool.run("openssl pkey -in broker.key -noout -check").output.contains("valid"))
  }

  @Test("openssl's requests are read, twind's are verified by openssl, and a broken one is refused")
  func requests() throws {
    let tool = try OpenSSLTool()
    let own = try SigningRequest(commonName: "acme.site1", key: PrivateKey())
    try tool.write(own.pem(), "own.csr")
    #expect(try tool.run("openssl req -in own.csr -noout -verify").output.contains("OK"))
    let make = "openssl req -new -nodes -keyout k.pem -out r.csr"
    try tool.run("\(make) -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=acme.site2")
    #expect(try SigningRequest(pem: tool.read("r.csr")).commonName == "acme.site2")
    let table: [(String, X509Fault.Kind)] = [
      ("-newkey ec -pkeyopt ec_paramgen_curve:P-384 -subj /CN=acme.site2", .wrongCurve),
      ("-newkey rsa:2048 -subj /CN=acme.site2", .wrongCurve),
      (
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -subj /CN=acme.site2",
        .wrongCurve
      ),
      ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=acme.site2/O=acme", .badName),
      ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=acme.site2/CN=acme.site3", .badName),
      ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /O=acme", .badName),
    ]
    for (options, wanted) in table {
      try tool.run("\(make) \(options)")
      let pem = try tool.read("r.csr")
      #expect(fault { () throws(X509Fault) in _ = try SigningRequest(pem: pem) } == wanted, "\(options)")
    }
    var forged = own.der
    forged[forged.count - 1] ^= 1
    #expect(fault { () throws(X509Fault) in _ = try SigningRequest(der: forged) } == .badSignature)
  }

  @Test("a request under another site's name is refused, and a client certificate carries the expected name alone")
  func expectedName() throws {
    let fleet = try Hierarchy()
    let request = try SigningRequest(commonName: "acme.site2", key: PrivateKey())
    #expect(
      fault { () throws(X509Fault) in
        _ = try fleet.devices.issueClient(request, expecting: "acme.site1", validity: Hierarchy.days(0, 1))
      } == .otherName)
    let issued = try fleet.devices.issueClient(request, expecting: "acme.site2", validity: Hierarchy.days(0, 1))
    #expect(issued.subject == "acme.site2" && issued.issuer == "Test devices")
    #expect(issued.publicKey == request.publicKey && issued.validity == Hierarchy.days(0, 1))
    #expect(issued.serial.bytes.count == 16 && !issued.isAuthority)
    #expect(try issued.isSigned(by: fleet.devices.certificate) && !issued.isSigned(by: fleet.root.certificate))
  }

  @Test("a certificate neither outlasts its authority nor ends before it begins")
  func spans() throws {
    let fleet = try Hierarchy()
    for validity in [Hierarchy.days(0, 366), Hierarchy.days(1, 1), Hierarchy.days(2, 1)] {
      #expect(fault { () throws(X509Fault) in _ = try fleet.site("acme.site1", validity: validity) } == .badValidity)
    }
  }

  @Test("an expired certificate is renewed under its own name, another authority's is not")
  func renewal() throws {
    let fleet = try Hierarchy()
    let other = try Hierarchy()
    let old = try fleet.site("acme.site1", validity: Hierarchy.days(-4, -1))
    let request = try SigningRequest(commonName: "acme.site1", key: PrivateKey())
    let fresh = try fleet.devices.renew(old, with: request, validity: Hierarchy.days(0, 90))
    #expect(fresh.subject == old.subject && fresh.serial != old.serial)
    let stranger = try SigningRequest(commonName: "acme.site2", key: PrivateKey())
    #expect(
      fault { () throws(X509Fault) in
        _ = try fleet.devices.renew(old, with: stranger, validity: Hierarchy.days(0, 90))
      } == .otherName)
    #expect(
      fault { () throws(X509Fault) in
        _ = try other.devices.renew(old, with: request, validity: Hierarchy.days(0, 90))
      } == .otherIssuer)
  }

  @Test("an authority is made only of an authority's certificate and its own key")
  func authorityOfParts() throws {
    let fleet = try Hierarchy()
    let pem = try fleet.devices.keyPEM()
    let again = try Authority(certificate: fleet.devices.certificate, key: PrivateKey(pem: pem))
    #expect(again.certificate == fleet.devices.certificate)
    let (site, devices) = (try fleet.site("acme.site1"), fleet.devices.certificate)
    #expect(
      fault { () throws(X509Fault) in _ = try Authority(certificate: site, key: PrivateKey(pem: pem)) }
        == .notAuthority)
    #expect(
      fault { () throws(X509Fault) in _ = try Authority(certificate: devices, key: PrivateKey()) } == .otherKey)
  }

  @Test(
    "a name that no certificate can carry is refused",
    arguments: ["", String(repeating: "a", count: 65), "a\u{0}b", "näme", "a\nb"])
  func names(_ name: String) throws {
    let key = try PrivateKey()
    #expect(fault { () throws(X509Fault) in _ = try SigningRequest(commonName: name, key: key) } == .badName)
  }

  @Test(
    "a server's name cannot smuggle in another",
    arguments: [.dns("a,DNS:b"), .dns(""), .dns("*.a"), .dns("a\u{0}"), .address([1, 2, 3])] as [Authority.ServerName])
  func serverNames(_ name: Authority.ServerName) throws {
    let fleet = try Hierarchy()
    let key = try PrivateKey().publicKey
    #expect(
      fault { () throws(X509Fault) in
        _ = try fleet.root.issueServer("broker", publicKey: key, names: [name], validity: Hierarchy.days(0, 1))
      } == .badName)
  }
}
