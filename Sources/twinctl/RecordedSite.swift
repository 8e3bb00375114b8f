import ArgumentParser
import FeatureStore
import Glibc
import Provenance
import Seams
import SiteKernel
import SitePack
import Sodium
import StatusAPI
import TwinCore

/// A state folder with the pack under which it was recorded: what the verbs need that run the kernel over the record.
struct RecordedSite: ParsableArguments {
  @Option(help: "The daemon's state folder.", completion: .directory) var state = "/var/lib/twind"
  @Option(help: "The pack under which it was recorded.", completion: .directory) var pack: String

  func compiled() throws(APIProblem) -> CompiledPack { try Self.compiled(pack) }

  static func compiled(_ pack: String) throws(APIProblem) -> CompiledPack {
    let files: [PackFile]
    do throws(ProvenanceFault) { files = try PackReader.read(pack) } catch { throw .input(error) }
    let result = Pack.load(files, zoneExists: { SystemFiles.timeZone($0) != nil })
    guard let found = result.pack, let zone = SystemFiles.timeZone(found.site.timeZone) else {
      throw APIProblem(
        status: 0, code: "pack.invalid", title: "the pack has errors", next: "twinctl pack check \(pack)")
    }
    do throws(PackFault) { return try found.compile(timeZone: zone, hash: Sodium.blake2b256) } catch {
      throw .input(error)
    }
  }

  func reader() throws(APIProblem) -> StoreReader {
    do throws(StoreError) { return try StoreReader(directory: state) } catch { throw .input(error) }
  }

  /// The bytes of the checkpoint at or before `tick`; without one, of the oldest that the pack made.
  static func checkpoint(
    _ reader: StoreReader, of site: SiteDefinition, atOrBefore tick: Int64?
  ) throws(StoreError) -> [UInt8]? {
    var best: [UInt8]?
    var wanted = tick ?? Int64.max
    while let checkpoint = try reader.checkpoint(atOrBefore: wanted) {
      let isOurs = (try? SiteKernel.pack(ofCheckpoint: checkpoint.bytes)) == site.digests.pack
      guard isOurs, (try? SiteKernel(site, resuming: checkpoint.bytes, hash: Sodium.blake2b256)) != nil else { break }
      best = checkpoint.bytes
      guard tick == nil, checkpoint.tick > 0 else { break }
      wanted = checkpoint.tick - 1
    }
    return best
  }

  /// Ticks at which a session under another pack begins.
  static func otherSessions(_ reader: StoreReader, _ site: SiteDefinition) throws(StoreError) -> Set<Int64> {
    let events = try reader.events(limit: 10_000)
    return Set(events.filter { $0.kind == "session" && $0.subject != site.digests.pack.hex }.map(\.tick))
  }

  /// Progress on a terminal, after a second.
  static func tell(_ at: Instant, since started: ContinuousClock.Instant) -> Bool {
    if isatty(STDERR_FILENO) == 1, ContinuousClock.now - started > .seconds(1) { Stream.error("\r\(at.rfc3339)") }
    return true
  }
}
