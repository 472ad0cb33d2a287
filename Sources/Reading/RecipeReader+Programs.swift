internal import Model

// `[[unit]]`, `[[agent]]` and `[[run]]`.
extension RecipeReader {
  func unit(_ fields: inout Fields) -> Recipe.Unit {
    let isMasked = fields.boolean("mask") ?? false
    let source = fields.local("source", .file)
    let text = fields.string("content", .anyText)
    let name: Located<String>
    if let source, !fields.has("name") {
      let file = Located(lastComponent(source.value), at: source.position)
      name = fields.checkUnitName(file, key: "source") ? file : Located("", at: file.position)
    } else {
      name = fields.required("name", .unit(isPattern: isMasked))
    }
    if !name.value.isEmpty { report.claim("unit", name.value, at: name.position) }
    if let source, text != nil {
      fields.refuse(source.position, "a unit has either 'content' or 'source', not both")
    }
    let enable = fields.boolean("enable")
    if isMasked, source != nil || text != nil || enable == true {
      let what = enable == true ? "enabled" : "installed"
      fields.refuse(fields.position, "unit '\(name.value)' cannot be \(what) and masked")
    }
    let state: Recipe.Unit.State =
      isMasked ? .masked : enable.map { $0 ? .enabled : .disabled } ?? .asPreset
    if state == .asPreset, !isMasked,
      !["enable", "mask", "source", "content"].contains(where: fields.has)
    {
      report.missing(
        fields.position,
        "[[unit]] needs one of \(alternatives(["enable", "mask", "content", "source"]))")
    }
    return Recipe.Unit(
      name: name.value, source: source?.value, text: text?.value, state: state,
      position: fields.position)
  }

  func agent(_ fields: inout Fields) -> Recipe.Agent {
    let name = fields.required("name", .name)
    if !name.value.isEmpty { report.claim("agent", name.value, at: name.position) }
    let into = fields.required("into", .imageFolder)
    claimPath(into)
    let unit = fields.local("unit", .file)
    if let unit {
      let file = Located(lastComponent(unit.value), at: unit.position)
      if fields.checkUnitName(file, key: "unit") {
        report.claim("unit", file.value, at: unit.position)
      }
    }
    return Recipe.Agent(
      name: name.value, source: agentSource(&fields), into: into.value, unit: unit?.value,
      isEnabled: fields.boolean("enable") ?? true,
      owner: fields.string("owner", .owner)?.value ?? "root:root", position: fields.position)
  }

  private func agentSource(_ fields: inout Fields) -> Recipe.Agent.Source {
    guard let source = fields.string("source", .hostPath), source.value.hasPrefix("product:") else {
      if !fields.has("source") { fields.missing("source") }
      return .path(fields.local("source", .fileOrFolder)?.value ?? "")
    }
    let product = String(source.value.dropFirst("product:".count))
    if product.isEmpty || product.contains("/") {
      fields.refuse(
        source.position, "'\(source.value)' names no product; write \"product:NAME\"")
    }
    guard let package = packageFolder(for: source.position.file) else {
      fields.refuse(
        source.position,
        "'\(source.value)': there is no Package.swift in the recipe's folder or above it")
      return .path("")
    }
    return .product(product, package: package)
  }

  func run(_ fields: inout Fields) -> Recipe.Run {
    let command = command("command", &fields)
    let name = fields.string("name", .text)
    let environment = fields.pairs("environment", key: .variableName, value: .anyText)
    let run = Recipe.Run(
      name: name?.value ?? command.first.map(lastComponent) ?? "", command: command,
      environment: Dictionary(
        environment.map { ($0.key.value, $0.value.value) }
      ) { _, last in last },
      user: fields.string("user", .userName)?.value ?? "root",
      directory: fields.string("directory", .imageFolder)?.value ?? "/",
      hasNetwork: fields.boolean("network") ?? false, position: fields.position)
    if !run.name.isEmpty {
      report.claim("run", run.name, at: name?.position ?? fields.position)
    }
    return run
  }

  /// A program and its arguments.
  func command(_ key: String, _ fields: inout Fields) -> [String] {
    guard fields.has(key) else {
      fields.missing(key)
      return []
    }
    guard let entry = fields.take(key) else { return [] }
    if case .string = entry.value.content {
      fields.refuse(
        entry.value.position, "'\(key)' must be an array of strings, not string",
        hint: "a line for the shell is written [\"sh\", \"-c\", \"…\"]")
      return []
    }
    let command = fields.strings(key, .anyText).map(\.value)
    if case .array(let words) = entry.value.content, words.isEmpty || command.first == "" {
      fields.refuse(entry.value.position, "'\(key)' names no program")
    }
    return command
  }

  private func lastComponent(_ path: String) -> String {
    pathParts(path).last.map(String.init) ?? path
  }
}

extension Fields {
  /// Whether a file's name is one of a unit; reports it when not.
  fileprivate func checkUnitName(_ name: Located<String>, key: String) -> Bool {
    let form = Form.unit(isPattern: false)
    if form.accepts(name.value) { return true }
    refuse(
      name.position, "'\(key)' must name a file with the name of a unit, not '\(name.value)'",
      hint: form.hint(name.value))
    return false
  }
}
