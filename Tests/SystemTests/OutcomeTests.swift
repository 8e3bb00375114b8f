import StatusAPI
import Testing

@Suite(.berthed) struct `What became of a write` {
  private func outcome(of fault: String, _ wanted: String, _ words: String) async throws {
    let place = try Place()
    let peer = try await Peer(place, faults: [fault])
    let site = try await Site(place, SmallPack(port: peer.port, timeout: "300ms", every: "5s"))
    try await site.start()
    let decision = try await site.settled(wanted)
    #expect(decision.value.value == 20.21)
    let (code, text) = try await site.twinctl("why", "unit.sp")
    #expect(code == 0 && text.contains(words), "\(text)")
    #expect(try site.decisions().contains { $0.id == decision.id && $0.outcome == wanted })
    #expect(try await peer.writes().first?.value == SmallPack.firstWish)
  }

  @Test func `ACK without effect ends as mismatched and is said so`() async throws {
    try await outcome(of: "ack-only:fc=6", "mismatched", "not what was written")
  }

  @Test func `device refuses write`() async throws {
    try await outcome(of: "exception:fc=6,code=4", "refused_by_device", "the device refused it")
  }

  @Test func `no reply to write is unknown`() async throws {
    try await outcome(of: "lost:fc=6", "unknown", "not known whether it arrived")
  }

  @Test func `a write whose reply is lost is confirmed by what the device shows`() async throws {
    try await outcome(of: "silent:fc=6", "confirmed", "read back 20.21")
  }

  /// The policy speaks five times while the device still makes up its mind.
  @Test func `a device that is slower than its policy is asked for the last wish alone`() async throws {
    let place = try Place()
    let peer = try await Peer(place, faults: ["ack-only:fc=6"])
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.start()
    try await until("decisions that were overtaken") {
      try site.decisions().count { $0.outcome == "not_sent" } > 5
    }
    try await peer.want(2600)
    try await until("the new wish is decided") { try site.decisions().contains { $0.value.value == 26 } }
    let before = try await peer.writes().count
    let after = try await peer.written(2600).count
    // One may be out, and one may have left while this looked; what waited behind them is not asked any more.
    #expect(after - before <= 3)
    site.kill()
    try await peer.want(SmallPack.firstWish)
    #expect(try site.openLeases() == ["unit.sp"], "what was let out is open, whatever overtook it")
    let asked = try await peer.writes().count
    try await peer.say("clear")
    try await site.start()
    try await peer.written(SmallPack.firstWish)
    try await site.settled("confirmed")
    let decided = try site.decisions()
    #expect(decided.count { $0.outcome == "mismatched" } <= asked)
    #expect(decided.count { $0.disposition == "permit" } > asked)
  }

  @Test func `a confirmed write shows what was read back`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    let decision = try #require(try site.why("unit.sp"))
    #expect(decision.readBack?.value == 20.21 && decision.actor == "policy wish")
  }
}
