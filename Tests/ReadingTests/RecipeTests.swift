import Foundation
import Model
import Reading
import Support
import Testing

/// Reads a recipe from files that are written to a folder of their own.
private func recipe(
  _ files: [String: String], variables: [String: String] = [:],
  environment: [String: String] = [:]
) throws -> Recipe {
  let folder = try TemporaryFolder()
  for (name, text) in files { try folder.write(name, text) }
  var recipe = try readRecipe(
    at: (folder / "r.toml").string, variables: variables, environment: environment)
  recipe.file = recipe.file.replacing(folder.path.string + "/", with: "")
  return recipe
}

private let start = """
  schema = 1
  image.name = "right"
  base = { distribution = "debian", suite = "bookworm" }

  """

@Suite("Recipes")
struct RecipeTests {
  @Test func thatSayLittleGetTheDefaults() throws {
    let recipe = try recipe(["r.toml": start])
    #expect(recipe.file == "r.toml")
    #expect(recipe.image.size == 8 << 30)
    #expect(recipe.image.hostname == "golden")
    #expect(recipe.image.timezone == "UTC")
    #expect(recipe.image.locale == "C.UTF-8")
    #expect(recipe.base.mirror == .host)
    #expect(recipe.base.components == ["main"])
    #expect(recipe.base.architecture == "amd64")
    #expect(recipe.packages == Recipe.Packages())
  }

  @Test func keepEverythingTheySay() throws {
    let text =
      start + """
        [packages]
        install = ["curl", "jq=1.6-2.1+deb12u1", "curl"]
        exclude = ["snapd"]
        [[archive]]
        url = ["https://one.example/a/node.tar.xz?raw=1", "https://two.example/node.tar.xz"]
        sha256 = "\(String(repeating: "Ab", count: 32))"
        strip = 1
        into = "/usr/local/"
        include = ["bin/**"]
        [[archive]]
        source = "local payload.zip"
        into = "/"
        [[wheel]]
        package = "node==20.18.0"
        files = { "node/bin/node" = "/usr/local/bin/node", "node/lib/" = "/usr/local/lib/" }
        links = { "/usr/bin/npm" = "../lib/npm" }
        [[file]]
        path = "/etc/a"
        content = "a$${b}"
        mode = "0600"
        owner = "root:ssh"
        [[file]]
        path = "/srv"
        folder = true
        mode = 0o2775
        [[file]]
        path = "/etc/b"
        link = "a"
        [[user]]
        name = "agent"
        uid = 1000
        groups = ["video"]
        [[unit]]
        source = "units/x@.service"
        enable = false
        [[unit]]
        name = "apt-*"
        mask = true
        [[unit]]
        name = "y.timer"
        content = "[Timer]"
        [[agent]]
        name = "one"
        source = "one"
        into = "/opt/one"
        [[run]]
        command = ["/usr/bin/ldconfig", "-v"]
        environment = { A = "b" }
        """
    let recipe = try recipe([
      "r.toml": text, "units/x@.service": "", "one/program": "", "local payload.zip": "",
    ])
    #expect(recipe.packages.install.map(\.value) == ["curl", "jq=1.6-2.1+deb12u1"])
    #expect(recipe.archives.map(\.name) == ["node.tar.xz", "local%20payload.zip"])
    #expect(recipe.archives[0].urls.count == 2)
    #expect(recipe.archives[0].sha256?.hex == String(repeating: "ab", count: 32))
    #expect(recipe.archives[1].urls[0].hasPrefix("file:///"))
    #expect(recipe.archives[1].urls[0].hasSuffix("/local%20payload.zip"))
    #expect(recipe.wheels[0].files["node/lib/"] == "/usr/local/lib/")
    #expect(recipe.wheels[0].links == ["/usr/bin/npm": "../lib/npm"])
    #expect(recipe.files.map(\.content) == [.text("a${b}"), .folder, .link(target: "a")])
    #expect(recipe.files.map(\.mode) == [0o600, 0o2775, nil])
    #expect(recipe.files[0].owner == "root:ssh")
    #expect(recipe.users[0].gid == 1000)
    #expect(recipe.users[0].home == "/home/agent")
    #expect(recipe.units.map(\.name) == ["x@.service", "apt-*", "y.timer"])
    #expect(recipe.units.map(\.state) == [.disabled, .masked, .asPreset])
    #expect(recipe.agents[0].isEnabled)
    #expect(recipe.runs[0].name == "ldconfig")
    #expect(recipe.runs[0].environment == ["A": "b"])
    #expect(!recipe.runs[0].hasNetwork)
  }

  @Test func mergeWhatTheyExtend() throws {
    let mine = """
      image.label = "mine"
      packages.install = ["git"]
      extends = ["common/a.toml", "b.toml"]
      [[agent]]
      name = "x"
      source = "p"
      into = "/x"
      """
    let recipe = try recipe([
      "r.toml": start + mine,
      "common/a.toml": """
      extends = ["../b.toml"]
      image = { label = "a", hostname = "a" }
      packages.install = ["curl"]
      [[agent]]
      name = "y"
      source = "p"
      into = "/y"
      """,
      "b.toml": "image = { hostname = \"b\", locale = \"de\" }\npackages.install = [\"jq\"]",
      "p": "", "common/p": "",
    ])
    // b.toml counts once, where it is reached first: below a.toml.
    #expect(recipe.packages.install.map(\.value) == ["jq", "curl", "git"])
    #expect(recipe.image.label == "mine")
    #expect(recipe.image.hostname == "a")
    #expect(recipe.image.locale == "de")
    #expect(recipe.agents.map(\.name) == ["y", "x"])
    let areCommon = recipe.agents.map { (agent) -> Bool? in
      if case .path(let path) = agent.source { path.hasSuffix("/common/p") } else { nil }
    }
    #expect(areCommon == [true, false])
  }

  @Test func findTheirProductsInThePackageThatHoldsThem() throws {
    let folder = try TemporaryFolder()
    let agent = "[[agent]]\nname = \"a\"\nsource = \"product:server\"\ninto = \"/opt/\"\n"
    try folder.write("package/Package.swift", "")
    try folder.write("package/recipes/common/agents.toml", agent)
    let file = try folder.write(
      "package/recipes/r.toml",
      """
      schema = 1
      extends = ["common/agents.toml"]
      image.name = "right"
      base = { distribution = "debian", suite = "bookworm" }
      """)
    let recipe = try readRecipe(at: file.string)
    let package = URL(fileURLWithPath: (folder / "package").string).resolvingSymlinksInPath().path
    #expect(recipe.agents.map(\.source) == [.product("server", package: package)])
    // A recipe without a package has those of the program's own.
    let alone = try folder.write("alone.toml", start + agent)
    guard case .product(_, let own) = try readRecipe(at: alone.string).agents[0].source else {
      Issue.record("not a product")
      return
    }
    #expect(FileManager.default.fileExists(atPath: own + "/Sources/Reading"))
  }

  @Test func takeValuesFromVariables() throws {
    let text =
      start + """
        image.hostname = "${host}"
        image.label = "${env:LABEL}"
        [vars]
        host = "${kind}-${env:NUMBER}"
        kind = "golden"
        """
    let environment = ["LABEL": "${kind}", "NUMBER": "7", "SECRET": "x"]
    let plain = try recipe(["r.toml": text], environment: environment)
    #expect(plain.image.hostname == "golden-7")
    #expect(plain.image.label == "${kind}", "what is put in is not looked at again")
    #expect(plain.environment == ["LABEL": "${kind}", "NUMBER": "7"])
    let other = try recipe(["r.toml": text], variables: ["host": "h"], environment: environment)
    #expect(other.image.hostname == "h")
    #expect(other.environment == ["LABEL": "${kind}"])
  }
}

@Suite("A recipe's digest")
struct DigestTests {
  private let text =
    start + """
      [packages]
      install = ["curl"]
      [[file]]
      path = "/a"
      source = "files/a"
      """
  private let files = ["files/a": "", "common/files/a": ""]

  private func digest(_ files: [String: String], _ variables: [String: String] = [:]) throws
    -> ContentHash
  {
    try recipe(self.files.merging(files) { $1 }, variables: variables).digest
  }

  @Test func doesNotDependOnLayoutOrderFilesOrFolder() throws {
    let plain = try digest(["r.toml": text])
    let other = """
      # The same in other words.
      schema = 1
      extends = ["common/b.toml"]
      [packages]
      install = [
        "\\u0063url", # a comment
      ]
      """
    let base = """
      file = [{ source = "../files/a", path = "/${a}" }]
      vars.a = "a"
      [base]
      suite = "bookworm"
      distribution = 'debian'
      [image]
      name = "right"
      """
    #expect(try digest(["r.toml": other, "common/b.toml": base]) == plain)
  }

  @Test func dependsOnEveryValue() throws {
    let texts = [
      text, text + "\nmode = \"0600\"", text.replacing("right", with: "left"),
      text.replacing("\"curl\"", with: "\"curl\", \"jq\""),
      text.replacing("\"/a\"", with: "\"/b\""),
      text.replacing("files/a", with: "common/files/a"),
    ]
    #expect(Set(try texts.map { try digest(["r.toml": $0]) }).count == texts.count)
    let variable = text + "\nowner = \"${o}\"\n[vars]\no = \"root\""
    #expect(try digest(["r.toml": variable]) != digest(["r.toml": variable], ["o": "agent"]))
  }
}
