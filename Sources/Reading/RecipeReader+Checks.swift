internal import Model

// `[budget]`, `[[test]]`, `[boot]` and `[[allow]]`: how an image is judged before it is published.
extension RecipeReader {
  var budget: Recipe.Budget? {
    guard var fields = fields("budget") else { return nil }
    let budget = Recipe.Budget(
      free: fields.size("free", in: 0...(8 << 40)),
      freeInodes: fields.integer("free_inodes", in: 0...Int(UInt32.max))?.value,
      position: fields.position)
    fields.finish()
    return budget
  }

  func test(_ fields: inout Fields) -> Recipe.Test {
    let name = fields.required("name", .text)
    if !name.value.isEmpty { report.claim("test", name.value, at: name.position) }
    let command = command("run", &fields)
    let texts = fields.stringOrStrings("expect", .anyText)
    let patterns = fields.stringOrStrings("expect_pattern", .anyText)
    // Why it is none does not fit into a line; that it is none does.
    for pattern in patterns where (try? Regex(pattern.value)) == nil {
      fields.refuse(pattern.position, "'\(pattern.value)' is not a regular expression")
    }
    let environment = fields.pairs("env", key: .variableName, value: .anyText)
    return Recipe.Test(
      name: name.value, command: command,
      stage: fields.string("stage", .oneOf(["root", "boot"]))
        .flatMap { Recipe.Test.Stage(rawValue: $0.value) } ?? .root,
      hasTerminal: fields.boolean("pty") ?? false,
      expectations: texts.map { .text($0.value) } + patterns.map { .pattern($0.value) },
      exit: exit(&fields), timeout: fields.integer("timeout", in: 1...3600)?.value ?? 30,
      environment: Dictionary(environment.map { ($0.key.value, $0.value.value) }) { $1 },
      input: fields.string("stdin", .anyText)?.value ?? "",
      user: fields.string("user", .userName)?.value ?? "root", position: fields.position)
  }

  /// An exit status; `-1` stands for any.
  private func exit(_ fields: inout Fields) -> Int? {
    let status = fields.integer("exit", in: -1...255)?.value ?? 0
    return status < 0 ? nil : status
  }

  var boot: Recipe.Boot? {
    guard var fields = fields("boot") else { return nil }
    var boot = Recipe.Boot(position: fields.position)
    if let driver = fields.string("driver", .oneOf(["qemu", "firecracker"])), driver.value != "qemu"
    {
      fields.refuse(
        driver.position, "'driver = \"firecracker\"' is not supported yet", hint: "say 'qemu'")
    }
    boot.commandLine = fields.string("cmdline", .text)?.value ?? boot.commandLine
    boot.memory = fields.size("memory", in: (64 << 20)...(1 << 40)) ?? boot.memory
    boot.processor = fields.string("cpu", .name)?.value ?? boot.processor
    boot.kernel = fields.local("kernel", .file)?.value
    boot.initrd = fields.local("initrd", .file)?.value
    boot.ready = fields.string("ready", .unit(isPattern: false))?.value ?? boot.ready
    let health = fields.strings("health", .text)
    for address in health where port(ofHealth: address.value) == nil {
      fields.refuse(
        address.position,
        "each of 'health' must be an address such as 'http://:8080/health', not '\(address.value)'")
    }
    boot.health = health.map(\.value)
    boot.display = fields.integer("display", in: 1...65535)?.value
    if fields.has("show") { boot.show = command("show", &fields) }
    boot.showUser = fields.string("show_user", .userName)?.value ?? boot.showUser
    boot.clones = fields.boolean("clones") ?? boot.clones
    boot.timeout = fields.integer("timeout", in: 5...3600)?.value ?? boot.timeout
    boot.growth = fields.size("growth", in: 0...(1 << 40)) ?? boot.growth
    fields.finish()
    return boot
  }

  func allowance(_ fields: inout Fields) -> Recipe.Allowance {
    Recipe.Allowance(
      check: fields.required("check", .name).value, path: fields.required("path", .text).value,
      reason: fields.required("reason", .text).value, position: fields.position)
  }

  /// The port of `http://:8080/health`; nil when the address has another form.
  private func port(ofHealth address: String) -> UInt16? {
    guard address.hasPrefix("http://:") else { return nil }
    let rest = address.dropFirst(8)
    let number = rest.prefix { $0 != "/" }
    return rest.dropFirst(number.count).hasPrefix("/") ? UInt16(number) : nil
  }
}
