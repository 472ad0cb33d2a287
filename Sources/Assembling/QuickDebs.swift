internal import Content
internal import Model
internal import SystemPackage

/// Debs once more, with their parts compressed by zstd: these unpack ten times as fast as xz.
///
/// `<store>/debs/<2 digits>/<SHA-256 of the deb>` is a deb too. Format: deb(5).
struct QuickDebs: Sendable {
  private let store: BlobStore
  private let forms: QuickForms
  private let leastParallelSize: Int64

  /// - Parameter leastParallelSize: below this, in bytes of xz, several threads are not worth the memory that
  ///   the blocks take.
  init(_ store: BlobStore, leastParallelSize: Int64 = 32 << 20) {
    self.store = store
    self.leastParallelSize = leastParallelSize
    forms = QuickForms(store, folder: "debs")
  }

  /// Where the quick form of a deb is, checked, and made where it is missing or damaged; the deb
  /// itself, checked, where it cannot be made.
  ///
  /// - Parameters:
  ///   - threads: how many decode xz, where the deb was written for it.
  ///   - goesOn: asked all the time; false ends the work with `CancellationError`.
  func path(
    of package: Lock.Package, threads: Int = 1, while goesOn: () -> Bool = { true }
  ) throws -> FilePath {
    let hash = package.deb.sha256
    guard store.contains(hash) else { throw PackageFailure.missing(package: package.name) }
    if let path = forms.find(hash) { return path }
    do {
      try store.check(hash)
    } catch BlobFailure.corrupt(_, let actual) {
      throw PackageFailure.damaged(
        package: package.name, reason: "its SHA-256 is \(actual) and not \(hash)")
    } catch BlobFailure.missing {
      throw PackageFailure.missing(package: package.name)
    }
    do {
      return try forms.make(hash) { form in
        try copy(store.path(of: hash), to: &form, threads: threads) {
          try Task.checkCancellation()
          guard goesOn() else { throw CancellationError() }
        }
      }
    } catch let error as CancellationError {
      throw error
    } catch {
      // No space, a store that cannot be written, a deb that is none: who reads the deb will see.
      return store.path(of: hash)
    }
  }

  /// Copies all members of a deb, the archives among them in another compression.
  ///
  /// - Parameter check: throws when it is time to stop.
  private func copy(
    _ path: FilePath, to form: inout QuickForm, threads: Int, _ check: () throws -> Void
  ) throws {
    var deb = try ArchiveReader.open(path)
    while let member = try deb.next() {
      try check()
      let name = String(decoding: member.path, as: UTF8.self)
      guard !name.hasPrefix("_") else { continue }
      guard let part = ["control.tar", "data.tar"].first(where: { name.hasPrefix($0) }) else {
        try form.add(name, try deb.readAll(limit: 1 << 20))
        continue
      }
      if name.hasSuffix(".xz"), member.size ?? 0 > leastParallelSize, threads > 1 {
        let xz = try XzReader(threads: threads)
        try form.addCompressed("\(part).zst") { buffer in
          try check()
          return try xz.read(into: buffer) { try deb.read(into: $0) }
        }
      } else {
        try deb.withPlainMember { plain in
          try form.addCompressed("\(part).zst") { buffer in
            try check()
            return try plain.read(into: buffer)
          }
        }
      }
    }
  }
}
