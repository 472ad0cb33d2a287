import Foundation
import Model
import Support
import SystemPackage
import Testing

@testable import Publishing

private let hasMinisign: ConditionTrait = .enabled(if: hasTool("minisign"), "minisign is missing")

@Suite("Keys and signatures")
struct SigningTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(
    "hash as b2sum does", .enabled(if: hasTool("b2sum"), "b2sum is missing"),
    arguments: [0, 1, 127, 128, 129, 255, 256, 257, 100_000])
  func hashesAsB2sum(count: Int) throws {
    var random = SplitMix64(seed: UInt64(count))
    let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    let file = try folder.write("bytes", bytes)
    let expected = try runTool("b2sum", [file.string]).output.prefix(128)
    let actual = blake2b(bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(actual == expected)
  }

  @Test("are accepted by minisign, and refused when a byte differs", hasMinisign)
  func minisignAgrees() throws {
    let key = SigningKey.generate()
    try folder.write("key.pub", key.publicKey.text)
    let message = try folder.write("message", "golden")
    try folder.write(
      "message.minisig", try key.signature(of: Array("golden".utf8), comment: "file:message"))
    let arguments = ["-VHm", message.string, "-p", (folder / "key.pub").string]
    let verdict = try runTool("minisign", arguments)
    #expect(verdict.status == 0, "\(verdict)")
    #expect(verdict.output.contains("Trusted comment: file:message"))
    try folder.write("message", "golder")
    #expect(try runTool("minisign", arguments).status != 0)
    try folder.write("message", "golden")
    let signature = try text(folder / "message.minisig")
    try folder.write("message.minisig", signature.replacing("file:message", with: "file:massage"))
    #expect(try runTool("minisign", arguments).status != 0)
  }

  @Test("of minisign are read, and sign as its own", hasMinisign)
  func readsMinisignsKeys() throws {
    let (secret, open) = (folder / "key.sec", folder / "key.pub")
    try #require(
      try runTool("minisign", ["-GW", "-p", open.string, "-s", secret.string]).status == 0)
    chmod(secret.string, 0o600)
    let key = try SigningKey(file: secret)
    #expect(try PublicKey(text: text(open)) == key.publicKey)
    let message = try folder.write("message", "golden")
    try folder.write("message.minisig", try key.signature(of: Array("golden".utf8), comment: "c"))
    #expect(try runTool("minisign", ["-Vm", message.string, "-p", open.string]).status == 0)
  }

  @Test("of ours sign in minisign's hands, in both forms", hasMinisign, arguments: [[], ["-l"]])
  func minisignUsesOurKeys(form: [String]) throws {
    let key = SigningKey.generate()
    let secret = try folder.write("key.sec", key.secretText)
    let message = try folder.write("message", "golden")
    let signing = try runTool(
      "minisign", ["-Sm", message.string, "-s", secret.string, "-t", "by hand"] + form)
    #expect(signing.status == 0, "\(signing)")
    let signature = try text(folder / "message.minisig")
    #expect(try key.publicKey.check(signature, of: Array("golden".utf8)) == "by hand")
    #expect(throws: KeyFailure.wrongSignature(key.identity)) {
      try key.publicKey.check(signature, of: Array("golder".utf8))
    }
  }

  @Test func secretKeysOpenToOthersAreRefused() throws {
    let file = try folder.write("key.sec", SigningKey.generate().secretText)
    chmod(file.string, 0o640)
    #expect(throws: KeyFailure.readableByOthers(file, mode: 0o640)) { try SigningKey(file: file) }
    chmod(file.string, 0o400)
    #expect(throws: Never.self) { try SigningKey(file: file) }
  }

  @Test func areSavedOnceAndFoundInThreePlaces() throws {
    let key = SigningKey.generate()
    let (secret, open) = (folder / "build-snapshot-key", folder / "key.pub")
    try key.save(secret: secret, public: open)
    #expect(throws: KeyFailure.unwritable(secret, .fileExists)) {
      try SigningKey.generate().save(secret: secret, public: open)
    }
    #expect(try PublicKey(text: text(open)) == key.publicKey)
    let places: [(FilePath?, [String: String])] = [
      (secret, [:]), (nil, ["BUILD_SNAPSHOT_KEY": key.secretText]),
      (nil, ["CREDENTIALS_DIRECTORY": folder.path.string]),
    ]
    for (file, environment) in places {
      let found = try SigningKey.find(file: file, environment: environment)
      #expect(found?.publicKey == key.publicKey)
    }
    #expect(try SigningKey.find(file: nil, environment: [:])?.identity == nil)
  }

  @Test func aKeyIsReadFromItsSecondLineToo() throws {
    let key = SigningKey.generate()
    let line = try #require(key.secretText.split(separator: "\n").last)
    #expect(try SigningKey(text: String(line)).publicKey == key.publicKey)
  }

  @Test func otherTextIsNoKey() {
    for text in ["", "hello", "untrusted comment: x\n", "RWQ=", String(repeating: "A", count: 212)]
    {
      #expect(throws: KeyFailure.self) { try SigningKey(text: text) }
      #expect(throws: KeyFailure.self) { try PublicKey(text: text) }
    }
  }

  @Test func aSecretKeyShowsItsIdentityOnly() throws {
    let key = SigningKey.generate()
    var dumped = ""
    dump(key, to: &dumped)
    let secret = key.secretText.split(separator: "\n")[1].prefix(60)
    for shown in ["\(key)", String(reflecting: key), dumped, "\([key])"] {
      #expect(shown.contains("secret key \(key.identity)"))
      #expect(!shown.contains(secret))
      #expect(!shown.contains("\(Array(key.secret.rawRepresentation))"))
    }
  }

  @Test func aProcessWithASecretKeyWritesNoCore() throws {
    _ = SigningKey.generate()
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    #expect(limit.rlim_cur == 1)
  }
}

@Suite("A signed catalog")
struct TrustTests {
  let folder: TemporaryFolder
  let key = SigningKey.generate()
  let catalog: Catalog

  init() throws {
    folder = try TemporaryFolder()
    catalog = Catalog(store: folder / "store", key: key)
  }

  private var image: FilePath { folder / "store/images/browser" }
  private var trust: Trust { Trust(keys: [SigningKey.generate().publicKey, key.publicKey]) }

  @Test func provesItsCurrentRelease() throws {
    let release = try catalog.publishSample().release
    let found = try catalog.trusted("browser", trust, at: sampleTime, hashesDisk: true)
    #expect(found.release == release)
    #expect(found.pointer.generation == 1)
    let comment = try catalog.checkSignature(of: release, by: [key.publicKey])
    #expect(comment.contains("image:browser\tversion:20260701.001"))
    #expect(release.manifest.signing?.keyId == "\(key.identity)")
    #expect(try catalog.examine(isDeep: true) == [])
  }

  @Test func isRefusedForAnotherKey() throws {
    try catalog.publishSample()
    let failure = #expect(throws: TrustFailure.self) {
      try catalog.trusted(
        "browser", Trust(keys: [SigningKey.generate().publicKey]), at: sampleTime)
    }
    #expect(failure?.description.hasPrefix("signed by \(key.identity), which is none of") == true)
  }

  @Test func isRefusedUnsigned() throws {
    try Catalog(store: catalog.store).publishSample()
    #expect(throws: TrustFailure.unsigned(image: "browser")) {
      try catalog.trusted("browser", trust, at: sampleTime)
    }
  }

  @Test func isRefusedWhenThePointerGoesBack() throws {
    try catalog.publishSample(inputs: "1")
    let old = try Data(contentsOf: URL(fileURLWithPath: image.appending("latest.json").string))
    try catalog.publishSample(inputs: "2")
    let seen = try catalog.trusted("browser", trust, at: sampleTime).pointer.generation
    unlink(image.appending("latest.json").string)
    try old.write(to: URL(fileURLWithPath: image.appending("latest.json").string))
    #expect(throws: TrustFailure.staleGeneration(image: "browser", 1, seen: 2)) {
      try catalog.trusted("browser", Trust(keys: trust.keys, seen: seen), at: sampleTime)
    }
  }

  @Test func isRefusedOnceExpired() throws {
    let staging = try catalog.stage("browser")
    try Data(sampleDisk).write(to: URL(fileURLWithPath: staging.disk.string))
    _ = try catalog.publish(staging, sampleManifest(), at: sampleTime, expires: 3600)
    let end = Timestamp(seconds: sampleTime.seconds + 3600)
    #expect(try catalog.trusted("browser", trust, at: end).pointer.expires == end)
    #expect(throws: TrustFailure.expired(image: "browser", end)) {
      try catalog.trusted("browser", trust, at: Timestamp(seconds: end.seconds + 1))
    }
  }

  @Test(arguments: ["manifest.json", "rootfs.ext4", "packages.txt"])
  func isRefusedWhenAFileDiffers(name: String) throws {
    let release = try catalog.publishSample().release
    let file = release.folder.appending(name)
    chmod(file.string, 0o644)
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file.string))
    try handle.seek(toOffset: name == "manifest.json" ? try handle.seekToEnd() : 0)
    try handle.write(contentsOf: Data([0x20]))
    try handle.close()
    let failure = #expect(throws: TrustFailure.self) {
      try catalog.trusted("browser", trust, at: sampleTime, hashesDisk: true)
    }
    #expect(failure?.description.hasPrefix("'\(name)' is not what was signed") == true)
  }

  @Test("is accepted by minisign", hasMinisign)
  func minisignAgrees() throws {
    let release = try catalog.publishSample().release
    try folder.write("key.pub", key.publicKey.text)
    let manifest = release.folder.appending("manifest.json").string
    let verdict = try runTool("minisign", ["-VHm", manifest, "-p", (folder / "key.pub").string])
    #expect(verdict.status == 0, "\(verdict)")
  }

  @Test(
    "has envelopes that openssl accepts, and refuses when changed",
    .enabled(if: hasTool("openssl"), "openssl is missing"))
  func opensslAgrees() throws {
    let bytes = Array("{\"generation\": 1}".utf8)
    let envelope = try Envelope(bytes, type: Pointer.mediaType, key: key)
    let prefix = Array("DSSEv1 \(Pointer.mediaType.utf8.count) \(Pointer.mediaType) ".utf8)
    let signed = try folder.write("signed", prefix + Array("\(bytes.count) ".utf8) + bytes)
    let wrong = try folder.write("wrong", prefix + Array("\(bytes.count - 1) ".utf8) + bytes)
    let signature = try folder.write(
      "signature", try #require(decodedBase64(envelope.signatures[0].sig)))
    // A public key of Ed25519 in DER: RFC 8410.
    let header: [UInt8] = [0x30, 0x2A, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 3, 0x21, 0]
    let open = try folder.write("key.der", header + key.publicKey.key.rawRepresentation)
    for (file, status) in [(signed, 0 as Int32), (wrong, 1)] {
      let verdict = try runTool(
        "openssl",
        [
          "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", open.string, "-keyform", "DER",
          "-in", file.string, "-sigfile", signature.string,
        ])
      #expect(verdict.status == status, "\(verdict)")
    }
  }

  @Test(
    "has a pointer that securesystemslib accepts, and refuses when changed",
    .enabled(
      if: hasPythonModule("securesystemslib.signer"),
      "python3 has no module securesystemslib: run scripts/install-judges"))
  func securesystemslibAgrees() throws {
    try catalog.publishSample()
    let program = """
      import json, sys
      from securesystemslib.dsse import Envelope
      from securesystemslib.signer import SSlibKey
      data = json.load(open(sys.argv[1]))
      key = SSlibKey(data["signatures"][0]["keyid"], "ed25519", "ed25519", {"public": sys.argv[2]})
      print(list(Envelope.from_dict(data).verify([key], 1)))
      data["payload"] = data["payload"].replace("A", "B", 1)
      try:
          Envelope.from_dict(data).verify([key], 1)
          sys.exit("accepted a changed payload")
      except Exception as error:
          print("refused:", type(error).__name__)
      """
    let hex = key.publicKey.key.rawRepresentation.map {
      ($0 < 16 ? "0" : "") + String($0, radix: 16)
    }.joined()
    let verdict = try runPython(["-c", program, image.appending("latest.json").string, hex])
    #expect(verdict.status == 0, "\(verdict)")
    #expect(verdict.output.contains("refused: "))
  }

  @Test(
    "has statements that in-toto's library accepts",
    .enabled(
      if: hasPythonModule("in_toto_attestation.v1.statement"),
      "python3 has no module in_toto_attestation: run scripts/install-judges"))
  func inTotoAgrees() throws {
    let staging = try catalog.stage("browser")
    try Data(sampleDisk).write(to: URL(fileURLWithPath: staging.disk.string))
    let run = BuildRun(
      id: "nightly-1", started: sampleTime, finished: Timestamp(seconds: sampleTime.seconds + 60))
    let release = try catalog.publish(staging, sampleManifest(), at: sampleTime, run: run).release
    let program = """
      import base64, json, sys
      from google.protobuf.json_format import ParseDict
      from in_toto_attestation.v1.statement import Statement
      from in_toto_attestation.v1 import statement_pb2
      from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
      for path in sys.argv[1:]:
          data = json.loads(base64.b64decode(json.load(open(path))["payload"]))
          raw = ParseDict(data, statement_pb2.Statement())
          Statement.copy_from_pb(raw).validate()
          if "provenance" in path:
              ParseDict(data["predicate"], provenance_pb2.Provenance())
          print(data["predicateType"])
          try:
              bad = dict(data); bad["subject"] = []
              Statement.copy_from_pb(ParseDict(bad, statement_pb2.Statement())).validate()
              sys.exit("accepted a statement about nothing")
          except ValueError:
              pass
      """
    let paths = try #require(release.manifest.attestations).map {
      release.folder.appending($0.file).string
    }
    let verdict = try runPython(["-c", program] + paths)
    #expect(verdict.status == 0, "\(verdict)")
    #expect(
      verdict.output
        == "https://in-toto.io/attestation/test-result/v0.1\nhttps://slsa.dev/provenance/v1\n")
  }
}
