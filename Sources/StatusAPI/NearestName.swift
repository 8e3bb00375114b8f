import TwinCore

/// The name that was probably meant.
public enum NearestName {
  /// Longer names are compared by their first characters alone.
  static let lengthMax = 128

  /// The closest by edit distance, at most a third of the length away; the first of equals, nil when none is close.
  public static func of(_ name: String, among known: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars.prefix(lengthMax))
    guard !wanted.isEmpty else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in known {
      let other = Array(candidate.lowercased().unicodeScalars.prefix(lengthMax))
      let distance = editDistance(wanted, other)
      guard distance <= max(1, max(wanted.count, other.count) / 3), distance < best?.distance ?? .max else { continue }
      best = (candidate, distance)
    }
    return best?.name
  }
}
