import Testing

/// A running Tests/Peers/fault_server.py with units 1 and 2; ends with this object.
final class Peer {
  let port: UInt16
  private let program: Program

  /// - Parameter port: 0 picks a free one.
  init(_ place: Place, port: UInt16 = 0, faults: [String] = []) async throws {
    let arguments = ["--port", "\(port)", "--units", "1,2"] + faults.flatMap { ["--fault", $0] }
    program = try Program(
      Place.python, [Place.root + "/Tests/Peers/fault_server.py"] + arguments, log: place.file("peer.log"))
    let greeting = try await program.line()
    self.port = try #require(number("port", in: greeting).flatMap { UInt16(exactly: $0) }, "\(greeting)")
  }

  @discardableResult
  func say(_ command: String) async throws -> String {
    try program.say(command)
    return try await program.line()
  }

  func requests() async throws -> Int { try #require(number("requests", in: try await say("stats"))) }

  func connections() async throws -> Int { try #require(number("connections", in: try await say("stats"))) }

  /// The writes that arrived, in order.
  func writes() async throws -> [Write] {
    let text = try await say("log").split(separator: "\"", omittingEmptySubsequences: false)[3]
    return try text.split(separator: ";").map { entry in
      let numbers = entry.split(separator: " ").compactMap { Int($0) }
      try #require(numbers.count >= 4, "\(entry)")
      return Write(unit: numbers[0], function: numbers[1], address: numbers[2], value: numbers[3])
    }
  }

  struct Write: Equatable {
    var unit: Int
    var function: Int
    var address: Int
    var value: Int
  }

  /// Waits until a write of this value to the actuator's setpoint is the last that arrived; all of them.
  @discardableResult
  func written(_ value: Int) async throws -> [Write] {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let all = try await writes()
      if all.last?.value == value { return all }
      guard ContinuousClock.now < deadline else { throw Never(what: "a write of \(value) after \(all)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Whether the register of the setpoint holds this.
  func holds(_ value: Int) async throws -> Bool {
    number("value", in: try await say("peek 1 \(SmallPack.setpoint)")) == value
  }

  /// What the policy is to ask for, in hundredths of a degree.
  func want(_ hundredths: Int) async throws { try await say("poke 2 \(SmallPack.wanted) \(hundredths)") }
}

/// The whole number behind a key of one line of JSON.
func number(_ key: String, in text: String) -> Int? {
  guard let place = text.firstRange(of: "\"\(key)\": ") else { return nil }
  return Int(text[place.upperBound...].prefix { $0.isNumber })
}
