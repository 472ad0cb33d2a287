/// Reads a console's log for why a machine did not come up.
func likelyCause(ofConsole text: String) -> (cause: String, isFinal: Bool)? {
  for (mark, cause) in finalCauses where text.contains(mark) { return (cause, true) }
  if let line = text.split(separator: "\n").last(where: { $0.contains("Failed to start") }) {
    let plain = line.replacing(#/\u{1B}\[[0-9;]*[A-Za-z]/#, with: "").trimmed
    return ("a unit failed: \(plain)", false)
  }
  return nil
}

/// What no machine recovers from.
private let finalCauses = [
  (
    "golden-init: no root device",
    "there is no root device: the kernel or the command line names another"
  ),
  ("golden-init: cannot mount", "the root file system cannot be mounted"),
  ("golden-init: no /sbin/init", "the image has no /sbin/init"),
  ("VFS: Unable to mount root fs", "the kernel found no root file system"),
  ("You are in emergency mode", "systemd went into emergency mode"),
  ("Cannot open access to console, the root account is locked", "systemd went into emergency mode"),
  ("Kernel panic - not syncing", "the kernel panicked"),
  ("Out of memory: Killed process 1 ", "the machine has too little memory"),
]

extension StringProtocol {
  /// Without blanks at both ends.
  var trimmed: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text = text.dropFirst() }
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return String(text)
  }
}

/// The last lines of a console, without colours and cursor movements.
func lastLines(ofConsole text: String, _ count: Int = 12) -> [String] {
  text.replacing(#/\u{1B}\[[0-9;?]*[A-Za-z]/#, with: "").split(whereSeparator: \.isNewline)
    .map(\.trimmed).filter { !$0.isEmpty }.suffix(count)
}
