internal import Isolation
internal import Model
internal import SystemPackage

/// Writes apt's note of which packages nobody asked for: `/var/lib/apt/extended_states`.
///
/// - Parameters:
///   - packages: all that the root holds.
///   - manual: names that were asked for; essential packages need no note.
func writeExtendedStates(
  of packages: [Lock.Package], manual: Set<String>, in root: RootFolder
) throws(RootFailure) {
  // apt names the root's architecture for packages for all architectures too.
  let architecture = packages.first { $0.architecture != "all" }?.architecture ?? "all"
  let automatic = packages.filter { !$0.isEssential && !manual.contains($0.name) }
  let stanzas = automatic.map { package in
    let architecture = package.architecture == "all" ? architecture : package.architecture
    return "Package: \(package.name)\nArchitecture: \(architecture)\nAuto-Installed: 1\n\n"
  }
  try root.makeFolders("/var/lib/apt")
  try root.write(Array(stanzas.sorted().joined().utf8), to: "/var/lib/apt/extended_states")
}
