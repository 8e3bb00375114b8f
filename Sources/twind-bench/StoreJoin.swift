import FeatureStore
import Parquet
import Seams
import TwinCore

/// A point-in-time join of 100,000 labels with twenty points, and the labels as a file for whoever does the same.
enum StoreJoin {
  private static let labels = 100_000
  private static let points = (0..<20).map { PolledSite.id(of: $0 * 53 % PolledSite.points) }

  static func run(_ folder: String, to path: String) throws {
    let store = try SiteStore(directory: folder)
    var noise = SeededNoise(seed: 77)
    let instants = (0..<labels).map { _ in
      let ms = Int64(noise.uniform(60_000, Double(PolledSite.seconds) * 1000))
      return PolledSite.begin.advanced(byNanoseconds: ms * PolledSite.millisecond)
    }
    try write(instants, to: path)
    let reader = try StoreReader(directory: folder)
    let sources = points.map { JoinSource.point($0) }
    var sum = 0.0
    let spent = try Spent.leastOf(5) {
      let columns = try reader.join(labels: instants, sources)
      guard columns.count == points.count, columns.allSatisfy({ $0.values.count == labels }) else {
        throw BenchFault("the join has \(columns.count) columns")
      }
      sum = columns.reduce(0) { $0 + $1.values.reduce(0) { $0 + ($1.isNaN ? 0 : $1) } }
    }
    print(Figure("store.join_seconds", spent.wallSeconds, "s", .none))
    // The same sum of the other side's columns shows that it joined the same.
    print(Figure("store.join_sum", sum, "", .none))
    try store.close()
  }

  private static func write(_ instants: [Instant], to path: String) throws {
    let file = try SystemFileStore().open(path, .create)
    try file.truncate(to: 0)
    var end: Int64 = 0
    let writer = try ParquetWriter(columns: [ParquetColumn("label", .timestamp(.nanoseconds), encoding: .plain)]) {
      bytes in
      try file.write(bytes, at: end)
      end += Int64(bytes.count)
    }
    try writer.append([ColumnBatch(.int64s(instants.map(\.nanoseconds)))])
    try writer.finish()
  }
}
