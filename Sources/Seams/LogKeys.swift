/// The keys of structured log entries; there are no others.
public enum LogKey: String, Sendable, CaseIterable {
  case site, device, point, unit, cycle, seq, code, remedy, peer, path, mode, reason
  case durationMs = "dur_ms"
  case bytes, remaining
}
