public import Collectors
import Models
import Provenance
public import SiteKernel
public import TwinCore

/// A pack made ready to run: the kernel's definition, the collector's devices, and everything that people are told.
public struct CompiledPack: Sendable {
  public let pack: Pack
  public let definition: SiteDefinition
  public let collector: CollectorConfiguration
  /// By group number.
  public let layouts: [FrameLayout]

  public var digests: SiteDigests { definition.digests }
}

extension Pack {
  /// Binds the pack to its time zone and gives it its digests.
  ///
  /// Errors: `pack.wrong_timezone` where the rules are of another zone than the pack names.
  public func compile(timeZone: TimeZoneRules, hash: Hash) throws(PackFault) -> CompiledPack {
    guard timeZone.name == site.timeZone else {
      throw PackFault(
        code: "pack.wrong_timezone", message: "the rules are of \(timeZone.name), the pack names \(site.timeZone)",
        remedy: "load the rules of \(site.timeZone)")
    }
    let collector = CollectorConfiguration(devices, counter: site.time?.counter)
    let layouts = collector.groups.map { collector.layout($0) }
    let positions = Dictionary(points.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    let groups = layouts.map { layout in
      GroupDefinition(
        points: layout.points.map { id in
          guard let position = positions[id] else { preconditionFailure("\(id) of a layout is no point of the pack") }
          return PointIndex(position)
        })
    }
    let definition = SiteDefinition(
      id: site.qualifiedID, name: site.name,
      points: points.map {
        PointDefinition(id: $0.id, unit: $0.unit, staleNanoseconds: $0.staleNanoseconds, estimator: $0.estimator)
      },
      groups: groups, derived: derived, envelopes: envelopes, policies: policies, alarms: alarms, models: models,
      timeZone: timeZone, digests: digests(hash))
    return CompiledPack(pack: self, definition: definition, collector: collector, layouts: layouts)
  }

  /// The versions behind a decision. `pack` covers every file; `envelope`, `policy` and `model` what they name.
  ///
  /// Canonical: an array of path and bytes for each file, by byte order of paths; of the
  /// model, five items a point, then the definitions of `models`.
  public func digests(_ hash: Hash) -> SiteDigests {
    var digests = SiteDigests()
    digests.pack = Self.digest(of: files, hash)
    digests.envelope = Self.digest(of: files.filter { $0.path == "envelopes.yaml" }, hash)
    let policyFiles: Set<String> = ["policies.yaml", "tariffs.yaml", "derived.yaml"]
    digests.policy = Self.digest(of: files.filter { policyFiles.contains($0.path) }, hash)
    var writer = CanonicalWriter()
    writer.array(points.count)
    for point in points {
      writer.array(5)
      writer.text(point.id)
      writer.double(point.estimator.measurementVariance)
      writer.double(point.estimator.processVariancePerSecond)
      writer.bool(point.estimator.isContinuous)
      writer.integer(point.estimator.halfLifeNanoseconds)
    }
    writer.array(models.count)
    for model in models { model.encode(to: &writer) }
    digests.model = hash(writer.bytes)
    return digests
  }

  private static func digest(of files: [PackFile], _ hash: Hash) -> Digest {
    var writer = CanonicalWriter(reservingBytes: files.reduce(256) { $0 + $1.bytes.count })
    writer.array(files.count)
    for file in files {
      writer.array(2)
      writer.text(file.path)
      writer.bytes(file.bytes)
    }
    return hash(writer.bytes)
  }
}
