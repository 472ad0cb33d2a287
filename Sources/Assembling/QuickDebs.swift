internal import Content
internal import Model
internal import SystemPackage

/// Debs once more, with their parts compressed by zstd: these unpack ten times as fast as xz.
///
/// `<store>/debs/<2 digits>/<SHA-256 of the deb>` is a deb too. Format: deb(5).
struct QuickDebs: Sendable {
  private let store: BlobStore
  private let forms: QuickForms

  init(_ store: BlobStore) {
    self.store = store
    forms = QuickForms(store, folder: "debs")
  }

  /// Where the quick form of a deb is, checked, and made where it is missing or damaged; the deb
  /// itself, checked, where it cannot be made.
  func path(of package: Lock.Package) throws -> FilePath {
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
      return try forms.make(hash) { try copy(store.path(of: hash), to: &$0) }
    } catch let error as CancellationError {
      throw error
    } catch {
      // No space, a store that cannot be written, a deb that is none: who reads the deb will see.
      return store.path(of: hash)
    }
  }

  /// Copies all members of a deb, the archives among them in another compression.
  private func copy(_ path: FilePath, to form: inout QuickForm) throws {
    var deb = try ArchiveReader.open(path)
    while let member = try deb.next() {
      try Task.checkCancellation()
      let name = String(decoding: member.path, as: UTF8.self)
      guard !name.hasPrefix("_") else { continue }
      if let part = ["control.tar", "data.tar"].first(where: { name.hasPrefix($0) }) {
        try deb.withPlainMember { plain in
          try form.addCompressed("\(part).zst") { try plain.read(into: $0) }
        }
      } else {
        try form.add(name, try deb.readAll(limit: 1 << 20))
      }
    }
  }
}
