/// Packs blocks into bodies.
public enum BodyCodec {
  /// The body of `block`, the same on every machine; counts of rows without a value are not kept.
  public static func encode(_ block: Block, tier: Tier) -> [UInt8] {
    let rows = block.effective.count
    precondition(rows > 0 && rows <= Block.rowsMax, "a block has 1 to \(Block.rowsMax) rows")
    precondition(block.columns.count <= Block.columnsMax, "a block has at most \(Block.columnsMax) columns")
    precondition(block.ticks.count == rows && block.leads.count == rows, "a block has three times a row")
    for row in 1..<rows { precondition(block.ticks[row] >= block.ticks[row - 1], "ticks never fall") }
    let head = BodyHead(block, tier: tier)
    let times = TimesCodec.encode(
      block.effective.map { UInt64(bitPattern: $0 / head.unit &- head.effectiveMin / head.unit) }, ticks: block.ticks,
      leads: block.leads, tier: tier)
    var qualities = QualityWriter()
    var columns: [PackedColumn] = []
    for column in block.columns {
      columns.append(PackedColumn(column, rows: rows, qualities: &qualities, tier: tier))
    }
    if tier == .cold { References.apply(to: &columns, rows: rows) }
    return assemble(head, times: times, qualities, columns)
  }

  private static func assemble(
    _ head: BodyHead, times: [UInt8], _ qualities: QualityWriter, _ columns: [PackedColumn]
  ) -> [UInt8] {
    var payloads = times + qualities.bytes
    var writer = ByteWriter()
    head.write(to: &writer)
    writer.varint(UInt64(times.count))
    writer.word(Checksum.crc32c(times))
    writer.varint(UInt64(qualities.count))
    if qualities.count > 0 {
      writer.varint(UInt64(qualities.bytes.count))
      writer.word(Checksum.crc32c(qualities.bytes))
    }
    for column in columns {
      let payload = column.payload
      var entry = column.entry
      (entry.payloadLength, entry.checksum) = (payload.count, Checksum.crc32c(payload))
      entry.write(to: &writer)
      payloads.append(contentsOf: payload)
    }
    writer.word(Checksum.crc32c(writer.bytes))
    writer.append(payloads)
    return writer.bytes
  }
}
