import Collectors
import SitePack
import Testing
import TwinCore

@Suite struct `What may leave a site` {
  private func pack() throws -> Pack {
    let result = Pack.load(
      files([
        "site.yaml": """
        pack: 1
        version: 1
        site: {id: lyon-01, tenant: acme, name: Lyon, tz: Europe/Paris}
        data: {purpose: energy report}
        """,
        "profiles/meter.yaml": """
        profile: meter
        defaults: {data: {export: aggregate}}
        points:
          power: {ref: 30001, type: uint16, unit: W}
          presence: {ref: 30002, type: uint16, data: {export: never, purpose: ventilation, keep: 2d}}
          energy: {ref: 30003, type: uint32, unit: kW.h, data: {export: raw}}
        """,
        "devices.yaml": """
        devices:
          a: {profile: meter, modbus_tcp: {host: 10.0.0.1, unit: 1}}
          b:
            profile: meter
            modbus_tcp: {host: 10.0.0.2, unit: 1}
            data: {export: never}
            points: {energy: {data: {keep: 7d}}}
        """,
      ]))
    return try #require(result.pack, "\(result.problems)")
  }

  @Test func `the nearest word counts, key by key`() throws {
    let day: Int64 = 86_400_000_000_000
    var policies: [String: DataPolicy] = [:]
    for point in try pack().points { policies[point.id] = point.register?.data }
    #expect(policies["a.power"] == DataPolicy(export: .aggregate, purpose: "energy report"))
    #expect(policies["a.presence"] == DataPolicy(export: .never, purpose: "ventilation", keepNanoseconds: 2 * day))
    #expect(policies["a.energy"] == DataPolicy(export: .raw, purpose: "energy report"))
    #expect(policies["b.power"] == DataPolicy(export: .never, purpose: "energy report"))
    // A point's entry at the device stands in place of the profile's.
    #expect(
      policies["b.energy"] == DataPolicy(export: .never, purpose: "energy report", keepNanoseconds: 7 * day))
  }

  @Test func `points that differ in it are of different groups`() throws {
    let groups = CollectorConfiguration(try pack().devices).groups.filter { $0.device == "a" }
    #expect(groups.map(\.points) == [["presence"], ["power"], ["energy"]])
  }

  @Test func `its bytes are canonical, and bent ones are refused`() throws {
    for policy in [DataPolicy(), DataPolicy(export: .raw, purpose: "", keepNanoseconds: 1)] {
      #expect(try DataPolicy(canonicalBytes: policy.canonicalBytes) == policy)
      for length in 0..<policy.canonicalBytes.count {
        #expect(throws: CanonicalFault.self) {
          _ = try DataPolicy(canonicalBytes: Array(policy.canonicalBytes.prefix(length)))
        }
      }
    }
  }
}
