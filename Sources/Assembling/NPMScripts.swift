internal import Isolation
internal import Model
internal import SystemPackage

/// Runs the install scripts that a recipe allows, as npm would, but in the sandbox and without a
/// network.
struct NPMScripts {
  let root: RootFolder
  let sandbox: Sandbox
  let epoch: Int
  let events: EventSink

  /// Runs those of one tool: of packages that lie deeper first, since others may need them.
  func run(_ project: Lock.NPMProject, _ npm: Recipe.NPM) throws {
    let top = FilePath(npm.into).appending(project.name)
    let packages = project.packages.filter { !$0.scripts.isEmpty }.sorted {
      ($1.path.count, $0.path) < ($0.path.count, $1.path)
    }
    for package in packages {
      for line in package.scripts {
        try Task.checkCancellation()
        try run(line, of: package, npm, top: top)
      }
    }
  }

  private func run(
    _ line: String, of package: Lock.NPMPackage, _ npm: Recipe.NPM, top: FilePath
  ) throws {
    let folder = top.pushing(FilePath(package.path))
    var environment = [
      "SOURCE_DATE_EPOCH": "\(epoch)", "HOME": "/tmp", "INIT_CWD": top.string,
      "npm_package_name": package.name, "npm_package_version": package.version,
      "npm_config_offline": "true", "npm_config_cache": "/tmp/npm-cache",
      "PATH":
        "\(top)/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
    environment.merge(npm.environment) { $1 }
    let result = try sandbox.run(
      SandboxCommand(["/bin/sh", "-c", line], environment: environment, folder: folder)
    ) { [events] in events(.output($0)) }
    guard result.isSuccess else {
      throw CustomiseFailure.script(
        package: "\(package.name) \(package.version)", line: line,
        ending: result.ending.description,
        output: result.text.split(separator: "\n").suffix(20).map(String.init))
    }
  }
}
