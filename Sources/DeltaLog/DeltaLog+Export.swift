import Provenance
import SQLite
public import Seams
import Sodium
import TwinCore

extension DeltaLog {
  /// Writes all that is kept, of all epochs, into `file`, replacing what was there, durable on return. `trust` is what
  /// proves the site's keys, item by item, each below 1 MiB. A checkpoint made right before covers all of it.
  public func export(to file: any OpenFile, trust: [[UInt8]] = []) throws(DeltaLogFault) {
    try settle()
    var writer = try BundleWriter(file)
    let made = clock.instant.nanoseconds / 1_000_000
    try writer.write(.header, (1, .text(site.description)), (2, .integer(made)))
    for bytes in trust { try writer.write(.trust, (1, .bytes(bytes))) }
    for epoch in try keptEpochs() {
      try writer.write(
        .epoch, (1, .bytes(epoch.id.bytes)), (2, epoch.prev.map { .bytes($0) }), (3, .integer(epoch.openedMs)),
        (4, epoch.closed.map { .bytes($0) }))
      for stream in LogStream.allCases { try export(stream, epoch.number, to: &writer) }
    }
    try writer.finish()
  }

  private func export(
    _ stream: LogStream, _ number: Int64, to writer: inout BundleWriter
  ) throws(DeltaLogFault) {
    let lane = try lane(stream, epoch: number)
    guard lane.next > 0 else { return }
    let nodes = try nodes(stream, epoch: number).frontier(size: lane.first).nodes
    try writer.write(
      .stream, (1, .unsigned(UInt64(stream.rawValue))), (2, .unsigned(lane.first)), (3, .digest(lane.firstChain)),
      (4, .array(nodes.map { .digest($0) })), (5, .unsigned(lane.next)))
    var notes: [(size: UInt64, note: String)] = []
    for note in try keptCheckpoints(number, stream) {
      guard let checkpoint = try? Checkpoint(body: SignedNote(parse: note).text) else {
        throw corrupt(stream, "a kept checkpoint cannot be read")
      }
      notes.append((checkpoint.size, note))
    }
    notes.sort { $0.size < $1.size }
    var waiting = notes[...]
    // In pieces, so that the writer is not lent to a closure over all rows.
    var from = lane.first
    while true {
      while let (size, note) = waiting.first, size <= from {
        try writer.write(.checkpoint, (1, .text(note)))
        waiting.removeFirst()
      }
      guard from < lane.next else { return }
      guard let row = try rows[Int(stream.rawValue)].row(epoch: number, from, bodies: true) else {
        throw corrupt(stream, "entry \(from) is missing")
      }
      let body = row.form == .elsewhere ? try fetch(row, stream) : row.body
      try writer.write(
        .entry, (1, .bytes(row.entry)), (2, .digest(row.chain)), (3, body.map { .bytes($0) }))
      from += 1
    }
  }

  struct EpochRow {
    var number: Int64
    var id: LogEpoch
    var prev: [UInt8]?
    var openedMs: Int64
    var closed: [UInt8]?
  }

  func keptEpochs() throws(DeltaLogFault) -> [EpochRow] {
    let found = try storing { () throws(SQLiteFault) -> [EpochRow?] in
      let select = try database.prepare("SELECT number, id, prev, opened_ms, closed FROM epochs ORDER BY number")
      var epochs: [EpochRow?] = []
      while try select.step() {
        epochs.append(
          LogEpoch(bytes: select.bytes(1)).map {
            EpochRow(
              number: select.integer(0), id: $0, prev: select.isNull(2) ? nil : select.bytes(2),
              openedMs: select.integer(3), closed: select.isNull(4) ? nil : select.bytes(4))
          })
      }
      return epochs
    }
    let epochs = found.compactMap { $0 }
    guard epochs.count == found.count else { throw DeltaLogFault(.corrupt, "\(database.path): an epoch has no id") }
    return epochs
  }
}
