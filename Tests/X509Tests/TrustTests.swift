import Testing
import TwinCore
import X509

@Suite("A chain is believed for a purpose, at a moment, and not after revocation")
struct TrustTests {
  @Test("one chain at many moments and for both purposes")
  func moments() throws {
    let fleet = try Hierarchy()
    let site = try fleet.site("acme.site1", validity: Hierarchy.days(-1, 90))
    let (root, devices) = (fleet.root.certificate, fleet.devices.certificate)
    let table: [(Int64, Certificate.Purpose, [Certificate], Bool)] = [
      (0, .client, [devices], true), (89, .client, [devices], true), (91, .client, [devices], false),
      (-2, .client, [devices], false), (0, .server, [devices], false), (0, .client, [], false),
    ]
    for (day, purpose, between, holds) in table {
      let at = Hierarchy.days(day, day + 1).notBefore
      let seen = fault { () throws(X509Fault) in
        try site.verify(through: between, to: [root], for: purpose, at: at)
      }
      #expect(seen == (holds ? nil : .untrusted), "day \(day), \(purpose), \(between.count)")
    }
    let stranger = try Hierarchy()
    #expect(
      fault { () throws(X509Fault) in
        try site.verify(
          through: [devices], to: [stranger.root.certificate], for: .client, at: Hierarchy.now)
      } == .untrusted)
  }

  @Test("a device authority cannot make a broker, nor another authority")
  func deviceAuthorityIsNarrow() throws {
    let fleet = try Hierarchy()
    let forged = try fleet.devices.issueServer(
      "broker", publicKey: PrivateKey().publicKey, names: [.dns("broker")], validity: Hierarchy.days(-1, 1))
    #expect(
      fault { () throws(X509Fault) in
        try forged.verify(
          through: [fleet.devices.certificate], to: [fleet.root.certificate], for: .server, at: Hierarchy.now)
      } == .untrusted)
    let below = try fleet.devices.deviceAuthority(named: "Below", validity: Hierarchy.days(-1, 1))
    let request = try SigningRequest(commonName: "acme.site1", key: PrivateKey())
    let leaf = try below.issueClient(request, expecting: "acme.site1", validity: Hierarchy.days(-1, 1))
    #expect(
      fault { () throws(X509Fault) in
        try leaf.verify(
          through: [below.certificate, fleet.devices.certificate], to: [fleet.root.certificate], for: .client,
          at: Hierarchy.now)
      } == .untrusted)
  }

  @Test("a listed certificate is refused, its neighbour is not, and a stale list refuses both; openssl agrees")
  func revocation() throws {
    let fleet = try Hierarchy()
    let (bad, good) = (try fleet.site("acme.bad"), try fleet.site("acme.good"))
    let revoked = [Revocation(serial: bad.serial, at: Hierarchy.now)]
    let list = try fleet.devices.revocationList(revoked, number: 7, validity: Hierarchy.days(-1, 7))
    let stale = try fleet.devices.revocationList([], number: 6, validity: Hierarchy.days(-4, -2))
    #expect(list.revoked == revoked && list.number == 7 && list.validity == Hierarchy.days(-1, 7))
    let table = [(bad, list, false), (good, list, true), (bad, stale, false), (good, stale, false)]
    for (site, list, holds) in table {
      let seen = fault { () throws(X509Fault) in
        try site.verify(
          through: [fleet.devices.certificate], to: [fleet.root.certificate], for: .client, at: Hierarchy.now,
          lists: [list])
      }
      #expect(seen == (holds ? nil : .untrusted), "\(site.subject), list \(list.number)")
    }
    let tool = try OpenSSLTool()
    for (name, pem) in [
      ("root.pem", try fleet.root.certificate.pem()), ("devices.pem", try fleet.devices.certificate.pem()),
      ("bad.pem", try bad.pem()), ("good.pem", try good.pem()), ("crl.pem", try list.pem()),
    ] { try tool.write(pem, name) }
    let verify =
      "openssl verify -x509_strict -attime 1893456000 -CAfile root.pem -untrusted devices.pem "
      + "-crl_check -CRLfile crl.pem"
    #expect(try tool.run("\(verify) good.pem").status == 0)
    #expect(try tool.run("\(verify) bad.pem").output.contains("certificate revoked"))
    #expect(try tool.run("openssl crl -in crl.pem -noout -verify -CAfile devices.pem").output.contains("OK"))
  }

  @Test("a list is believed only from its issuer")
  func listIssuer() throws {
    let fleet = try Hierarchy()
    let pem = try fleet.devices.revocationList([], number: 1, validity: Hierarchy.days(0, 7)).pem()
    let root = fleet.root.certificate
    #expect(try RevocationList(pem: pem, issuer: fleet.devices.certificate).revoked.isEmpty)
    #expect(
      fault { () throws(X509Fault) in _ = try RevocationList(pem: pem, issuer: root) } == .badSignature)
  }

  @Test("an authority's list is found among those of others, and none is made up")
  func listFound() throws {
    let fleet = try Hierarchy()
    let own = try fleet.devices.revocationList([], number: 3, validity: Hierarchy.days(0, 7))
    let roots = try fleet.root.revocationList([], number: 4, validity: Hierarchy.days(0, 7))
    for pem in [try own.pem() + roots.pem(), try roots.pem() + own.pem()] {
      #expect(try RevocationList.find(in: pem, by: fleet.devices.certificate) == own)
      #expect(try RevocationList.find(in: pem, by: fleet.root.certificate) == roots)
    }
    #expect(try RevocationList.find(in: roots.pem(), by: fleet.devices.certificate) == nil)
    #expect(try RevocationList.find(in: Array("no list".utf8), by: fleet.devices.certificate) == nil)
  }

  @Test("a chain file gives its certificates in order, and no more than a chain has")
  func chainFile() throws {
    let fleet = try Hierarchy()
    let site = try fleet.site("acme.site1")
    let pem = try site.pem() + fleet.devices.certificate.pem()
    #expect(try Certificate.chain(pem: pem).map(\.subject) == ["acme.site1", "Test devices"])
    let long = (0..<9).flatMap { _ in pem }
    #expect(fault { () throws(X509Fault) in _ = try Certificate.chain(pem: long) } == .malformed)
  }
}
