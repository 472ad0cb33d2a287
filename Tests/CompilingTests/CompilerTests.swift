import Compiling
import Content
import Foundation
import Model
import Support
import SystemPackage
import Testing

/// A package that makes the program `greeter` of two targets, one of them in C; both know their paths.
private func makePackage(in folder: TemporaryFolder, _ name: String = "package") throws -> FilePath
{
  try folder.write(
    "\(name)/Package.swift",
    """
    // swift-tools-version: 6.0
    import PackageDescription
    let package = Package(
      name: "greeting",
      products: [.executable(name: "greeter", targets: ["Greeter"])],
      targets: [
        .executableTarget(name: "Greeter", dependencies: ["CWords"]),
        .executableTarget(name: "Other", path: "Other"),
        .target(name: "CWords"),
      ])
    """)
  try folder.write(
    "\(name)/Sources/Greeter/main.swift",
    "import CWords\nprint(#fileID, String(cString: place()))\n")
  try folder.write("\(name)/Sources/CWords/include/words.h", "const char *place(void);\n")
  try folder.write(
    "\(name)/Sources/CWords/words.c",
    "#include \"words.h\"\nconst char *place(void) { return __FILE__; }\n")
  try folder.write("\(name)/Other/main.swift", "print(1)\n")
  // Its real path, as the reader of recipes gives it.
  return FilePath(
    URL(fileURLWithPath: (folder / name).string).resolvingSymlinksInPath().path)
}

private let canCompile = hasTool("swift")

@Suite("Programs of packages", .enabled(if: canCompile, "needs the Swift toolchain"))
struct CompilerTests {
  @Test(
    "the source of a product is its own targets, what the manifest says of them, and what is resolved"
  )
  func source() async throws {
    let folder = try TemporaryFolder()
    let package = try makePackage(in: folder)
    let compiler = Compiler(store: folder / "store")
    func hash() async throws -> String {
      try await compiler.source(of: "greeter", package: package).sha256.hex
    }
    let first = try await hash()
    try folder.write("package/Other/main.swift", "print(2)\n")
    #expect(try await hash() == first)
    try folder.write("package/Sources/CWords/more.c", "\n")
    let second = try await hash()
    #expect(second != first)
    try folder.write("package/Package.resolved", "{}\n")
    #expect(try await hash() != second)
    let elsewhere = try makePackage(in: folder, "elsewhere")
    func other() async throws -> String {
      try await compiler.source(of: "greeter", package: elsewhere).sha256.hex
    }
    #expect(try await other() == first)
    // A target of another product says nothing of this one; a setting of its own does.
    let manifest = try String(
      contentsOfFile: elsewhere.appending("Package.swift").string, encoding: .utf8)
    try folder.write(
      "elsewhere/Package.swift",
      manifest.replacing("path: \"Other\"", with: "path: \"Sources/Greeter\""))
    #expect(try await other() == first)
    try folder.write(
      "elsewhere/Package.swift",
      manifest.replacing("\"CWords\")", with: "\"CWords\", cSettings: [.define(\"LOUD\")])"))
    #expect(try await other() != first)
  }

  @Test("asking leaves the store alone")
  func readOnly() async throws {
    let folder = try TemporaryFolder()
    let package = try makePackage(in: folder)
    let compiler = Compiler(store: folder / "store", isReadOnly: true)
    #expect(try await compiler.compiled("greeter", package: package) == nil)
    #expect(!FileManager.default.fileExists(atPath: (folder / "store").string))
  }

  @Test("a product that the package does not make is named, with what was probably meant")
  func noProduct() async throws {
    let folder = try TemporaryFolder()
    let package = try makePackage(in: folder)
    let failure = await #expect(throws: CompilingFailure.self) {
      try await Compiler(store: folder / "store").program("greter", package: package)
    }
    #expect(
      failure?.description == "the package in '\(package)' has no executable product 'greter'; "
        + "did you mean 'greeter'?")
  }

  @Test("what the compiler says of faulty source is told")
  func faulty() async throws {
    let folder = try TemporaryFolder()
    let package = try makePackage(in: folder)
    try folder.write("package/Sources/Greeter/main.swift", "let x: Int = \"text\"\n")
    let failure = await #expect(throws: CompilingFailure.self) {
      try await Compiler(store: folder / "store").program("greeter", package: package)
    }
    let text = failure?.description ?? ""
    #expect(text.hasPrefix("compiling 'greeter':\n") && text.contains("main.swift:1:"), "\(text)")
  }

  @Test(
    "a program that names the folder in which it was compiled is refused",
    .enabled(if: isLong, "compiles; set BUILD_SNAPSHOT_LONG_TESTS=1"))
  func path() async throws {
    let folder = try TemporaryFolder()
    let package = try makePackage(in: folder)
    try folder.write("package/Sources/Greeter/main.swift", "print(#filePath)\n")
    await #expect(throws: CompilingFailure.namesFolder(product: "greeter", folder: package)) {
      try await Compiler(store: folder / "store").program("greeter", package: package)
    }
  }

  @Test(
    "are the same bytes in any folder, name no path of it, and are compiled once",
    .enabled(if: isLong, "compiles for half a minute; set BUILD_SNAPSHOT_LONG_TESTS=1"))
  func sameBytes() async throws {
    let folder = try TemporaryFolder()
    let package = try makePackage(in: folder)
    let compiler = Compiler(store: folder / "store")
    let program = try await compiler.program("greeter", package: package)
    #expect(try ContentHash(ofFile: program.path) == program.sha256)
    #expect(program.compiler.contains("Swift version"))
    let text = try runTool(program.path.string).succeeded().output
    #expect(text == "Greeter/main.swift /Sources/CWords/words.c\n")

    let elsewhere = try makePackage(in: folder, "elsewhere")
    let other = try await Compiler(store: folder / "other").program("greeter", package: elsewhere)
    #expect(other.sha256 == program.sha256)
    // The same source is not compiled again, not even in another folder.
    try FileManager.default.removeItem(atPath: elsewhere.appending(".build").string)
    #expect(try await compiler.program("greeter", package: elsewhere) == program)
    #expect(!FileManager.default.fileExists(atPath: elsewhere.appending(".build").string))
  }
}
