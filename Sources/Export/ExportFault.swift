import FeatureStore
import Parquet
public import TwinCore

/// Why a file was not made.
public struct ExportFault: Fault, Equatable {
  public let code: String
  public let message: String
  public let remedy: String
  /// Whether the pack says that it may not be.
  public let isRefusal: Bool

  private init(_ code: String, _ message: String, _ remedy: String, isRefusal: Bool = false) {
    (self.code, self.message, self.remedy, self.isRefusal) = (code, message, remedy, isRefusal)
  }

  /// As it is where it is one already.
  public init(_ error: any Error) {
    switch error {
    case let fault as ExportFault: self = fault
    case let fault as any Fault: self.init(fault.code, fault.message, fault.remedy)
    default: self.init("export.failed", "\(error)", "report this message together with the version of twind")
    }
  }

  private static let namedMax = 5

  static func notAllowed(_ points: [String]) -> ExportFault {
    let more = points.count > namedMax ? " and \(points.count - namedMax) more" : ""
    return ExportFault(
      "export.not_allowed",
      "samples of \(points.prefix(namedMax).joined(separator: ", "))\(more) may not leave the site",
      "leave them out; or its owner writes data: {export: raw} in the pack, and signs it", isRefusal: true)
  }

  static let nothing = ExportFault(
    "export.nothing", "no point is left to export", "see what may leave: twinctl data explain POINT")
  static let stopped = ExportFault("export.stopped", "stopped before the end", "start again")

  static func tooMany(_ point: String) -> ExportFault {
    ExportFault(
      "export.too_many", "more than \(StoreReader.samplesCeiling) samples of \(point) within a day",
      "export shorter stretches: --from, --to")
  }
}
