internal import Isolation
internal import Model
internal import SystemPackage

/// The programs that a unit starts. Source: systemd.service(5), "Command lines".
func programs(ofUnit unit: Located<String>, in root: RootFolder) throws -> [DeclaredProgram] {
  for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
    guard let bytes = try root.contents(of: FilePath(folder).appending(unit.value)) else {
      continue
    }
    return startedPrograms(String(decoding: bytes, as: UTF8.self)).map {
      DeclaredProgram(
        $0, origin: "started by the unit '\(unit.value)'", position: unit.position)
    }
  }
  return []  // 'systemctl enable' has refused a unit that is not there
}

/// The programs of a unit file's `ExecStart` lines; without those that may fail or that only systemd
/// can name.
func startedPrograms(_ text: String) -> [String] {
  var programs: [String] = []
  let lines = text.replacing("\\\n", with: " ").split(separator: "\n")
  for line in lines {
    guard let equals = line.firstIndex(of: "="),
      line[..<equals].filter({ !$0.isWhitespace }) == "ExecStart"
    else { continue }
    var value = line[line.index(after: equals)...].drop(while: \.isWhitespace)
    if value.isEmpty { programs = [] }  // takes back what stood above
    let signs = value.prefix { "@-:+!|".contains($0) }
    value = value.dropFirst(signs.count)
    let word: Substring
    if let quote = value.first, quote == "\"" || quote == "'" {
      word = value.dropFirst().prefix { $0 != quote }
    } else {
      word = value.prefix { !$0.isWhitespace }
    }
    guard !signs.contains("-"), !word.isEmpty, !word.contains("%"), !word.contains("$")
    else { continue }
    programs.append(String(word))
  }
  return programs
}
