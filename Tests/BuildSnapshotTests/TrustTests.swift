import Foundation
import Support
import SystemPackage
import Testing

/// Signed releases of the real program, as outside judges and its own commands see them.
@Suite(
  "A signed release", .enabled(if: canBuild, "needs root and gpg, dpkg-deb, unshare, e2fsck"))
struct TrustTests {
  @Test(
    "is signed in minisign's format, renewed when unchanged, and moves with its key only",
    .enabled(if: hasTool("minisign"), "minisign is missing"))
  func whole() throws {
    let world = try World()
    let key = world.folder / "key"
    #expect(try world.program.run("keygen", "key").output == "\(key).pub\n")
    #expect(try world.program.run("keygen", "key").status == 1)
    #expect(try runTool("stat", ["-c", "%a", key.string]).output == "600\n")

    try world.folder.write(
      "tiny.toml",
      world.recipe() + """
        [publish]
        keep = 2
        expires = "1h"
        link = "\(world.folder / "current.ext4")"
        signed = true
        compress = true

        """)
    let unsigned = try world.run()
    #expect(unsigned.status == 1)
    #expect(unsigned.errors.contains("releases of 'tiny' must be signed"))

    chmod(key.string, 0o644)
    let open = try world.run("build", "--key", key.string)
    #expect(open.status == 1)
    #expect(open.errors.contains("is open to others (mode 644)"))
    chmod(key.string, 0o600)

    let disk = try world.build("--key", key.string)
    let folder = disk.removingLastComponent()
    #expect(
      try world.names(in: "images/tiny/\(folder.lastComponent?.string ?? "")") == [
        "checks.dsse.json", "files.txt", "manifest.json", "manifest.json.minisig", "packages.txt",
        "provenance.dsse.json", "recipe.lock", "recipe.toml", "rootfs.chunks", "rootfs.ext4",
        "rootfs.ext4.zst",
        "sbom.cdx.json", "sbom.spdx.json",
      ])
    let arguments = [
      "-VHm", folder.appending("manifest.json").string, "-p", key.string + ".pub",
    ]
    #expect(try runTool("minisign", arguments).status == 0)
    #expect(
      try FileManager.default.destinationOfSymbolicLink(
        atPath: (world.folder / "current.ext4").string) == disk.string)
    let unpacked = try runTool(
      "sh", ["-c", "zstd -dc < '\(disk).zst' | sha256sum", "sh"])
    #expect(unpacked.output.prefix(64) == (try sha256(disk))[...])
    let files = try String(contentsOfFile: "\(folder)/files.txt", encoding: .utf8)
    #expect(files.contains("opt/server/serve\n"))
    #expect(!files.contains("f\t755\t0\t0\t31\t-"), "every file has a hash")

    // The key may come as text, too; with other options than the key nothing needs it.
    let secret = try String(contentsOfFile: key.string, encoding: .utf8).split(separator: "\n")[1]
    let text = Program(
      folder: world.folder.path, environment: ["BUILD_SNAPSHOT_KEY": String(secret)])
    let before = try pointer(world)
    #expect(try text.run(world.arguments()).errors.contains("unchanged: tiny"))
    #expect(try pointer(world) == before, "a fresh pointer stays")

    try world.folder.write("agent/serve", "#!/bin/sh\necho served better\n")
    try world.build("--key", key.string)
    let refused = try world.program.run("rollback", "tiny", "--store", world.store.string)
    #expect(refused.status == 1)
    #expect(refused.errors.contains("the pointer of 'tiny' is signed"))
    let back = try text.run("rollback", "tiny", "--store", world.store.string)
    #expect(back.status == 0, "\(back.errors)")
    let again = try world.run("build", "--key", key.string)
    #expect(again.status == 1)
    #expect(again.errors.contains("is in quarantine"))
    #expect(!again.errors.contains("\"phase\""), "refused before it is built")
  }

  @Test(
    "tells its packages and origin as judges want it",
    .enabled(
      if: hasPythonModule("spdx_tools") && hasPythonModule("cyclonedx")
        && hasPythonModule("in_toto_attestation"),
      "needs spdx-tools, cyclonedx-python-lib and in-toto-attestation"))
  func judged() throws {
    let world = try World()
    _ = try world.program.run("keygen", "key")
    let folder = try world.build("--key", (world.folder / "key").string).removingLastComponent()
    let script = """
      import base64, json, sys
      from spdx_tools.spdx.parser.parse_anything import parse_file
      from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
      from cyclonedx.validation.json import JsonStrictValidator
      from cyclonedx.schema import SchemaVersion
      from google.protobuf.json_format import ParseDict
      import in_toto_attestation.v1.statement_pb2 as pb
      from in_toto_attestation.v1.statement import Statement
      folder = sys.argv[1]
      document = parse_file(folder + "/sbom.spdx.json")
      assert validate_full_spdx_document(document) == []
      names = {p.name for p in document.packages}
      assert {"hello", "dpkg", "ubuntu"} <= names, names
      text = open(folder + "/sbom.cdx.json").read()
      assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
      assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(
        text.replace('"library"', '"liberty"')) is not None
      for name in ["checks", "provenance"]:
        envelope = json.load(open(f"{folder}/{name}.dsse.json"))
        statement = json.loads(base64.b64decode(envelope["payload"]))
        parsed = ParseDict(statement, pb.Statement())
        Statement.copy_from_pb(parsed).validate()
      assert "hello" in {r["name"] for r in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
      """
    let result = try runPython(["-c", script, folder.string])
    #expect(result.status == 0, "\(result.errors)")
  }

  private func pointer(_ world: World) throws -> String {
    try String(
      contentsOfFile: world.store.appending("images/tiny/latest.json").string, encoding: .utf8)
  }
}
