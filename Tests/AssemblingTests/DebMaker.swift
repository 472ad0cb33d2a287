import Foundation
import Support
import SystemPackage

/// Makes small debs from trees that shell commands lay out, with owners, modes and links as they are.
struct DebMaker {
  private(set) var debs: [FilePath] = []
  private let folder = Result { try TemporaryFolder() }

  /// Adds a deb.
  ///
  /// - Parameters:
  ///   - control: further lines of the control file.
  ///   - commands: run by sh in the tree, with umask 022; a script `DEBIAN/preinst` is made executable.
  mutating func add(
    _ name: String, version: String = "1", architecture: String = "amd64", control: String = "",
    compression: String = "xz", _ commands: String
  ) throws {
    let deb = try folder.get() / "\(name)_\(version)_\(architecture).deb"
    let tree = try folder.get() / name
    let script = """
      set -eu; umask 022; mkdir -p '\(tree)/DEBIAN'; cd '\(tree)'
      cat > DEBIAN/control
      \(commands)
      for script in preinst postinst prerm postrm; do
        if [ -e DEBIAN/$script ]; then chmod 755 DEBIAN/$script; fi
      done
      find . -exec touch -h -d @1600000000 {} +
      dpkg-deb -Z\(compression) --build . '\(deb)'
      """
    let text = """
      Package: \(name)
      Version: \(version)
      Architecture: \(architecture)
      Maintainer: Nobody <nobody@example.org>
      \(control.isEmpty ? "" : control + "\n")Description: \(name) of a test

      """
    _ = try runTool("sh", ["-c", script], input: Data(text.utf8)).succeeded()
    debs.append(deb)
  }

  /// Adds a deb whose data part is the tar that commands write to `data.tar`.
  mutating func add(_ name: String, tar commands: String) throws {
    let deb = try folder.get() / "\(name)_1_amd64.deb"
    let work = try folder.get() / "\(name).work"
    let script = """
      set -eu; umask 022; mkdir -p '\(work)'; cd '\(work)'
      printf 'Package: \(name)\\nVersion: 1\\nArchitecture: amd64\\nMaintainer: Nobody <n@example.org>\\nDescription: x\\n' > control
      tar czf control.tar.gz ./control
      \(commands)
      printf '2.0\\n' > debian-binary
      ar rcS '\(deb)' debian-binary control.tar.gz data.tar
      """
    _ = try runTool("sh", ["-c", script]).succeeded()
    debs.append(deb)
  }
}

/// A tree as lines of text: kind, mode, owner, time, link count, target and content of each path;
/// times of folders are left out, since programs that write into them change them.
func listing(of root: FilePath, without hidden: [String] = []) throws -> [String] {
  let script = """
    cd "$1"
    find . -type d -printf '%p d %m %U:%G\\n' -o -type l -printf '%p l %U:%G %T@ -> %l\\n' \
      -o -printf '%p %y %m %U:%G %T@ %n\\n'
    find . -type f -exec sha256sum {} + | awk '{print $2, "content", $1}'
    """
  let lines = try runTool("sh", ["-c", script, "sh", root.string]).succeeded().output
  return lines.split(separator: "\n").map(String.init).filter { line in
    !hidden.contains { line.hasPrefix("./\($0) ") || line.hasPrefix("./\($0)/") }
  }.sorted()
}
