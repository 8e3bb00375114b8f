import Export
import FeatureStore
import Seams
import TwinCore

/// Everything of a site as one Parquet file, as `twinctl data export` writes it.
enum StoreExport {
  static func run(_ folder: String, to path: String) throws {
    let points = PolledSite(.shared).layouts.flatMap(\.points)
    try release(points, folder)
    let reader = try StoreReader(directory: folder)
    let range = PolledSite.begin..<PolledSite.begin.advanced(byNanoseconds: 86_400 * PolledSite.second)
    let export = try RecordExport(reader, points: points, effective: range)
    let file = try SystemFileStore().open(path, .create)
    try file.truncate(to: 0)
    var progress: RecordExport.Progress?
    let spent = try Spent.by {
      var end: Int64 = 0
      progress = try export.write { bytes in
        try file.write(bytes, at: end)
        end += Int64(bytes.count)
      }
      try file.sync()
    }
    guard let progress else { return }
    print(Figure("store.export_per_s", Double(progress.rows) / spent.wallSeconds, "/s", .atLeast(3e6)))
    print(Figure("store.export_per_cpu_s", Double(progress.rows) / spent.cpuSeconds, "/s", .none))
    print(Figure("store.export_bytes_per_sample", Double(progress.bytes) / Double(progress.rows), "B", .atMost(1.3)))
  }

  /// Samples leave only where somebody said so.
  private static func release(_ points: [String], _ folder: String) throws {
    let store = try SiteStore(directory: folder)
    let policy = DataPolicy(export: .raw, purpose: "measurement")
    try store.register(policies: Dictionary(uniqueKeysWithValues: points.map { ($0, policy) }))
    try store.commit()
    try store.close()
  }
}
