/// The name that was probably meant: the nearest by edits, if it is near enough.
///
/// Of equally near names the first in sorted order is taken.
func suggestion(for name: String, among names: some Sequence<String>) -> String? {
  let wanted = Array(name.utf8)
  let limit = max(1, wanted.count / 4)
  var best: (distance: Int, name: String)?
  for candidate in names where abs(candidate.utf8.count - wanted.count) <= limit {
    let distance = distance(wanted, Array(candidate.utf8), limit: limit)
    guard distance <= limit, distance <= best?.distance ?? limit else { continue }
    if let best, distance == best.distance, best.name <= candidate { continue }
    best = (distance, candidate)
  }
  return best?.name
}

/// Insertions, deletions, replacements and swaps of neighbours that make one name of the other;
/// anything over `limit` when it is more than that.
private func distance(_ left: [UInt8], _ right: [UInt8], limit: Int) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for row in left.indices {
    var current = [row + 1]
    for column in right.indices {
      let isSame = left[row] == right[column]
      var cost = min(last[column + 1] + 1, current[column] + 1, last[column] + (isSame ? 0 : 1))
      if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
        cost = min(cost, beforeLast[column - 1] + 1)
      }
      current.append(cost)
    }
    if current.min() ?? 0 > limit { return limit + 1 }
    (beforeLast, last) = (last, current)
  }
  return last[right.count]
}
