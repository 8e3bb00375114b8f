import TwinCore

/// The registers of one group, gathered over a poll's requests, and what they say.
///
/// Everything is laid out once; a poll fills the buffer in place and allocates the frame's two arrays, nothing for a
/// point.
struct GroupDecoder {
  private struct Column {
    var piece: Int
    /// The piece that holds its power of ten; -1 where the scale is fixed.
    var powerPiece: Int
  }

  private enum Stamp {
    static let failed: Int32 = -1
    static let absent: Int32 = -2
  }

  let pieces: [ReadPlan.Piece]
  let bonds: [(Int, Int)]
  private var slots: [Int]
  private var registers: [UInt16]
  /// Per piece: the number of the request in this poll that brought it, or why there is none.
  private var stamps: [Int32]
  private var codecs: [RegisterCodec]
  private let columns: [Column]
  private let texts: [(name: String, piece: Int)]
  /// Per piece: the last power of ten it stated.
  private var powers: [Int?]
  private var requestNumber: Int32 = 0

  /// `points` are those of the device; `names` the columns; `textNames` those whose text is wanted.
  init(points: [RegisterPoint], names: [String], textNames: [String]) {
    var byName: [String: RegisterPoint] = [:]
    for point in points { byName[point.name] = point }
    var pieces: [ReadPlan.Piece] = []
    var codecs: [RegisterCodec] = []
    var bonds: [(Int, Int)] = []
    var known: [String: Int] = [:]
    func piece(_ point: RegisterPoint) -> Int {
      if let index = known[point.name] { return index }
      known[point.name] = pieces.count
      pieces.append(ReadPlan.Piece(table: point.table, range: point.span))
      codecs.append(RegisterCodec(point))
      return pieces.count - 1
    }
    columns = names.map { name in
      guard let point = byName[name] else { preconditionFailure("no point \(name) in the group's device") }
      let own = piece(point)
      guard let source = point.scaleFrom else { return Column(piece: own, powerPiece: -1) }
      guard let power = byName[source] else { preconditionFailure("no point \(source) to scale \(name)") }
      let other = piece(power)
      bonds.append((own, other))
      return Column(piece: own, powerPiece: other)
    }
    texts = textNames.compactMap { name in byName[name].map { (name, piece($0)) } }
    (self.pieces, self.bonds, self.codecs) = (pieces, bonds, codecs)
    slots = []
    var slot = 0
    for piece in pieces {
      slots.append(slot)
      slot += piece.range.count
    }
    registers = Array(repeating: 0, count: slot)
    stamps = Array(repeating: Stamp.failed, count: pieces.count)
    powers = Array(repeating: nil, count: pieces.count)
  }

  func piece(ofColumn column: Int) -> Int { columns[column].piece }

  mutating func begin() {
    requestNumber = 0
    for index in stamps.indices { stamps[index] = Stamp.failed }
  }

  /// Takes the values of a reply to a read of `request`, whose length and byte count have been checked.
  mutating func take(_ reply: Span<UInt8>, of request: ReadRequest) {
    requestNumber += 1
    let start = request.range.lowerBound
    for piece in request.pieces {
      let range = pieces[piece].range
      let slot = slots[piece]
      for offset in 0..<range.count {
        let position = range.lowerBound - start + offset
        if request.table.isBits {
          registers[slot + offset] = UInt16(reply[2 + position / 8] >> UInt8(position % 8) & 1)
        } else {
          registers[slot + offset] = UInt16(reply[2 + 2 * position]) << 8 | UInt16(reply[3 + 2 * position])
        }
      }
      stamps[piece] = requestNumber
    }
  }

  /// Values and qualities of the columns. `isExcluded` says per piece that it is known to be illegal.
  mutating func decode(isExcluded: [Bool]) -> (values: [Double], qualities: [Quality]) {
    for piece in stamps.indices where stamps[piece] < 0 && isExcluded[piece] { stamps[piece] = Stamp.absent }
    var values = [Double](repeating: 0, count: columns.count)
    var qualities = [Quality](repeating: .failed, count: columns.count)
    for index in columns.indices {
      let reading = reading(columns[index])
      values[index] = reading.quality.hasValue ? reading.value : 0
      qualities[index] = reading.quality
    }
    return (values, qualities)
  }

  /// The texts that this poll brought.
  func readTexts() -> [(name: String, text: String)] {
    texts.compactMap { name, piece in
      guard stamps[piece] >= 0 else { return nil }
      let slot = slots[piece]
      return (name, codecs[piece].text(Array(registers[slot..<slot + pieces[piece].range.count])))
    }
  }

  private func raw(_ piece: Int) -> UInt64 {
    let slot = slots[piece]
    return codecs[piece].raw(registers.span.extracting(slot..<slot + pieces[piece].range.count))
  }

  private mutating func reading(_ column: Column) -> Reading {
    let stamp = stamps[column.piece]
    guard stamp >= 0 else { return stamp == Stamp.absent ? .absent : .failed }
    guard column.powerPiece >= 0 else { return codecs[column.piece].reading(raw: raw(column.piece)) }
    let powerStamp = stamps[column.powerPiece]
    if powerStamp == Stamp.absent { return .absent }
    if powerStamp >= 0 { powers[column.powerPiece] = codecs[column.powerPiece].power(raw: raw(column.powerPiece)) }
    guard let power = powers[column.powerPiece] else { return powerStamp >= 0 ? .absent : .failed }
    var reading = codecs[column.piece].reading(raw: raw(column.piece), power: power)
    if powerStamp != stamp, reading.quality == .good { reading.quality = .suspect }
    return reading
  }
}
