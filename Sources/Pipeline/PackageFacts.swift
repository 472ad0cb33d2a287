internal import FoundationEssentials
internal import Isolation
internal import Model
internal import Publishing
internal import SystemPackage

/// What a finished root holds: its system, and all packages with their origins and licences.
struct Holdings: Sendable {
  var system: Manifest.OperatingSystem
  var packages: [Manifest.Package]

  init(of root: FilePath, _ inputs: BuildInputs) throws {
    let system = try operatingSystem(of: root, inputs.recipe.base)
    let facts = try PackageFacts(of: root, inputs)
    self.system = system
    packages = Pipeline.packages(of: inputs.lock).map { facts.complete($0, os: system) }
  }
}

/// What a finished root tells about its packages and the lock does not: where they come from and under
/// which licence they are.
private struct PackageFacts {
  private let root: RootFolder
  /// By name and architecture: the source package's name.
  private var sources: [String: String] = [:]
  /// By name and version of an npm package: the folder that holds it.
  private var folders: [String: String] = [:]

  init(of root: FilePath, _ inputs: BuildInputs) throws {
    self.root = try RootFolder(root)
    let status = try self.root.contents(of: "/var/lib/dpkg/status") ?? []
    for stanza in String(decoding: status, as: UTF8.self).split(separator: "\n\n") {
      var fields: [Substring: Substring] = [:]
      for line in stanza.split(separator: "\n") where line.first?.isWhitespace == false {
        guard let colon = line.firstIndex(of: ":") else { continue }
        fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
      }
      guard let name = fields["Package"], let source = fields["Source"] else { continue }
      sources["\(name):\(fields["Architecture"] ?? "")"] = String(source.prefix { $0 != " " })
    }
    let into = inputs.recipe.npm?.into ?? ""
    for project in inputs.lock.npm {
      for package in project.packages {
        folders["\(package.name)@\(package.version)"] = "\(into)/\(project.name)/\(package.path)"
      }
    }
  }

  /// A package with everything that is known about it.
  func complete(_ package: Manifest.Package, os: Manifest.OperatingSystem) -> Manifest.Package {
    var package = package
    switch package.type {
    case .deb:
      package.source = sources["\(package.name):\(package.arch ?? "")"] ?? package.name
      package.licence = text(of: "/usr/share/doc/\(package.name)/copyright")
        .flatMap { debianLicence(copyright: String(decoding: $0, as: UTF8.self)) }
    case .npm:
      if let folder = folders["\(package.name)@\(package.version)"] {
        package.licence = text(of: "\(folder)/package.json").flatMap(npmLicence)
      }
    case .wheel, .archive, .file: break
    }
    package.purl = packageURL(of: package, os: os)
    return package
  }

  /// A file of the root; one that cannot be read tells nothing, and the bill says so.
  private func text(of path: String) -> [UInt8]? { try? root.contents(of: FilePath(path)) }
}

/// The licence in a `package.json`: a text, or an object of older times.
private func npmLicence(_ json: [UInt8]) -> String? {
  struct Text: Decodable { var license: String }
  struct Object: Decodable {
    struct Kind: Decodable { var type: String }
    var license: Kind
  }
  let data = Data(json)
  // What has neither form states no licence that we could name.
  if let text = try? JSONDecoder().decode(Text.self, from: data) { return text.license }
  return (try? JSONDecoder().decode(Object.self, from: data))?.license.type
}

/// The command line tools that the recipe names, with their versions from the lock; sorted by name.
func declaredPrograms(of inputs: BuildInputs) -> [Manifest.CLI] {
  var programs: [Manifest.CLI] = []
  for wheel in inputs.recipe.wheels {
    let name = String(wheel.package.prefix { $0 != "=" })
    guard let locked = inputs.lock.wheels.first(where: { $0.name == name }) else { continue }
    for path in wheel.files.values where isProgram(path) {
      programs.append(
        Manifest.CLI(
          name: FilePath(path).lastComponent?.string ?? name, package: name,
          version: locked.version, path: path, tty: true))
    }
  }
  for project in inputs.lock.npm {
    let chosen = inputs.recipe.npm?.commands ?? [:]
    let commands =
      chosen.isEmpty
      ? Array(project.commands.keys)
      : chosen.filter { $0.value == project.package }.map(\.key)
    for command in commands {
      programs.append(
        Manifest.CLI(
          name: command, package: project.package, version: project.version,
          path: "/usr/local/bin/\(command)", tty: true))
    }
  }
  return programs.sorted { ($0.name, $0.path) < ($1.name, $1.path) }
}

private func isProgram(_ path: String) -> Bool {
  FilePath(path).removingLastComponent().lastComponent?.string == "bin"
}
