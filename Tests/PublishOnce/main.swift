// Publishes one small release and ends: what the fault-injection tests break at every system call.
//
// usage: PublishOnce STORE IMAGE DISK-BYTE; status 0 published, 3 published but unconfirmed, 1 failed

import Content
import Foundation
import Model
import Publishing
import SystemPackage

let arguments = CommandLine.arguments
guard arguments.count == 4, let byte = UInt8(arguments[3]) else {
  print("usage: PublishOnce STORE IMAGE DISK-BYTE")
  exit(64)
}
let disk = [UInt8](repeating: byte, count: 65536)
do {
  let staging = try Catalog(store: FilePath(arguments[1])).stage(arguments[2])
  try staging.add(
    disk, as: Manifest.diskFileName, role: "disk", mediaType: "application/octet-stream")
  try staging.add(
    Array("lock\n".utf8), as: "recipe.lock", role: "lock", mediaType: "application/json")
  let source = Manifest.Source(sha256: ContentHash(of: [byte]))
  let manifest = Manifest(
    image: Manifest.Image(name: arguments[2], architecture: "x86_64"),
    disk: Manifest.Disk(
      virtualSize: disk.count, allocatedSize: disk.count, sha256: ContentHash(of: disk)),
    filesystem: Manifest.FileSystem(
      uuid: "7c0f5f0e-0f0f-5a7b-9b1e-0c6a5a1b2c3d", blockCount: 16, features: []),
    os: Manifest.OperatingSystem(id: "debian", versionId: "12"),
    inputs: Manifest.Inputs(buildId: source.sha256, recipe: source, lock: source),
    reproducibility: Manifest.Reproducibility(sourceDateEpoch: 0),
    builder: Manifest.Builder(version: "0.1.0"))
  _ = try Catalog(store: FilePath(arguments[1])).publish(
    staging, manifest, at: Timestamp(seconds: 1_782_873_667))
} catch CatalogFailure.unconfirmed {
  exit(3)
} catch {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(1)
}
