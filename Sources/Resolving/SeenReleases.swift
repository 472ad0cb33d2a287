internal import Content
internal import Model
internal import SystemPackage

/// The newest date of each Release file that a store has ever seen: `<store>/releases/<key>`.
///
/// A mirror, or somebody on the way to it, could otherwise show an old state with known holes for as
/// long as it pleases: few Release files say how long they are valid.
struct SeenReleases {
  let store: FilePath

  /// Refuses a date older than the newest one seen or locked, and remembers a newer one.
  ///
  /// Dates count per address and suite, so that mirrors which lag behind others are no fault.
  func accept(
    _ date: Int, of pocket: Pocket, file: String, lockedDate: Int?
  ) throws {
    let folder = store.appending("releases")
    let key = ContentHash(of: pocket.bases.joined(separator: " ") + "\n" + pocket.id)
    let record = folder.appending(key.hex)
    var seen: Int?
    if exists(record) {
      seen = Int(try text(of: record).trimmed)
    }
    if let newest = [seen, lockedDate].compactMap({ $0 }).max(), newest > date {
      throw ResolvingFailure.untrusted(file: file, .rolledBack(date: date, seen: newest))
    }
    guard seen != date else { return }
    do {
      try makeFolder(folder)
      try writeAtomically(Array("\(date)\n".utf8), to: record)
    } catch {
      throw ResolvingFailure.io(operation: "write", path: record.string, reason: "\(error)")
    }
  }
}
