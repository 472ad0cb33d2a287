import Content
import Model

/// Where the parts of recipes that tests make in code pretend to stand.
let place = SourcePosition(file: "test.toml", line: 5, column: 1)

/// A recipe of packages; each stands on a line of its own, from line 11 on.
func testRecipe(
  _ base: Recipe.Base, install: [String] = [], exclude: [String] = []
) -> Recipe {
  func located(_ names: [String], from line: Int) -> [Located<String>] {
    names.enumerated().map { number, name in
      Located(name, at: SourcePosition(file: "test.toml", line: line + number, column: 3))
    }
  }
  return Recipe(
    file: "test.toml", digest: ContentHash(of: "\(base) \(install) \(exclude)"),
    image: Recipe.Image(name: "test", position: place), base: base,
    packages: Recipe.Packages(
      install: located(install, from: 11), exclude: located(exclude, from: 51)))
}
