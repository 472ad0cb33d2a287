internal import AgentHTTP
internal import Glibc

/// The log of one session, readable by us alone, with secrets masked.
///
/// Lines of the screen go in once each, when the screen has come to rest: then no token is cut in two
/// by the way in which it was printed.
struct SessionLog {
  let path: String
  var redaction = Redaction()
  private let file: Int32
  private var seen: Set<String> = []
  private var size = 0

  static let largest = 1 << 20

  /// Makes the file; a file or link of that name that is there already gives way.
  static func make(_ path: String) throws(SystemFault) -> SessionLog {
    unlink(path)
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw SystemFault("make the log '\(path)'") }
    return SessionLog(path: path, file: file)
  }

  private init(path: String, file: Int32) {
    self.path = path
    self.file = file
  }

  /// Notes something that the agent did.
  mutating func note(_ text: String) { add("\(wallTime()) \(redaction.masked(text))") }

  /// Notes the lines of the screen that are new.
  mutating func show(_ text: String) {
    for line in text.split(separator: "\n") {
      let line = redaction.masked(String(line))
      if line.allSatisfy({ $0 == " " }) || !seen.insert(line).inserted { continue }
      add("| \(line)")
    }
    if seen.count > 4096 { seen = [] }
  }

  private mutating func add(_ line: String) {
    let bytes = Array(line.utf8) + [10]
    guard size + bytes.count <= Self.largest else { return }
    // A full disk must not stop the sign-in.
    size += max(write(file, bytes, bytes.count), 0)
  }

  func close() { Glibc.close(file) }
}
