internal import Imaging
internal import Isolation
internal import Model
internal import SystemPackage

/// The manifest of an image, but for what the catalog fills in.
func draftManifest(
  of inputs: BuildInputs, image: MadeImage, facts: ImageFacts, system: Manifest.OperatingSystem,
  packages: [Manifest.Package], program: String
) -> Manifest {
  let recipe = inputs.recipe
  return Manifest(
    image: Manifest.Image(
      name: recipe.image.name,
      architecture: recipe.base.architecture == "arm64" ? "aarch64" : "x86_64",
      recipe: FilePath(recipe.file).lastComponent?.string),
    disk: Manifest.Disk(
      virtualSize: image.virtualSize, allocatedSize: image.allocatedSize, sha256: image.sha256,
      chunks: Manifest.Chunks(facts.chunks)),
    filesystem: fileSystem(facts),
    os: system,
    agents: recipe.agents.compactMap { agent in
      inputs.local.hashes["agent \(agent.name)"].map {
        Manifest.Agent(
          name: agent.name, path: agent.into, sha256: $0,
          source: inputs.local.programs[agent.name]?.source,
          compiler: inputs.local.programs[agent.name]?.compiler,
          unit: agent.unit.flatMap { FilePath($0).lastComponent?.string })
      }
    }.sorted { $0.name < $1.name },
    units: recipe.units.map { Manifest.Unit(name: $0.name, state: state(of: $0)) }
      .sorted { $0.name < $1.name },
    inputs: Manifest.Inputs(
      buildId: inputs.buildId,
      recipe: Manifest.Source(
        file: FilePath(recipe.file).lastComponent?.string, sha256: recipe.digest),
      lock: Manifest.Source(file: "recipe.lock", sha256: inputs.lockHash),
      repositories: inputs.lock.repositories.map {
        Manifest.Repository(
          suite: $0.id, date: Timestamp(seconds: $0.date), inReleaseSha256: $0.inRelease,
          signedBy: $0.signedBy)
      },
      packages: packages),
    reproducibility: Manifest.Reproducibility(sourceDateEpoch: inputs.lock.epoch),
    builder: Manifest.Builder(version: program))
}

private func fileSystem(_ facts: ImageFacts) -> Manifest.FileSystem {
  Manifest.FileSystem(
    uuid: facts.uuid.description, label: facts.label.isEmpty ? nil : facts.label,
    blockSize: facts.blockSize, blockCount: Int(facts.blockCount),
    freeBlocks: Int(facts.freeBlocks), inodeSize: facts.inodeSize, inodeCount: facts.inodeCount,
    freeInodes: facts.freeInodes, hashSeed: facts.hashSeed.description,
    journalBlocks: facts.journalBlocks, features: facts.features, minKernel: "4.14")
}

/// The distribution, from the root's `os-release`.
func operatingSystem(
  of root: FilePath, _ base: Recipe.Base
) throws -> Manifest.OperatingSystem {
  let bytes = try RootFolder(root).contents(of: "/usr/lib/os-release") ?? []
  var fields: [Substring: Substring] = [:]
  for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
    guard let equals = line.firstIndex(of: "=") else { continue }
    fields[line[..<equals]] = line[line.index(after: equals)...]
  }
  func value(_ name: Substring) -> String? {
    fields[name].map { $0.filter { $0 != "\"" } }
  }
  return Manifest.OperatingSystem(
    id: value("ID") ?? base.distribution.rawValue, versionId: value("VERSION_ID") ?? base.suite,
    codename: value("VERSION_CODENAME") ?? base.suite, debArch: base.architecture)
}

private func state(of unit: Recipe.Unit) -> Manifest.Unit.State {
  switch unit.state {
  case .enabled: .enabled
  case .disabled: .disabled
  case .masked: .masked
  case .asPreset: .static
  }
}

/// The packages of a lock, of every kind.
func packages(of lock: Lock) -> [Manifest.Package] {
  lock.packages.map {
    Manifest.Package(
      type: .deb, name: $0.name, version: $0.version, arch: $0.architecture,
      sha256: $0.deb.sha256, size: $0.deb.size, path: $0.deb.path)
  }
    + lock.wheels.map {
      Manifest.Package(
        type: .wheel, name: $0.name, version: $0.version, sha256: $0.file.sha256,
        size: $0.file.size, path: $0.file.path)
    }
    + lock.npm.flatMap(\.packages).map {
      Manifest.Package(
        type: .npm, name: $0.name, version: $0.version, sha256: $0.tarball.sha256,
        integrity: $0.integrity, size: $0.tarball.size, path: $0.tarball.path)
    }
    + lock.archives.map {
      Manifest.Package(
        type: .archive, name: $0.name, version: String($0.file.sha256.hex.prefix(12)),
        sha256: $0.file.sha256, size: $0.file.size, path: $0.file.path)
    }
}

/// The package list that lies beside the image: name, architecture and version, a line each.
func packageList(of lock: Lock) -> String {
  lock.packages.map { "\($0.name)\t\($0.architecture)\t\($0.version)\n" }.joined()
}
