/// `did you mean 'x'?` for the known word that is nearest to a wrong one; nil when none is near.
func suggestion(for word: String, among known: [String]) -> String? {
  nearest(to: word, among: known).map { "did you mean '\($0)'?" }
}

/// The known word that is nearest to a wrong one; nil when none is near.
func nearest(to word: String, among known: [String]) -> String? {
  let limit = max(1, word.count / 3)
  let near = known.map { (distance(word.lowercased(), $0.lowercased()), $0) }
    .filter { $0.0 <= limit && $0.1 != word }
  return near.min { $0 < $1 }?.1
}

/// How many letters must be put in, left out, replaced or swapped with the next to make `left` of
/// `right`.
///
/// Optimal string alignment; see Navarro, "A guided tour to approximate string matching", 2001.
func distance(_ left: String, _ right: String) -> Int {
  let left = Array(left.unicodeScalars.prefix(64))
  let right = Array(right.unicodeScalars.prefix(64))
  var beforeLast = [Int](repeating: 0, count: right.count + 1)
  var last = Array(0...right.count)
  for row in left.indices {
    var next = [row + 1]
    for column in right.indices {
      let isEqual = left[row] == right[column]
      var best = min(
        last[column] + (isEqual ? 0 : 1), last[column + 1] + 1, next[column] + 1)
      if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
        best = min(best, beforeLast[column - 1] + 1)
      }
      next.append(best)
    }
    (beforeLast, last) = (last, next)
  }
  return last[right.count]
}

/// `'a', 'b' or 'c'`.
func alternatives(_ words: [String]) -> String {
  let quoted = words.map { "'\($0)'" }
  guard quoted.count > 1, let last = quoted.last else { return quoted.first ?? "" }
  return quoted.dropLast().joined(separator: ", ") + " or " + last
}
