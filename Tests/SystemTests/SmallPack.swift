/// A site of two devices on one connection: an actuator with one setpoint, and a room whose registers say what is
/// wanted.
///
/// On the fault server's memory the setpoint begins at 10.10 °C, the wish at 20.21 °C; the fallback is 12.00 °C.
struct SmallPack {
  /// Addresses of holding registers.
  static let setpoint = 10
  static let spare = 15
  static let room = 20
  static let wanted = 21
  /// As the register holds it.
  static let fallback = 1200
  static let firstWish = 2021

  var version = 1
  var port: UInt16
  var timeout = "1s"
  var hard = "min: 5, max: 30"
  var lease = "60s"
  var staleAfter = "20s"
  var follows = true
  /// How often the policy speaks.
  var every = "200ms"
  /// Further lines of the envelope.
  var extra = ""
  /// A register between others that the device is asked for as well.
  var hasSpare = false

  var files: [String: String] {
    var files = [
      "site.yaml": """
      pack: 1
      version: \(version)
      site: {id: small, tenant: test, name: Small site, tz: Europe/Paris, units: si, currency: EUR}
      tick: 100ms

      """,
      "devices.yaml": """
      devices:
        unit: {profile: actuator, modbus_tcp: {host: 127.0.0.1, port: \(port), unit: 1, timeout: \(timeout)}}
        room: {profile: room, modbus_tcp: {host: 127.0.0.1, port: \(port), unit: 2, timeout: \(timeout)}}

      """,
      "profiles/actuator.yaml": """
      profile: actuator
      defaults: {byte_order: big, word_order: big, every: 100ms}
      points:
        sp:
          wire: {table: holding, address: \(Self.setpoint)}
          type: int16
          scale: 0.01
          unit: Cel
          access: rw
          write: {function: 6, readback: {within: 1s, tolerance: 0.004}}
        after_t: {wire: {table: holding, address: 17}, type: int16, scale: 0.01, unit: Cel}

      """,
      "profiles/room.yaml": """
      profile: room
      defaults: {byte_order: big, word_order: big, every: 100ms}
      points:
        room_t: {wire: {table: holding, address: \(Self.room)}, type: int16, scale: 0.01, unit: Cel}
        wanted: {wire: {table: holding, address: \(Self.wanted)}, type: int16, scale: 0.01, unit: Cel}

      """,
      "envelopes.yaml": """
      envelopes:
        sp-safe:
          point: unit.sp
          hard: {\(hard)}
          needs: [room.room_t]
          stale: {after: \(staleAfter), then: revert}
          fallback: {value: 12}
          lease: \(lease)
          unattended: accepted
          owner: operations
          reason: Tests look at it
      \(extra)

      """,
    ]
    if hasSpare {
      files["profiles/actuator.yaml"]! +=
        "  spare_t: {wire: {table: holding, address: \(Self.spare)}, type: int16, scale: 0.01, unit: Cel}\n"
    }
    if follows {
      files["policies.yaml"] = """
        policies:
          wish: {kind: follow, point: unit.sp, formula: room.wanted, every: \(every)}

        """
    }
    return files
  }
}
