import TwinCore
import YAML

/// What to say of a unit that is not in the table.
enum UnitHint {
  /// What people write for the commonest units.
  private static let other = [
    "c": "Cel", "degc": "Cel", "°c": "Cel", "celsius": "Cel", "°f": "[degF]", "euro": "EUR", "l/s": "L/s",
  ]

  static func text(for word: String) -> String {
    let plain = plain(word)
    if let code = other[word.lowercased()] { return "did you mean \"\(code)\"?" }
    let codes = UnitCode.all.map(\.ucum)
    let match = codes.first { Self.plain($0) == plain } ?? nearest(to: word, among: codes)
    return match.map { "did you mean \"\($0)\"?" } ?? "use a UCUM code, as kW, Cel or m3/h"
  }

  /// Without what is easily forgotten: case, dots, brackets.
  private static func plain(_ word: String) -> String {
    word.lowercased().filter { !".[]{}()".contains($0) }
  }
}
