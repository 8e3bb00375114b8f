import FeatureStore
public import Harnesses
public import Models
import Provenance
import Seams
public import SiteKernel
public import SitePack
import Sodium
public import TwinCore

/// A site's record and what it is a record of, read beside the daemon.
public struct SiteRecord {
  public let site: SiteDefinition
  let reader: StoreReader
  private let layouts: [FrameLayout]
  let packDigest: Digest

  /// Reads and compiles the pack, and opens the store; changes nothing.
  public init(state: String, pack path: String) throws(TrainingFault) {
    do throws(StoreError) { reader = try StoreReader(directory: state) } catch { throw TrainingFault(error) }
    let own = try Self.compiled(path)
    let compiled = try Self.received(state, reader, unless: own.digests.pack) ?? own
    (site, layouts, packDigest) = (compiled.definition, compiled.layouts, compiled.digests.pack)
  }

  /// A pack that a foundation sent, where the site's last session ran one: what the daemon verified and kept.
  private static func received(
    _ state: String, _ reader: StoreReader, unless own: Digest
  ) throws(TrainingFault) -> CompiledPack? {
    let session: EventEntry?
    do throws(StoreError) { session = try reader.events(limit: 1000).first { $0.kind == "session" } } catch {
      throw TrainingFault(error)
    }
    guard let digest = session?.subject, digest != own.hex else { return nil }
    let folder = state + "/packs"
    for name in ((try? SystemFileStore().names(in: folder)) ?? []).suffix(archivesMax) where name.hasSuffix(".twp") {
      guard let bytes = SystemFiles.bytes("\(folder)/\(name)", max: PackArchive.bytesMax),
        let files = try? PackArchive.decode(bytes), let compiled = try? compiled(files, shown: name),
        compiled.digests.pack.hex == digest
      else { continue }
      return compiled
    }
    return nil
  }

  private static let archivesMax = 16

  public static func compiled(_ path: String) throws(TrainingFault) -> CompiledPack {
    let files: [PackFile]
    do throws(ProvenanceFault) { files = try PackReader.read(path) } catch {
      throw TrainingFault(.packInvalid, error.message, remedy: error.remedy)
    }
    return try compiled(files, shown: path)
  }

  private static func compiled(_ files: [PackFile], shown path: String) throws(TrainingFault) -> CompiledPack {
    let result = Pack.load(files, zoneExists: { SystemFiles.timeZone($0) != nil })
    guard let pack = result.pack, let zone = SystemFiles.timeZone(pack.site.timeZone) else {
      throw TrainingFault(.packInvalid, "pack \(path) has errors", remedy: "twinctl pack check \(path)")
    }
    do throws(PackFault) { return try pack.compile(timeZone: zone, hash: Sodium.blake2b256) } catch {
      throw TrainingFault(.packInvalid, error.message, remedy: error.remedy)
    }
  }

  /// The definitions of `ids`, or of all models.
  public func models(_ ids: [String]) throws(TrainingFault) -> [ModelDefinition] {
    try Self.models(ids, of: site)
  }

  public static func models(_ ids: [String], of site: SiteDefinition) throws(TrainingFault) -> [ModelDefinition] {
    guard !site.models.isEmpty else {
      throw TrainingFault(
        .noModels, "the pack has no models, and none can be proposed from its points",
        remedy: "twinctl pack check --models says what is missing")
    }
    guard !ids.isEmpty else { return site.models }
    var found: [ModelDefinition] = []
    for id in ids {
      guard let model = site.models.first(where: { $0.id == id }) else {
        throw TrainingFault(
          .unknownModel, "the site has no model \(id)",
          remedy: "name one of: " + site.models.map(\.id).joined(separator: ", "))
      }
      found.append(model)
    }
    return found
  }

  /// The youngest `days` of the record, as a model sees them.
  ///
  /// - Parameter through: The last tick; nil to the end.
  public func histories(
    of models: [ModelDefinition], days: Int, through last: Int64? = nil, progress: (Instant) -> Bool = { _ in true }
  ) throws(TrainingFault) -> [ModelHistory] {
    do throws(StoreError) {
      let begin = try LayoutHistory.begin(of: layouts, in: reader, pack: packDigest)
      guard let end = try end(last) else { return models.map { _ in ModelHistory([]) } }
      let since = max(begin, end.advanced(byNanoseconds: -Int64(days) * 86_400_000_000_000))
      let cursor = try reader.ticks(from: 0, through: last)
      return try ModelHistory.collect(models, of: site, over: cursor, since: since, progress: progress)
    } catch {
      throw TrainingFault(error)
    }
  }

  /// The instant of the last tick: of the newest checkpoint, and of what was recorded after it.
  private func end(_ last: Int64?) throws(StoreError) -> Instant? {
    let from = try reader.checkpoint(atOrBefore: last ?? .max)?.tick ?? 0
    var end: Instant?
    try reader.ticks(from: from, through: last) { record, _ in
      end = max(end ?? record.instant, record.instant)
      return true
    }
    return end
  }

  /// The last tick that is recorded; nil where there is none.
  public func lastTick() throws(TrainingFault) -> Int64? {
    do throws(StoreError) {
      let from = try reader.latestCheckpoint()?.tick ?? 0
      var last: Int64?
      try reader.ticks(from: from) { record, _ in
        last = record.number
        return true
      }
      return last
    } catch {
      throw TrainingFault(error)
    }
  }

  /// The run at work as of the newest checkpoint at or before a tick, if it was ever trained.
  public func champion(of model: ModelDefinition, at tick: Int64) throws(TrainingFault) -> ModelRun? {
    do throws(StoreError) {
      guard let checkpoint = try reader.checkpoint(atOrBefore: tick) else { return nil }
      // Where the checkpoint is of another release, what it holds of models is not for this one.
      guard let kernel = try? SiteKernel(site, resuming: checkpoint.bytes, hash: Sodium.blake2b256),
        let place = site.models.firstIndex(where: { $0.id == model.id })
      else { return nil }
      let run = kernel.models[place].champion
      return run.version.isCalibrated ? run : nil
    } catch {
      throw TrainingFault(error)
    }
  }
}

extension TrainingFault {
  init(_ error: StoreError) { self.init(.io, error.message, remedy: error.remedy) }
}
