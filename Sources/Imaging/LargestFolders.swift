internal import Model

/// The ten folders that weigh most, heaviest first. A folder is left out when more than half of its
/// weight lies in one folder below, which then stands for it.
func largestFolders(
  of tree: Tree, weight: (_ node: Int) -> Int
) -> [ImagingFailure.FolderSize] {
  var totals = [Int](repeating: 0, count: tree.entries.count)
  var heaviest = totals
  var isWeighed = [Bool](repeating: false, count: tree.nodes.count)
  var folders: [Int] = []
  func leave() {
    let folder = folders.removeLast()
    guard let parent = folders.last else { return }
    totals[parent] += totals[folder]
    heaviest[parent] = max(heaviest[parent], totals[folder])
  }
  for (place, entry) in tree.entries.enumerated() {
    while let last = folders.last, !isInside(entry.path, tree.entries[last].path) { leave() }
    let own = isWeighed[entry.node] ? 0 : weight(entry.node)
    isWeighed[entry.node] = true
    if tree.nodes[entry.node].kind == .directory {
      totals[place] = own
      folders.append(place)
    } else if let folder = folders.last {
      totals[folder] += own
    }
  }
  while !folders.isEmpty { leave() }
  let candidates = tree.entries.indices.filter {
    tree.nodes[tree.entries[$0].node].kind == .directory && totals[$0] > 0
      && heaviest[$0] * 2 <= totals[$0]
  }
  return candidates.sorted { (totals[$1], $0) < (totals[$0], $1) }.prefix(10).map {
    ImagingFailure.FolderSize(path: shown(tree.entries[$0].path), amount: Int64(totals[$0]))
  }
}
