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
    try expectRefusedBySignature(folder, key: key, in: world.folder)
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
      def refused(judge):
        try:
          return judge() is False
        except Exception:
          return True
      spdx = open(folder + "/sbom.spdx.json").read()
      for old, new in [('"SPDX-2.3"', '"SPDX-9.9"'), ('"SPDXRef-DOCUMENT"', '"Document 1"'),
                       ('"dataLicense"', '"dataLicence"')]:
        assert old in spdx, old
        path = sys.argv[2] + "/spoilt.spdx.json"
        open(path, "w").write(spdx.replace(old, new, 1))
        assert refused(lambda: validate_full_spdx_document(parse_file(path)) == []), old
      def statement_holds(statement):
        Statement.copy_from_pb(ParseDict(statement, pb.Statement())).validate()
        return True
      for name in ["checks", "provenance"]:
        envelope = json.load(open(f"{folder}/{name}.dsse.json"))
        statement = json.loads(base64.b64decode(envelope["payload"]))
        assert statement_holds(statement)
        for key, value in [("_type", "https://in-toto.io/Statement/v0"), ("subject", []),
                           ("predicateType", ""), ("subject", [{"name": "x"}])]:
          assert refused(lambda: statement_holds(statement | {key: value})), key
      assert "hello" in {r["name"] for r in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
      """
    let result = try runPython(["-c", script, folder.string, world.folder.path.string])
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test(
    "has a pointer and attestations that securesystemslib accepts, and refuses when spoilt",
    .enabled(
      if: hasPythonModule("securesystemslib.signer"),
      "python3 has no module securesystemslib: run scripts/install-judges"))
  func enveloped() throws {
    let world = try World()
    _ = try world.program.run("keygen", "key").succeeded()
    _ = try world.program.run("keygen", "other").succeeded()
    let folder = try world.build("--key", (world.folder / "key").string).removingLastComponent()
    let script = """
      import base64, copy, hashlib, json, sys
      from securesystemslib.dsse import Envelope
      from securesystemslib.signer import SSlibKey
      release, ours, other = sys.argv[1:]
      # The last 32 bytes of the second line of a minisign key are the Ed25519 key.
      def raw(path): return base64.b64decode(open(path).read().split("\\n")[1])[-32:].hex()
      def key(id, path): return SSlibKey(id, "ed25519", "ed25519", {"public": raw(path)})
      def changed(text):
        bytes = bytearray(base64.b64decode(text)); bytes[len(bytes) // 2] ^= 1
        return base64.b64encode(bytes).decode()
      def refused(data, key):
        try: Envelope.from_dict(data).verify([key], 1)
        except Exception: return True
      kinds = {"../latest.json": "application/vnd.golden.pointer.v1+json",
               "checks.dsse.json": "application/vnd.in-toto+json",
               "provenance.dsse.json": "application/vnd.in-toto+json"}
      for name, kind in kinds.items():
        data = json.load(open(f"{release}/{name}"))
        assert data["payloadType"] == kind, data["payloadType"]
        id = data["signatures"][0]["keyid"]
        good = key(id, ours)
        assert list(Envelope.from_dict(copy.deepcopy(data)).verify([good], 1)) == [id]
        json.loads(base64.b64decode(data["payload"]))
        def spoilt(change):
          other = copy.deepcopy(data); change(other); return other
        cases = {
          "payload": (spoilt(lambda d: d.update(payload=changed(d["payload"]))), good),
          "type": (spoilt(lambda d: d.update(payloadType=kind + "x")), good),
          "signature": (spoilt(lambda d: d["signatures"][0].update(sig=changed(d["signatures"][0]["sig"]))), good),
          "key id": (spoilt(lambda d: d["signatures"][0].update(keyid="0" * len(id))), good),
          "no signature": (spoilt(lambda d: d.update(signatures=[])), good),
          "another key": (data, key(id, other)),
        }
        for what, (envelope, with_key) in cases.items():
          assert refused(envelope, with_key), f"{name} is accepted with another {what}"
          print(name, what)
      """
    let result = try runPython([
      "-c", script, folder.string, (world.folder / "key").string + ".pub",
      (world.folder / "other").string + ".pub",
    ])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.split(separator: "\n").count == 18)
  }

  /// Expects that minisign refuses the manifest with one other byte, another comment, or another key.
  private func expectRefusedBySignature(
    _ release: FilePath, key: FilePath, in folder: TemporaryFolder
  ) throws {
    let manifest = try String(
      contentsOfFile: release.appending("manifest.json").string, encoding: .utf8)
    let signature = try String(
      contentsOfFile: release.appending("manifest.json.minisig").string, encoding: .utf8)
    _ = try Program(folder: folder.path).run("keygen", "other")
    func judge(_ manifest: String, _ signature: String, _ key: String) throws -> Int32 {
      let file = try folder.write("judged/manifest.json", manifest)
      try folder.write("judged/manifest.json.minisig", signature)
      return try runTool("minisign", ["-VHm", file.string, "-p", key + ".pub"]).status
    }
    #expect(try judge(manifest, signature, key.string) == 0)
    #expect(try judge(manifest.replacing("\"tiny\"", with: "\"tinz\""), signature, key.string) != 0)
    #expect(
      try judge(manifest, signature.replacing("image:tiny", with: "image:tinz"), key.string) != 0)
    #expect(try judge(manifest, signature, (folder / "other").string) != 0)
  }

  @Test("is made with a key that no program of the build sees")
  func hidden() throws {
    let world = try World()
    _ = try world.program.run("keygen", "key")
    let text = try String(contentsOfFile: (world.folder / "key").string, encoding: .utf8)
    let secret = String(try #require(text.split(separator: "\n").dropFirst().first))
    try world.folder.write(
      "tiny.toml",
      world.recipe(
        run:
          "cat /proc/self/environ > /etc/seen; for p in /proc/[0-9]*; do cat $p/environ >> /etc/seen; done; echo end >> /etc/seen"
      ))
    let program = Program(
      folder: world.folder.path, environment: ["BUILD_SNAPSHOT_KEY": secret])
    let result = try program.run(world.arguments())
    #expect(result.status == 0, "\(result.errors)")
    let disk = FilePath(String(result.output.dropLast()))
    let seen = try runTool("debugfs", ["-R", "cat /etc/seen", disk.string]).output
    #expect(seen.contains("PATH=") && seen.hasSuffix("end\n"), "\(seen)")
    #expect(!seen.contains("BUILD_SNAPSHOT_KEY") && !seen.contains(secret))
    // Nor does anything that is left of the build.
    let found = try runTool("grep", ["-rlF", secret, world.store.string])
    #expect(found.status == 1, "\(found.output)")
  }

  private func pointer(_ world: World) throws -> String {
    try String(
      contentsOfFile: world.store.appending("images/tiny/latest.json").string, encoding: .utf8)
  }
}
