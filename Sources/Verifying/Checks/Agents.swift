internal import Content
internal import Model

/// The agents in the image are those that lie on this machine now.
struct AgentsCheck: Check {
  let name = "agents"

  func findings(in subject: Subject) throws -> [Finding] {
    guard let agents = subject.recipe?.agents, !agents.isEmpty else {
      throw NotJudged("no recipe names agents")
    }
    return try agents.compactMap { agent in
      guard let wanted = subject.agentHashes[agent.name], case .path(let source) = agent.source
      else { return nil }
      let path = place(of: agent, from: source, in: subject)
      guard let found = subject.files.resolve(path) else {
        return finding(agent.into, "agent '\(agent.name)' is not in the image")
      }
      let hash = try hash(of: found, in: subject)
      guard hash != wanted else { return nil }
      return finding(
        shown(found.path),
        "agent '\(agent.name)' is stale: the image has \(hash.hex.prefix(12)), "
          + "its source '\(source)' is \(wanted.hex.prefix(12)) now",
        hint: "build again")
    }
  }

  /// Where an agent is: in its folder, or under the name of the one file that it is.
  private func place(of agent: Recipe.Agent, from source: String, in subject: Subject) -> String {
    guard agent.into.hasSuffix("/"), let name = source.split(separator: "/").last.map(String.init),
      let found = subject.files.resolve(agent.into + name),
      case .file = subject.files.tree.nodes[found.node].kind
    else { return agent.into }
    return agent.into + name
  }

  /// The hash by the rule for local inputs.
  private func hash(
    of found: (node: Int, path: [UInt8]), in subject: Subject
  ) throws -> ContentHash {
    var lines: [String] = []
    try describe(found.path, as: ".", in: subject, into: &lines)
    return ContentHash(of: lines.joined(separator: "\n"))
  }

  private func describe(
    _ path: [UInt8], as name: String, in subject: Subject, into lines: inout [String]
  ) throws {
    guard let index = subject.files.node(path) else { return }
    let node = subject.files.tree.nodes[index]
    let quoted = name.debugDescription
    switch node.kind {
    case .directory:
      lines.append("folder \(quoted)")
      let prefix = path + [UInt8(ascii: "/")]
      let children = subject.files.entries(below: String(decoding: path, as: UTF8.self))
        .map { $0.path.dropFirst(prefix.count) }.filter { !$0.contains(UInt8(ascii: "/")) }
      for child in children.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        try describe(
          prefix + child, as: name + "/" + String(decoding: child, as: UTF8.self), in: subject,
          into: &lines)
      }
    case .symlink(let target): lines.append("link \(quoted) \(ContentHash(of: target))")
    default:
      let kind = node.mode & 0o100 == 0 ? "file" : "program"
      let bytes = try subject.content.bytes(of: index, limit: Int.max)
      lines.append("\(kind) \(quoted) \(ContentHash(of: bytes))")
    }
  }
}
