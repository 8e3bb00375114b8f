public import Agents
public import Collectors
public import Guard
public import Models
public import Provenance
public import SiteKernel
public import TwinCore
public import TwinGraph
import YAML

/// A site pack that passed every check. Only the time zone is missing before it can run.
public struct Pack: Sendable {
  public let site: SiteInfo
  public let devices: [Device]
  /// By point index.
  public let points: [PackPoint]
  public let derived: [DerivedPoint]
  public let envelopes: [Envelope]
  /// Beside `envelopes`.
  public let envelopeTexts: [EnvelopeText]
  public let policies: [Policy]
  /// Beside `policies`.
  public let policyTexts: [PolicyText]
  public let alarms: [AlarmDefinition]
  /// Beside `alarms`.
  public let alarmTexts: [AlarmText]
  public let tariffs: [Tariff]
  public let intents: [Intent]
  /// Those of `models.yaml`; where that is not there, those that the point list proposes.
  public let models: [ModelDefinition]
  /// Beside `models`.
  public let modelTexts: [ModelText]
  /// Templates that the point list does not carry; empty where `models.yaml` decides.
  public let modelRejections: [ModelRejection]
  public let graph: TwinGraph
  public let tests: [PackTest]
  /// The files that were read, sorted by path.
  public let files: [PackFile]

  /// Reads and checks all files of a pack. Total: any bytes give a result, never a trap.
  ///
  /// `zoneExists` tells whether the tz database has a name. Only `.yaml` files are read, and none below a dot.
  public static func load(_ files: [PackFile], zoneExists: (String) -> Bool = { _ in true }) -> PackResult {
    withoutActuallyEscaping(zoneExists) { zoneExists in
      let loader = PackLoader(zoneExists: zoneExists)
      loader.load(files)
      let problems = loader.problems.sorted
      guard !loader.problems.hasErrors, let site = loader.site else {
        return PackResult(pack: nil, problems: problems)
      }
      return PackResult(pack: Pack(loader, site, files), problems: problems)
    }
  }

  private init(_ loader: PackLoader, _ site: SiteInfo, _ files: [PackFile]) {
    self.site = site
    devices = loader.devices.map(\.device)
    points = loader.points.map { PackPoint($0, in: loader) }
    (derived, tariffs, intents) = (loader.derived, loader.tariffs, loader.intents)
    (envelopes, envelopeTexts) = (loader.envelopes, loader.envelopeTexts)
    (policies, policyTexts) = (loader.policies, loader.policyTexts)
    (alarms, alarmTexts) = (loader.alarms, loader.alarmTexts)
    (models, modelTexts, modelRejections) = (loader.models, loader.modelTexts, loader.modelRejections)
    (graph, tests) = (loader.graph, loader.tests)
    self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// The number of a point, by its id.
  public func index(of id: String) -> PointIndex? { points.firstIndex { $0.id == id }.map { PointIndex($0) } }
}

/// What reading a pack gave.
public struct PackResult: Sendable {
  /// Nil when there is an error among the problems.
  public let pack: Pack?
  /// Sorted by file, line and column.
  public let problems: [PackProblem]

  public var hasErrors: Bool { problems.contains { $0.severity == .error } }
}

/// What screens and the API show of a point.
public struct PackPoint: Equatable, Sendable {
  /// `device.point`.
  public let id: String
  /// For people; empty where the id says it all.
  public let label: String
  /// UCUM, and as it is shown.
  public let unit: String
  public let unitSymbol: String
  /// Of states, by value.
  public let symbols: [Int: String]
  /// Nil for derived points.
  public let device: String?
  public let register: RegisterPoint?
  public let brick: String?
  public let isSafety: Bool
  public let staleNanoseconds: Int64
  public let estimator: EstimatorSettings

  public var isDerived: Bool { device == nil }
  public var isWritable: Bool { register?.write != nil }

  init(_ entry: PointEntry, in loader: PackLoader) {
    id = entry.id
    label = entry.draft?.label ?? ""
    (unit, unitSymbol) = (entry.unit.ucum, entry.unit.symbol)
    symbols = entry.draft?.register.symbols ?? [:]
    device = entry.device.map { loader.devices[$0].device.id }
    register = entry.draft?.register
    brick = entry.draft?.brick
    isSafety = entry.draft?.isSafety ?? false
    staleNanoseconds = entry.staleNanoseconds
    let variance = entry.draft?.measurementVariance ?? 0
    let seconds = Double(entry.draft?.register.everyMs ?? 1000) / 1000
    // Where nothing is said of how the value moves, readings are followed closely: a gain of about 0.83.
    let wander = entry.draft?.wander.map { $0 * $0 } ?? 4 * variance / seconds
    estimator = EstimatorSettings(
      measurementVariance: variance, processVariancePerSecond: wander,
      isContinuous: entry.draft?.isContinuous ?? false, halfLifeNanoseconds: max(entry.staleNanoseconds, 1))
  }
}
