public import TwinCore

/// Puts frames on whole milliseconds before anyone reads or stores them: what is finer is noise, and noise is what a
/// record's bytes are made of.
///
/// The two clocks of a group's frames keep one distance until they have moved apart by more than the slack, so that the
/// second clock costs nothing to keep. A reading never becomes younger: its `uptime` comes out up to `slackNanoseconds`
/// early.
public struct TimeGrid: Sendable {
  public static let stepNanoseconds: Int64 = 1_000_000
  /// Above the half of a round trip's jitter, below anything that staleness is measured in.
  public static let slackNanoseconds: Int64 = 4 * stepNanoseconds
  /// By group: `effective − uptime`.
  private var leads: [Int32: Int64] = [:]

  public init() {}

  public mutating func place(_ frame: inout Frame) {
    let effective = Self.floor(frame.effective.nanoseconds)
    let least = effective.saturatingSubtract(frame.uptime.nanoseconds)
    var lead = leads[frame.group] ?? .min
    if lead < least || lead.saturatingSubtract(least) > Self.slackNanoseconds {
      // Midway, so that there is room both ways.
      lead = Self.floor(least.saturatingAdd(Self.slackNanoseconds / 2)).saturatingAdd(Self.stepNanoseconds)
      leads[frame.group] = lead
    }
    frame.uptime = Uptime(nanoseconds: effective.saturatingSubtract(lead))
    frame.effective = Instant(nanoseconds: effective)
  }

  private static func floor(_ nanoseconds: Int64) -> Int64 {
    let rest = nanoseconds % stepNanoseconds
    return nanoseconds.saturatingSubtract(rest < 0 ? rest + stepNanoseconds : rest)
  }
}
