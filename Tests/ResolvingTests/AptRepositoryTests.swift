import Foundation
import Support
import SystemPackage
import Testing

@Suite(
  "The repository that tests make", .enabled(if: canMakeRepositories, "needs gpg and dpkg-deb"))
struct AptRepositoryTests {
  @Test("is accepted by gpgv and names its debs rightly")
  func isSigned() throws {
    let repository = try AptRepository()
    let package = AptPackage("hello", files: ["usr/bin/hello": "#!/bin/sh\n"])
    try repository.add(package)
    try repository.publish()
    let release = repository.dists().appending("InRelease")
    #expect(
      try runTool("gpgv", ["--keyring", repository.keyring.string, release.string]).status == 0)
    let deb = repository.deb(package)
    #expect(try runTool("dpkg-deb", ["--field", deb.string, "Package"]).output == "hello\n")
  }
}
