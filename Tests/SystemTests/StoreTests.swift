import FeatureStore
import Glibc
import StatusAPI
import Testing

/// A small file system of its own in memory; gone with this object.
private final class SmallDisk {
  let path: String

  init(_ path: String) throws {
    self.path = path
    let failure = unsafe mount("twind-test", path, "tmpfs", UInt(MS_NOSUID | MS_NODEV), "size=4m") == 0 ? 0 : errno
    try #require(failure == 0, "mount: errno \(failure)")
  }

  deinit { unsafe umount2(path, Int32(MNT_DETACH)) }

  /// Takes all the room that is left.
  func fill() throws {
    let file = unsafe open(path + "/ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    let block = [UInt8](repeating: 0, count: 4096)
    while unsafe Glibc.write(file, block, block.count) > 0 {}
  }

  func free() { unsafe unlink(path + "/ballast") }

  /// Whether this machine lets us: root in a container often may not.
  static let isAllowed: Bool = {
    guard geteuid() == 0, let place = try? Place(), let path = try? place.make("probe") else { return false }
    return (try? SmallDisk(path)) != nil
  }()
}

@Suite(.berthed) struct `A disk that is full` {
  @Test(.enabled(if: SmallDisk.isAllowed, "mounting a tmpfs needs root"))
  func `no write leaves without a receipt, and what is stored stays`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    let disk = try SmallDisk(site.state)
    try await site.startHolding(peer)
    let first = try #require(try site.why("unit.sp"))
    try disk.fill()
    let problem = try await eventually("nothing can be recorded\n\(site.log)") {
      try site.status().problems.first { $0.id == "store.commit" }
    }
    #expect(problem.code == "store.disk_full" && problem.effect.contains("no setpoint is written"), "\(problem)")
    #expect(try site.status().problems.contains { $0.id == "store.space" })
    try await peer.want(2600)
    try await until("the wish is read") { try site.point("room.wanted").value.value == 26 }
    try await site.pass(ticks: 30)
    #expect(try await peer.writes().map(\.value) == [SmallPack.firstWish])
    #expect(site.daemon?.isRunning == true)
    disk.free()
    try await peer.written(2600)
    try await until("no problem") { try site.status().problems.isEmpty }
    #expect(try site.decisions().contains { $0.id == first.id && $0.outcome == "confirmed" })
    // Every write that the device saw is a decision on record.
    let recorded = try site.decisions().filter { $0.disposition == "permit" }.compactMap(\.value.value)
    for write in try await peer.writes() { #expect(recorded.contains(Double(write.value) / 100), "\(write)") }
    #expect(try await site.stop() == 0)
    #expect(try site.openLeases() == [])
    #expect(try await site.replay().code == 0)
  }

  /// A decision that could not be recorded must not take the lease of an earlier one with it.
  @Test(.enabled(if: SmallDisk.isAllowed, "mounting a tmpfs needs root"))
  func `what was held before is still given back after kill -9`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port))
    let disk = try SmallDisk(site.state)
    try await site.startHolding(peer)
    try disk.fill()
    try await until("nothing can be recorded") { try site.status().problems.contains { $0.id == "store.commit" } }
    try await peer.want(2600)
    try await until("the wish is read") { try site.point("room.wanted").value.value == 26 }
    try await site.pass(ticks: 30)
    try await peer.want(SmallPack.firstWish)
    try await until("the wish is read") { try site.point("room.wanted").value.value == 20.21 }
    try await site.pass(ticks: 30)
    disk.free()
    try await until("no problem") { try site.status().problems.isEmpty }
    try await site.pass(ticks: 20)
    site.kill()
    #expect(try await peer.writes().map(\.value) == [SmallPack.firstWish])
    #expect(try site.openLeases() == ["unit.sp"])
    #expect(try await site.twind("revert").code == 0)
    #expect(try await peer.holds(SmallPack.fallback))
  }
}
