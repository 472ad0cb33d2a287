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
      guard let wanted = subject.agentHashes[agent.name] else { return nil }
      var path = agent.into
      if path.hasSuffix("/"), let name = agent.source.split(separator: "/").last,
        case .directory? = subject.files.resolve(path).map({
          subject.files.tree.nodes[$0.node].kind
        }),
        subject.files.resolve(path + name) != nil, !agent.isFolder
      {
        path += name
      }
      guard let found = subject.files.resolve(path) else {
        return finding(agent.into, "agent '\(agent.name)' is not in the image")
      }
      let hash = try hash(of: found.path, in: subject)
      guard hash != wanted else { return nil }
      return finding(
        shown(found.path),
        "agent '\(agent.name)' is stale: the image has \(hash.hex.prefix(12)), its source "
          + "'\(agent.source)' is \(wanted.hex.prefix(12)) now",
        hint: "build again")
    }
  }

  /// The hash of a file or folder of the image, by the rule for local inputs.
  private func hash(of path: [UInt8], in subject: Subject) throws -> ContentHash {
    var lines: [String] = []
    try describe(path, as: ".", in: subject, into: &lines)
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

extension Recipe.Agent {
  /// Whether the source is a folder, as far as its place in the image tells.
  fileprivate var isFolder: Bool { source.hasSuffix("/") }
}
