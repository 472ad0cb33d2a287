import Foundation
import Support
import SystemPackage
import Testing

/// Many builds of the real program on one store, and stores on disks that are full.
@Suite(
  "Builders that share a store",
  .enabled(
    if: canBuild && isLong,
    "needs root, BUILD_SNAPSHOT_LONG_TESTS=1 and gpg, dpkg-deb, unshare, e2fsck"),
  .serialized)
struct CrowdTests {
  @Test("get a version each, twenty-four at once, and wait or say 75 meanwhile")
  func different() throws {
    let world = try World()
    try world.build()
    // Half of them want to publish the same image, half an image of their own.
    let builders = try (0..<24).map { number in
      try world.builder(
        number, image: number % 2 == 0 ? World.image : "tiny-\(number)", run: "echo \(number)")
    }
    let busy = try builders.map { try $0.end() }.reduce(0, +)
    #expect(try world.versions.count == 13)
    #expect(try world.generation("tiny") == 13)
    for number in stride(from: 1, to: 24, by: 2) {
      #expect(try world.generation("tiny-\(number)") == 1)
    }
    print("24 builders: 13 + 12 versions, status 75 was given \(busy) times")
    try world.expectSound()
  }

  @Test("make one version where all of them build the same")
  func equal() throws {
    let world = try World()
    let builders = try (0..<24).map { try world.builder($0, image: World.image, run: "echo same") }
    let busy = try builders.map { try $0.end() }.reduce(0, +)
    #expect(try world.versions.count == 1)
    #expect(try world.generation("tiny") == 1)
    print("24 equal builders: 1 version, status 75 was given \(busy) times")
    try world.expectSound()
  }

  /// The store is a tmpfs of its own namespace. A file takes all but so many KiB of it before each build;
  /// then it goes, and the next build must publish.
  @Test("keep the last release when the disk is full, wherever it gets full")
  func fullDisk() throws {
    let world = try World()
    let recipe = world.recipe().replacing("128MiB", with: "64MiB")
    try world.folder.write("tiny.toml", recipe + "[publish]\nkeep = 2\n")
    try world.folder.write(
      "fill.sh",
      """
      program=$1; shift
      mkdir store && mount -t tmpfs -o size=160M tmpfs store || exit 1
      "$program" build "$@" --quiet > /dev/null || exit 1
      now() { readlink store/images/tiny/latest; }
      for free in 0 4 64 256 1024 4096 8192 12288 16384 18432 19456 19968 20480 22528 24576 40960; do
        before=$(now)
        echo "echo $free" > agent/serve
        sync store; all=$(df --output=avail -k store | tail -n 1)
        [ "$all" -le "$free" ] || fallocate -l $((all - free))K store/filler
        "$program" build "$@" --quiet > /dev/null 2> errors; status=$?
        between=$(now)
        "$program" doctor --deep --store store > found; sound=$?
        rm -f store/filler
        echo "echo after $free" > agent/serve
        "$program" build "$@" --quiet > /dev/null 2> errors-after; next=$?
        "$program" doctor --deep --store store > found-after; soundafter=$?
        [ "$before" = "$between" ] && moved=old || moved=new
        [ "$between" = "$(now)" ] && nextmoved=old || nextmoved=new
        echo "$free $status $moved $sound $next $nextmoved $soundafter $(tail -n 1 errors | tr ' ' _)"
      done
      """)
    let result = try runTool(
      "unshare",
      ["-m", "sh", "fill.sh", Program.path, "tiny.toml", "--store", "store"],
      folder: world.folder.path.string
    ).succeeded()
    var (full, published) = (0, 0)
    for line in result.output.split(separator: "\n") {
      let words = line.split(separator: " ").map { String($0) }
      try #require(words.count >= 7, "\(line)")
      let isFull = words[1] == "1"
      #expect(words[1...2] == (isFull ? ["1", "old"] : ["0", "new"]), "\(line)")
      #expect(words[3...6] == ["0", "0", "new", "0"], "\(line)")
      if isFull { full += 1 } else { published += 1 }
      if isFull {
        #expect(
          ["no_room", "No_space_left", "disk_is_full"].contains { line.contains($0) }, "\(line)")
      }
    }
    print("full disk: \(full + published) sizes, \(full) builds failed, \(published) published")
    #expect(full >= 8 && published >= 2 && full + published == 16)
  }
}

/// A builder that tries again as long as another holds the lock.
private struct Builder {
  let process: Process
  /// Gets a line for each time.
  let busy: FilePath

  /// Waits for it.
  ///
  /// - Returns: how often it was told 75.
  func end() throws -> Int {
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    // No file: never.
    return ((try? String(contentsOfFile: busy.string, encoding: .utf8)) ?? "").count / 3
  }
}

extension World {
  fileprivate func builder(_ number: Int, image: String, run: String) throws -> Builder {
    let text = recipe(image: image, run: run)
      .replacing("128MiB", with: "64MiB")
    try folder.write("builder-\(number).toml", text)
    let busy = folder / "busy-\(number)"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c",
      "while :; do \"$@\"; s=$?; [ $s = 75 ] || exit $s; echo 75 >> \"$0\"; sleep 0.3; done",
      busy.string, Program.path, "build", "builder-\(number).toml", "--store", store.string,
      "--quiet",
    ]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path.string)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return Builder(process: process, busy: busy)
  }

  fileprivate func generation(_ image: String) throws -> Int {
    let path = store.pushing(FilePath("images/\(image)/latest.json")).string
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let pointer = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    return try #require(pointer["generation"] as? Int)
  }

  /// Expects that every file of every release is as its manifest says, and that nothing lies about.
  fileprivate func expectSound() throws {
    let found = try program.run("doctor", "--deep", "--store", store.string)
    #expect(found.status == 0, "\(found.output)")
    for name in ["work", "staging", "tmp"] { #expect(try names(in: name) == [], "\(name)") }
  }
}
