import Foundation
import Support
import SystemPackage
import Testing

/// What is left of builds that are ended from outside.
@Suite(
  "A build that is ended", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"),
  .serialized)
struct InterruptionTests {
  /// All phases where there is time, else one of each sort: waiting, programs at work, our own work.
  static let phases = isLong ? allPhases : ["fetch", "configure", "image"]
  private static let allPhases = [
    "resolve", "fetch", "unpack", "configure", "customise", "image", "hash", "publish",
  ]

  @Test("leaves nothing behind after Ctrl-C, in whatever phase")
  func interrupted() throws {
    let world = try World()
    for phase in Self.phases {
      try world.forget()
      let start = ContinuousClock.now
      let result = try world.program.run(
        world.arguments(), sending: SIGINT, when: phase)
      // `publish` may be over before the signal comes: the release then stands.
      let isPublished = phase == "publish" && result.status == 0
      if !isPublished {
        #expect(result.status == 130, "\(phase): \(result.errors)")
        #expect(
          result.errors.hasSuffix("build-snapshot: interrupted; nothing was published\n"),
          "\(phase): \(result.errors)")
        #expect(try world.versions == [], "\(phase)")
      }
      #expect(ContinuousClock.now - start < .seconds(30), "\(phase)")
      #expect(try processes(naming: world.folder.path) == [], "\(phase)")
      try world.expectNoDebris(partialBlobs: true)
    }
    try world.forget()
    try world.build()
    try world.expectNoDebris()
  }

  @Test("takes its processes with it when it is killed, in whatever phase; the next one cleans up")
  func killed() throws {
    let world = try World()
    for phase in Self.phases {
      try world.forget()
      let result = try world.program.run(
        world.arguments(), sending: SIGKILL, when: phase)
      #expect(result.status == -SIGKILL, "\(phase): \(result.errors)")
      try expectNoProcess(naming: world.folder.path, phase)
    }
    try world.forget()
    try world.build()
    try world.expectNoDebris()
  }

  @Test("is the only one of its image; others share the store")
  func twoAtOnce() throws {
    let world = try World()
    // The first build waits in its `[[run]]` until it is interrupted.
    try world.folder.write("tiny.toml", world.recipe(run: "sleep 1000"))
    try world.folder.write("other.toml", world.recipe(image: "other"))
    let first = try world.program.start(world.arguments())
    try first.wait(for: "customise")
    let second = try world.run()
    #expect(second.status == 75)
    #expect(
      second.errors.contains("is held by process ")
        && second.errors.contains("(a build of 'tiny')"),
      "\(second.errors)")
    var other = world.arguments()
    other[1] = "other.toml"
    let third = try world.program.run(other)
    #expect(third.status == 0, "\(third.errors)")
    first.send(SIGINT)
    #expect(first.end().status == 130)
    try world.expectNoDebris()
    try world.folder.write("tiny.toml", world.recipe())
    try world.build()
  }
}

/// The processes whose command line names a path.
private func processes(naming path: FilePath) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
    guard Int(name) != nil, name != "\(getpid())",
      // A process that is gone in the meantime names nothing.
      let line = try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8)
    else { return false }
    return line.contains(path.string)
  }
}

/// Waits a little: the kernel kills the namespace's processes after the one that was hit.
private func expectNoProcess(naming path: FilePath, _ phase: String) throws {
  let end = ContinuousClock.now + .seconds(10)
  while try !processes(naming: path).isEmpty, ContinuousClock.now < end { usleep(10_000) }
  #expect(try processes(naming: path) == [], "\(phase)")
}
