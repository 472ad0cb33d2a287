public import Model

extension Manifest {
  /// What is said of an image that tests publish without building it: one file system of `disk`'s bytes.
  public static func sample(of image: String, disk: [UInt8], input: [UInt8]) -> Manifest {
    let source = Manifest.Source(sha256: ContentHash(of: input))
    return Manifest(
      image: Manifest.Image(name: image, architecture: "x86_64"),
      disk: Manifest.Disk(
        virtualSize: disk.count, allocatedSize: disk.count, sha256: ContentHash(of: disk)),
      filesystem: Manifest.FileSystem(
        uuid: "7c0f5f0e-0f0f-5a7b-9b1e-0c6a5a1b2c3d", blockCount: disk.count / 4096, features: []),
      os: Manifest.OperatingSystem(id: "debian", versionId: "12"),
      inputs: Manifest.Inputs(buildId: source.sha256, recipe: source, lock: source),
      reproducibility: Manifest.Reproducibility(sourceDateEpoch: 0),
      builder: Manifest.Builder(version: "0.1.0"))
  }
}
