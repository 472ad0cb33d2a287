/// The name that was probably meant: the nearest of `names` by edits, if one is near enough.
///
/// Of equally near names the first in sorted order is taken; case does not count.
public func nearestName(to name: String, among names: some Sequence<String>) -> String? {
  let wanted = Array(name.lowercased().utf8.prefix(64))
  let limit = max(1, wanted.count / 3)
  var best: (distance: Int, name: String)?
  for candidate in names where abs(candidate.utf8.count - wanted.count) <= limit {
    guard candidate != name else { continue }
    let distance = distance(wanted, Array(candidate.lowercased().utf8.prefix(64)), limit: limit)
    guard distance <= limit, (distance, candidate) < best ?? (limit + 1, "") else { continue }
    best = (distance, candidate)
  }
  return best?.name
}

/// `did you mean 'x'?` for the nearest of `names`; nil when none is near.
public func suggestion(for name: String, among names: some Sequence<String>) -> String? {
  nearestName(to: name, among: names).map { "did you mean '\($0)'?" }
}

/// How many bytes must be put in, left out, replaced or swapped with the next to make one name of the
/// other; anything over `limit` when it is more than that.
///
/// Optimal string alignment; see Navarro, "A guided tour to approximate string matching", 2001.
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
