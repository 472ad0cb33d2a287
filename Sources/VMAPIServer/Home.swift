internal import AgentHTTP
internal import Glibc
internal import Synchronization
internal import Terminal

/// The home of the programs: which of them are there, signed in or not, and where runs may work.
final class Home: Sendable {
  private let settings: Settings
  private let versions = Mutex<[String: String]>([:])

  init(_ settings: Settings) { self.settings = settings }

  /// Asks each program for its version, once; blocks for as long as they take.
  func learnVersions() {
    for program in Set(settings.providers.map(\.program)).sorted() {
      var variables = settings.environment
      variables["HOME"] = settings.home
      let said = firstLine(of: Command(program, ["--version"], environment: variables))
      versions.withLock { $0[program] = said }
    }
  }

  /// What `/health` says of the programs: the first entry of each name counts.
  var tools: JSON {
    var tools: [String: JSON] = [:]
    let versions = versions.withLock { $0 }
    for provider in settings.providers where tools[provider.name] == nil {
      tools[provider.name] = [
        "version": .text(versions[provider.program]),
        "signedIn": .bool(access("\(settings.home)/\(provider.credentials[0])", R_OK) == 0),
      ]
    }
    return .object(tools)
  }

  /// The folder to work in: a path below home, links resolved.
  func workFolder(_ wish: String?) throws(Refusal) -> String {
    guard let home = real(settings.home) else {
      throw Refusal(500, "no_home", "the home folder '\(settings.home)' is missing")
    }
    guard let wish else { return home }
    guard wish.utf8.allSatisfy({ $0 != 0 }),
      let path = real(wish.hasPrefix("/") ? wish : "\(home)/\(wish)")
    else { throw Refusal(400, "bad_cwd", "'cwd' is no folder") }
    guard path == home || path.hasPrefix(home + "/") else {
      throw Refusal(400, "bad_cwd", "'cwd' is not below the home folder")
    }
    return path
  }

  /// Puts credential files in place, each at once, readable by the owner alone.
  func install(_ files: [JSON], for provider: Provider) throws(Refusal) {
    var checked: [(String, [UInt8])] = []
    for file in files {
      guard let path = file["path"]?.string, let content = file["content"]?.string,
        provider.credentials.contains(path)
      else {
        let list = provider.credentials.joined(separator: ", ")
        throw Refusal(400, "bad_file", "each file has 'path', one of \(list), and 'content'")
      }
      // Why it is no JSON does not matter, and could quote a secret.
      guard let value = try? JSON(parsing: content.utf8), value.object != nil else {
        throw Refusal(400, "bad_file", "'\(path)' holds no JSON object")
      }
      checked.append((path, Array(content.utf8)))
    }
    for (path, bytes) in checked {
      guard write(bytes, to: "\(settings.home)/\(path)") else {
        let reason = String(cString: strerror(errno))
        throw Refusal(500, "not_written", "cannot write '\(path)': \(reason)")
      }
    }
  }

  private func write(_ bytes: [UInt8], to path: String) -> Bool {
    if let slash = path.lastIndex(of: "/") { mkdir(String(path[..<slash]), 0o700) }
    let temporary = "\(path).new"
    unlink(temporary)
    let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return false }
    let isWritten = Glibc.write(file, bytes, bytes.count) == bytes.count
    close(file)
    return isWritten && rename(temporary, path) == 0
  }

  private func real(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    var facts = stat()
    guard stat(resolved, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else { return nil }
    return String(cString: resolved)
  }

  private func firstLine(of command: Command) -> String? {
    // A program that is not there has no version.
    guard let child = try? Child.start(command) else { return nil }
    child.endInput()
    var output: [UInt8] = []
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      switch child.next(before: deadline) {
      case .output(let bytes): if output.count < 4096 { output += bytes }
      case .ended(let ending):
        guard ending.isSuccess, let line = output.split(separator: 10).first else { return nil }
        return String(decoding: line.prefix(200), as: UTF8.self)
      case .deadline:
        child.stop()
        return nil
      case .errors, .readable, .woken: break
      }
    }
  }
}
