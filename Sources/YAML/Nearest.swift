import TwinCore

/// Longest name that is compared, in characters; the cost grows with the square.
private let comparedCharactersMax = 64

/// The candidate that `name` was probably meant to be, for "did you mean".
///
/// Edit distance (insert, delete, replace, swap two neighbours) at most 2 or a third of the name's length, and less
/// than the whole name. Ties go to the candidate first in byte order, whatever the order given.
public func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
  let wanted = Array(name)
  guard !wanted.isEmpty, wanted.count <= comparedCharactersMax else { return nil }
  let limit = min(max(2, wanted.count / 3), wanted.count - 1)
  var best: (distance: Int, name: String)?
  for candidate in candidates {
    let letters = Array(candidate)
    guard abs(letters.count - wanted.count) <= limit, letters.count <= comparedCharactersMax else { continue }
    let distance = editDistance(wanted, letters)
    guard distance <= limit else { continue }
    if let best, (best.distance, best.name) <= (distance, candidate) { continue }
    best = (distance, candidate)
  }
  return best?.name
}
