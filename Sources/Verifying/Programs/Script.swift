/// A text that another program runs: what its first line asks for and, of a shell's, what it calls.
struct Script {
  /// The program of the first line and its arguments.
  let interpreter: [String]
  private let text: String

  /// Nil for a file that does not begin as a script does.
  init?(_ start: [UInt8]) {
    guard start.starts(with: "#!".utf8) else { return nil }
    text = String(decoding: start, as: UTF8.self)
    interpreter = text.dropFirst(2).prefix { $0 != "\n" && $0 != "\r\n" }
      .split { $0 == " " || $0 == "\t" || $0 == "\r" }.map(String.init)
    if interpreter.isEmpty { return nil }
  }

  /// The program that `env` of the first line looks for, or nil where it is named by its path.
  var searched: String? {
    guard interpreter[0].hasSuffix("/env") else { return nil }
    return interpreter.dropFirst().first { !$0.hasPrefix("-") && !$0.contains("=") }
  }

  var isShell: Bool {
    let program = searched ?? interpreter[0]
    return ["sh", "bash", "dash"].contains(
      program.split(separator: "/").last.map(String.init) ?? "")
  }

  /// The programs that a shell's script hands over to with `exec`, sorted: paths, and names to be
  /// looked for. What cannot be told without running it is left out.
  var calls: [String] {
    guard isShell else { return [] }
    var variables: [String: String] = [:]
    var calls: Set<String> = []
    for line in text.split(separator: "\n").dropFirst() {
      for command in line.split(whereSeparator: { ";&|".contains($0) }) {
        var words = command.split(whereSeparator: \.isWhitespace).map(String.init)[...]
        while let first = words.first, ["then", "else", "do", "{", "(", "!"].contains(first) {
          words = words.dropFirst()
        }
        guard let first = words.first, !first.hasPrefix("#") else { continue }
        if let (name, value) = assignment(words.first == "export" ? words.dropFirst() : words) {
          variables[name] = expanded(value, variables)
        } else if first == "exec", let call = called(words.dropFirst(), variables) {
          calls.insert(call)
        }
      }
    }
    return calls.sorted()
  }

  /// `NAME=value` on its own.
  private func assignment(_ words: ArraySlice<String>) -> (String, String)? {
    guard words.count == 1, let word = words.first, let equals = word.firstIndex(of: "=")
    else { return nil }
    let name = word[..<equals]
    guard !name.isEmpty, name.allSatisfy({ $0 == "_" || $0.isLetter || $0.isNumber }) else {
      return nil
    }
    return (String(name), String(word[word.index(after: equals)...]))
  }

  /// The program of an `exec`, past its options and variables.
  private func called(_ words: ArraySlice<String>, _ variables: [String: String]) -> String? {
    var words = words
    while let first = words.first {
      if first == "-a" {
        words = words.dropFirst(2)
      } else if first.hasPrefix("-") || assignment([first]) != nil {
        words = words.dropFirst()
      } else {
        break
      }
    }
    // A redirection alone is no call.
    guard let first = words.first, first.allSatisfy({ !"<>".contains($0) }),
      let name = expanded(first, variables), !name.isEmpty,
      name.allSatisfy({ $0.isLetter || $0.isNumber || "/._+-".contains($0) })
    else { return nil }
    return name
  }

  /// A word without quotes and with the variables that are known; nil where one is not.
  private func expanded(_ word: String, _ variables: [String: String]) -> String? {
    var rest = word.filter { $0 != "\"" && $0 != "'" }[...]
    var text = ""
    while let dollar = rest.firstIndex(of: "$") {
      text += rest[..<dollar]
      rest = rest[rest.index(after: dollar)...]
      let isBraced = rest.first == "{"
      if isBraced { rest = rest.dropFirst() }
      let name = rest.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
      rest = rest.dropFirst(name.count)
      if isBraced {
        guard rest.first == "}" else { return nil }
        rest = rest.dropFirst()
      }
      guard let value = variables[String(name)] else { return nil }
      text += value
    }
    return text + rest
  }
}
