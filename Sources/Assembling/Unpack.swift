internal import Content
internal import Isolation
internal import Model
internal import Synchronization
internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#endif

/// Unpacks packages into a root on several threads, the largest first.
struct Unpacker {
  let root: RootFolder
  /// What the root held before.
  let ground: Ground
  let supply: DebSupply
  let jobs: Int
  let events: EventSink

  /// Checks every deb against its hash and reads its control part.
  func readDebs(_ packages: [Lock.Package]) async throws -> [Deb] {
    supply.hold()
    let supply = supply
    return try await inParallel(packages, by: \.deb.size) { _, package in
      try Deb.read(package, from: supply.path(of: package))
    }
  }

  /// Unpacks what the plan leaves to us. Returns nil where packages collide, after sending them
  /// through dpkg in the plan: the root then holds a mixture and must be cleared.
  ///
  /// - Returns: per package of the plan what was unpacked; nil for those that go through dpkg.
  func unpack(_ plan: inout UnpackPlan) async throws -> [UnpackedFiles?]? {
    if ground.isEmpty { try makeMergedFolders(plan.merged) }
    let claims = PathClaims()
    let merged = Set(plan.merged.map { Array($0.utf8) })
    let progress = Mutex(0)
    let own = plan.debs.indices.filter { !plan.throughDpkg.contains($0) }
    let (root, ground, events, debs) = (root, ground, events, plan.debs)
    let extract = { @Sendable (position: Int) throws -> UnpackedFiles in
      let deb = debs[position]
      let extractor = DebExtractor(
        deb, position: position, root: root, ground: ground, merged: merged, claims: claims)
      let files = try extractor.extract()
      let done = progress.withLock {
        $0 += deb.package.deb.size
        return $0
      }
      events(.advanced(.unpack, done: done, subject: deb.package.name))
      return files
    }
    // The first package brings the folders and links that every other one builds on.
    var results = [UnpackedFiles?](repeating: nil, count: debs.count)
    if let first = own.first { results[first] = try extract(first) }
    let rest = Array(own.dropFirst())
    let files = try await inParallel(rest, by: { debs[$0].package.deb.size }) { _, position in
      try extract(position)
    }
    for (position, files) in zip(rest, files) { results[position] = files }
    guard claims.collisions.isEmpty else {
      plan.send(throughDpkg: claims.collisions)
      return nil
    }
    // As with dpkg, a folder that was there stays as it was.
    try finish(claims.folders.filter { ground.paths[$0.path] == nil })
    return results
  }

  private func makeMergedFolders(_ merged: [String]) throws {
    for name in merged {
      try root.makeFolders(FilePath("usr/\(name)"))
      try root.makeLink(FilePath(name), to: FilePath("usr/\(name)"))
    }
  }

  /// Gives folders the attributes of their first package.
  private func finish(_ folders: [(path: ImagePath, folder: PathClaims.Folder)]) throws {
    for (path, folder) in folders {
      let opened = try root.openFolder(path)
      defer { close(opened) }
      let time = timespec(tv_sec: Int(folder.modified), tv_nsec: 0)
      guard fchown(opened, folder.uid, folder.gid) == 0, fchmod(opened, mode_t(folder.mode)) == 0,
        futimens(opened, [time, time]) == 0
      else { throw RootFailure("set the attributes of", path.filePath, errno) }
    }
  }

  /// Runs `body` on each item, `jobs` at a time, the largest first; results keep the items' order.
  private func inParallel<Item: Sendable, Result: Sendable>(
    _ items: [Item], by size: (Item) -> Int,
    _ body: @escaping @Sendable (Int, Item) throws -> Result
  ) async throws -> [Result] {
    let order = items.indices.sorted { (size(items[$0]), $1) > (size(items[$1]), $0) }
    return try await withThrowingTaskGroup(of: (Int, Result).self) { group in
      var results = [Result?](repeating: nil, count: items.count)
      for (started, index) in order.enumerated() {
        if started >= jobs, let (done, result) = try await group.next() { results[done] = result }
        group.addTask { (index, try body(index, items[index])) }
      }
      for try await (done, result) in group { results[done] = result }
      return results.compactMap { $0 }
    }
  }
}
