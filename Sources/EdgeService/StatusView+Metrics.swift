import Actuation
import Collectors
import FeatureStore
import Seams
import SiteKernel
import StatusAPI
import TwinCore

extension StatusView {
  /// Prometheus text exposition, version 0.0.4. Labels carry the pack's own ids.
  func metrics() async throws(APIProblem) -> String {
    var page = MetricsPage()
    let glance = await control.view { kernel in Glance(kernel) }
    let (ticks, slowest) = await control.figures
    let stats = try await ask { (store) throws(StoreError) in try store.stats() }
    let use = ProcessUse.now
    page.gauge("twind_points", "Points by how fresh they are.")
    for (state, count) in [
      ("fresh", glance.counts.fresh), ("stale", glance.counts.stale), ("absent", glance.counts.absent),
      ("never", glance.counts.never),
    ] { page.add("twind_points", ["state": state], Double(count)) }
    page.gauge("twind_mode", "1 for the mode in force.")
    for mode in Mode.allCases { page.add("twind_mode", ["mode": mode.name], mode == glance.mode ? 1 : 0) }
    page.counter("twind_ticks_total", "Ticks since the start.", Double(ticks))
    page.gauge("twind_tick_seconds_max", "The slowest tick since the start.", Double(slowest) / 1e9)
    page.gauge("twind_leases_open", "Setpoints held now.", Double(await actuator.held.count))
    page.gauge("twind_problems", "Problems that are on.", Double(health.problems.count))
    page.counter("twind_journal_dropped_total", "Ticks that were not recorded.", Double(journal.dropped))
    page.gauge("twind_store_bytes", "Size of the store on disk.", Double(stats.fileBytes + stats.logBytes))
    page.gauge("twind_store_commit_seconds", "The last commit.", Double(stats.lastCommit.wholeNanoseconds) / 1e9)
    page.gauge("twind_store_bad_bodies", "Damaged rows that were met.", Double(stats.badBodyCount))
    page.gauge("process_resident_memory_bytes", "Resident memory.", Double(use.residentBytes))
    page.gauge("twind_anonymous_memory_bytes", "Resident memory that no file backs.", Double(use.anonymousBytes))
    page.counter("process_cpu_seconds_total", "CPU time.", use.cpuSeconds)
    if let certificate = await peer?.certificateState, let until = certificate.until {
      page.gauge(
        "twind_sync_certificate_seconds", "Until the site's certificate ends; below zero, since it has.",
        Double(until.instant.nanoseconds(since: clock.instant)) / 1e9)
      page.gauge(
        "twind_sync_renewal_failed", "1 while the last renewal failed.", certificate.problem == nil ? 0 : 1)
    }
    if let (count, seconds) = times.figures([0.5, 0.99]) {
      page.head("twind_write_seconds", "From a decision to its verified read-back, over the last writes.", "summary")
      for (quantile, value) in zip(["0.5", "0.99"], seconds) {
        page.add("twind_write_seconds", ["quantile": quantile], value)
      }
      page.add("twind_write_seconds_count", [:], Double(count))
    }
    let statuses = buses.flatMap(\.statuses)
    for (name, help, value) in Self.deviceCounters {
      page.head(name, help, "counter")
      for status in statuses { page.add(name, ["device": status.device], value(status)) }
    }
    page.gauge("twind_device_up", "1 while the device answers.")
    for status in statuses { page.add("twind_device_up", ["device": status.device], status.unit == .answering ? 1 : 0) }
    page.head("twind_link_faults_total", "Late, torn and mismatched replies by class.", "counter")
    for bus in buses {
      guard let counters = bus.statuses.first?.counters else { continue }
      for (kind, count) in [
        ("timeout", counters.timeouts), ("late", counters.lateReplies), ("mismatched", counters.mismatched),
        ("wrong_length", counters.wrongLength), ("malformed", counters.malformed),
      ] { page.add("twind_link_faults_total", ["link": bus.address.text, "kind": kind], Double(count)) }
    }
    return page.text
  }

  private static let deviceCounters: [(String, String, @Sendable (DeviceStatus) -> Double)] = [
    ("twind_device_requests_total", "Requests sent.", { Double($0.requests) }),
    ("twind_device_exceptions_total", "Exception replies.", { Double($0.exceptions) }),
    ("twind_device_failures_total", "Requests without an answer.", { Double($0.failures) }),
    ("twind_device_frames_total", "Polls that brought a frame.", { Double($0.frames) }),
    ("twind_device_writes_total", "Write requests that left.", { Double($0.writes) }),
    ("twind_device_polls_skipped_total", "Periods that passed while the bus was busy.", { Double($0.pollsSkipped) }),
  ]
}

/// Builds the page; every metric has its HELP and TYPE.
struct MetricsPage {
  private(set) var text = ""

  mutating func head(_ name: String, _ help: String, _ type: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Double? = nil) {
    head(name, help, "gauge")
    if let value { add(name, [:], value) }
  }

  mutating func counter(_ name: String, _ help: String, _ value: Double) {
    head(name, help, "counter")
    add(name, [:], value)
  }

  mutating func add(_ name: String, _ labels: [String: String], _ value: Double) {
    let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
    text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(value)\n"
  }

  private static func escaped(_ label: String) -> String {
    var text = ""
    for character in label {
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
    return text
  }
}
