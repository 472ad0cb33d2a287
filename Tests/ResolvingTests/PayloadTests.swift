import Content
import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Resolving

@Suite("Archives and wheels", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct PayloadTests {
  private func recipe(
    _ world: World, archives: [Recipe.Archive] = [], wheels: [Recipe.Wheel] = []
  ) -> Recipe {
    var recipe = world.recipe()
    recipe.archives = archives
    recipe.wheels = wheels
    recipe.digest = ContentHash(of: "\(archives) \(wheels)")
    return recipe
  }

  @Test("archives without a hash are locked as they first come, and stay so")
  func firstUse() async throws {
    let world = try World()
    try world.repository.publish()
    let file = try world.folder.write("files/tool.tar", "first")
    let archive = Recipe.Archive(
      name: "tool", urls: ["file://\(file)"], sha256: nil, into: "/opt", position: place)
    let recipe = recipe(world, archives: [archive])
    let lock = try await world.lock(recipe)
    let blob = Lock.Blob(path: "tool.tar", size: 5, sha256: ContentHash(of: "first"))
    #expect(lock.archives == [Lock.Archive(name: "tool", file: blob)])
    try world.folder.write("files/tool.tar", "second")
    var changed = recipe
    changed.digest = ContentHash(of: "changed")
    #expect(try await world.lock(changed, old: lock).archives == lock.archives)
    let updated = try await world.lock(recipe, old: lock, update: .only(["tool"]))
    #expect(updated.archives.first?.file.size == 6)
    let downloads = try await world.resolver().downloads(of: lock, for: recipe)
    #expect(downloads.last?.urls == archive.urls)
  }

  @Test("archives with another hash than the recipe's are refused")
  func wrongHash() async throws {
    let world = try World()
    try world.repository.publish()
    let file = try world.folder.write("files/tool.tar", "first")
    let wanted = ContentHash(of: "other")
    let archive = Recipe.Archive(
      name: "tool", urls: ["file://\(file)"], sha256: wanted, into: "/opt", position: place)
    #expect(
      try await world.failure(recipe(world, archives: [archive]))
        == .untrusted(
          file: "tool.tar", .wrongHash(expected: wanted, actual: ContentHash(of: "first"))))
  }

  @Test("places in a lock have no host in them")
  func places() {
    #expect(placeWithoutHost("https://host.invalid/a/b%2Bc.zip?x=1") == "a/b+c.zip")
    #expect(placeWithoutHost("file:///home/me/secret/b.zip") == "b.zip")
    #expect(placeWithoutHost("/home/me/b.zip") == "b.zip")
  }

  @Test("wheels are what pip finds for the image's machine", .enabled(if: hasPip, "needs pip 22.2"))
  func wheels() async throws {
    let world = try World()
    try world.repository.publish()
    let links = world.folder / "wheels"
    for platform in ["manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "musllinux_1_1_x86_64"] {
      try makeWheel("tiny_tool", "1.2.3", platform: platform, in: links)
    }
    try makeWheel("tiny_tool", "1.3", platform: "any", in: links)
    // pip's own configuration counts; the test sets it as a user would.
    setenv("PIP_FIND_LINKS", links.string, 1)
    setenv("PIP_NO_INDEX", "1", 1)
    defer {
      unsetenv("PIP_FIND_LINKS")
      unsetenv("PIP_NO_INDEX")
    }
    let wheel = Recipe.Wheel(package: "Tiny.Tool==1.2.3", files: [:], position: place)
    let recipe = recipe(world, wheels: [wheel])
    let lock = try await world.lock(recipe)
    let locked = try #require(lock.wheels.first)
    #expect(locked.name == "tiny-tool")
    #expect(locked.file.path == "tiny_tool-1.2.3-py3-none-manylinux_2_17_x86_64.whl")
    let file = links.appending(locked.file.path)
    #expect(try ContentHash(ofFile: file) == locked.file.sha256)
    try BlobStore(store: world.store).remove(locked.file.sha256)
    let downloads = try await world.resolver().downloads(of: lock, for: recipe)
    #expect(downloads.last?.urls == ["file://\(file)"])
    let missing = Recipe.Wheel(package: "tiny-tool==9", files: [:], position: place)
    #expect(
      try await world.failure(self.recipe(world, wheels: [missing]))?.description
        == "test.toml:5:1: error: there is no wheel 'tiny-tool==9' for this base; "
        + "pip knows 1.2.3, 1.3")
  }

  @Test("wheels must be named in one version")
  func requirement() async throws {
    let world = try World()
    try world.repository.publish()
    let wheel = Recipe.Wheel(package: "tool>=2", files: [:], position: place)
    #expect(
      try await world.failure(recipe(world, wheels: [wheel]))?.description
        == "test.toml:5:1: error: 'tool>=2' does not name one version of a wheel; "
        + "write 'name==1.2.3'")
  }

  private func makeWheel(
    _ name: String, _ version: String, platform: String, in folder: FilePath
  ) throws {
    let info = "\(name)-\(version).dist-info"
    let script = """
      import os, sys, zipfile
      os.makedirs(sys.argv[1], exist_ok=True)
      with zipfile.ZipFile(sys.argv[1] + "/\(name)-\(version)-py3-none-\(platform).whl", "w") as z:
        z.writestr("\(info)/METADATA", "Metadata-Version: 2.1\\nName: \(name)\\nVersion: \(version)\\n")
        z.writestr("\(info)/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-\(platform)\\n")
        z.writestr("\(info)/RECORD", "")
        z.writestr("\(name)/tool", "\(platform)")
      """
    _ = try runTool("python3", ["-c", script, folder.string]).succeeded()
  }
}

/// Whether this machine's pip writes installation reports.
private let hasPip: Bool = {
  guard let text = try? runTool("python3", ["-m", "pip", "--version"]).output else { return false }
  let numbers = text.split(separator: " ").dropFirst().first?.split(separator: ".") ?? []
  guard let major = numbers.first.flatMap({ Int($0) }) else { return false }
  return major > 22 || (major == 22 && numbers.count > 1 && (Int(numbers[1]) ?? 0) >= 2)
}()
