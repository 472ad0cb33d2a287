internal import Model

/// apt's note of which packages nobody asked for: `/var/lib/apt/extended_states`.
///
/// - Parameters:
///   - manual: names that were asked for; essential packages need no note.
///   - architecture: that of the root; apt names it for packages for all architectures too.
func extendedStates(
  of packages: [Lock.Package], manual: Set<String>, architecture: String
) -> [UInt8] {
  let automatic = packages.filter { !$0.isEssential && !manual.contains($0.name) }
  let stanzas = automatic.map { package in
    let architecture = package.architecture == "all" ? architecture : package.architecture
    return "Package: \(package.name)\nArchitecture: \(architecture)\nAuto-Installed: 1\n\n"
  }
  return Array(stanzas.sorted().joined().utf8)
}
