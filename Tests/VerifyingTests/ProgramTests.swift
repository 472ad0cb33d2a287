import Foundation
import Isolation
import Model
import Support
import SystemPackage
import Testing

@testable import Verifying

@Suite(
  "A declared program", .enabled(if: hasTool("ldd") && hasMergedUsr, "needs ldd and a merged /usr"))
struct ProgramTests {
  private func fault(_ reason: String, _ program: String = "/usr/bin/grep") -> [String] {
    ["'\(program)', a test's, \(reason)"]
  }

  @Test("that the loader takes passes, by its path, its name and a link")
  func real() throws {
    let root = try ProgramRoot()
    try root.link("/usr/local/bin/search", to: "/usr/bin/grep")
    #expect(try root.faults("/usr/bin/grep", "grep", "/usr/local/bin/search", "/bin/sh") == [])
  }

  @Test("must be there and may be executed")
  func presence() throws {
    let root = try ProgramRoot()
    try root.link("/usr/local/bin/codex", to: "/opt/codex")
    try root.write("/usr/bin/plain", "#!/bin/sh\n", mode: 0o644)
    try root.write("/usr/bin/empty", "")
    try root.write("/usr/bin/words", "only words\n")
    #expect(try root.faults("/usr/bin/nothing") == fault("does not exist", "/usr/bin/nothing"))
    #expect(
      try root.faults("/usr/local/bin/codex")
        == fault("is a link to '/opt/codex', which does not exist", "/usr/local/bin/codex"))
    #expect(
      try root.faults("/usr/bin/plain")
        == fault("cannot be executed: its mode does not allow it", "/usr/bin/plain"))
    #expect(try root.faults("/usr/bin/empty") == fault("is empty", "/usr/bin/empty"))
    #expect(
      try root.faults("/usr/bin/words")
        == fault("is neither a program nor a script", "/usr/bin/words"))
  }

  @Test("of another processor is named")
  func machine() throws {
    let root = try ProgramRoot()
    #expect(
      try root.faults("/usr/bin/grep", architecture: otherArchitecture)
        == fault("is a program for \(hostArchitecture), the image is for \(otherArchitecture)"))
  }

  @Test(
    "without one of its libraries, its own or one of theirs", .enabled(if: isRoot, "needs root"))
  func library() throws {
    let root = try ProgramRoot()
    #expect(try root.runs("/usr/bin/grep"))
    try root.patch("/usr/bin/grep", "libpcre2-8.so.0", "libpcre2-9.so.0")
    #expect(
      try root.faults("/usr/bin/grep")
        == fault("needs 'libpcre2-9.so.0', which the image does not have"))
    #expect(try !root.runs("/usr/bin/grep"))
    let other = try ProgramRoot()
    let library = "/usr/lib/\(try #require(Machine(architecture: hostArchitecture)).triplet)"
    try other.patch("\(library)/libpcre2-8.so.0", "libc.so.6", "libd.so.6")
    #expect(
      try other.faults("/usr/bin/grep")
        == fault(
          "'libpcre2-8.so.0', which it needs, needs 'libd.so.6', which the image does not have"))
    try other.remove("/usr/lib64/ld-linux-x86-64.so.2")
    #expect(
      try other.faults("/usr/bin/grep")
        == fault("needs the loader '/lib64/ld-linux-x86-64.so.2', which the image does not have"))
  }

  @Test("for a newer C library than the image's", .enabled(if: isRoot, "needs root"))
  func glibc() throws {
    let root = try ProgramRoot()
    let has = try #require(
      runTool("ldd", ["--version"]).output.split(separator: "\n").first?.split(separator: " ").last)
    try root.patch("/usr/bin/grep", "GLIBC_2.34", "GLIBC_2.99")
    #expect(
      try root.faults("/usr/bin/grep") == fault("needs GLIBC_2.99, the image has \(has)"))
    #expect(try !root.runs("/usr/bin/grep"))
  }

  @Test("that is a script needs its interpreter, and says what it calls")
  func script() throws {
    let root = try ProgramRoot()
    try root.write("/usr/bin/tool", "#!/usr/bin/env node\n")
    #expect(
      try root.faults("/usr/bin/tool")
        == fault("is a script for 'node', which does not exist", "/usr/bin/tool"))
    try root.write(
      "/usr/bin/wrapper",
      "#!/bin/sh\nHOME_OF=/usr/bin\n[ -n \"$1\" ] || exec \"$HOME_OF/grep\" --version\nexec ${HOME_OF}/none\n"
    )
    let result = try root.check().run([DeclaredProgram("/usr/bin/wrapper", origin: "a test's")])
    #expect(result.faults == [])
    #expect(result.remarks == ["'/usr/bin/wrapper' is a script that calls '/usr/bin/grep'"])
    try root.remove("/usr/bin/grep")
    #expect(
      try root.faults("/usr/bin/wrapper").first
        == "'/usr/bin/wrapper', a test's, is a script that calls '/usr/bin/grep', which does not exist"
    )
  }

  @Test("that only hands over to a snap is a stand-in")
  func stub() throws {
    let root = try ProgramRoot()
    try root.write(
      "/usr/bin/chromium-browser",
      """
      #!/bin/sh
      if ! [ -x /snap/bin/chromium ]; then
          echo "Command '$0' requires the chromium snap to be installed." >&2
          exit 1
      fi
      exec /snap/bin/chromium "$@"

      """)
    #expect(
      try root.faults("/usr/bin/chromium-browser")
        == fault(
          "is a script that calls '/snap/bin/chromium': a snap, not a program",
          "/usr/bin/chromium-browser"))
  }

  @Test("nobody has declared: one that hands over to a snap is found all the same")
  func undeclaredStub() throws {
    let root = try ProgramRoot()
    try root.write("/usr/bin/firefox", "#!/bin/sh\nexec /usr/bin/snap run firefox \"$@\"\n")
    try root.write("/usr/bin/polite", "#!/bin/sh\n# not /snap/bin/x\nexec grep \"$@\"\n")
    #expect(
      try root.faults("/usr/bin/polite") == [
        "'/usr/bin/firefox', which a package brings, is a script that calls '/usr/bin/snap': "
          + "a snap, not a program"
      ])
  }

  @Test("of a unit is judged where the unit starts it")
  func units() throws {
    let root = try ProgramRoot()
    try root.write(
      "/etc/systemd/system/a.service",
      "[Service]\nExecStart=/usr/bin/grep x\nExecStart=-/usr/bin/may-fail\nExecStart=@/opt/none \\\n  name\n"
    )
    try root.write(
      "/usr/lib/systemd/system/b.service",
      "[Service]\nExecStart=/opt/old\nExecStart=\nExecStart=\"grep\" %i\n")
    #expect(
      try root.faults(units: ["a.service", "b.service"]) == [
        "r.toml:3:1: error: '/opt/none', started by the unit 'a.service', does not exist"
      ])
  }

  @Test("must tell the locked version", .enabled(if: isRoot, "needs root"))
  func version() throws {
    let root = try ProgramRoot()
    try root.write("/usr/local/bin/tool", "#!/bin/sh\necho 'tool 1.2.3 (test)'\n")
    try root.write("/usr/local/bin/broken", "#!/bin/sh\necho 'no native binary' >&2; exit 1\n")
    let check = try root.check()
    func say(_ name: String, _ version: String) throws -> [String] {
      try check.run([
        DeclaredProgram("/usr/local/bin/\(name)", origin: "a test's", version: version)
      ])
      .faults.map(\.reason)
    }
    #expect(try say("tool", "1.2.3") == [])
    #expect(
      try say("tool", "1.2") == [
        "says 'tool 1.2.3 (test)' when asked for its version, the lock has 1.2"
      ])
    #expect(
      try say("broken", "1") == ["does not tell its version: exit status 1: no native binary"])
  }

  @Test(
    "means to readelf what it means to us",
    .enabled(if: hasTool("readelf"), "needs readelf"),
    arguments: ["/usr/bin/grep", "/usr/bin/dash", "/usr/bin/apt-get", "/usr/bin/openssl"])
  func judge(path: String) throws {
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? file.close() }  // only read from
    let elf = try #require(try ELF(file))
    let dynamic = try runTool("readelf", ["-dW", path]).succeeded().output
    let needed = dynamic.split(separator: "\n").filter { $0.contains("(NEEDED)") }
      .compactMap { $0.split(separator: "[").last?.dropLast() }.map(String.init)
    #expect(elf.needed == needed)
    let versions = try runTool("readelf", ["-VW", path]).succeeded().output
    for need in elf.needs {
      #expect(versions.contains("Name: \(need.version) "))
      #expect(versions.contains("File: \(need.library)"))
    }
    let count = versions.split(separator: "\n").filter {
      $0.contains("Name: ") && $0.contains("Flags:")
    }
    #expect(elf.needs.count == count.count)
  }
}
