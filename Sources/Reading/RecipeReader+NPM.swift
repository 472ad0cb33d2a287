internal import Model

// `[npm]`.
extension RecipeReader {
  /// Reads the tools that come from an npm registry; nil when the recipe has none.
  var npm: Recipe.NPM? {
    guard var fields = fields("npm") else { return nil }
    let folder = fields.string("into", .imageFolder)?.value ?? "/opt/clis"
    let into = folder.hasSuffix("/") && folder != "/" ? String(folder.dropLast()) : folder
    let registry = fields.string("registry", .npmRegistry)?.value
    let node = fields.string("node", .nodeVersion)
    let tools = npmTools(&fields, into: into)
    let scripts = fields.strings("scripts", .npmName)
    let commands = npmCommands(&fields, tools)
    let variables = fields.pairs("environment", key: .variableName, value: .text)
    fields.finish()
    return Recipe.NPM(
      into: into, registry: registry == "default" ? nil : registry, node: node, tools: tools,
      scripts: scripts, commands: commands,
      environment: variables.reduce(into: Recipe.NPM.defaultEnvironment) {
        $0[$1.key.value] = $1.value.value
      },
      position: fields.position)
  }

  /// What `packages` names: strings, or tables where more is to be said.
  private func npmTools(_ fields: inout Fields, into: String) -> [Recipe.NPM.Tool] {
    guard let entry = fields.take("packages") else {
      fields.missing("packages")
      return []
    }
    guard case .array(let values) = entry.value.content else {
      fields.mustBe("an array of packages", "packages", entry.value)
      return []
    }
    var tools: [Recipe.NPM.Tool] = []
    for value in values {
      guard let tool = npmTool(value, fields) else { continue }
      tools.append(tool)
      claimPath(Located("\(into)/\(tool.folder)", at: tool.position))
    }
    return tools
  }

  private func npmTool(_ value: TOMLValue, _ fields: Fields) -> Recipe.NPM.Tool? {
    switch value.content {
    case .string(let text):
      guard Form.npmPackage.accepts(text) else {
        fields.refuse(
          value.position, "each of 'packages' must be \(Form.npmPackage.name), not '\(text)'")
        return nil
      }
      return Recipe.NPM.Tool(text, isNative: false, at: value.position)
    case .table(let table):
      var keys = Fields(table, name: "'packages'", at: value.position, report: report)
      let name = keys.required("name", .npmPackage)
      let isNative = keys.boolean("native") ?? false
      keys.finish()
      return name.value.isEmpty
        ? nil : Recipe.NPM.Tool(name.value, isNative: isNative, at: name.position)
    default:
      fields.refuse(
        value.position, "'packages' must hold strings or tables, not \(value.type)")
      return nil
    }
  }

  private func npmCommands(
    _ fields: inout Fields, _ tools: [Recipe.NPM.Tool]
  ) -> [String: String] {
    var commands: [String: String] = [:]
    for (command, package) in fields.pairs("bin", key: .name, value: .npmName) {
      claimPath(Located("/usr/local/bin/\(command.value)", at: command.position))
      if !tools.contains(where: { $0.package == package.value }) {
        fields.refuse(
          package.position, "'\(package.value)' is not among 'packages'",
          hint: suggestion(for: package.value, among: tools.map(\.package)))
      }
      commands[command.value] = package.value
    }
    return commands
  }
}

extension Recipe.NPM.Tool {
  /// Takes `@scope/name@range` apart.
  fileprivate init(_ text: String, isNative: Bool, at position: SourcePosition) {
    let at = text.dropFirst().firstIndex(of: "@")
    self.init(
      package: String(text[..<(at ?? text.endIndex)]),
      range: at.map { String(text[text.index(after: $0)...]) } ?? "", isNative: isNative,
      position: position)
  }
}
