import StatusAPI
import Testing

@Suite(.berthed) struct `What leaves for the plant` {
  @Test func `observe mode sends no write PDU`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port), isSigned: false)
    try await site.start()
    try await until("fresh points") { try site.status().points.fresh == 4 }
    try await site.pass(ticks: 30)
    #expect(try site.status().mode == "observe" && site.status().modeCeiling == "observe")
    let problem = try await eventually("the problem") { try site.problem("pack.unsigned") }
    #expect(problem.next.contains("twinctl pack sign"))
    #expect(throws: APIProblem.self) { try site.override("unit.sp", 15, seconds: 60) }
    #expect(try await site.stop() == 0)
    #expect(try await peer.writes() == [])
  }

  @Test func `observe mode sends no write PDU for a lease that is left over`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    site.kill()
    try site.configure(isSigned: false)
    try await site.start()
    try await site.pass(ticks: 30)
    #expect(try site.problem("lease.open")?.next.contains("twind revert") == true)
    #expect(try await site.stop() == 0)
    #expect(try await peer.writes().map(\.value) == [SmallPack.firstWish])
    #expect(try site.openLeases() == ["unit.sp"])
  }

  /// What limits the second write: it must still be counted although the process that sent the first never heard of it.
  @Test(arguments: [
    ("min: 5, max: 30, hold: 10min", "", "hold"), ("min: 5, max: 30", "    writes_per_day: 1", "budget"),
  ]) func `kill -9 during a write: next start gives the point back first`(
    hard: String, extra: String, binding: String
  ) async throws {
    let place = try Place()
    let peer = try await Peer(place, faults: ["delay:fc=6,ms=5000,first=1"])
    let site = try await Site(place, SmallPack(port: peer.port, timeout: "8s", hard: hard, extra: extra))
    try await site.start()
    try await peer.written(SmallPack.firstWish)
    site.kill()
    #expect(try site.openLeases() == ["unit.sp"])
    try await peer.want(2500)
    try await site.start()
    try await site.pass(ticks: 30)
    #expect(try await peer.writes().map(\.value) == [SmallPack.firstWish, SmallPack.fallback])
    #expect(try await peer.holds(SmallPack.fallback))
    let why = try #require(try site.why("unit.sp"))
    #expect(why.disposition == "refuse" && why.binding == binding, "\(why)")
    #expect(try await site.stop() == 0)
    #expect(try await site.replay().code == 0)
  }

  @Test func `a rate holds over kill -9 during a write`() async throws {
    let place = try Place()
    let peer = try await Peer(place, faults: ["delay:fc=6,ms=5000,after=1,first=2"])
    let site = try await Site(
      place, SmallPack(port: peer.port, timeout: "8s", hard: "min: 5, max: 30, rate: 1 K/min"))
    try await site.start()
    _ = try await eventually("a second write") { () -> API.Decision? in
      let decisions = try site.decisions().filter { $0.disposition != "refuse" }
      return decisions.count > 1 ? decisions[0] : nil
    }
    site.kill()
    try await site.start()
    try await site.pass(ticks: 30)
    site.kill()
    let values = try await peer.writes().map(\.value)
    let back = try #require(values.lastIndex(of: SmallPack.fallback), "\(values)")
    // Half a minute at most has passed since: a step that forgot what was written would go all the way.
    for value in values[back...] { #expect(abs(value - SmallPack.fallback) <= 100, "\(values)") }
  }

  @Test func `SIGTERM gives everything back`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    #expect(try site.openLeases() == ["unit.sp"])
    #expect(try await site.stop() == 0)
    #expect(try await peer.writes().map(\.value) == [SmallPack.firstWish, SmallPack.fallback])
    #expect(try site.openLeases() == [])
    #expect(try await site.replay().code == 0)
  }

  @Test func `SIGTERM gives back what is on its way as well`() async throws {
    let place = try Place()
    let peer = try await Peer(place, faults: ["ack-only:fc=6,first=1", "delay:fc=6,ms=1500,first=2"])
    let site = try await Site(place, SmallPack(port: peer.port, timeout: "4s"))
    try await site.start()
    // The second write is out, its reply is late, and the policy goes on wishing behind it.
    try await until("a second write is decided") { try site.decisions().count { $0.disposition == "permit" } > 8 }
    #expect(try await site.stop() == 0)
    #expect(try await peer.writes().last?.value == SmallPack.fallback)
    #expect(try await peer.holds(SmallPack.fallback))
    #expect(try site.openLeases() == [])
  }

  @Test func `twind revert gives back what kill -9 left`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    let beside = try await site.twind("revert")
    #expect(beside.code == 75, "the daemon has the state: \(beside.text)")
    #expect(try await peer.holds(SmallPack.firstWish))
    site.kill()
    let (code, text) = try await site.twind("revert")
    #expect(code == 0 && text.contains("unit.sp") && text.contains("confirmed"), "\(text)")
    #expect(try await peer.holds(SmallPack.fallback))
    #expect(try site.openLeases() == [])
    let again = try await site.twind("revert", "-v")
    #expect(again.code == 0 && again.text.contains("nothing was open"), "\(again.text)")
  }

  @Test func `twind revert says so when the device is not there, and keeps the lease`() async throws {
    let place = try Place()
    var peer: Peer? = try await Peer(place)
    let port = try #require(peer?.port)
    let site = try await Site(place, SmallPack(port: port))
    try await site.startHolding(#require(peer))
    site.kill()
    peer = nil
    let (code, text) = try await site.twind("revert")
    #expect(code == 5 && text.contains("could not be given back"), "\(code): \(text)")
    #expect(try site.openLeases() == ["unit.sp"])
    let back = try await Peer(place, port: port)
    #expect(try await site.twind("revert").code == 0)
    #expect(try await back.holds(SmallPack.fallback))
  }

  @Test func `a pack that cannot be read does not keep the plant`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    site.kill()
    try write("nonsense: [", to: site.pack + "/site.yaml")
    #expect(try await site.refused().code == 78)
    #expect(try await site.twind("revert").code == 0)
    #expect(try await peer.holds(SmallPack.fallback))
  }

  @Test func `lease lapses when what a policy needs goes stale`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port, timeout: "300ms", staleAfter: "5s"))
    try await site.startHolding(peer)
    try await peer.say("fault silent:unit=2")
    try await peer.written(SmallPack.fallback)
    let why = try await site.settled("confirmed")
    #expect(why.disposition == "revert" && why.binding == "fresh", "\(why)")
    #expect(try site.status().heldSafe == 1)
    try await peer.say("clear")
    try await peer.written(SmallPack.firstWish)
  }

  @Test func `lease lapses when nobody renews it`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    let (code, text) = try await site.twinctl("mode", "set", "shadow", "--reason", "test", "--yes")
    #expect(code == 0, "\(text)")
    try await peer.written(SmallPack.fallback)
    try await site.pass(ticks: 20)
    #expect(try await peer.holds(SmallPack.fallback))
  }

  @Test func `a person's override ends after its time: to the policy`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    try await site.startHolding(peer)
    try site.override("unit.sp", 15, seconds: 4)
    #expect(try await peer.holds(1500))
    try await peer.want(2600)
    let values = try await peer.written(2600).map(\.value)
    #expect(values == [SmallPack.firstWish, 1500, 2600])
  }

  @Test func `a person's override ends after its time: to the fallback`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port, follows: false))
    try await site.start()
    try await until("fresh points") { try site.status().points.fresh == 4 }
    try site.override("unit.sp", 15, seconds: 4)
    #expect(try await peer.holds(1500))
    let values = try await peer.written(SmallPack.fallback).map(\.value)
    #expect(values == [1500, SmallPack.fallback])
  }
}
