import ArgumentParser
import Collectors
import Glibc
import Modbus
import Plants
import Provenance
import Seams
import SitePack
import TwinCore

struct PlantCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plant", abstract: "Serves a simulated plant with a pack's own registers.",
    discussion: """
      Real physics where the pack names points of a chilled-water plant, plausible signals elsewhere: a pack can be
      tried before the plant is there. Listens on loopback alone.

      SIGUSR1 pulls the plug, SIGUSR2 puts it back, SIGTERM ends. What breaks: --fault
      KIND[.SIGNAL][:SIZE][@SECONDS], as in bias.hall-a.zone_t:0.5@600.
      """)

  @Argument(help: "The pack's folder.", completion: .directory) var pack: String
  @Option(help: "The port instead of the pack's; 0 picks a free one.") var port: UInt16?
  @Option(help: "The same seed gives the same plant.") var seed: UInt64 = 1
  @Option(help: "Plant seconds per second.") var speed: Double = 1
  @Option(help: "When the plant's time begins, RFC 3339.") var start: String?
  @Option(help: "Something that breaks; repeatable.") var fault: [String] = []
  @Option(help: "A point of the profile that this device does not have; repeatable.") var without: [String] = []

  func run() throws {
    let pack = try load()
    let begin = start.flatMap { Instant(rfc3339: $0) } ?? SystemClock().instant
    if start != nil, Instant(rfc3339: start ?? "") == nil {
      throw ValidationError("--start wants 2026-06-01T06:00:00Z")
    }
    guard (0.001...100_000).contains(speed) else { throw ValidationError("--speed is 0.001 to 100000") }
    var plant = PackPlant(devices: pack.devices, seed: seed, start: begin, offsetSeconds: 0, acceleration: speed)
    for text in fault {
      do throws(PlantFault) {
        let (breakage, after) = try Breakage.parse(text)
        try plant.physics?.inject(breakage, after: after)
      } catch {
        complain(error)
        throw ExitCode(64)
      }
    }
    let clock = SystemClock()
    let links = places(of: pack.devices)
    guard let first = links.first else { throw ValidationError("the pack has no Modbus TCP device to serve") }
    let face = PlantFace(devices: pack.devices, plant: plant, missing: Set(without)) { clock.uptime }
    let servers = try links.map { link in
      do throws(ModbusFault) {
        return try ModbusServer(bank: face, port: link == first ? port ?? link : link)
      } catch {
        complain(error)
        throw ExitCode(75)
      }
    }
    let ports = servers.map { String($0.port) }.joined(separator: ", ")
    announce(
      "serving \(pack.site.name): \(pack.devices.count) devices on 127.0.0.1 port \(ports), plant time ×\(speed)")
    obeySignals(servers)
    for server in servers.dropFirst() { ServerThread.start(server) }
    servers[0].run()
  }

  /// A line on standard output at once: whoever started the plant waits for it.
  private func announce(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = unsafe write(STDOUT_FILENO, bytes, bytes.count)
  }

  private func load() throws -> Pack {
    do throws(ProvenanceFault) {
      let result = Pack.load(try PackReader.read(pack))
      if let pack = result.pack { return pack }
      for problem in result.problems { complain("\(problem)") }
    } catch {
      complain(error)
    }
    throw ExitCode(65)
  }

  /// The ports of the pack's TCP devices, in order of first mention.
  private func places(of devices: [Device]) -> [UInt16] {
    var ports: [UInt16] = []
    for device in devices {
      if case .tcp(_, let port) = device.link, !ports.contains(port) { ports.append(port) }
    }
    return ports
  }

  /// Signals are taken by a thread of their own that waits for them: nothing may be locked in a handler.
  private func obeySignals(_ servers: [ModbusServer]) {
    let watched = [SIGUSR1, SIGUSR2, SIGTERM, SIGINT]
    SignalThread.start(watched) { signal in
      for server in servers {
        switch signal {
        case SIGUSR1: server.unplug()
        case SIGUSR2: server.replug()
        default: server.stop()
        }
      }
      let words = [SIGUSR1: "unplugged", SIGUSR2: "plugged in again"]
      if let word = words[signal] { complain(word) }
    }
  }
}
