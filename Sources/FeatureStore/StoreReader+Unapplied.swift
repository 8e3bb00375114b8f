import SQLite
import TwinCore

/// Records that the log has and `site.db` has not: for a moment beside a writer, and after a loss of power until the
/// next start.
extension StoreReader {
  /// Makes all reads see them: tables that they touch are copied into temporary ones of the same names, which count
  /// before the file's, and take them in there.
  func show(unapplied batches: [RecordBatch]) throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      for table in shown { try database.execute("DROP TABLE temp.\(table)") }
      shown = []
      let touched: [(String, (RecordBatch) -> Bool)] = [
        ("layouts", { !$0.layouts.isEmpty }), ("decisions", { !$0.decisions.isEmpty }),
        ("events", { !$0.events.isEmpty }), ("facts", { !$0.facts.isEmpty }), ("leases", { !$0.leases.isEmpty }),
        ("versions", { !$0.versions.isEmpty }),
      ]
      for (table, isTouched) in touched where batches.contains(where: isTouched) {
        try database.execute(Schema.temporary(table))
        shown.append(table)
        try database.execute("INSERT INTO temp.\(table) SELECT * FROM main.\(table)")
      }
      guard !shown.isEmpty else { return }
      let tables = try RecordTables(database)
      for batch in batches { try tables.write(batch) }
    }
  }
}
