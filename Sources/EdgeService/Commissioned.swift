import Actuation
import Collectors
import FeatureStore
import Guard
import Provenance
import Seams
import SiteKernel
import SitePack
import Sodium
import TwinCore

/// A pack that was read, verified and compiled, with how far it may go.
struct Commissioned: Sendable {
  let pack: CompiledPack
  let seal: PackSeal?
  let ceiling: Mode
  /// What holds the ceiling below `auto`; nil when nothing does.
  let ceilingReason: String?
  let warnings: [PackProblem]
  let targets: [WriteTarget]
  /// Where a device owns the time: the column of its step counter.
  let counter: (group: Int32, column: Int)?
  private let indices: [String: PointIndex]

  var info: SiteInfo { pack.pack.site }
  var definition: SiteDefinition { pack.definition }

  func point(_ id: String) -> PointIndex? { indices[id] }
  func id(_ point: PointIndex) -> String { definition.points[point.position].id }

  var devicesText: String { "\(pack.pack.devices.count) devices, \(definition.points.count) points" }

  /// The pack of the site's own folder, or a newer one that a foundation sent and that every signature stands for.
  ///
  /// Each is read once; what is verified is what is parsed. A received pack that does not stand is passed over: the
  /// site runs what it ran before.
  static func load(_ configuration: EdgeConfiguration) throws(EdgeFault) -> Commissioned {
    let own = try Commissioned.load(folder: configuration)
    for version in ReceivedPacks(state: configuration.state).versions where version > own.seal?.version ?? 0 {
      guard let files = ReceivedPacks(state: configuration.state).files(version: version),
        let received = try? Commissioned.load(files, configuration), received.seal?.version == version,
        received.info.qualifiedID == own.info.qualifiedID
      else { continue }
      return received
    }
    return own
  }

  private static func load(folder configuration: EdgeConfiguration) throws(EdgeFault) -> Commissioned {
    let files: [PackFile]
    do throws(ProvenanceFault) { files = try PackReader.read(configuration.pack) } catch { throw EdgeFault(error) }
    return try load(files, configuration)
  }

  static func load(_ files: [PackFile], _ configuration: EdgeConfiguration) throws(EdgeFault) -> Commissioned {
    let result = Pack.load(files, zoneExists: { SystemFiles.timeZone($0) != nil })
    guard let pack = result.pack else {
      let errors = result.problems.filter { $0.severity == .error }
      throw EdgeFault(
        "pack_invalid", "pack \(configuration.pack) has \(errors.count) errors, the first: \(errors[0])",
        remedy: "twinctl pack check \(configuration.pack)")
    }
    let (seal, reason) = try trust(files, pack.site.qualifiedID, configuration)
    guard let rules = SystemFiles.timeZone(pack.site.timeZone) else {
      throw EdgeFault(
        "no_timezone", "time zone \(pack.site.timeZone) is not on this machine", remedy: "install package tzdata")
    }
    do throws(PackFault) {
      let compiled = try pack.compile(timeZone: rules, hash: Sodium.blake2b256)
      return Commissioned(compiled, seal: seal, configuration, reason: reason, warnings: result.problems)
    } catch {
      throw EdgeFault(error)
    }
  }

  private init(
    _ compiled: CompiledPack, seal: PackSeal?, _ configuration: EdgeConfiguration, reason: String?,
    warnings: [PackProblem]
  ) {
    (pack, self.seal, self.warnings) = (compiled, seal, warnings)
    ceiling = reason == nil ? configuration.ceiling : .observe
    ceilingReason =
      reason ?? (configuration.ceiling == .auto ? nil : "the configuration allows \(configuration.ceiling.name)")
    let source = compiled.pack
    let indices = Dictionary(
      source.points.enumerated().map { ($1.id, PointIndex($0)) }, uniquingKeysWith: { a, _ in a })
    self.indices = indices
    targets = source.envelopes.compactMap { envelope in
      let point = source.points[envelope.point.position]
      guard let register = point.register, let device = source.devices.first(where: { $0.id == point.device }) else {
        return nil
      }
      return WriteTarget(point: envelope.point, device: device, register: register)
    }
    counter = source.site.time.flatMap { time in
      for layout in compiled.layouts {
        if let column = layout.points.firstIndex(of: time.counter) { return (layout.group, column) }
      }
      return nil
    }
  }

  func alarmText(_ id: String) -> AlarmText? { pack.pack.alarmTexts.first { $0.id == id } }

  /// What a decision's lease must hold so that anyone can give it back.
  func lease(for decision: Decision) -> LeaseEntry? {
    let point = decision.proposal.point
    guard let target = targets.first(where: { $0.point == point }),
      let order = try? RevertOrder(value: decision.verdict.revertValue, of: target.register, in: target.device)
    else { return nil }
    return LeaseEntry(point: id(point), bytes: order.encoded())
  }

  private static func trust(
    _ files: [PackFile], _ site: String, _ configuration: EdgeConfiguration
  ) throws(EdgeFault) -> (PackSeal?, reason: String?) {
    guard let path = configuration.keys else { return (nil, "no keys are configured, so the pack counts as unsigned") }
    let ring: KeyRing
    do throws(ProvenanceFault) { ring = try KeyRing.read(path) } catch { throw EdgeFault(error) }
    switch PackTrust.check(files, keys: ring, site: site) {
    case .signed(let seal): return (seal, nil)
    case .unsigned(let reasons): return (nil, reasons.first ?? "the pack is not signed")
    case .broken(let faults):
      throw EdgeFault(
        "pack_broken", faults.map(\.message).joined(separator: "; "),
        remedy: faults.first?.remedy ?? "sign the pack again")
    }
  }
}
