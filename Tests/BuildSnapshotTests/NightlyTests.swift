import Foundation
import Support
import SystemPackage
import Testing

/// Builds by night: what systemd runs and what is left for the morning.
@Suite("A nightly build")
struct NightlyTests {
  @Test(
    "is units that systemd accepts, and refuses when they are spoilt",
    .enabled(if: hasTool("systemd-analyze"), "systemd-analyze is missing"))
  func units() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "a 100% night.toml",
      """
      schema = 1
      [vars]
      channel = "day"
      [image]
      name = "tiny"
      [base]
      distribution = "debian"
      suite = "bookworm"
      [packages]
      install = ["${channel}"]

      """)
    try folder.write("key", "secret")
    try folder.write("units/.keep", "")
    let units = folder / "units"
    let result = try Program(folder: folder.path).run(
      "install", "a 100% night.toml", "--store", (folder / "store").string, "--units",
      units.string, "--key", "key", "--metrics", "golden.prom", "--set", "channel=nightly")
    #expect(result.status == 0, "\(result.errors)")
    let names = [
      "build-snapshot-failed@.service", "build-snapshot-tiny.service", "build-snapshot-tiny.timer",
    ]
    #expect(result.output == names.map { "\(units)/\($0)\n" }.joined())
    let service = units.appending("build-snapshot-tiny.service").string
    let timer = units.appending("build-snapshot-tiny.timer").string
    func verify() throws -> ToolResult {
      try runTool(
        "systemd-analyze", ["verify", "--man=no", service, timer],
        environment: ["SYSTEMD_UNIT_PATH": "\(units):"])
    }
    let verdict = try verify()
    #expect(verdict.status == 0 && verdict.errors.isEmpty, "\(verdict.errors)")
    let text = try String(contentsOfFile: service, encoding: .utf8)
    #expect(text.contains("LoadCredential=build-snapshot-key:\(folder / "key")\n"))
    #expect(text.contains("\"\(folder.path)/a 100%% night.toml\""))
    #expect(text.contains("\nOnFailure=build-snapshot-failed@%n.service\n"))
    let told = try Program(folder: folder.path).run(
      "install", "a 100% night.toml", "--units", (folder / "new/units").string, "--on-failure",
      "page@%n.service", "--set", "channel=nightly")
    #expect(told.output.split(separator: "\n").count == 2, "\(told)")
    #expect(
      try String(
        contentsOfFile: "\(folder / "new/units/build-snapshot-tiny.service")", encoding: .utf8
      ).contains("\nOnFailure=page@%n.service\n"))
    let unwritable = try Program(folder: folder.path).run(
      "install", "a 100% night.toml", "--units", (folder / "key").string, "--set", "channel=nightly"
    )
    #expect(unwritable.status == 1)
    #expect(unwritable.errors.hasPrefix("build-snapshot: cannot write '"), "\(unwritable.errors)")
    try text.replacing("Type=oneshot", with: "Type=onesot\nExecStart=/nowhere/at/all")
      .write(toFile: service, atomically: true, encoding: .utf8)
    let spoilt = try verify()
    #expect(spoilt.status != 0 || !spoilt.errors.isEmpty)
  }

  @Test(
    "signs with the key that systemd hands it",
    .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
  func credential() throws {
    let world = try World()
    try world.folder.write("credentials/.keep", "")
    _ = try world.program.run("keygen", "credentials/build-snapshot-key").succeeded()
    var program = world.program
    program.environment = ["CREDENTIALS_DIRECTORY": (world.folder / "credentials").string]
    let result = try program.run(world.arguments())
    #expect(result.status == 0, "\(result.errors)")
    let disk = FilePath(String(result.output.dropLast()))
    let signature = disk.removingLastComponent().appending("manifest.json.minisig").string
    #expect(FileManager.default.fileExists(atPath: signature))
  }

  @Test(
    "leaves a record of each run, and numbers for Prometheus",
    .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
  func records() throws {
    let world = try World()
    try world.build("--metrics", "golden.prom")
    let file = world.folder / "golden.prom"
    let first = try String(contentsOfFile: file.string, encoding: .utf8)
    #expect(first.contains("golden_build_last_result{image=\"tiny\",result=\"published\"} 1\n"))
    let success = first.split(separator: "\n").first {
      $0.contains("last_success_timestamp_seconds{")
    }

    _ = try world.program.run("quarantine", "tiny", "--store", world.store.string)
    try world.folder.write("tiny.toml", world.recipe(run: "exit 3"))
    #expect(try world.run("build", "--metrics", "golden.prom").status == 1)
    let second = try String(contentsOfFile: file.string, encoding: .utf8)
    #expect(second.contains("golden_build_last_result{image=\"tiny\",result=\"failed\"} 1\n"))
    #expect(second.split(separator: "\n").contains { $0 == success }, "the last success stays")
    #expect(second.contains("golden_build_phase_milliseconds{image=\"tiny\",phase=\"resolve\"} "))
    let records = try world.names(in: "runs").filter { $0.hasSuffix(".json") }
    #expect(!records.isEmpty && records.allSatisfy { $0.hasSuffix("-tiny.json") })
    let last = try String(
      contentsOfFile: world.store.appending("runs/\(records.last ?? "")").string, encoding: .utf8)
    #expect(last.contains("\"result\" : \"failed\"") && last.contains("\"exitStatus\" : 1"))
  }

  @Test(
    "leaves a record each for runs of the same second, and reads those of old",
    .enabled(
      if: canBuild && hasTool("faketime"), "needs root, faketime, gpg, dpkg-deb, unshare, e2fsck"))
  func sameSecond() throws {
    let world = try World()
    try world.build()
    let first = try world.names(in: "runs").filter { $0.hasSuffix(".json") }
    for _ in 0..<3 {
      let result = try runTool(
        "faketime", ["-f", "2030-01-02 03:04:05", Program.path] + world.arguments(),
        environment: ["TZ": "UTC"], folder: world.folder.path.string)
      try #require(result.errors.contains("unchanged: tiny"), "\(result.errors)")
    }
    let records = try world.names(in: "runs").filter { $0.hasSuffix(".json") }
    #expect(
      records == first + ["20300102T030405Z-tiny.json"]
        + (2...3).map { "20300102T030405Z.00\($0)-tiny.json" })
    let status = try world.program.run("status", "tiny.toml", "--store", world.store.string)
    #expect(status.output.contains("success   "), "\(status.output)")
  }

  @Test(
    "leaves numbers that Prometheus' own parser reads, and not when they are spoilt",
    .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"),
    .enabled(if: hasPythonModule("prometheus_client"), "prometheus_client is missing"))
  func parsed() throws {
    let world = try World()
    try world.build("--metrics", "golden.prom")
    let script = """
      import sys, time
      from prometheus_client.parser import text_string_to_metric_families as parse
      text = open(sys.argv[1]).read()
      families = {f.name: f for f in parse(text)}
      assert len(families) == 6, families.keys()
      assert all(f.type == "gauge" and f.documentation and f.samples for f in families.values())
      success = families["golden_build_last_success_timestamp_seconds"].samples[0]
      assert success.labels == {"image": "tiny"} and abs(success.value - time.time()) < 600
      results = {s.labels["result"]: s.value for s in families["golden_build_last_result"].samples}
      assert results["published"] == 1 and sum(results.values()) == 1, results
      for spoilt in [text.replace("} 1\\n", "} one\\n"), text.replace('"tiny"', '"tiny', 1)]:
        try:
          list(parse(spoilt))
        except ValueError:
          continue
        sys.exit("a spoilt file is read")
      """
    let judged = try runPython(["-c", script, (world.folder / "golden.prom").string])
    #expect(judged.status == 0, "\(judged.errors)")
  }
}
