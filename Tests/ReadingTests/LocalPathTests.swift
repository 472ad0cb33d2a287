import Testing

@testable import Reading

@Suite("Paths of the host")
struct LocalPathTests {
  @Test(
    "count from the folder of the file in which they stand",
    arguments: [
      ("a", "r.toml", "a"), ("a", "recipes/r.toml", "recipes/a"), ("../a", "recipes/r.toml", "a"),
      ("../../a", "recipes/r.toml", "../a"), ("./a//b/", "/r.toml", "/a/b"),
      ("/a/../b", "recipes/r.toml", "/b"), ("..", "recipes/r.toml", "."), ("../..", "/r.toml", "/"),
      ("../a", "../x/r.toml", "../a"),
    ])
  func join(path: String, file: String, expected: String) {
    #expect(localPath(path, from: file) == expected)
  }
}
