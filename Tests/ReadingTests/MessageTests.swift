import Model
import Support
import Testing

@testable import Reading

/// The messages for a recipe whose file is called `r.toml`, one a line; empty when it is right.
private func messages(
  _ recipe: String, files: [String: String] = [:], variables: [String: String] = [:],
  environment: [String: String] = [:]
) throws -> String {
  let folder = try TemporaryFolder()
  let file = try folder.write("r.toml", recipe)
  for (name, text) in files { try folder.write(name, text) }
  do {
    _ = try readRecipe(at: file.string, variables: variables, environment: environment)
    return ""
  } catch {
    return error.description.replacing(folder.path.string + "/", with: "")
  }
}

@Suite("Messages for faulty recipes")
struct MessageTests {
  @Test func aRecipeWithTenFaultsShowsAllTen() throws {
    print(
      try messages(
        """
        schema = 1
        [image]
        nam = "x"
        size = "8GB"
        hostname = 3
        [base]
        distribution = "debain"
        suite = "bookworm"
        pockets = ["bookworm-updates"]
        [pakages]
        [[file]]
        path = "etc/x"
        content = "${foo}"
        mode = 644
        [[user]]
        name = "a"
        uid = 1000
        password = "x"
        [[user]]
        name = "a"
        uid = 1000
        [npm]
        packages = ["a"]
        foo = = 3
        [[unit]]
        name = "x"
        enable = true
        """))
  }
}
