/// Insertions, deletions, replacements and swaps of neighbours that turn one sequence into the other (optimal string
/// alignment). Costs the product of the lengths: bound them.
public func editDistance<Element: Equatable>(_ a: [Element], _ b: [Element]) -> Int {
  var older = [Int](repeating: 0, count: b.count + 1)
  var previous = Array(0...b.count)
  var current = previous
  for i in a.indices {
    current[0] = i + 1
    for j in b.indices {
      var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, older[j - 1] + 1) }
      current[j + 1] = cost
    }
    (older, previous, current) = (previous, current, older)
  }
  return previous[b.count]
}
