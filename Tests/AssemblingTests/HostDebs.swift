import Foundation
import Model
import Support
import SystemPackage

/// Debs of this machine's own Debian, as its apt finds and brings them, in a folder that is a flat
/// repository too.
struct HostDebs {
  /// Where the debs and their `Packages` are.
  var folder: FilePath { scratch / "debs" }
  let locked: LockedDebs
  private let scratch: TemporaryFolder

  /// Resolves and downloads packages and all that they need into folders of its own; nothing of the
  /// machine's apt changes.
  init(installing names: [String]) throws {
    scratch = try TemporaryFolder()
    let script = """
      set -eu; cd "$1"; shift
      mkdir -p lists/partial debs/partial; : > status
      cat > apt.conf <<.
      Dir::State "$PWD"; Dir::State::lists "$PWD/lists"; Dir::State::status "$PWD/status";
      Dir::Cache "$PWD"; Dir::Cache::archives "$PWD/debs";
      APT::Install-Recommends "false"; APT::Sandbox::User "root"; Debug::NoLocking "true";
      .
      export APT_CONFIG="$PWD/apt.conf"
      apt-get -qq update
      apt-get -qq -y --download-only install '?essential' usr-is-merged apt "$@"
      apt-get -qq -s install '?essential' usr-is-merged | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p' > essential
      cd debs; rm -rf partial lock
      for deb in *.deb; do
        dpkg-deb -f "$deb"; echo "Filename: ./$deb"; echo "Size: $(stat -c %s "$deb")"
        echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"; echo
      done > Packages
      """
    _ = try runTool("sh", ["-c", script, "sh", scratch.path.string] + names).succeeded()
    let text = { (path: FilePath) in try String(contentsOfFile: path.string, encoding: .utf8) }
    let essential = Set(try text(scratch / "essential").split(separator: "\n").map(String.init))
    let folder = scratch / "debs"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.string)
      .filter { $0.hasSuffix(".deb") }
    locked = try LockedDebs(
      files: files.map { folder.appending($0) }, essential: essential)
  }
}
