import Glibc
import Seams
import StatusAPI

/// What the daemon itself uses (proc(5)).
struct ProcessUse: Sendable {
  var residentBytes: Int64 = 0
  var anonymousBytes: Int64 = 0
  var cpuSeconds: Double = 0
  var threads = 0

  static var now: ProcessUse {
    var use = ProcessUse()
    let status = String(decoding: SystemFiles.bytes("/proc/self/status", max: 1 << 16) ?? [], as: UTF8.self)
    for line in status.split(separator: "\n") {
      let number = Int64(line.filter { $0.isNumber }) ?? 0
      if line.hasPrefix("VmRSS:") { use.residentBytes = number * 1024 }
      if line.hasPrefix("RssAnon:") { use.anonymousBytes = number * 1024 }
      if line.hasPrefix("Threads:") { use.threads = Int(number) }
    }
    var usage = rusage()
    if unsafe getrusage(RUSAGE_SELF.rawValue, &usage) == 0 {
      use.cpuSeconds =
        Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
    return use
  }

  var shown: API.Process { API.Process(rssMb: Double(residentBytes) / 1e6, cpuS: cpuSeconds, threads: threads) }
}
