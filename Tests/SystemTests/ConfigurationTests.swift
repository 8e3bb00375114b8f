import StatusAPI
import Testing

@Suite(.berthed) struct `A daemon that must not start` {
  /// Refused with the exit code and words given, while the peer hears nothing.
  private func refuses(
    _ code: Int32, _ words: [String], check: Int32, _ site: Site, _ peer: Peer
  ) async throws {
    let connections = try await peer.connections()
    let (edge, text) = try await site.refused()
    #expect(edge == code, "\(text)")
    for word in words { #expect(text.contains(word), "\(word) is not in: \(text)") }
    #expect(try await site.twind("check").code == check)
    #expect(try await peer.connections() == connections, "nothing was touched")
  }

  @Test(arguments: [
    ("site.yaml", "tick: 100ms", "tick: soon", "site.yaml:4:7:"),
    ("devices.yaml", "profile: room", "profile: rooom", "devices.yaml:3:10:"),
    ("envelopes.yaml", "lease: 60s", "lease: forever", "envelopes.yaml:8:12:"),
    ("policies.yaml", "formula: room.wanted", "formula: room.wantd", "policies.yaml:2:"),
    ("site.yaml", "pack: 1", "pack: [", "site.yaml:"),
  ]) func `malformed pack`(file: String, old: String, new: String, place words: String) async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try site.repair(file, old, new)
    try await refuses(78, ["pack_invalid", words, "twinctl pack check"], check: 65, site, peer)
    let (code, text) = try await place.run("twinctl", ["pack", "check", site.pack])
    #expect(code == 65 && text.contains(words), "\(text)")
  }

  @Test(arguments: [
    ("moed: auto", "edge.yaml:7:1:"), ("log: loud", "edge.yaml:7:6:"), ("ceiling: [", "edge.yaml:"),
  ]) func `malformed edge.yaml`(line: String, words: String) async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    let paths = "pack: \(site.pack)\nstate: \(site.state)\nsocket: \(site.socket)\n"
    try write(paths + "mode: auto\nclock: assumed\noperators: root\n\(line)\n", to: site.configuration)
    try await refuses(78, [words], check: 78, site, peer)
    #expect(try await site.twind("revert").code == 78)
  }

  @Test func `missing pack`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try write("pack: \(place.file("nowhere"))\nstate: \(site.state)\nsocket: \(site.socket)\n", to: site.configuration)
    try await refuses(78, [place.file("nowhere")], check: 65, site, peer)
  }

  @Test func `missing configuration`() async throws {
    let place = try Place()
    let (code, text) = try await place.run("twind", ["edge", "--config", place.file("none.yaml")])
    #expect(code == 78 && text.contains("none.yaml") && text.contains("next"), "\(text)")
  }

  @Test(arguments: ["envelopes.yaml", "devices.yaml"])
  func `broken signature`(file: String) async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try site.repair(file, "\n", "\n# changed after it was signed\n")
    try await refuses(78, ["pack_broken", file], check: 65, site, peer)
  }

  @Test func `older pack version`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(version: 2, port: peer.port))
    try await site.startHolding(peer)
    #expect(try await site.stop() == 0)
    let writes = try await peer.writes()
    try site.write(SmallPack(version: 1, port: peer.port))
    try await site.sign()
    let (code, text) = try await site.refused()
    #expect(code == 78 && text.contains("pack_rollback") && text.contains("version 1"), "\(text)")
    #expect(try await peer.writes() == writes)
    try site.write(SmallPack(version: 2, port: peer.port))
    try await site.sign()
    try await site.start()
    #expect(try site.status().pack.version == 2)
  }

  @Test func `two daemons on one state directory`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    let connections = try await peer.connections()
    let (code, text) = try await place.run(
      "twind", ["edge", "--config", site.configuration], environment: ["TWIND_SOCKET": place.file("run/other.sock")])
    #expect(code == 75 && text.contains("store.locked"), "\(text)")
    #expect(try await peer.connections() == connections)
    #expect(try site.status().leasesOpen == 1)
    #expect(try await peer.writes().count == 1)
  }

  @Test func `two daemons on one socket`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    let connections = try await peer.connections()
    try place.make("state-2")
    let (code, text) = try await place.run(
      "twind", ["edge", "--config", site.configuration], environment: ["TWIND_STATE": place.file("state-2")])
    #expect(code == 75 && text.contains(site.socket), "\(text)")
    #expect(try await peer.connections() == connections, "it found out before it spoke to a device")
    #expect(try site.status().leasesOpen == 1)
    #expect(try await peer.writes().count == 1)
  }

  @Test func `the environment may lower the mode and not raise it`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.start(environment: ["TWIND_MODE": "advise"])
    #expect(try site.status().modeCeiling == "advise" && site.status().mode == "advise")
    try await site.pass(ticks: 20)
    #expect(try await peer.writes() == [])
    #expect(try await site.stop() == 0)
    try site.configure(mode: "auto", more: "ceiling: shadow")
    try await site.start(environment: ["TWIND_MODE": "auto"])
    #expect(try site.status().modeCeiling == "shadow")
  }
}
