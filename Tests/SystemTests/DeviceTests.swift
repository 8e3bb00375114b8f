import Glibc
import StatusAPI
import Testing

@Suite(.berthed) struct `Devices that fail` {
  @Test func `dead unit beside a live one`() async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let site = try await Site(place, SmallPack(port: peer.port, timeout: "200ms"))
    try await site.start()
    try await until("fresh points") { try site.status().points.fresh == 4 }
    try await peer.say("fault silent:unit=2")
    let problem = try await eventually("a problem of the room") {
      try site.status().problems.first { $0.id == "device.room" }
    }
    #expect(problem.code == "device.silent" && problem.title.contains("room"), "\(problem)")
    #expect(try site.status().state == "alarm")
    let frames = try await site.metric("twind_device_frames_total", "device=\"unit\"")
    try await eventuallyMore(than: frames + 20, "twind_device_frames_total", "device=\"unit\"", site)
    #expect(try site.device("unit").state == "ok" && site.device("room").state == "silent")
    #expect(try !site.status().problems.contains { $0.id == "device.unit" })
    try await peer.say("clear")
    try await until("no problem", seconds: 120) { try site.status().problems.allSatisfy { $0.id != "device.room" } }
    try await until("fresh points") { try site.status().points.fresh == 4 }
  }

  private func eventuallyMore(than count: Double, _ name: String, _ label: String, _ site: Site) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await site.metric(name, label) < count {
      guard ContinuousClock.now < deadline else { throw Never(what: "\(name) above \(count)") }
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  @Test func `device unplugged and back`() async throws {
    let place = try Place()
    let site = try Site(place)
    try await site.copy(shipped: "demo")
    let plant = try Program(
      Place.programs + "/twind", ["plant", site.pack, "--port", "0", "--without", "hall-a.spare_t"],
      log: place.file("plant.log"))
    let port = try #require(try await plant.line().split(separator: "port ").last?.split(separator: ",").first)
    try site.repair("devices.yaml", "port: 15020", "port: \(port)")
    try await site.sign()
    try site.configure()
    try await site.start()
    let points = try site.status().points.total
    // Four derived and tariff points need others first; the spare one never comes.
    try await until("fresh points") { try site.status().points.fresh >= points - 1 }
    plant.send(SIGUSR1)
    let problem = try await eventually("a problem of the link") {
      try site.status().problems.first { $0.code == "link.unreachable" }
    }
    #expect(problem.children == 5 && problem.title.contains(String(port)), "\(problem)")
    plant.send(SIGUSR2)
    try await until("no problem", seconds: 120) { try site.status().problems.isEmpty }
    try await until("fresh points") { try site.status().points.fresh >= points - 1 }
    #expect(site.daemon?.isRunning == true)
  }

  @Test func `register hole is learned and survives a restart`() async throws {
    let place = try Place()
    let peer = try await Peer(place, faults: ["hole:at=\(SmallPack.spare)-\(SmallPack.spare),unit=1"])
    var pack = SmallPack(port: peer.port)
    pack.hasSpare = true
    let site = try await Site(place, pack)
    try await site.start()
    try await until("all but the spare point") { try site.status().points.fresh == 4 }
    #expect(try await site.metric("twind_device_exceptions_total", "device=\"unit\"") > 0, "it was met")
    let before = try await site.metric("twind_device_exceptions_total", "device=\"unit\"")
    try await site.pass(ticks: 20)
    #expect(try await site.metric("twind_device_exceptions_total", "device=\"unit\"") == before, "it is learned")
    #expect(try site.point("unit.spare_t").value.value == nil)
    #expect(try await site.stop() == 0)
    try await site.start()
    try await until("all but the spare point") { try site.status().points.fresh == 4 }
    try await site.pass(ticks: 20)
    #expect(try await site.metric("twind_device_exceptions_total", "device=\"unit\"") == 0, "it is remembered")
    #expect(try site.point("unit.spare_t").value.value == nil)
  }

  /// Encoded by pymodbus, which nobody here wrote.
  @Test func `a third party's registers are read right`() async throws {
    struct Case {
      var name: String
      var type: String
      var theirs: String
      var words: String
      var text: String
      var size: Int
    }
    let cases = [
      Case(name: "f32_big", type: "float32", theirs: "FLOAT32", words: "big", text: "-21.625", size: 2),
      Case(name: "f32_little", type: "float32", theirs: "FLOAT32", words: "little", text: "1013.25", size: 2),
      Case(name: "f64_big", type: "float64", theirs: "FLOAT64", words: "big", text: "123456789.0625", size: 4),
      Case(name: "f64_little", type: "float64", theirs: "FLOAT64", words: "little", text: "-0.0001220703125", size: 4),
      Case(name: "i32_big", type: "int32", theirs: "INT32", words: "big", text: "-70000", size: 2),
      Case(name: "i32_little", type: "int32", theirs: "INT32", words: "little", text: "-70001", size: 2),
      Case(name: "u32_little", type: "uint32", theirs: "UINT32", words: "little", text: "4000000000", size: 2),
      Case(name: "i64_little", type: "int64", theirs: "INT64", words: "little", text: "-5000000000", size: 4),
      Case(name: "i16", type: "int16", theirs: "INT16", words: "big", text: "-32000", size: 1),
      Case(name: "u16", type: "uint16", theirs: "UINT16", words: "big", text: "65000", size: 1),
    ]
    let place = try Place()
    var (address, points, arguments) = (0, "", [String]())
    for item in cases {
      points +=
        "  \(item.name): {wire: {table: holding, address: \(address)}, type: \(item.type), word_order: \(item.words)}\n"
      arguments.append("\(address):\(item.theirs):\(item.words)=\(item.text)")
      address += item.size
    }
    let server = try Program(
      Place.python, [Place.root + "/Tests/Peers/plain_server.py"] + arguments, log: place.file("plain.log"))
    let port = try #require(number("port", in: try await server.line()))
    let site = try Site(place)
    try site.write(files: [
      "site.yaml": SmallPack(port: 1).files["site.yaml"]!,
      "devices.yaml":
        "devices:\n  d: {profile: all, modbus_tcp: {host: 127.0.0.1, port: \(port), unit: 1, timeout: 1s}}\n",
      "profiles/all.yaml": "profile: all\ndefaults: {every: 100ms}\npoints:\n\(points)",
    ])
    try site.configure(isSigned: false)
    try await site.start()
    try await until("fresh points\n\(site.log)") { try site.status().points.fresh == cases.count }
    for item in cases { #expect(try site.point("d.\(item.name)").value.value == Double(item.text), "\(item.name)") }
  }
}
