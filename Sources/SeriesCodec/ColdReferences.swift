/// What other columns, known to encoder and decoder, say about the rows of this one.
struct ColdReferences {
  static let countMax = 3
  static let span: UInt64 = 1 << 32

  /// Values less the column's least; all 0 in a column whose span is 2^32 or more.
  private(set) var columns: [[Int64]] = []

  init(_ references: [[Int64]] = []) {
    for values in references { append(values) }
  }

  mutating func append(_ values: [Int64]) {
    guard let least = values.min(), let most = values.max() else { return columns.append([]) }
    append(values, from: least, to: most)
  }

  /// The first rows of a column whose least and greatest values are known.
  mutating func append(_ values: [Int64], from least: Int64, to most: Int64) {
    let isWide = UInt64(bitPattern: most &- least) >= Self.span
    columns.append(isWide ? [Int64](repeating: 0, count: values.count) : values.map { $0 &- least })
  }

  /// What the coefficients (one a column, in 65,536ths) explain of each row, in 65,536ths; empty when all are 0.
  func explained(_ coefficients: [Int64], rows: Int) -> [Int64] {
    guard coefficients.contains(where: { $0 != 0 }) else { return [] }
    var sums = [Int64](repeating: 0, count: rows)
    for (values, coefficient) in zip(columns, coefficients) where coefficient != 0 {
      for row in 0..<rows { sums[row] &+= values[row] &* coefficient }
    }
    return sums
  }

  /// One code a row, 0…255: size and sign of the change of column `main`, and the size of that of column `side`
  /// (of `main` again where there is no `side`); all 0 where there is no `main`.
  func codes(_ main: Int, _ side: Int, rows: Int) -> [UInt8] {
    var codes = [UInt8](repeating: 0, count: rows)
    guard main < columns.count else { return codes }
    let values = columns[main]
    let others = side < columns.count ? columns[side] : values
    for row in 1..<max(1, rows) {
      let change = values[row] &- values[row &- 1]
      let other = others[row] &- others[row &- 1]
      let size = min(64 &- change.magnitude.leadingZeroBitCount, 15)
      let otherSize = min(64 &- other.magnitude.leadingZeroBitCount, 15)
      codes[row] = UInt8(size << 4 | (otherSize & 14) | (change < 0 ? 1 : 0))
    }
    return codes
  }
}
