/// Fits a column to its references, in Double with + − × ÷ √ alone, so that every machine packs the same bytes.
///
/// Least squares weighted anew a few times by the inverse size of the errors: that comes near to the least sum of
/// sizes, so that a few rows where a machine starts do not outweigh the many where it runs.
enum ColdFit {
  private static let rowsMax = 512
  private static let rounds = 6
  /// Beyond it a coefficient tells of a fit gone wrong.
  private static let coefficientMax = 0x1p40

  /// One coefficient a reference, in 65,536ths; nil where there is nothing to fit.
  static func coefficients(_ values: [UInt64], _ references: ColdReferences) -> [Int64]? {
    let count = references.columns.count
    guard count > 0, values.count > 32 else { return nil }
    let rows = Array(stride(from: 0, to: values.count, by: max(1, values.count / rowsMax)))
    let scaled = references.columns.map { column in normalized(rows.map { Double(column[$0]) }) }
    let goals = rows.map { Double(values[$0]) }
    // One weight a reference, then the constant.
    var weights = [Double](repeating: 0, count: count + 1)
    for round in 0..<rounds {
      var sums = [[Double]](repeating: [Double](repeating: 0, count: count + 2), count: count + 1)
      for row in rows.indices {
        var inputs = scaled.map { $0.values[row] }
        inputs.append(1)
        inputs.append(goals[row])
        var error = goals[row]
        for j in 0...count { error -= weights[j] * inputs[j] }
        let weight = round == 0 ? 1 : 1 / (error.magnitude + 0.3)
        for i in 0...count { for j in i..<count + 2 { sums[i][j] += weight * inputs[i] * inputs[j] } }
      }
      weights = solved(&sums)
    }
    var coefficients: [Int64] = []
    for j in 0..<count {
      let coefficient = scaled[j].size > 0 ? weights[j] / scaled[j].size * 65536 : 0
      guard coefficient.magnitude < coefficientMax else { return nil }
      coefficients.append(Int64(coefficient < 0 ? coefficient - 0.5 : coefficient + 0.5))
    }
    return coefficients
  }

  /// Values less their mean over their deviation; zeros where that is 0.
  private static func normalized(_ values: [Double]) -> (values: [Double], size: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    let size = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
    return (values.map { size > 0 ? ($0 - mean) / size : 0 }, size)
  }

  /// Solves the symmetric equations of which the upper half and, last in each row, the right side are given.
  private static func solved(_ sums: inout [[Double]]) -> [Double] {
    let count = sums.count
    for i in 0..<count {
      // Columns that repeat each other must not make the equations singular.
      sums[i][i] += 1e-6
      for j in 0..<i { sums[i][j] = sums[j][i] }
    }
    for i in 0..<count {
      for k in i + 1..<max(i + 1, count) {
        let share = sums[k][i] / sums[i][i]
        for j in i...count { sums[k][j] -= share * sums[i][j] }
      }
    }
    var solution = [Double](repeating: 0, count: count)
    for i in (0..<count).reversed() {
      var rest = sums[i][count]
      for j in i + 1..<max(i + 1, count) { rest -= sums[i][j] * solution[j] }
      solution[i] = rest / sums[i][i]
    }
    return solution
  }
}
