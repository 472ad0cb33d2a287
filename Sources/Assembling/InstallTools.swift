package import Content
internal import Isolation
package import Model
package import SystemPackage

/// Puts the tools of `[npm]` into a folder and does nothing else: what benchmarks measure.
package func installTools(
  of npm: Recipe.NPM, _ lock: Lock, from store: BlobStore, in folder: FilePath, jobs: Int
) throws {
  let root = try RootFolder(folder)
  for project in lock.npm {
    try NPMInstaller(root: root, store: store, jobs: jobs).install(project, npm)
  }
}
