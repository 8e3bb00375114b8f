import ArgumentParser
import FeatureStore
import Harnesses
import SiteKernel
import SitePack
import Sodium
import StatusAPI
import TwinCore

/// The record computed again: from a checkpoint and the tick log, beside the running daemon or without one.
struct ReplayCommand: OfflineVerb {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Feeds the recorded ticks to the kernel again; every fingerprint must come out again.",
    discussion: "Reads the store beside the running daemon, and changes nothing.")
  @OptionGroup var recorded: RecordedSite
  @Option(help: "Begin at the checkpoint at or before this tick; the oldest one otherwise.") var from: Int64?
  @Option(help: "End with this tick; the last one otherwise.") var through: Int64 = .max
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let site = try recorded.compiled().definition
    do throws(StoreError) {
      let reader = try StoreReader(directory: recorded.state)
      let bytes = try RecordedSite.checkpoint(reader, of: site, atOrBefore: from)
      guard let bytes, var kernel = try? SiteKernel(site, resuming: bytes, hash: Sodium.blake2b256) else {
        throw StoreError(.notFound, "no checkpoint of this pack at or before tick \(from ?? 0)")
      }
      let started = ContinuousClock.now
      let report = try Replay.run(
        &kernel, over: try reader.ticks(from: kernel.lastTick + 1), through: through,
        sessions: try RecordedSite.otherSessions(reader, site), progress: { RecordedSite.tell($0, since: started) })
      return shown(report, site, took: ContinuousClock.now - started, session)
    } catch {
      throw .input(error)
    }
  }

  private func shown(
    _ report: ReplayReport, _ site: SiteDefinition, took: Duration, _ session: Session
  ) -> Outcome {
    let replay = API.Replay(
      from: Timestamp(report.from ?? Instant(nanoseconds: 0)), to: Timestamp(report.through ?? Instant(nanoseconds: 0)),
      ticks: report.ticks, identical: report.isIdentical && report.ticks > 0, recorded: report.recorded.hex,
      replayed: report.replayed.hex, firstDifference: report.difference.map { UInt64(clamping: $0.tick) },
      next: report.difference == nil ? nil : "twinctl version: compare the release with the one that recorded it")
    let exit: ExitMeaning =
      report.difference != nil ? .alarm : report.ticks == 0 || report.gapAfter != nil ? .unknown : .well
    return answer(replay, site: site.id, session, exit: exit) { screen, replay in
      screen.replay(replay, report, seconds: Double(took.wholeNanoseconds) / 1e9)
    }
  }
}

extension Screen {
  func replay(_ replay: API.Replay, _ report: ReplayReport, seconds: Double) -> [String] {
    guard report.ticks > 0 else { return ["nothing to replay: the log has no tick after the checkpoint"] }
    let span =
      Double((report.through ?? replay.to.instant).nanoseconds(since: report.from ?? replay.from.instant)) / 1e9
    let speed = seconds > 0 ? Int(span / seconds) : 0
    var lines = [
      "\(report.ticks) ticks, \(report.decisions) decisions, \(Self.span(span)) of the site in \(Int(seconds * 1000)) ms: "
        + "\(speed)× real time"
    ]
    if let difference = report.difference {
      lines += [
        marked("!! tick \(difference.tick) came out otherwise", .alarm),
        "   recorded \(difference.recorded)", "   replayed \(difference.replayed)",
      ]
    } else {
      lines.append("every fingerprint came out again; the last is \(report.replayed.short)")
    }
    if let gap = report.gapAfter { lines.append("!  the log has a gap after tick \(gap); replay ended there") }
    if report.endsAtAnotherPack { lines.append("   from there on the site ran another pack") }
    return lines
  }
}
