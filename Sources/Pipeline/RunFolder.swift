internal import Content
internal import Model
internal import Publishing
internal import SystemPackage
internal import Verifying

#if canImport(Glibc)
  internal import Glibc
#endif

/// `<store>/runs/NAME/TIME/`: what the checks of one image saw; the last ten of an image are kept.
struct RunFolder: Sendable {
  let path: FilePath
  private static let kept = 10

  init(of image: String, in store: FilePath) throws {
    let parent = store.appending("runs").appending(image)
    try makeFolder(parent)
    let old = try names(in: parent)
    for name in old.dropLast(Self.kept - 1) { try removeTree(parent.appending(name)) }
    let moment = "\(Timestamp(seconds: Int(time(nil))))".filter { $0 != ":" && $0 != "-" }
    var path = parent.appending(moment)
    var number = 1
    while mkdir(path.string, 0o755) != 0 {
      guard errno == EEXIST, number < 1000 else { throw Errno(rawValue: errno) }
      number += 1
      path = parent.appending("\(moment)-\(number)")
    }
    self.path = path
  }

  /// Keeps what a test printed, in a file that is named for the test.
  func keep(_ output: [UInt8], of test: String) throws {
    let name = String(test.map { $0.isLetter || $0.isNumber ? $0 : "-" }.prefix(80))
    try writeAtomically(output, to: path.appending("test-\(name).out"))
  }

  /// Writes `report.json` and `report.txt`.
  func write(_ report: Report) throws {
    try writeAtomically(try json(report), to: path.appending("report.json"))
    try writeAtomically(Array(report.text.utf8), to: path.appending("report.txt"))
  }
}
