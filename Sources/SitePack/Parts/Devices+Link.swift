import Collectors
import TwinCore
import YAML

extension PackLoader {
  struct Timing {
    var timeout = 1000
    var gap = 0
    var connectDelay = 0
  }

  /// Where the device is reached: one of three ways.
  func readLink(_ section: Section) -> (LinkAddress?, UInt8, Timing) {
    let keys = ["modbus_tcp", "modbus_rtu", "modbus_rtu_over_tcp"]
    let given = keys.filter(section.has)
    let sections = keys.map { section.section($0, name: "\($0) of \(section.name)") }
    guard given.count == 1, let key = given.first else {
      problems.add(
        .error, given.isEmpty ? "pack.missing_key" : "pack.two_addresses", at: section.mark,
        given.isEmpty ? "\(section.name) has no address" : "\(section.name) has \(given.joined(separator: " and "))",
        "write one of \(keys.joined(separator: ", "))")
      return (nil, 0, Timing())
    }
    guard let link = sections.compactMap({ $0 }).first else { return (nil, 0, Timing()) }
    link.require("unit")
    // 0 is broadcast, 248 to 254 are reserved; 255 is what many gateways want (Modbus over serial line V1.02 §2.2).
    var unit = link.integer("unit", in: 1...255) ?? 1
    if (248...254).contains(unit) {
      problems.add(
        .error, "pack.out_of_range", at: link.mark(of: "unit"), "unit \(unit) is reserved", "units are 1 to 247, or 255"
      )
      unit = 1
    }
    var timing = Timing()
    let longest: Int64 = 60_000_000_000
    if let span = link.duration("timeout", in: 10_000_000...longest) { timing.timeout = Int(span / 1_000_000) }
    if let span = link.duration("gap", in: 0...longest) { timing.gap = Int(span / 1_000_000) }
    if let span = link.duration("connect_delay", in: 0...longest) { timing.connectDelay = Int(span / 1_000_000) }
    let address = key == "modbus_rtu" ? serial(link) : tcp(link, isRTU: key == "modbus_rtu_over_tcp")
    link.close()
    return (address, UInt8(unit), timing)
  }

  private func tcp(_ link: Section, isRTU: Bool) -> LinkAddress? {
    link.require("host")
    let port = link.integer("port", in: 1...65_535) ?? 502
    guard let host = link.text("host") else { return nil }
    guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      problems.add(
        .error, "pack.bad_name", at: link.mark(of: "host"), "\"\(shortened(host))\" is no host",
        "write a name or an address")
      return nil
    }
    return isRTU ? .rtuOverTCP(host: host, port: UInt16(port)) : .tcp(host: host, port: UInt16(port))
  }

  private func serial(_ link: Section) -> LinkAddress? {
    link.require("port", "write port: /dev/ttyUSB0")
    let rates = [1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200]
    let baud = link.integer("baud", in: 1...1_000_000) ?? 19_200
    if !rates.contains(baud) {
      problems.add(
        .error, "pack.out_of_range", at: link.mark(of: "baud"), "\(baud) baud is no usual speed",
        "write one of \(rates.map(String.init).joined(separator: ", "))")
    }
    let parity =
      link.word("parity", ["none": .none, "even": .even, "odd": .odd] as [String: LinkAddress.Parity]) ?? .even
    let stopBits = link.integer("stop_bits", in: 1...2) ?? (parity == .none ? 2 : 1)
    guard let port = link.text("port") else { return nil }
    guard port.hasPrefix("/"), !port.contains("\0"), port.utf8.count <= 255 else {
      problems.add(
        .error, "pack.bad_name", at: link.mark(of: "port"), "\"\(shortened(port))\" is no path",
        "write a full path, as /dev/ttyUSB0")
      return nil
    }
    return .serial(path: port, baud: baud, parity: parity, stopBits: stopBits)
  }
}
