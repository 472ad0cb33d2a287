internal import AgentHTTP

/// Reads providers from a JSON file: an array of objects with the members of `Provider`.
///
/// Entries of the file come before the built-in ones, so that an entry for a version range, or another
/// command, needs no new agent.
func readProviders(_ bytes: [UInt8]) throws -> [Provider] {
  guard let entries = try JSON(parsing: bytes).array else {
    throw FaultyProviders(fault: "no array")
  }
  return try entries.enumerated().map { index, entry in
    do throws(FaultyProviders) {
      return try provider(entry)
    } catch { throw FaultyProviders(fault: "entry \(index + 1): \(error.fault)") }
  }
}

/// What is wrong with a file of providers.
struct FaultyProviders: Error, Hashable, CustomStringConvertible {
  var fault: String
  var description: String { "cannot use the providers: \(fault)" }
}

private func provider(_ entry: JSON) throws(FaultyProviders) -> Provider {
  let known: Set = [
    "name", "aliases", "program", "from_version", "before_version", "modes", "links", "prompts",
    "code_prompt", "credentials", "status", "exclusive",
  ]
  if let key = entry.object?.keys.sorted().first(where: { !known.contains($0) }) {
    throw FaultyProviders(fault: "unknown key '\(key)'")
  }
  guard let name = entry["name"]?.string, let program = entry["program"]?.string,
    let credentials = texts(entry["credentials"]), !credentials.isEmpty,
    let links = texts(entry["links"]), let modes = entry["modes"]?.object, !modes.isEmpty
  else {
    throw FaultyProviders(fault: "'name', 'program', 'credentials', 'links' and 'modes' are needed")
  }
  for path in credentials where path.hasPrefix("/") || path.split(separator: "/").contains("..") {
    throw FaultyProviders(fault: "'\(path)' is not below the home folder")
  }
  var provider = Provider(
    name: name, program: program, modes: [:], links: links, credentials: credentials)
  for (word, start) in modes {
    guard let mode = Provider.Mode(rawValue: word), let arguments = texts(start["arguments"]) else {
      throw FaultyProviders(fault: "mode '\(word)' is unknown or has no 'arguments'")
    }
    let variables = start["environment"]?.object?.compactMapValues(\.string) ?? [:]
    provider.modes[mode] = Provider.Start(arguments: arguments, environment: variables)
  }
  provider.aliases = texts(entry["aliases"]) ?? []
  provider.fromVersion = entry["from_version"]?.string
  provider.beforeVersion = entry["before_version"]?.string
  provider.codePrompt = entry["code_prompt"]?.string
  provider.status = texts(entry["status"])
  provider.isExclusive = entry["exclusive"]?.bool ?? false
  provider.prompts = (entry["prompts"]?.array ?? []).compactMap { prompt in
    guard let text = prompt["text"]?.string, let answer = prompt["answer"]?.string else {
      return nil
    }
    return Provider.Prompt(text: text, answer: answer)
  }
  return provider
}

private func texts(_ value: JSON?) -> [String]? {
  guard let elements = value?.array else { return nil }
  let texts = elements.compactMap(\.string)
  return texts.count == elements.count ? texts : nil
}
