import Content
import Foundation
import Model
import Publishing
import Support
import SystemPackage

/// A manifest with something in every member that a build fills.
func sampleManifest(
  inputs text: String = "inputs", disk: [UInt8] = sampleDisk,
  packages: [Manifest.Package] = samplePackages
) -> Manifest {
  Manifest(
    image: Manifest.Image(
      name: "browser", architecture: "x86_64", recipe: "browser.toml",
      labels: ["channel": "nightly"]),
    disk: Manifest.Disk(
      virtualSize: disk.count, allocatedSize: disk.count / 2, sha256: ContentHash(of: disk)),
    filesystem: Manifest.FileSystem(
      uuid: "7c0f5f0e-0f0f-5a7b-9b1e-0c6a5a1b2c3d", label: "golden", blockCount: disk.count / 4096,
      freeBlocks: 3, inodeSize: 256, inodeCount: 64, freeInodes: 50,
      hashSeed: "11111111-2222-5333-8444-555555555556", journalBlocks: 1024,
      features: ["ext_attr", "extent", "filetype", "metadata_csum"], minKernel: "5.10"),
    os: Manifest.OperatingSystem(
      id: "debian", versionId: "12", codename: "bookworm", debArch: "amd64"),
    agents: [
      Manifest.Agent(
        name: "vm-browser-agent", version: "1.4.2", path: "/opt/vm-browser-agent",
        sha256: ContentHash(of: "agent"), size: 44_040_192, protocolVersion: 1,
        unit: "vm-browser-agent.service",
        ports: [Manifest.Port(port: 7071, purpose: "sign-in")])
    ],
    units: [
      Manifest.Unit(name: "apt-daily.timer", state: .masked),
      Manifest.Unit(
        name: "vm-browser-agent.service", sha256: ContentHash(of: "unit"), state: .enabled),
    ],
    clis: [
      Manifest.CLI(
        name: "codex", package: "openai-codex-cli-bin", version: "0.163.0",
        path: "/opt/clis/bin/codex", tty: true)
    ],
    inputs: Manifest.Inputs(
      buildId: ContentHash(of: text),
      recipe: Manifest.Source(file: "browser.toml", sha256: ContentHash(of: "recipe")),
      lock: Manifest.Source(file: "recipe.lock", sha256: ContentHash(of: "lock")),
      repositories: [
        Manifest.Repository(
          suite: "bookworm", date: Timestamp(seconds: 1_782_864_000),
          inReleaseSha256: ContentHash(of: "InRelease"),
          signedBy: ["4CB50190207B4758A3F73A796ED0E7B82643E131"])
      ],
      packages: packages),
    checks: [
      Manifest.Check(
        id: "fsck", phase: .image, result: .passed, tool: "e2fsck 1.47.0", summary: "0 fixes")
    ],
    reproducibility: Manifest.Reproducibility(
      sourceDateEpoch: 1_782_864_000, rebuild: Manifest.Rebuild(builds: 2, identical: true)),
    builder: Manifest.Builder(
      version: "0.1.0", components: ["libarchive": "3.6.2", "libext2fs": "1.47.0"]))
}

let samplePackages = [
  Manifest.Package(
    type: .deb, name: "xvfb", version: "2:21.1.7-3+deb12u9", arch: "amd64", source: "xorg-server",
    sha256: ContentHash(of: "xvfb"), size: 3_040_000,
    path: "pool/main/x/xorg-server/xvfb_21.1.7-3+deb12u9_amd64.deb", layer: "base",
    purl:
      "pkg:deb/debian/xvfb@2:21.1.7-3%2Bdeb12u9?arch=amd64&distro=debian-12&upstream=xorg-server",
    licence: "MIT"),
  Manifest.Package(
    type: .deb, name: "libssl3", version: "3.0.16-1~deb12u1", arch: "amd64", source: "openssl",
    sha256: ContentHash(of: "libssl3"), size: 2_020_000, licence: "Apache-2.0"),
  Manifest.Package(
    type: .wheel, name: "openai-codex-cli-bin", version: "0.163.0",
    sha256: ContentHash(of: "codex")),
  Manifest.Package(
    type: .npm, name: "@google/gemini-cli", version: "0.20.0", sha256: ContentHash(of: "gemini"),
    integrity: "sha512-AAAA", purl: "pkg:npm/%40google/gemini-cli@0.20.0"),
]

/// Stands for an image file; a multiple of 4096 bytes.
let sampleDisk = [UInt8](repeating: 0x5A, count: 65536)

/// 2026-07-01 02:41:07.
let sampleTime = Timestamp(seconds: 1_782_873_667)

extension Catalog {
  /// Publishes a small release as a build does.
  @discardableResult
  func publishSample(
    _ image: String = "browser", inputs: String = "inputs", disk: [UInt8] = sampleDisk,
    at now: Timestamp = sampleTime, version: Version? = nil
  ) throws -> Publication {
    let staging = try stage(image)
    try Data(disk).write(to: URL(fileURLWithPath: staging.disk.string))
    try staging.add(
      Array("{}\n".utf8), as: "recipe.lock", role: "lock", mediaType: "application/json")
    try staging.add(
      Array("xvfb\n".utf8), as: "packages.txt", role: "packages", mediaType: "text/plain")
    return try publish(
      staging, sampleManifest(inputs: inputs, disk: disk), at: now, version: version)
  }
}

/// Every path below a folder that is not a version's file, sorted: what a failed publish must not grow.
func listing(_ folder: FilePath) -> [String] {
  (FileManager.default.subpaths(atPath: folder.string) ?? []).sorted()
}

func text(_ path: FilePath) throws -> String {
  try String(contentsOfFile: path.string, encoding: .utf8)
}
