import Foundation
import Support
import SystemPackage
import Testing

@Suite("A build", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct BuildTests {
  @Test("publishes a sound image and prints its path")
  func whole() throws {
    let world = try World()
    let result = try world.run()
    try #require(result.status == 0, "\(result.errors)")
    let version = try #require(try world.versions.first)
    let folder = world.store.appending("images").appending("tiny").appending(version)
    #expect(result.output == "\(folder)/rootfs.ext4\n")
    let disk = folder.appending("rootfs.ext4").string
    #expect(try runTool("e2fsck", ["-fn", disk]).status == 0)
    try world.expectNoDebris()
  }
}
