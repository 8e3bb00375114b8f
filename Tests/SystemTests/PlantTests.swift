import Glibc
import StatusAPI
import Testing

@Suite(.berthed) struct `Whole plants` {
  @Test func `config of 10,000 points`() async throws {
    let place = try Place()
    let site = try Site(place)
    let (devices, registers) = (20, 500)
    var profile = "profile: many\ndefaults: {every: 2s}\npoints:\n"
    for n in 0..<registers {
      profile += "  p\(n): {wire: {table: holding, address: \(n)}, type: int16, scale: 0.1, unit: Cel}\n"
    }
    func list(_ port: String) -> String {
      "devices:\n"
        + (1...devices).map {
          "  d\($0): {profile: many, modbus_tcp: {host: 127.0.0.1, port: \(port), unit: \($0), timeout: 5s}}\n"
        }.joined()
    }
    let head = SmallPack(port: 1).files["site.yaml"]!.split(separator: "100ms").joined(separator: "1s")
    try site.write(files: ["site.yaml": head, "devices.yaml": list("1502"), "profiles/many.yaml": profile])
    let plant = try Program(
      Place.programs + "/twind", ["plant", site.pack, "--port", "0"], log: place.file("plant.log"))
    let port = try #require(try await plant.line().split(separator: "port ").last?.split(separator: ",").first)
    try site.write(files: ["devices.yaml": list(String(port))])
    try site.configure(isSigned: false, mode: "observe")
    try await site.start()
    #expect(try site.status().points.total == devices * registers)
    try await until("all points", seconds: 120) { try site.status().points.fresh == devices * registers }
    let problems = try site.status().problems
    #expect(problems.isEmpty, "\(problems)")
    #expect(try site.point("d\(devices).p\(registers - 1)").value.quality == "good")
    #expect(try await site.stop() == 0)
  }

  /// What the plant says of us when it is over.
  private struct Judgement {
    var text: String
    var steps = 0.0
    var cost = 0.0
    var discomfort = 0.0
    var clamped = 0.0

    init(_ text: String) throws {
      self.text = text
      func figure(_ key: String) throws -> Double {
        let place = try #require(text.firstRange(of: "\"\(key)\": "), "\(text)")
        return try #require(Double(text[place.upperBound...].prefix { "0123456789.-+e".contains($0) }), "\(text)")
      }
      (steps, cost) = (try figure("steps"), try figure("cost_eur"))
      (discomfort, clamped) = (try figure("discomfort_kh"), try figure("clamped_commands"))
    }
  }

  /// The amphitheatre under the daemon for a while; checks what must hold for however long.
  private func amphitheatre(_ options: [String], seconds: Int) async throws -> Judgement {
    let place = try Place()
    let site = try Site(place)
    try await site.copy(shipped: "amphitheatre")
    let plant = try Program(
      Place.root + "/Tests/Plants/run", ["0"] + options, log: place.file("plant.log"),
      environment: ["PYTHONUNBUFFERED": "1"])
    // The first run on a machine installs the plant; what it says then is no JSON.
    let greeting = try await eventually("the plant listens\n\(plant.output)", seconds: 600) {
      try #require(plant.isRunning, "\(plant.output)")
      return plant.output.split(separator: "\n").first { $0.hasPrefix("{\"port\": ") }
    }
    let port = try #require(number("port", in: String(greeting)))
    try site.repair("devices.yaml", "port: 1502", "port: \(port)")
    try await site.sign()
    try site.configure()
    try await site.start()
    let code = try await eventually("the plant's last step\n\(plant.output)\n\(site.log)", seconds: seconds) {
      plant.exitCode
    }
    #expect(code == 0, "\(plant.output)")
    let judgement = try Judgement(String(plant.output.split(separator: "\n").last { $0.contains("judge") } ?? ""))
    #expect(judgement.clamped == 0, "\(judgement.text)")
    let counts = try site.client.get(
      "/v1/points/ahu.step/history?limit=10000&since=2026-01-01T00:00:00Z", as: API.History.self
    )
    .data.samples.compactMap(\.value)
    let missed = zip(counts, counts.dropFirst()).filter { $1 - $0 > 1 }.map { "\($0)…\($1)" }
    #expect(missed.isEmpty, "steps that no tick saw")
    #expect(Double(counts.count) > 0.9 * judgement.steps, "\(counts.count) of \(judgement.text)")
    #expect(try await site.stop() == 0)
    let replay = try await site.replay()
    #expect(replay.code == 0 && replay.text.contains("every fingerprint"), "\(replay.text)")
    return judgement
  }

  @Test func `a day of the amphitheatre`() async throws {
    let judgement = try await amphitheatre(["--pace", "0.5", "--from", "1-13", "--to", "1-13"], seconds: 300)
    #expect(judgement.steps == 96, "\(judgement.text)")
  }

  @Test(.enabled(if: unsafe getenv("TWIND_TEST_LONG") != nil, "TWIND_TEST_LONG=1 runs it: five minutes"))
  func `two weeks of the amphitheatre`() async throws {
    let judgement = try await amphitheatre(["--pace", "0.2"], seconds: 900)
    #expect(judgement.steps == 1344 && judgement.cost <= 790 && judgement.discomfort <= 3.5, "\(judgement.text)")
    print(judgement.text)
  }
}
