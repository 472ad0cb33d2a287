internal import Model

// `[image]`, `[base]` and `[packages]`.
extension RecipeReader {
  func image() -> Recipe.Image {
    guard var fields = requiredFields("image") else {
      return Recipe.Image(name: "", position: SourcePosition(file: file, line: 1, column: 1))
    }
    var image = Recipe.Image(
      name: fields.required("name", .imageName).value, position: fields.position)
    let sizes = (64 << 20)...(8 << 40)
    image.size = fields.size("size", in: sizes, multipleOf: 4096) ?? image.size
    image.label = fields.string("label", .label)?.value ?? image.label
    image.hostname = fields.string("hostname", .hostname)?.value ?? image.hostname
    image.timezone = fields.string("timezone", .timezone)?.value ?? image.timezone
    image.locale = fields.string("locale", .locale)?.value ?? image.locale
    fields.finish()
    return image
  }

  func base() -> Recipe.Base {
    guard var fields = requiredFields("base") else {
      let start = SourcePosition(file: file, line: 1, column: 1)
      return Recipe.Base(distribution: .debian, suite: "", position: start)
    }
    let distribution = fields.required("distribution", .oneOf(["debian", "ubuntu"])).value
    var base = Recipe.Base(
      distribution: Recipe.Base.Distribution(rawValue: distribution) ?? .debian,
      suite: fields.required("suite", .suite).value, position: fields.position)
    base.pockets = pockets(&fields, suite: base.suite)
    let components = fields.strings("components", .component).map(\.value)
    if !components.isEmpty { base.components = unique(components) }
    let architecture = fields.string("architecture", .oneOf(["amd64", "arm64"]))
    base.architecture = architecture?.value ?? base.architecture
    let mirrors = fields.stringOrStrings("mirror", .mirror)
    if let host = mirrors.first(where: { $0.value == "host" }), mirrors.count > 1 {
      fields.refuse(host.position, "'host' stands alone, not in a list of mirrors")
    }
    if !mirrors.isEmpty, !mirrors.contains(where: { $0.value == "host" }) {
      base.mirror = .addresses(mirrors.map(\.value))
    }
    base.securityMirror = fields.stringOrStrings("security_mirror", .url).map(\.value)
    base.keyring = fields.local("keyring", .file)?.value
    if let snapshot = fields.string("snapshot", .snapshot) {
      fields.refuse(snapshot.position, "'snapshot' is not supported yet")
      base.snapshot = snapshot.value
    }
    fields.finish()
    return base
  }

  private func pockets(_ fields: inout Fields, suite: String) -> [String] {
    let pockets = fields.strings("pockets", .suite)
    for pocket in pockets where !suite.isEmpty && pocket.value.hasPrefix(suite + "-") {
      let short = pocket.value.dropFirst(suite.count + 1)
      fields.refuse(
        pocket.position, "'\(pocket.value)' names the suite again", hint: "write '\(short)'")
    }
    return unique(pockets.map(\.value))
  }

  /// - Parameter browser: with the source `apt` it adds its packages.
  func packages(_ browser: Recipe.Chromium?) -> Recipe.Packages {
    let own = browser?.source == .apt ? Recipe.Chromium.packages : []
    let wished = own.map { name in
      Located(name, at: browser?.position ?? SourcePosition(file: file, line: 1, column: 1))
    }
    guard var fields = fields("packages") else { return Recipe.Packages(install: wished) }
    let install = fields.strings("install", .package) + wished
    let exclude = fields.strings("exclude", .packageName)
    fields.finish()
    for wish in install {
      let name = wish.value.prefix { $0 != "=" }
      if let other = exclude.first(where: { $0.value == name }) {
        fields.refuse(
          wish.position,
          "package '\(name)' is to be installed, but is excluded at \(other.position)")
      }
    }
    return Recipe.Packages(install: unique(install), exclude: unique(exclude))
  }

  /// The first of each, in their order: files that extend each other may wish for the same.
  private func unique(_ values: [String]) -> [String] {
    var seen: Set<String> = []
    return values.filter { seen.insert($0).inserted }
  }

  private func unique(_ values: [Located<String>]) -> [Located<String>] {
    var seen: Set<String> = []
    return values.filter { seen.insert($0.value).inserted }
  }
}

extension Form {
  fileprivate static let mirror = Form(
    name: "'host' or an address", accepts: { $0 == "host" || Form.url.accepts($0) },
    hint: { Form.url.hint($0) ?? Model.suggestion(for: $0, among: ["host"]) })
}
