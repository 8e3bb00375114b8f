public import TwinCore

extension BalanceNetwork.Plant {
  /// Canonical form: eight items; of the slopes three integers each.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(8)
    writer.integer(1)
    for list in [centres, spreads, rateSpreads, lows, highs, capacities] { writer.doubles(list) }
    writer.array(3 * slopes.count)
    for slope in slopes {
      writer.integer(slope.row)
      writer.integer(slope.column)
      writer.bool(slope.isRising)
    }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(7, version: 1)
    let (centres, spreads) = (try reader.doubles(limit: 256), try reader.doubles(limit: 256))
    let (rates, lows) = (try reader.doubles(limit: 256), try reader.doubles(limit: 256))
    let (highs, capacities) = (try reader.doubles(limit: 256), try reader.doubles(limit: 256))
    let count = try reader.array(limit: 192)
    guard count % 3 == 0 else { throw CanonicalFault("slopes of \(count) items") }
    var slopes: [BalanceNetwork.Slope] = []
    for _ in 0..<count / 3 {
      let (row, column) = (try reader.int(), try reader.int())
      slopes.append(BalanceNetwork.Slope(row: row, column: column, isRising: try reader.bool()))
    }
    self.init(
      centres: centres, spreads: spreads, rateSpreads: rates, lows: lows, highs: highs, capacities: capacities,
      slopes: slopes)
    guard problems.isEmpty else { throw CanonicalFault("plant with " + problems.joined(separator: ", ")) }
  }
}

extension BalanceNetwork.Settings {
  /// Canonical form: ten items.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(10)
    writer.integer(1)
    writer.unsigned(seed)
    for count in [width, batch, reservoir] { writer.integer(count) }
    for value in [rate, balanceWeight, slopeWeight, anchorWeight, returnSeconds] { writer.double(value) }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(9, version: 1)
    self.init(seed: try reader.unsigned())
    (width, batch, reservoir) = (try reader.int(), try reader.int(), try reader.int())
    (rate, balanceWeight) = (try reader.double(), try reader.double())
    (slopeWeight, anchorWeight) = (try reader.double(), try reader.double())
    returnSeconds = try reader.double()
    guard problems.isEmpty else { throw CanonicalFault("network with " + problems.joined(separator: ", ")) }
  }
}
