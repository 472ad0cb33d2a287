/// A run of ids: `count` ids from `inside` on within a namespace are those from `outside` on around it.
struct IDMapping: Equatable, Sendable {
  var inside: Int
  var outside: Int
  var count: Int
}

/// The ids that an image may use: those of Debian's policy, without the reserved 65535.
let neededIDs = 65535

/// Reads the lines of `/proc/PID/uid_map`: inside, outside, count.
func mappings(in text: String) -> [IDMapping] {
  text.split(separator: "\n").compactMap { line in
    let numbers = line.split(separator: " ").compactMap { Int($0) }
    guard numbers.count == 3 else { return nil }
    return IDMapping(inside: numbers[0], outside: numbers[1], count: numbers[2])
  }
}

/// The ids from 0 to 65535 mapped to themselves, as far as the namespace around us has them.
///
/// - Parameter offered: the map of the namespace around us. The kernel wants each line of the new
///   map within one line of the old one.
func identityMap(offeredBy offered: [IDMapping]) -> [IDMapping] {
  offered.sorted { $0.inside < $1.inside }.compactMap { range in
    let end = min(range.inside + range.count, 65536)
    guard end > range.inside else { return nil }
    return IDMapping(inside: range.inside, outside: range.inside, count: end - range.inside)
  }
}

/// User 0 mapped to `own`, the ids from 1 on to the subordinate ranges, in their order.
func plainMap(own: Int, ranges: [Range<Int>]) -> [IDMapping] {
  var map = [IDMapping(inside: 0, outside: own, count: 1)]
  var next = 1
  for range in ranges where next < 65536 {
    let count = min(range.count, 65536 - next)
    guard count > 0 else { continue }
    map.append(IDMapping(inside: next, outside: range.lowerBound, count: count))
    next += count
  }
  return map
}

/// Whether a map has every id that an image may use.
func suffices(_ map: [IDMapping]) -> Bool {
  var next = 0
  for range in map.sorted(by: { $0.inside < $1.inside }) {
    guard range.inside == next else { return false }
    next += range.count
    if next >= neededIDs { return true }
  }
  return false
}

/// The ranges that `/etc/subuid` or `/etc/subgid` gives a user, named by login name or number.
func subordinateRanges(in text: String, name: String?, id: Int) -> [Range<Int>] {
  text.split(separator: "\n").compactMap { line in
    let fields = line.split(separator: ":", omittingEmptySubsequences: false)
    guard fields.count == 3, name.map({ fields[0] == $0 }) == true || fields[0] == "\(id)",
      let start = Int(fields[1]), let count = Int(fields[2]), start > 0, count > 0
    else { return nil }
    return start..<(start + count)
  }
}

/// The first id after every range of `/etc/subuid` or `/etc/subgid`, 100000 or more, rounded up as
/// useradd does it.
func firstFreeID(in texts: [String]) -> Int {
  let ends = texts.flatMap { $0.split(separator: "\n") }.compactMap { line -> Int? in
    let fields = line.split(separator: ":", omittingEmptySubsequences: false)
    guard fields.count == 3, let start = Int(fields[1]), let count = Int(fields[2])
    else { return nil }
    return start + count
  }
  return max(100_000, ends.max() ?? 0)
}
