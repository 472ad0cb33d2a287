internal import Isolation
internal import Model
internal import SystemPackage

/// Gives variables of the command line tools to all that runs in the image: services, the users' own managers,
/// shells and sessions. What somebody sets by himself goes before them.
func installEnvironment(_ environment: [String: String], in root: RootFolder) throws {
  let variables = environment.sorted { $0.key < $1.key }
  let name = "50-command-line-tools"
  let lines = variables.map { "\($0.key)=\(quoted($0.value))\n" }.joined()
  let assignments = variables.map { quoted("\($0.key)=\($0.value)") }.joined(separator: " ")
  let exports = variables.map { "export \($0.key)=\"${\($0.key)-\(shellText($0.value))}\"\n" }
    .joined()
  for (path, text) in [
    ("/etc/environment.d/\(name).conf", lines),
    ("/etc/profile.d/\(name).sh", exports),
    (
      "/etc/systemd/system.conf.d/\(name).conf",
      "[Manager]\nDefaultEnvironment=\(assignments.replacing("%", with: "%%"))\n"
    ),
  ] {
    try root.makeFolders(FilePath(path).removingLastComponent())
    try root.write(Array(text.utf8), to: FilePath(path))
  }
  // What pam_env reads for sessions without a login shell.
  var session = String(decoding: try root.contents(of: "/etc/environment") ?? [], as: UTF8.self)
  if !session.isEmpty, !session.hasSuffix("\n") { session += "\n" }
  let known = Set(session.split(separator: "\n").map { $0.prefix { $0 != "=" } })
  for (key, value) in variables where !known.contains(key[...]) {
    session += "\(key)=\(quoted(value))\n"
  }
  try root.write(Array(session.utf8), to: "/etc/environment")
}

/// As it is where that is safe, else in quotes.
private func quoted(_ text: String) -> String {
  let isPlain = text.allSatisfy {
    $0.isASCII && ($0.isLetter || $0.isNumber || "_=./:,@+-".contains($0))
  }
  return isPlain ? text : "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
}

/// Within double quotes of a shell.
private func shellText(_ text: String) -> String {
  text.reduce(into: "") { $0 += "\\\"$`}".contains($1) ? "\\\($1)" : "\($1)" }
}
