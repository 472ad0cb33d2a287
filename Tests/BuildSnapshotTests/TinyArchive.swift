import Foundation
import Support
import SystemPackage

/// The signed repository of a tiny distribution, made once for all tests: its folder and keyring.
///
/// It goes when the tests end; a test never changes it, but lets its own server answer otherwise.
struct TinyArchive {
  /// What a mirror serves under `/`.
  let folder: FilePath
  let keyring: FilePath

  /// Packages that have to do with each other, whichever of them a recipe takes first.
  private static let more = [
    AptPackage(
      "listener",
      files: [
        "DEBIAN/triggers": "interest-noawait /usr/share/words\n",
        "DEBIAN/postinst":
          "#!/bin/sh\ncat /usr/share/words/* > /usr/share/listener 2>/dev/null || true\n",
        "usr/share/doc/listener": "listens\n",
      ]),
    AptPackage(
      "word", depends: "hello",
      files: [
        "usr/share/words/word": "word\n", "usr/share/doc/word": "w\n",
        "DEBIAN/postinst":
          "#!/bin/sh\nmkdir -p /var/lib/word; cd /var/lib/word; echo 1 | dd of=state; echo 1 | dd of=gone\n",
      ]),
    AptPackage(
      "conf", depends: "word | nothing",
      files: [
        "etc/conf": "1\n", "DEBIAN/conffiles": "/etc/conf\n",
        // Changes what an earlier stage has, and takes something of it away.
        "DEBIAN/postinst":
          "#!/bin/sh\nrm -f /var/lib/word/gone; echo conf >> /var/lib/word/state; mkdir -p /var/lib/conf\n",
      ]),
  ]

  /// The one for all tests; a failure fails each of them.
  static func shared() throws -> TinyArchive { try made.get() }

  private static let made = Result { try TinyArchive() }

  private init() throws {
    let scratch = try TemporaryFolder()
    let repository = try AptRepository(suite: "jammy", pockets: [])
    try FileManager.default.createDirectory(
      atPath: (scratch / "debs").string, withIntermediateDirectories: true)
    for deb in try TinyDistribution(in: scratch / "debs").debs { try repository.add(deb: deb) }
    for package in Self.more { try repository.add(package) }
    // As Ubuntu has it: a few lines of shell in the place of a browser.
    var stubs = DebBuilder(folder: scratch / "debs")
    try stubs.add(
      "chromium-browser", version: "1:85.0.4183.83-0ubuntu2.22.04.1",
      control: "Pre-Depends: debconf, snapd",
      files: [
        "usr/bin/chromium-browser": "#!/bin/sh\nexec /snap/bin/chromium \"$@\"\n"
      ], scripts: ["preinst": "#!/bin/sh\nset -e\nsnap install chromium\n"])
    for deb in stubs.debs { try repository.add(deb: deb) }
    try repository.publish()
    let kept = FileManager.default.temporaryDirectory.path + "/build-snapshot-test-\(getpid())-tiny"
    atexit { removeArchiveOfThisProcess() }
    try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
    (folder, keyring) = (FilePath(kept + "/archive"), FilePath(kept + "/keyring.gpg"))
    let published = String(repository.url.dropFirst("file://".count))
    try FileManager.default.moveItem(atPath: published, toPath: folder.string)
    try FileManager.default.copyItem(atPath: repository.keyring.string, toPath: keyring.string)
  }
}

/// Runs when the tests' process ends: what is shared has no last reference.
private func removeArchiveOfThisProcess() {
  let kept = FileManager.default.temporaryDirectory.path + "/build-snapshot-test-\(getpid())-tiny"
  // Nobody is left to be told.
  try? FileManager.default.removeItem(atPath: kept)
}
