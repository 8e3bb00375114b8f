import Agents
import Collectors
import Guard
import Models
import Provenance
import SiteKernel
import TwinCore
import TwinGraph
import YAML

/// Reads a pack's files, in the order in which they need each other, into the parts of a `Pack`.
final class PackLoader {
  let problems = ProblemList()
  /// The one document of each file, by path.
  private(set) var documents: [String: Node] = [:]
  var profiles: [String: Profile] = [:]
  var devices: [DeviceDraft] = []
  /// By point index: those of the devices first, then the derived ones.
  var points: [PointEntry] = []
  var scope = Scope()
  var tariffs: [Tariff] = []
  var derived: [DerivedPoint] = []
  var envelopes: [Envelope] = []
  var envelopeTexts: [EnvelopeText] = []
  var policies: [Policy] = []
  var policyTexts: [PolicyText] = []
  var alarms: [AlarmDefinition] = []
  var alarmTexts: [AlarmText] = []
  var intents: [Intent] = []
  var models: [ModelDefinition] = []
  var modelTexts: [ModelText] = []
  var modelRejections: [ModelRejection] = []
  var graph = TwinGraph.empty
  var tests: [PackTest] = []
  var site: SiteInfo?
  let zoneExists: (String) -> Bool

  init(zoneExists: @escaping (String) -> Bool) { self.zoneExists = zoneExists }

  /// Points of all devices and derived ones: what one gateway can serve, with room.
  static let pointsMax = 20_000

  /// Of text points: they are read and shown, but the kernel has no place for them.
  static let noIndex = PointIndex(-1)

  static let files = [
    "site.yaml", "devices.yaml", "graph.yaml", "envelopes.yaml", "intents.yaml", "tariffs.yaml", "policies.yaml",
    "alarms.yaml", "derived.yaml", "models.yaml",
  ]

  func load(_ files: [PackFile]) {
    for file in files.sorted(by: { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }) { parse(file) }
    for path in ["site.yaml", "devices.yaml"]
    where documents[path] == nil && !files.contains(where: { $0.path == path }) {
      problems.add(
        .error, "pack.missing_file", at: start(of: path), "the pack has no \(path)",
        "every pack has site.yaml and devices.yaml")
    }
    site = top("site.yaml").flatMap { SiteInfo.read($0, zoneExists: zoneExists) }
    readProfiles()
    readDevices()
    readTariffs()
    readDerived()
    readGraph()
    readEnvelopes()
    readPolicies()
    readAlarms()
    readIntents()
    readModels()
    readTests()
    checkTimeOwnership()
  }

  func start(of path: String) -> Mark { Mark(file: path, line: 1, column: 1) }

  /// The file's mapping; nil where the file is not there or empty.
  func top(_ path: String) -> Section? {
    documents[path].flatMap { Section($0, name: path, problems) }
  }

  private func parse(_ file: PackFile) {
    let isKnown = Self.files.contains(file.path) || ["profiles/", "tests/"].contains { file.path.hasPrefix($0) }
    guard file.path.hasSuffix(".yaml"), !file.path.hasPrefix(".") else {
      if file.path.hasSuffix(".yml") {
        problems.add(
          .warning, "pack.unknown_file", at: start(of: file.path), "\(file.path) is not read", "name it .yaml")
      }
      return
    }
    guard isKnown else {
      let near = nearest(to: file.path, among: Self.files)
      problems.add(
        .warning, "pack.unknown_file", at: start(of: file.path), "\(file.path) is not read",
        near.map { "did you mean \"\($0)\"?" } ?? "move it to docs/, profiles/ or tests/")
      return
    }
    do throws(YAMLFault) {
      let found = try Node.documents(in: file.bytes, file: file.path)
      if found.count > 1 {
        problems.add(
          .error, "pack.many_documents", at: found[1].mark, "\(file.path) has \(found.count) documents",
          "keep one, without ---")
      }
      if let long = found.first?.longScalar {
        problems.add(
          .error, "pack.too_long", at: long.mark,
          "a text of \(long.raw.utf8.count) bytes, at most \(Node.textMax) are read",
          "shorten it; look for a quote that is never closed")
        return
      }
      documents[file.path] = found.first
    } catch {
      problems.add(error)
    }
  }

  /// A compiled expression; nil, with the problem, where it is none.
  func formula(_ scalar: Scalar, as wanted: ExpressionCompiler.Wanted) -> Formula? {
    if problems.isFull { return nil }
    do throws(ExpressionFault) {
      return try ExpressionCompiler(scope: scope).compile(try Expression.parse(scalar.raw), as: wanted)
    } catch {
      problems.add(error, in: scalar)
    }
    return nil
  }

  /// A point by its id.
  func point(_ scalar: Scalar) -> PointEntry? {
    if problems.isFull { return nil }
    if let entry = scope.points[scalar.raw] {
      if entry.index != Self.noIndex { return points[entry.index.position] }
      problems.add(
        .error, "pack.wrong_type", at: scalar.mark, "\(scalar.raw) is text: no number stands for it",
        "name another point")
      return nil
    }
    let fault = scope.unknown(scalar.raw, at: 0)
    if fault.isConsequence { return nil }
    problems.add(.error, "pack.unknown_point", at: scalar.mark, fault.message, fault.hint)
    return nil
  }

  /// A person of the graph, where the pack has one; any text otherwise.
  func checkNode(_ name: String, is type: NodeType, at mark: Mark) {
    guard documents["graph.yaml"] != nil else { return }
    guard graph[name]?.type != type else { return }
    let near = nearest(
      to: name, among: graph.nodes.lazy.filter { $0.type == type }.prefix(Scope.candidatesMax).map(\.id))
    problems.add(
      .error, "pack.unknown_node", at: mark, "\"\(shortened(name))\" is no \(type.rawValue) of graph.yaml",
      near.map { "did you mean \"\($0)\"?" } ?? "add it to the nodes")
  }

  /// The counter must be a point, and be read.
  private func checkTimeOwnership() {
    guard let time = site?.time, scope.points[time.counter] == nil else { return }
    let mark = top("site.yaml")?.section("time")?.mark(of: "counter") ?? start(of: "site.yaml")
    let fault = scope.unknown(time.counter, at: 0)
    if fault.isConsequence { return }
    problems.add(.error, "pack.unknown_point", at: mark, fault.message, fault.hint)
  }
}

/// A point of the pack with its number.
struct PointEntry {
  var index: PointIndex
  var id: String
  var unit: UnitCode
  var staleNanoseconds: Int64
  var kind: Scope.Kind
  /// Nil for derived points.
  var draft: PointDraft?
  /// Position in `devices`; nil for derived points.
  var device: Int?
}

extension Node {
  /// Bytes of one scalar: far more than any text of a pack needs, and little enough to be looked at many times.
  static let textMax = 4096

  /// The first scalar, key or value, that is longer.
  var longScalar: Scalar? {
    switch self {
    case .scalar(let scalar): return scalar.raw.utf8.count > Self.textMax ? scalar : nil
    case .sequence(let items, _): return items.lazy.compactMap(\.longScalar).first
    case .mapping(let mapping):
      return mapping.entries.lazy.compactMap {
        $0.key.raw.utf8.count > Self.textMax ? $0.key : $0.value.longScalar
      }.first
    }
  }
}
