/// Finds columns of a body that tell much of another one: the current of a meter follows from its power and voltage.
enum References {
  /// Rows whose changes are compared.
  private static let sampleMax = 512
  /// How far apart in the layout two columns are still compared; points of one machine stand together.
  private static let reach = 64
  /// Correlation that chance gives to fewer than one pair in a thousand, at `sampleMax` rows.
  private static let correlationMin = 0.15
  /// A reference that saves less than one part in this many is not worth the reading.
  private static let gainShare = 32

  private struct Proposal {
    var column: Int
    var references: [Int]
    var stream: [UInt8]
    var saved: Int
  }

  /// Codes columns anew under others where that is shorter.
  static func apply(to columns: inout [PackedColumn], rows: Int) {
    let busy = columns.map { $0.stream.count > rows / 16 && $0.stream.count > 32 }
    guard busy.count(where: { $0 }) > 1 else { return }
    let samples = columns.indices.map { busy[$0] ? sample(columns[$0], rows: rows) : [] }
    var proposals: [Proposal] = []
    for index in columns.indices where busy[index] {
      let related = related(to: index, samples)
      guard !related.isEmpty else { continue }
      if let proposal = proposal(for: index, related, columns, rows: rows) { proposals.append(proposal) }
    }
    // The greatest gains first; who is referred to must not refer.
    proposals.sort { ($0.saved, $1.column) > ($1.saved, $0.column) }
    var (referring, referred) = (Set<Int>(), Set<Int>())
    for proposal in proposals {
      guard !referred.contains(proposal.column), referring.isDisjoint(with: proposal.references) else { continue }
      referring.insert(proposal.column)
      referred.formUnion(proposal.references)
      columns[proposal.column].stream = proposal.stream
    }
  }

  private static func proposal(
    for index: Int, _ related: [Int], _ columns: [PackedColumn], rows: Int
  ) -> Proposal? {
    let column = columns[index]
    var best: Proposal?
    for count in Set([1, related.count]).sorted() {
      let references = related.prefix(count).sorted()
      let values = references.map { reference in
        (index: reference, values: aligned(columns[reference].numbers, columns[reference].valued, to: column.valued))
      }
      guard let stream = IntegerCodec.encode(column.numbers, leaningOn: values) else { continue }
      let saved = column.stream.count - stream.count
      if saved > column.stream.count / gainShare, saved > best?.saved ?? 0 {
        best = Proposal(column: index, references: references, stream: stream, saved: saved)
      }
    }
    return best
  }

  /// The numbers of one column at the rows where another has a value: its own, or the last one before.
  static func aligned(_ numbers: [Int64], _ valued: [Bool]?, to wanted: [Bool]?) -> [Int64] {
    if valued == wanted { return numbers }
    let all = valued.map { filled(numbers, $0) } ?? numbers
    guard let wanted else { return all }
    return all.indices.compactMap { wanted[$0] ? all[$0] : nil }
  }

  private static func filled(_ numbers: [Int64], _ valued: [Bool]) -> [Int64] {
    var (last, rank): (Int64, Int) = (0, 0)
    return valued.map { has in
      if has { (last, rank) = (numbers[rank], rank + 1) }
      return last
    }
  }

  /// Changes from row to row at evenly spaced rows, jumps cut, scaled to length 1.
  private static func sample(_ column: PackedColumn, rows: Int) -> [Double] {
    let filled = aligned(column.numbers, column.valued, to: nil)
    var changes = stride(from: 1, to: rows, by: max(1, rows / sampleMax)).map { Double(filled[$0] &- filled[$0 - 1]) }
    let limit = 4 * changes.reduce(0) { $0 + $1.magnitude } / Double(max(1, changes.count))
    changes = changes.map { max(-limit, min(limit, $0)) }
    let mean = changes.reduce(0, +) / Double(max(1, changes.count))
    let length = changes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }.squareRoot()
    return length > 0 ? changes.map { ($0 - mean) / length } : []
  }

  /// The column that tells most of this one, then the one that tells most of what is left, and so on.
  private static func related(to index: Int, _ samples: [[Double]]) -> [Int] {
    var rest = samples[index]
    var found: [Int] = []
    while found.count < IntegerStream.referencesMax {
      let length = product(rest, rest).squareRoot()
      guard length > 1e-6 else { break }
      var best = (column: -1, share: 0.0)
      for other in max(0, index - reach)..<min(samples.count, index + reach + 1)
      where other != index && samples[other].count == rest.count && !found.contains(other) {
        let share = product(rest, samples[other])
        if share.magnitude > best.share.magnitude { best = (other, share) }
      }
      guard best.share.magnitude >= correlationMin * length else { break }
      found.append(best.column)
      for row in rest.indices { rest[row] -= best.share * samples[best.column][row] }
    }
    return found
  }

  private static func product(_ left: [Double], _ right: [Double]) -> Double {
    var sum = 0.0
    for row in left.indices { sum += left[row] * right[row] }
    return sum
  }
}
