import Foundation
import Support
import Testing

@Suite("As a user without rights")
struct PlainUserTests {
  /// Runs the test of dependencies once more as `nobody`; as a plain user, it has run as such.
  @Test(
    "a recipe resolves as well",
    .enabled(if: isRoot && canMakeRepositories && hasTool("setpriv"), "needs root and setpriv"))
  func resolves() throws {
    let home = try TemporaryFolder()
    let folder = try home.write("home/.keep", "").removingLastComponent()
    for path in [home.path, folder] { #expect(chmod(path.string, 0o777) == 0) }
    let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let result = try runTool(
      "setpriv",
      [
        "--reuid=65534", "--regid=65534", "--clear-groups", program, "--testing-library",
        "swift-testing", "--filter", "ResolvingTests.PackageTests/dependencies",
      ], environment: ["HOME": folder.string])
    let log = result.output + result.errors
    #expect(result.status == 0, "\(log)")
    #expect(log.contains("come with what they depend on"), "\(log)")
  }
}
